"""When, after a session starts, its steps fall: exact up to the bin, by discretised renewal."""

from __future__ import annotations

import numpy as np
from scipy import fft, special

from gameday.scenario.journeys import EXIT, Journey
from gameday.scenario.service_times import (
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    LogNormal,
    Pareto,
    ServiceTime,
)
from gameday.vocabulary import SLOT_S, Array

__all__ = ["lag_kernel", "quantiles"]

_BIN_S = 1.0
"""Resolution of event time: sixty bins a slot."""
_MOST_BINS = 1 << 15
"""With more, bins are wider."""
_LEVELS = (np.arange(8192) + 0.5) / 8192
"""Quantiles that stand for a law of pauses; a time between two bins is dealt to both, its mean kept."""
_REST = 1e-4
"""Visits still to come that may be cut off, as a share."""
_DAMPED = 1e-8
"""What a bin's value has shrunk to by the end of the transform: what wraps around is less than this."""


def lag_kernel(journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]) -> Array:
    """Return expected visits per session, shape (steps, lag in slots).

    `response_s` is each step's response in event time (speed x wall seconds). Starts are taken as uniform
    in their slot. The sum over lags is `journey.visits_per_session`: the rest below 1e-4 that is cut off is
    dealt over what is kept. The renewal equation V = start + V D is solved frequency by frequency, D the
    transform of what leads from step to step; with a `length` it is the sum over the steps there are.
    """
    total = journey.visits_per_session(steps)
    mean_s = float(sum(
        visits * (journey.think_s(step) + response_s[step])
        for step, visits in zip(steps, total, strict=True) if visits > 0
    ))  # fmt: skip
    bins = 1 << 10
    while True:
        bin_s = max(_BIN_S, mean_s / 200 if bins >= _MOST_BINS else _BIN_S)
        visits = _visits(journey, steps, response_s, bins, bin_s)
        seen = visits.sum()
        if seen >= total.sum() * (1 - _REST) or bins >= 4 * _MOST_BINS:
            break
        bins *= 2
    upto = np.cumsum(visits.sum(axis=0))
    last = int(np.searchsorted(upto, total.sum() * (1 - _REST))) + 1
    kept = visits[:, :last]
    share = np.divide(total, kept.sum(axis=1), out=np.zeros(len(steps)), where=total > 0)
    return _by_slot(kept * share[:, None], bin_s)


def _visits(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float], bins: int, bin_s: float
) -> Array:
    """Return expected visits by step and bin after the start, shape (steps, bins)."""
    damping = _DAMPED ** (np.arange(bins) / bins)
    moves = np.zeros((bins // 2 + 1, len(steps), len(steps)), complex)
    for step, row in journey.next.items():
        i = steps.index(step)
        for to, chance in row.items():
            if to != EXIT and chance > 0:
                delay = _delay(journey.think_law(step, to), response_s[step], bins, bin_s)
                moves[:, i, steps.index(to)] += chance * fft.rfft(delay * damping)
    start = np.broadcast_to(journey.entry_vector(steps).astype(complex), (len(moves), len(steps)))
    if journey.length is not None:
        at, solved = start[:, None, :], np.zeros(start.shape, complex)
        for chance in journey.length.goes_on:
            solved, at = solved + chance * at[:, 0], at @ moves
        return np.asarray(np.maximum(fft.irfft(solved.T, bins) / damping, 0.0))
    stay = np.eye(len(steps)) - moves.transpose(0, 2, 1)
    solved = np.linalg.solve(stay, start[:, :, None])[:, :, 0]
    return np.asarray(np.maximum(fft.irfft(solved.T, bins) / damping, 0.0))


def _delay(law: ServiceTime | None, response_s: float, bins: int, bin_s: float) -> Array:
    """Return the chance that the next step comes k bins later; what comes after the last bin is left out."""
    times = np.zeros(1) if law is None else quantiles(law, _LEVELS)
    place = (times + response_s) / bin_s
    place = place[place < bins - 1]
    first = place.astype(int)
    part = place - first
    size = 1.0 / len(times)
    return np.asarray(
        np.bincount(first, (1 - part) * size, bins) + np.bincount(first + 1, part * size, bins)
    )


def quantiles(law: ServiceTime, levels: Array) -> Array:
    """Return `law.seconds` of many levels at once; equal but for the last bits."""
    if isinstance(law, Exponential):
        return np.asarray(-np.log1p(-levels) * law.mean)
    if isinstance(law, LogNormal):
        return np.asarray(law.mean * np.exp(law.sigma * special.ndtri(levels) - law.sigma**2 / 2))
    if isinstance(law, Gamma | Erlang):
        return np.asarray(special.gammaincinv(law.shape, levels) * law.mean / law.shape)
    if isinstance(law, Pareto):
        return np.asarray(law.min * np.exp(-np.log1p(-levels * law.share) / law.alpha))
    if isinstance(law, Empirical):
        known, seconds = np.array(law.rows).T
        return np.asarray(np.interp(levels, known, seconds))
    return np.full(len(levels), law.mean)


def _by_slot(visits: Array, bin_s: float) -> Array:
    """Return visits by lag in slots, for starts uniform in a slot."""
    after = np.arange(visits.shape[1]) * bin_s / SLOT_S
    whole = after.astype(int)
    part = after - whole
    out = np.zeros((len(visits), int(whole[-1]) + 2))
    for step, row in enumerate(visits):
        out[step] += np.bincount(whole, row * (1 - part), out.shape[1])
        out[step] += np.bincount(whole + 1, row * part, out.shape[1])
    return out
