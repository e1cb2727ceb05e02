"""Visits of a journey over time: the discretised renewal equation, solved by Fourier transform; no sampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, special

from gameday.scenario.service_times import (
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    LogNormal,
    Pareto,
    ServiceTime,
)
from gameday.vocabulary import LONGEST_WALK, Array

if TYPE_CHECKING:
    from gameday.scenario.blocks.journeys import Journey

__all__ = [
    "VisitsInTime",
    "length_law",
    "quantiles",
    "steps_in_time",
    "visit_density",
    "visits_in_time",
]

_BIN_S = 1.0
"""Resolution of event time: sixty bins a slot."""
_MOST_BINS = 1 << 15
"""With more, bins are wider."""
_LEVELS = (np.arange(8192) + 0.5) / 8192
"""Quantiles that stand for a law of pauses; a time between two bins counts in both, so that its mean is kept."""
_DAMPED = 1e-8
"""Weight of the last bin: what wraps around in the transform is less than this."""
_STAYS = 1e-5
"""Chance of a session that lasts longer than the bins reach."""
_LEAST_PAUSES = 20
"""Fewest bins in the shortest mean pause, where sessions end by time."""
_NEGLIGIBLE = 1e-9
"""Chance that a walk is cut within the bins, below which the cut is ignored."""


@dataclass(frozen=True, slots=True)
class _Equation:
    """The renewal equation V = start + V moves of a journey, frequency by frequency.

    Bins are weighed by the damping before the transform, so that little of what comes later wraps around.
    """

    start: Array
    """Transform of the first steps, shape (frequencies, steps)."""
    moves: Array
    """Transform of the delay from step to step times its chance, shape (frequencies, steps, steps)."""
    damping: Array
    """Weight by bin, shape (bins,)."""

    def by_bin(self, transform: Array) -> Array:
        """Return what a transform, frequencies on its last axis, is in time; shape (..., bins)."""
        return np.asarray(fft.irfft(transform, len(self.damping)) / self.damping)

    def visits(self) -> Array:
        """Return the visits of a walk's first LONGEST_WALK steps, shape (steps, bins).

        At the last bin the damping is `_DAMPED`: the sum over all bins, frequency 0, bounds the chance that a walk
        is cut before it.
        """
        start, moves = self.start, self.moves
        beyond = start[0] @ np.linalg.matrix_power(moves[0], LONGEST_WALK)
        if np.abs(beyond).sum() > _NEGLIGIBLE * _DAMPED:
            start = start - (start[:, None, :] @ np.linalg.matrix_power(moves, LONGEST_WALK))[:, 0]
        stay = np.eye(moves.shape[1]) - moves.transpose(0, 2, 1)
        solved = np.linalg.solve(stay, start[:, :, None])[:, :, 0]
        return np.maximum(self.by_bin(solved.T), 0.0)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Bins of event time after a session's start."""

    bins: int
    bin_s: float
    stays: Array
    """Chance that a session's time is longer than each bin's start, shape (bins,)."""


def visit_density(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float], bins: int, bin_s: float
) -> Array:
    """Return expected visits by step and bin after the start, shape (steps, bins); no time ends a session.

    Only the steps that a walk may have are counted. The renewal equation is solved frequency by frequency; with a
    length in steps the visits are the sum over those steps.
    """
    equation = _equation(journey, steps, response_s, bins, bin_s)
    if journey.length is None or journey.length.steps is None:
        return equation.visits()
    nth_step = equation.start[:, None, :]
    total = np.zeros(equation.start.shape, complex)
    for chance in journey.length.goes_on:
        total, nth_step = total + chance * nth_step[:, 0], nth_step @ equation.moves
    return np.maximum(equation.by_bin(total.T), 0.0)


