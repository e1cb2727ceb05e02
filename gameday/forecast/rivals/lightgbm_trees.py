"""Gradient-boosted trees (LightGBM) with the same calendar: time of day, weekday, distance to events."""

from __future__ import annotations

import numpy as np

from gameday.forecast.data.training_data import Past
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

    def __call__(self, past: Past, at: Array) -> Array:
        """Return its forecast, shape (n, series)."""
        import lightgbm

        minute = past.slots_between(past.first_min, past.end_min, 1)
        known, asked = _features(past, minute), _features(past, at)
        out = np.empty((len(at), len(past.counts)))
        for series, row in enumerate(past.counts):
            have = ~np.isnan(row)
            data = lightgbm.Dataset(known[have], np.log1p(row[have]))
            trees = lightgbm.train(_SETTINGS, data, _ROUNDS)
            out[:, series] = np.maximum(np.expm1(trees.predict(asked)), 0)
        return out


def _features(past: Past, minute: Array) -> Array:
    day, _ = past.calendar.slot_of_day(minute)
    when = past.calendar.when(minute)
    columns = [day, day % 60, when.weekday, when.is_free]
    for kind in dict.fromkeys(o.kind for o in when.occurrences):
        mine = [o for o in when.occurrences if o.kind == kind]
        starts = np.array(sorted(o.start_min for o in mine))
        columns += [_since(minute, starts), _until(minute, starts)]
        columns.append(
            np.sum([(minute >= o.start_min) & (minute < o.end_min) for o in mine], axis=0)
        )
        near = [(np.abs(minute - start) < _NEAR_MIN) for start in starts]
        columns.append(np.sum(near, axis=0))
    return np.stack(columns, axis=1).astype(float)


def _since(minute: Array, starts: Array) -> Array:
    last = np.searchsorted(starts, minute, "right") - 1
    passed = minute - starts[np.maximum(last, 0)]
    return np.where((last >= 0) & (passed < _NEAR_MIN), passed, _NEAR_MIN)


def _until(minute: Array, starts: Array) -> Array:
    following = np.searchsorted(starts, minute, "right")
    left = starts[np.minimum(following, len(starts) - 1)] - minute
    return np.where((left > 0) & (left < _NEAR_MIN), left, _NEAR_MIN)
