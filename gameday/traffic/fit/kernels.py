"""When, after a session starts, its steps fall: a Markov renewal process, exact up to the bin of time."""

from __future__ import annotations

import numpy as np

from gameday.scenario import visit_density, visits_in_time
from gameday.scenario.blocks import Journey, ObservedSessions
from gameday.vocabulary import SLOT_S, Array

__all__ = ["lag_kernel"]

_BIN_S = 1.0
"""Resolution of event time: sixty bins a slot."""
_MOST_BINS = 1 << 15
"""With more of them, bins are wider."""
_REST = 1e-4
"""Visits still to come that may be cut off, as a share."""


def lag_kernel(journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]) -> Array:
    """Return expected visits per session, shape (steps, lag in slots).

    `response_s` is each step's response in event time (speed x wall seconds). Starts are taken as uniform
    in their slot. The sum over lags is `journey.visits_per_session`: the rest below 1e-4 that is cut off is
    spread over what is kept. A journey whose sessions end by time has the visits that these responses leave
    time for.
    """
    if journey.sessions is not None:
        return _by_slot(*_observed_visits(journey.sessions, steps, response_s))
    if journey.ends_by_time:
        found = visits_in_time(journey, steps, response_s)
        return _by_slot(found.density, found.bin_s)
    total = journey.visits_per_session(steps)
    kept, bin_s = _visits_by_bin(journey, steps, response_s)
    share = np.divide(total, kept.sum(axis=1), out=np.zeros(len(steps)), where=total > 0)
    return _by_slot(kept * share[:, None], bin_s)


def _observed_visits(
    sessions: ObservedSessions, steps: tuple[str, ...], response_s: dict[str, float]
) -> tuple[Array, float]:
    """Return visits of a session by time since its start, shape (steps, bins), and the length of a bin, s."""
    index = sessions.indices(steps)
    took_s = np.array([response_s[step] for step in steps])[index] + np.array(sessions.pauses)
    since_s = np.concatenate([[0.0], np.cumsum(took_s)[:-1]])
    at_s = since_s - np.repeat(since_s[sessions.firsts[:-1]], sessions.lengths)
    bins = int(at_s.max() / _BIN_S) + 1
    places = index * bins + (at_s / _BIN_S).astype(int)
    counts = np.bincount(places, minlength=len(steps) * bins)
    return counts.reshape(len(steps), bins) / sessions.count, _BIN_S


def _visits_by_bin(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]
) -> tuple[Array, float]:
    """Return visits by time since the start, shape (steps, bins), and the length of a bin, s.

    The bins are doubled until they hold all visits but a rest; bins in which only the rest falls are cut off.
    """
    enough = journey.visits_per_session(steps).sum() * (1 - _REST)
    mean_s = _mean_session_s(journey, steps, response_s)
    bins = 1 << 10
    while True:
        bin_s = max(_BIN_S, mean_s / 200 if bins >= _MOST_BINS else _BIN_S)
        visits = visit_density(journey, steps, response_s, bins, bin_s)
        if visits.sum() >= enough or bins >= 4 * _MOST_BINS:
            break
        bins *= 2
    last = int(np.searchsorted(np.cumsum(visits.sum(axis=0)), enough)) + 1
    return visits[:, :last], bin_s


def _mean_session_s(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]
) -> float:
    """Return the mean length of a session, s of event time, with a pause after its last step too."""
    return float(
        sum(
            visits * (journey.think_s(step) + response_s[step])
            for step, visits in zip(steps, journey.visits_per_session(steps), strict=True)
            if visits > 0
        )
    )


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
