"""Gradient-boosted trees (LightGBM) with the same calendar: time of day, weekday, distance to events."""

from __future__ import annotations

import numpy as np

from gameday.forecast.data.training_data import Past
from gameday.scenario.ingredients import Occurrence
from gameday.vocabulary import Array

__all__ = ["LightGBMTrees"]

_NEAR_MIN = 720.0
_SETTINGS = {
    "objective": "regression_l1",
    "num_leaves": 63,
    "learning_rate": 0.05,
    "min_data_in_leaf": 50,
    "verbose": -1,
    "num_threads": 2,
    "seed": 1,
    "deterministic": True,
}
_ROUNDS = 400


class LightGBMTrees:
    """Learns any shape; extrapolates none, and explains by attribution only."""

    name = "lightgbm"
    package: str | None = "lightgbm"
    daily = False
    minutes = True

    def __call__(self, past: Past, minute: Array) -> Array:
        """Return its forecast, shape (n, series)."""
        import lightgbm

        learned = _features(past, past.slots_between(past.first_min, past.end_min, 1))
        coming = _features(past, minute)
        counts = np.empty((len(minute), len(past.counts)))
        for series, row in enumerate(past.counts):
            known = ~np.isnan(row)
            data = lightgbm.Dataset(learned[known], np.log1p(row[known]))
            trees = lightgbm.train(_SETTINGS, data, _ROUNDS)
            counts[:, series] = np.maximum(np.expm1(trees.predict(coming)), 0)
        return counts


def _features(past: Past, minute: Array) -> Array:
    """Return the clock, the calendar and the distance to events of minutes, shape (n, features)."""
    day, _ = past.calendar.slot_of_day(minute)
    when = past.calendar.when(minute)
    columns = [day, day % 60, when.weekday, when.is_free]
    for kind in dict.fromkeys(o.kind for o in when.occurrences):
        columns += _event_features(minute, [o for o in when.occurrences if o.kind == kind])
    return np.stack(columns, axis=1).astype(float)


def _event_features(minute: Array, events: list[Occurrence]) -> list[Array]:
    """Return minutes since and until a start, and how many events of a kind are on and near, (n,) each."""
    starts = np.array(sorted(event.start_min for event in events))
    inside = [(minute >= event.start_min) & (minute < event.end_min) for event in events]
    near = [np.abs(minute - start) < _NEAR_MIN for start in starts]
    return [
        _since(minute, starts),
        _until(minute, starts),
        np.sum(inside, axis=0),
        np.sum(near, axis=0),
    ]


def _since(minute: Array, starts: Array) -> Array:
    last = np.searchsorted(starts, minute, "right") - 1
    passed = minute - starts[np.maximum(last, 0)]
    return np.where((last >= 0) & (passed < _NEAR_MIN), passed, _NEAR_MIN)


def _until(minute: Array, starts: Array) -> Array:
    following = np.searchsorted(starts, minute, "right")
    left = starts[np.minimum(following, len(starts) - 1)] - minute
    return np.where((left > 0) & (left < _NEAR_MIN), left, _NEAR_MIN)
