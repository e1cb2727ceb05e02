"""When, after a session starts, its steps fall: exact up to the bin, by discretised renewal."""

from __future__ import annotations

import numpy as np

from gameday.scenario.journeys import Journey
from gameday.vocabulary import SLOT_S, Array

__all__ = ["lag_kernel"]

_BIN_S = 5.0
"""Resolution of event time where thinks are short. Twelve bins a slot."""
_BINS_A_THINK = 24
"""Bins are wider where thinks are longer than so many of them."""
_MOST_BINS = 20_000
_REST = 1e-4
"""Visits still to come that may be cut off, as a share."""


def lag_kernel(journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]) -> Array:
    """Return expected visits per session, shape (steps, lag in slots).

    `response_s` is each step's response in event time (speed x wall seconds). Starts are taken
    as uniform in their slot. The sum over lags is `journey.visits_per_session`: the rest below
    1e-4 that is cut off is dealt over what is kept.
    """
    chances, total = journey.transition_matrix(steps), journey.visits_per_session(steps)
    reached = [s for s in range(len(steps)) if total[s] > 0]
    slowest_s = max(journey.think_s(steps[s]) for s in reached)
    wide = max(1, int(slowest_s / (_BIN_S * _BINS_A_THINK)))
    delays = {s: _delay(journey, steps[s], response_s[steps[s]], _BIN_S * wide) for s in reached}
    visits = np.zeros((len(steps), 256))
    visits[:, 0] = journey.entry_vector(steps)
    seen, at = float(visits[:, 0].sum()), 0
    while seen < total.sum() * (1 - _REST) and at + 1 < _MOST_BINS:
        at += 1
        if at == visits.shape[1]:
            visits = np.pad(visits, ((0, 0), (0, at)))
        for source in reached:
            row = delays[source]
            first = max(0, at - len(row) + 1)
            gone = float(visits[source, first:at] @ row[at - first : 0 : -1])
            visits[:, at] += chances[source] * gone
        seen += float(visits[:, at].sum())
    fine = np.repeat(visits[:, : at + 1] / wide, wide, axis=1)
    return _by_slot(fine * (total.sum() / seen))


def _delay(journey: Journey, step: str, response_s: float, bin_s: float) -> Array:
    """Return the chance that the next step comes k bins later, k = 0 never, to the last 1e-6."""
    think_s = max(journey.think_s(step), 1e-9)
    bins = int((response_s + 14 * think_s) / bin_s) + 3
    edges = (np.arange(bins + 1) - 0.5) * bin_s - response_s
    chance = np.diff(-np.expm1(-np.maximum(edges, 0) / think_s))
    chance[1] += chance[0]
    chance[0] = 0.0
    return np.asarray(chance / chance.sum())


def _by_slot(visits: Array) -> Array:
    """Return visits by lag in slots, for starts uniform in a slot."""
    after = np.arange(visits.shape[1]) * _BIN_S / SLOT_S
    whole = after.astype(int)
    part = after - whole
    out = np.zeros((len(visits), int(whole[-1]) + 2))
    for step, row in enumerate(visits):
        np.add.at(out[step], whole, row * (1 - part))
        np.add.at(out[step], whole + 1, row * part)
    return out
