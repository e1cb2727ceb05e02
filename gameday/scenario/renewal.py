"""Visits of a journey over time, by discretised renewal: transforms, nothing sampled."""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["Timed", "length_law", "quantiles", "steps_in_time", "timed", "visit_density"]

_BIN_S = 1.0
"""Resolution of event time: sixty bins a slot."""
_MOST_BINS = 1 << 15
"""With more, bins are wider."""
_LEVELS = (np.arange(8192) + 0.5) / 8192
"""Quantiles that stand for a law of pauses; a time between two bins is dealt to both, its mean kept."""
_DAMPED = 1e-8
"""What a bin's value has shrunk to by the end of the transform: what wraps around is less than this."""
_STAYS = 1e-5
"""Chance of a session that lasts for longer than is looked at."""
_LEAST_PAUSES = 20
"""Bins that a mean pause has at least, where sessions end by time."""
_NEGLIGIBLE = 1e-9
"""Chance of a walk that is cut within the time looked at, below which it is not reckoned with."""


def visit_density(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float], bins: int, bin_s: float
) -> Array:
    """Return expected visits by step and bin after the start, shape (steps, bins); no time ends a session.

    Only the steps that a walk may have are counted. The renewal equation V = start + V D is solved frequency by
    frequency, D the transform of what leads from step to step; with a length in steps it is the sum over the
    steps there are.
    """
    damping, moves = _moves(journey, steps, response_s, bins, bin_s)
    start = np.broadcast_to(journey.entry_vector(steps).astype(complex), (len(moves), len(steps)))
    if journey.length is not None and journey.length.steps is not None:
        at, solved = start[:, None, :], np.zeros(start.shape, complex)
        for chance in journey.length.goes_on:
            solved, at = solved + chance * at[:, 0], at @ moves
        return np.asarray(np.maximum(fft.irfft(solved.T, bins) / damping, 0.0))
    return _solved(moves, start, damping)


def _solved(moves: Array, start: Array, damping: Array) -> Array:
    """Return the visits of a walk's first LONGEST_WALK steps, by step and bin.

    Each is weighed by the damping, which is `_DAMPED` at the last bin: the sum over all bins, frequency 0, bounds
    the chance that a walk is cut before it.
    """
    beyond = start[0] @ np.linalg.matrix_power(moves[0], LONGEST_WALK)
    if np.abs(beyond).sum() > _NEGLIGIBLE * _DAMPED:
        start = start - (start[:, None, :] @ np.linalg.matrix_power(moves, LONGEST_WALK))[:, 0]
    stay = np.eye(moves.shape[1]) - moves.transpose(0, 2, 1)
    solved = np.linalg.solve(stay, start[:, :, None])[:, :, 0]
    return np.asarray(np.maximum(fft.irfft(solved.T, len(damping)) / damping, 0.0))


def _moves(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float], bins: int, bin_s: float
) -> tuple[Array, Array]:
    """Return the damping by bin, and the damped transforms by frequency, from step and to step."""
    damping = _DAMPED ** (np.arange(bins) / bins)
    moves = np.zeros((bins // 2 + 1, len(steps), len(steps)), complex)
    for step, row in journey.next.items():
        i = steps.index(step)
        for to, chance in row.items():
            if to in steps and chance > 0:
                delay = _delay(journey.think_law(step, to), response_s[step], bins, bin_s)
                moves[:, i, steps.index(to)] += chance * fft.rfft(delay * damping)
    return damping, moves


@dataclass(frozen=True, slots=True)
class Timed:
    """A journey whose sessions end when their time is over."""

    density: Array
    """Expected visits by step and bin after the start, shape (steps, bins); their sum is `visits`."""
    bin_s: float
    visits: Array
    """Expected visits of a session, shape (steps,)."""
    ever: Array
    """Chance that a session comes to each step, same shape."""
    mean_s: float
    """From the first step sent to the last reply."""


def timed(journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]) -> Timed:
    """Return what a journey with a length in time comes to; `response_s` is each step's response in event time.

    A step is done if it would begin, replies taking so long, before the session's time is over.
    """
    bins, bin_s, stays = _resolution(journey, steps, response_s)
    damping, moves = _moves(journey, steps, response_s, bins, bin_s)
    start = np.broadcast_to(journey.entry_vector(steps).astype(complex), (len(moves), len(steps)))
    free = _solved(moves, start, damping)
    density = free * stays
    ever = np.zeros(len(steps))
    for step in range(len(steps)):
        past = moves.copy()
        past[:, step] = 0.0
        ever[step] = (_solved(past, start, damping)[step] * stays).sum()
    following = (
        fft.irfft(moves.sum(axis=2).T, bins) / damping
    )  # chance of the next step, by step and delay
    at_s = np.arange(bins) * bin_s
    goes_on = np.stack(
        [
            density_row
            * fft.irfft(fft.rfft(stays, 2 * bins) * fft.rfft(delay, 2 * bins).conj(), 2 * bins)[
                :bins
            ]
            for density_row, delay in zip(free, following, strict=True)
        ]
    )
    replies = np.array([response_s[step] for step in steps])
    mean_s = float((density * at_s).sum() - (goes_on * at_s).sum())
    mean_s += float((density - goes_on).sum(axis=1) @ replies)
    return Timed(density, bin_s, density.sum(axis=1), ever, mean_s)


def steps_in_time(journey: Journey, steps: tuple[str, ...]) -> Array:
    """Return the chance that a session that ends by time has n steps, n = 0, 1, ...; replies take no time."""
    bins, bin_s, stays = _resolution(journey, steps, dict.fromkeys(steps, 0.0))
    damping, moves = _moves(journey, steps, dict.fromkeys(steps, 0.0), bins, bin_s)
    at = np.broadcast_to(journey.entry_vector(steps).astype(complex), (len(moves), len(steps)))[
        :, None
    ]
    reached = [1.0]
    while reached[-1] > _STAYS and len(reached) < LONGEST_WALK:
        at = at @ moves
        nth = fft.irfft(at.sum(axis=(1, 2)), bins) / damping
        reached.append(float(np.maximum(nth, 0.0) @ stays))
    return -np.diff([1.0, *reached, 0.0])


def _resolution(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]
) -> tuple[int, float, Array]:
    """Return bins, their width in s, and the chance that a session's time is longer than each."""
    assert journey.length is not None
    assert journey.length.duration is not None
    law = length_law(journey.length.duration)
    longest_s = float(quantiles(law, np.array([1 - _STAYS]))[0]) + 1.0
    pauses = [journey.think_s(step) + response_s[step] for step in steps if step in journey.next]
    bin_s = min(_BIN_S, max(min(pauses), 1e-3) / _LEAST_PAUSES)
    bins = 1 << 10
    while bins * bin_s < longest_s and bins < _MOST_BINS:
        bins *= 2
    bin_s = max(bin_s, longest_s / bins)
    levels, times = _LEVELS, quantiles(law, _LEVELS)
    stays = 1 - np.interp(np.arange(bins) * bin_s, times, levels, left=0.0, right=1.0)
    return bins, bin_s, stays


def length_law(duration: float | ServiceTime) -> ServiceTime:
    """Return the law of a session's time: a mean alone is exponential."""
    if isinstance(duration, float):
        return Exponential.model_construct(law="exponential", mean=duration)
    return duration


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
