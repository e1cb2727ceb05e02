"""When, after a session starts, its steps fall: exact up to the bin, by discretised renewal."""

from __future__ import annotations

import numpy as np

from gameday.scenario import visit_density, visits_in_time
from gameday.scenario.blocks import Journey
from gameday.vocabulary import SLOT_S, Array

__all__ = ["lag_kernel"]

_BIN_S = 1.0
"""Resolution of event time: sixty bins a slot."""
_MOST_BINS = 1 << 15
"""With more, bins are wider."""
_REST = 1e-4
"""Visits still to come that may be cut off, as a share."""


def lag_kernel(journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]) -> Array:
    """Return expected visits per session, shape (steps, lag in slots).

    `response_s` is each step's response in event time (speed x wall seconds). Starts are taken as uniform
    in their slot. The sum over lags is `journey.visits_per_session`: the rest below 1e-4 that is cut off is
    dealt over what is kept. Where sessions end by time it is what replies of that length let them do.
    """
    if journey.ends_by_time:
        found = visits_in_time(journey, steps, response_s)
        return _by_slot(found.density, found.bin_s)
    total = journey.visits_per_session(steps)
    mean_s = float(
        sum(
            visits * (journey.think_s(step) + response_s[step])
            for step, visits in zip(steps, total, strict=True)
            if visits > 0
        )
    )
    bins = 1 << 10
    while True:
        bin_s = max(_BIN_S, mean_s / 200 if bins >= _MOST_BINS else _BIN_S)
        visits = visit_density(journey, steps, response_s, bins, bin_s)
        seen = visits.sum()
        if seen >= total.sum() * (1 - _REST) or bins >= 4 * _MOST_BINS:
            break
        bins *= 2
    upto = np.cumsum(visits.sum(axis=0))
    last = int(np.searchsorted(upto, total.sum() * (1 - _REST))) + 1
    kept = visits[:, :last]
    share = np.divide(total, kept.sum(axis=1), out=np.zeros(len(steps)), where=total > 0)
    return _by_slot(kept * share[:, None], bin_s)


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
