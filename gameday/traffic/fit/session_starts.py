"""Session starts that cause the forecast's steps: non-negative least squares with lag kernels."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

from gameday.vocabulary import Array

__all__ = ["caused_steps", "fit_starts"]

_SMOOTH = 0.02
"""Weight of a jump between neighbouring slots against a misfit of one Poisson deviation."""
_TOWARDS = 1e-5
"""Weight of the customers' mix against the mean misfit: it decides only what the forecast leaves open."""
_MOST_RATIO = 4.0
"""Largest ratio of neighbouring slots' shares; beyond it they are taken to jump."""
_TURNS = 60
"""Most exchanges between free and held unknowns. Ours."""
_PATIENCE = 3
"""Full exchanges that may bring no progress before unknowns are exchanged singly (Judice & Pires, 1994)."""


def caused_steps(starts: Array, kernels: list[Array]) -> Array:
    """Return steps caused by starts (journeys, slots) through kernels (steps, lags)."""
    slots = starts.shape[1]
    out = np.zeros((len(kernels[0]), slots))
    for row, kernel in zip(starts, kernels, strict=True):
        for step, lags in enumerate(kernel):
            if lags.any():
                out[step] += np.convolve(row, lags)[:slots]
    return out


def fit_starts(
    steps: Array, kernels: list[Array], *, mix: Array | None = None, jumps: Array | None = None
) -> Array:
    """Return session starts per slot, shape (journeys, slots), >= 0.

    Weighted non-negative least squares: each misfit is weighed by its Poisson deviation, and jumps between
    neighbouring slots cost a little, but where the forecast or the mix themselves jump and where `jumps` (slots,)
    lets a slot differ from the one before.

    `steps` has shape (steps, slots). The slots before the first are taken to be like the first: sessions begun
    then are solved for too and cut off. `mix` (journeys, slots) is each journey's share of the starts where the
    forecast leaves it open; default: as many sessions of each.
    """
    lags = _stack(kernels)
    journeys, _, lead = lags.shape
    wanted = _with_lead(steps, lead)
    scale = max(float(wanted.sum(axis=0).mean() / lags.sum()), 1e-9)
    weight = scale / np.maximum(wanted, 1.0)
    band, aim = _normal_matrix(lags, weight * scale), _normal_side(lags, weight * wanted)
    if mix is None:
        mix = np.full((journeys, steps.shape[1]), 1 / journeys)
    shares = _with_lead(mix, lead)
    _add_smoothness(band, shares, _SMOOTH * scale * _is_smooth(jumps, wanted.shape[1])[1:])
    _add_mix(band, shares, _TOWARDS * float(band[0].mean()))
    solved = _non_negative(band, aim)
    return np.asarray(solved.reshape(-1, journeys).T[:, lead:] * scale)


def _is_smooth(jumps: Array | None, slots: int) -> Array:
    """Return whether starts are like those of the slot before, shape (slots,); `jumps` are of the last slots."""
    if jumps is None:
        return np.ones(slots, bool)
    return ~np.pad(jumps, (slots - len(jumps), 0))


def _stack(kernels: list[Array]) -> Array:
    """Return the kernels as one array, shape (journeys, steps, lags)."""
    most = max(kernel.shape[1] for kernel in kernels)
    return np.stack([np.pad(k, ((0, 0), (0, most - k.shape[1]))) for k in kernels])


def _with_lead(rows: Array, lead: int) -> Array:
    """Return rows (..., slots) with `lead` slots before them that are like their first."""
    return np.pad(rows, ((0, 0), (lead, 0)), mode="edge")


def _normal_matrix(lags: Array, weight: Array) -> Array:
    """Return M'WM of the normal equations as the lower band of `cholesky_banded`, unknowns slot by slot.

    `lags` has shape (journeys, steps, lags), `weight` (steps, slots).
    """
    journeys, _, most = lags.shape
    slots = weight.shape[1]
    windows = _windows(weight, most)
    band = np.zeros((most * journeys, slots * journeys))
    for apart in range(min(most, slots)):
        block = windows @ _lag_products(lags, apart)
        _add_block(band, block[: slots - apart].reshape(-1, journeys, journeys), apart)
    return band


def _windows(weight: Array, most: int) -> Array:
    """Return every slot's weights and those of the `most - 1` slots after it, shape (slots, steps * most)."""
    steps, slots = weight.shape
    later = np.lib.stride_tricks.sliding_window_view(
        np.pad(weight, ((0, 0), (0, most - 1))), most, axis=1
    )
    return later.transpose(1, 0, 2).reshape(slots, steps * most)


