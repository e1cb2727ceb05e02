"""Session starts that cause the forecast's steps: non-negative least squares with lag kernels."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array, diags_array, hstack, vstack

from gameday.vocabulary import Array

__all__ = ["caused_steps", "fit_starts"]

_SMOOTH = 0.02
"""Weight of a jump between neighbouring slots against a misfit of one Poisson deviation."""
_TURNS = 300


def caused_steps(starts: Array, kernels: list[Array]) -> Array:
    """Return steps caused by starts (journeys, slots) through kernels (steps, lags)."""
    slots = starts.shape[1]
    out = np.zeros((len(kernels[0]), slots))
    for row, kernel in zip(starts, kernels, strict=True):
        for step, lags in enumerate(kernel):
            if lags.any():
                out[step] += np.convolve(row, lags)[:slots]
    return out


def fit_starts(steps: Array, kernels: list[Array]) -> Array:
    """Return session starts per slot, shape (journeys, slots), >= 0.

    `steps` has shape (steps, slots). The slots before the first are taken to be like the first:
    sessions begun then are solved for too and cut off. Each misfit is weighed by its Poisson
    deviation; starts are smooth but for what the forecast itself says.
    """
    lead = max(kernel.shape[1] for kernel in kernels)
    wanted = np.concatenate([np.repeat(steps[:, :1], lead, axis=1), steps], axis=1)
    slots = wanted.shape[1]
    deviation = np.sqrt(np.maximum(wanted, 1.0)).ravel()
    matrix = hstack([_convolution(kernel, slots) for kernel in kernels]).tocsr()
    visits = np.array([kernel.sum() for kernel in kernels])
    scale = max(float(wanted.sum(axis=0).mean() / visits.sum()), 1e-9)
    weighted = diags_array(scale / deviation) @ matrix
    target = wanted.ravel() / deviation
    rough = _roughness(len(kernels), slots) * np.sqrt(_SMOOTH * scale)
    whole = vstack([weighted, rough]).tocsr()
    aim = np.concatenate([target, np.zeros(rough.shape[0])])
    solved = _solve(whole, aim, len(kernels) * slots)
    return np.asarray(solved.reshape(len(kernels), slots)[:, lead:] * scale)


def _solve(matrix: csr_array, aim: Array, unknowns: int) -> Array:
    """Return argmin |matrix x - aim|^2 over x >= 0 (L-BFGS-B; convex, so the start is no matter)."""
    across = matrix.T.tocsr()

    def loss(x: Array) -> tuple[float, Array]:
        miss = matrix @ x - aim
        return float(miss @ miss), 2 * (across @ miss)

    found = minimize(
        loss, np.ones(unknowns), jac=True, method="L-BFGS-B", bounds=[(0, None)] * unknowns,
        options={"maxiter": _TURNS, "maxcor": 20, "maxfun": 2 * _TURNS},
    )  # fmt: skip
    return np.asarray(found.x)


def _convolution(kernel: Array, slots: int) -> csr_array:
    """Return the matrix that turns one journey's starts into every step, (steps x slots, slots)."""
    blocks = []
    for lags in kernel:
        offsets = [-lag for lag in range(min(len(lags), slots))]
        values = [np.full(slots, lags[-offset]) for offset in offsets]
        blocks.append(diags_array(values, offsets=offsets, shape=(slots, slots)))
    return vstack(blocks).tocsr()


def _roughness(journeys: int, slots: int) -> csr_array:
    one = diags_array([-np.ones(slots), np.ones(slots - 1)], offsets=[0, 1], shape=(slots, slots))
    one = one.tocsr()[:-1]
    return vstack(
        [hstack([one if j == k else csr_array(one.shape) for k in range(journeys)])
         for j in range(journeys)]
    ).tocsr()  # fmt: skip