def _equation(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float], bins: int, bin_s: float
) -> _Equation:
    """Return a journey's renewal equation, replies taking `response_s` by step."""
    damping = _DAMPED ** (np.arange(bins) / bins)
    moves = np.zeros((bins // 2 + 1, len(steps), len(steps)), complex)
    for step, row in journey.next.items():
        i = steps.index(step)
        for to, chance in row.items():
            if to in steps and chance > 0:
                delay = _delay(journey.think_law(step, to), response_s[step], bins, bin_s)
                moves[:, i, steps.index(to)] += chance * fft.rfft(delay * damping)
    start = np.broadcast_to(journey.entry_vector(steps).astype(complex), (len(moves), len(steps)))
    return _Equation(start, moves, damping)


@dataclass(frozen=True, slots=True)
class VisitsInTime:
    """Visits of a journey whose sessions end when their time is over."""

    density: Array
    """Expected visits by step and bin after the start, shape (steps, bins); their sum is `visits`."""
    bin_s: float
    visits: Array
    """Expected visits of a session, shape (steps,)."""
    ever: Array
    """Chance that a session comes to each step, same shape."""
    mean_s: float
    """From the first step sent to the last reply."""


def visits_in_time(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]
) -> VisitsInTime:
    """Return the visits and the length of a journey with a length in time; `response_s`: event time, by step.

    A step is done if it would begin, replies taking so long, before the session's time is over.
    """
    grid = _grid(journey, steps, response_s)
    equation = _equation(journey, steps, response_s, grid.bins, grid.bin_s)
    free = equation.visits()
    density = free * grid.stays
    ever = _chance_of_each(equation, grid.stays)
    goes_on = _followed(equation, free, grid.stays)
    at_s = np.arange(grid.bins) * grid.bin_s
    replies_s = np.array([response_s[step] for step in steps])
    mean_s = float((density * at_s).sum() - (goes_on * at_s).sum())
    mean_s += float((density - goes_on).sum(axis=1) @ replies_s)
    return VisitsInTime(density, grid.bin_s, density.sum(axis=1), ever, mean_s)


def _chance_of_each(equation: _Equation, stays: Array) -> Array:
    """Return the chance that a session comes to each step: visits of a walk that ends there, shape (steps,)."""
    ever = np.zeros(equation.start.shape[1])
    for step in range(len(ever)):
        moves = equation.moves.copy()
        moves[:, step] = 0.0
        ever[step] = (replace(equation, moves=moves).visits()[step] * stays).sum()
    return ever


def _followed(equation: _Equation, free: Array, stays: Array) -> Array:
    """Return the expected visits that another step follows in time, by step and bin; `free`: if no time ended."""
    bins = len(stays)
    delays = equation.by_bin(equation.moves.sum(axis=2).T)
    longer = fft.rfft(stays, 2 * bins)
    return np.stack(
        [
            visits * fft.irfft(longer * fft.rfft(delay, 2 * bins).conj(), 2 * bins)[:bins]
            for visits, delay in zip(free, delays, strict=True)
        ]
    )


def steps_in_time(journey: Journey, steps: tuple[str, ...]) -> Array:
    """Return the chance that a session that ends by time has n steps, n = 0, 1, ...; replies take no time."""
    at_once = dict.fromkeys(steps, 0.0)
    grid = _grid(journey, steps, at_once)
    equation = _equation(journey, steps, at_once, grid.bins, grid.bin_s)
    nth_step = equation.start[:, None]
    reached = [1.0]
    while reached[-1] > _STAYS and len(reached) < LONGEST_WALK:
        nth_step = nth_step @ equation.moves
        begun = equation.by_bin(nth_step.sum(axis=(1, 2)))
        reached.append(float(np.maximum(begun, 0.0) @ grid.stays))
    return -np.diff([1.0, *reached, 0.0])


def _grid(journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]) -> _Grid:
    """Return bins that resolve the pauses and reach beyond nearly every session's time."""
    assert journey.length is not None
    assert journey.length.duration is not None
    law = length_law(journey.length.duration)
    longest_s = float(quantiles(law, np.array([1 - _STAYS]))[0]) + 1.0
    pauses_s = [journey.think_s(step) + response_s[step] for step in steps if step in journey.next]
    bin_s = min(_BIN_S, max(min(pauses_s), 1e-3) / _LEAST_PAUSES)
    bins = 1 << 10
    while bins * bin_s < longest_s and bins < _MOST_BINS:
        bins *= 2
    bin_s = max(bin_s, longest_s / bins)
    levels, times_s = _LEVELS, quantiles(law, _LEVELS)
    stays = 1 - np.interp(np.arange(bins) * bin_s, times_s, levels, left=0.0, right=1.0)
    return _Grid(bins, bin_s, stays)


def length_law(duration: float | ServiceTime) -> ServiceTime:
    """Return the law of a session's time: a mean alone is exponential."""
    if isinstance(duration, float):
        return Exponential.model_construct(law="exponential", mean=duration)
    return duration


def _delay(law: ServiceTime | None, response_s: float, bins: int, bin_s: float) -> Array:
    """Return the chance that the next step comes k bins later, shape (bins,); later ones are left out."""
    times_s = np.zeros(1) if law is None else quantiles(law, _LEVELS)
    position = (times_s + response_s) / bin_s
    position = position[position < bins - 1]
    first = position.astype(int)
    part = position - first
    size = 1.0 / len(times_s)
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
