"""When, after a session starts, its steps fall: exact up to the bin, by discretised renewal."""

from __future__ import annotations

import numpy as np

from gameday.scenario.journeys import Journey
from gameday.vocabulary import SLOT_S, Array

__all__ = ["lag_kernel"]

_BIN_S = 5.0
"""Resolution of event time. Twelve bins a slot."""
_MOST_SLOTS = 90
_REST = 1e-4
"""Visits still to come that may be cut off, as a share."""


def lag_kernel(journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]) -> Array:
    """Return expected visits per session, shape (steps, lag in slots).

    `response_s` is each step's response in event time (speed x wall seconds). Starts are taken
    as uniform in their slot. The sum over lags is `journey.visits_per_session` but for a rest
    below 1e-4.
    """
    bins = int(_MOST_SLOTS * SLOT_S / _BIN_S)
    chances = journey.transition_matrix(steps)
    visits = np.zeros((len(steps), bins))
    visits[:, 0] = journey.entry_vector(steps)
    total = journey.visits_per_session(steps)
    reached = [s for s in range(len(steps)) if total[s] > 0]
    delays = {s: _delay(journey, steps[s], response_s[steps[s]], bins) for s in reached}
    for at in range(1, bins):
        for source in reached:
            gone = float(visits[source, :at] @ delays[source][at:0:-1])
            if gone > 0:
                visits[:, at] += chances[source] * gone
        if at % 120 == 0 and visits.sum() > total.sum() * (1 - _REST):
            visits = visits[:, : at + 1]
            break
    return _by_slot(visits)


def _delay(journey: Journey, step: str, response_s: float, bins: int) -> Array:
    """Return the chance that the next step comes k bins later, shape (bins,), k = 0 never."""
    edges = (np.arange(bins + 1) - 0.5) * _BIN_S - response_s
    reached = -np.expm1(-np.maximum(edges, 0) / max(journey.think_s(step), 1e-9))
    chance = np.diff(reached)
    chance[1] += chance[0]
    chance[0] = 0.0
    return np.asarray(chance)


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