def _lag_products(lags: Array, apart: int) -> Array:
    """Return the products of each two journeys' kernels, the second begun `apart` slots later.

    Shape (steps * lags, journeys * journeys).
    """
    journeys, steps, most = lags.shape
    both = np.zeros((steps, most, journeys, journeys))
    both[:, apart:] = np.einsum("jsl,ksl->sljk", lags[:, :, apart:], lags[:, :, : most - apart])
    return both.reshape(steps * most, journeys * journeys)


def _add_block(band: Array, block: Array, apart: int) -> None:
    """Add to the band the products of each slot's starts with those `apart` slots later.

    `block` has shape (slots, journeys, journeys); of the slot itself the lower triangle is enough.
    """
    slots, journeys, _ = block.shape
    columns = np.arange(slots) * journeys
    for j in range(journeys):
        for k in range(j if apart == 0 else 0, journeys):
            band[apart * journeys + k - j, columns + j] += block[:, j, k]


def _normal_side(lags: Array, weighted: Array) -> Array:
    """Return M'Wy of the normal equations, unknowns slot by slot; `weighted` is Wy, shape (steps, slots)."""
    journeys, steps, _ = lags.shape
    slots = weighted.shape[1]
    aim = np.zeros((slots, journeys))
    for j in range(journeys):
        for step in range(steps):
            aim[:, j] += np.convolve(weighted[step, ::-1], lags[j, step])[:slots][::-1]
    return aim.ravel()


def _add_smoothness(band: Array, shares: Array, weight: Array) -> None:
    """Add the squares of the jumps between neighbouring slots, each with its weight (slots - 1,).

    Starts that keep to their share, (journeys, slots), do not jump when the share does.
    """
    journeys = len(shares)
    if journeys >= len(band):
        return
    for j, share in enumerate(shares):
        ratio = _growth(share)
        band[0, j::journeys][:-1] += weight * ratio
        band[0, j::journeys][1:] += weight / ratio
        band[journeys, j::journeys][:-1] -= weight


def _growth(share: Array) -> Array:
    """Return a share over that of the slot before, within bounds, shape (slots - 1,); 1 where either is 0."""
    known = (share[1:] > 0) & (share[:-1] > 0)
    ratio = np.divide(share[1:], share[:-1], out=np.ones(len(share) - 1), where=known)
    return np.clip(ratio, 1 / _MOST_RATIO, _MOST_RATIO)


def _add_mix(band: Array, shares: Array, weight: float) -> None:
    """Add, slot by slot, the squares of what each journey has beyond its share of all starts."""
    journeys = len(shares)
    eye = np.eye(journeys)
    away = eye[:, :, None] - shares[:, None, :]  # of journey j from x_k
    square = weight * np.einsum("jkt,jlt->klt", away, away) + 1e-3 * weight * eye[:, :, None]
    for k in range(journeys):
        for other in range(k, journeys):
            band[other - k, k::journeys] += square[k, other]


def _non_negative(band: Array, aim: Array) -> Array:
    """Return argmin x'Ax/2 - b'x over x >= 0, A banded (block principal pivoting: Kim & Park, 2011)."""
    free = np.ones(len(aim), bool)
    fewest, patience = len(aim) + 1, _PATIENCE
    for _ in range(_TURNS):
        x = _solve(band, aim, free)
        infeasible = _infeasible(band, aim, x, free)
        count = int(infeasible.sum())
        if count == 0:
            break
        if count < fewest:
            fewest, patience = count, _PATIENCE
        elif patience > 0:
            patience -= 1
        else:
            infeasible[: np.flatnonzero(infeasible)[-1]] = False
        free ^= infeasible
    return np.maximum(x, 0.0)


def _infeasible(band: Array, aim: Array, x: Array, free: Array) -> Array:
    """Return where x breaks the Karush-Kuhn-Tucker conditions: free and below 0, or held at 0 and falling."""
    slope = _times(band, x) - aim
    falling = slope < -1e-9 * np.abs(aim).max()
    return np.asarray((free & (x < -1e-12)) | (~free & falling))


def _solve(band: Array, aim: Array, free: Array) -> Array:
    """Return the solution in the unknowns that are free; the others are 0."""
    kept = band.copy()
    if not free.all():
        for row in range(1, len(kept)):
            kept[row, : len(aim) - row] *= free[row:] & free[: len(aim) - row]
        kept[0][~free] = 1.0
    factor = cholesky_banded(kept, lower=True, overwrite_ab=True, check_finite=False)
    solved = cho_solve_banded((factor, True), np.where(free, aim, 0.0), check_finite=False)
    return np.where(free, solved, 0.0)


def _times(band: Array, x: Array) -> Array:
    """Return the band's symmetric matrix times x."""
    out = band[0] * x
    for row in range(1, min(len(band), len(x))):
        part = band[row, : len(x) - row]
        out[row:] += part * x[: len(x) - row]
        out[: len(x) - row] += part * x[row:]
    return np.asarray(out)
