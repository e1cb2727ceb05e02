"""The fit: ridge on log counts, one Gram and one factorisation for all steps of a calendar.

Robust by Huber's pseudo-responses: the residual is clipped, the Gram stays, so that all series
share it; a missing count takes the fit's own value. Source: anchors/forecast.md §4.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve

from gameday.forecast.design import Columns, Design
from gameday.forecast.rows import Rows
from gameday.vocabulary import Array

__all__ = ["Fit", "fit_rows"]

_HUBER = 2.5
"""Residuals beyond this many scales are clipped. Source: the probe (anchors/forecast.md)."""
_RIDGE = 30.0
"""Overall penalty per 10,000 rows of weight. Source: the probe."""
_PASSES = 5
_EVENT_HALF_LIFE_DAYS = 720.0
"""Events are few, so they are forgotten slowly. Ours: two years halve an event's weight."""
_ROBOT_SCALES = 5.0
"""An ordinary quarter hour this far off is masked. Source: anchors/forecast.md §4.9."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients of all steps of one region."""

    design: Design
    coefficients: Array
    """Shape (columns, steps)."""
    profile: Array
    """Log effect of each minute of a day, (2 = weekday/weekend, 1440, steps); fitted apart."""
    masked: Array
    """Rows taken for robots or outages, shape (rows, steps)."""
    scale: Array
    """Robust spread of the log residual, shape (steps,)."""

    def log_mean(self, minute: Array) -> Array:
        """Return log(1 + count) at `minute` (minutes since 1970 UTC), shape (n, steps)."""
        return self.log_mean_of(minute, self.design.columns(minute))

    def log_mean_of(self, minute: Array, columns: Columns) -> Array:
        """Return `log_mean(minute)` from columns already made for it."""
        return np.asarray(columns.values @ self.coefficients + self._profile_at(minute))

    def log_event(self, minute: Array) -> Array:
        """Return the part of `log_mean` that declared events make, shape (n, steps)."""
        columns = self.design.columns(minute)
        mine = np.array([block.startswith("event: ") for block in columns.blocks])
        return np.asarray(columns.values[:, mine] @ self.coefficients[mine])

    def _profile_at(self, minute: Array) -> Array:
        day, weekend = local_slot(self.design, minute)
        return np.asarray(self.profile[weekend, day])


def local_slot(design: Design, minute: Array) -> tuple[Array, Array]:
    """Return (minute of the day, 1 at weekends) in the region's event zone."""
    zone = design.scenario.regions[design.region].zone
    stamps = pd.to_datetime(np.floor(minute), unit="m", utc=True).tz_convert(zone)
    day = (stamps.hour * 60 + stamps.minute).to_numpy()
    return day, (stamps.day_of_week.to_numpy() >= 5).astype(int)


def fit_rows(rows: Rows, design: Design) -> Fit:
    """Return the fit of `rows`. Inside declared events no residual is clipped: they are the lesson."""
    rows = rows.where(np.asarray(~np.isnan(rows.mean).all(axis=1)))
    columns = design.columns(rows.minute, rows.calendar)
    matrix = columns.values
    log = np.log1p(rows.mean)
    age_days = (design.origin_min - rows.minute) / 1440
    recent = 0.5 ** (np.abs(age_days) / design.shape.half_life_days)
    slowly = 0.5 ** (np.abs(age_days) / _EVENT_HALF_LIFE_DAYS)
    weight = np.where(rows.in_event, np.maximum(recent, slowly), recent)
    weight *= age_days >= 0
    weight *= np.sqrt(rows.width)  # a wider mean says more, but days wander together
    weighted = matrix * weight[:, None].astype(np.float32)
    gram = (weighted.T @ matrix).astype(np.float64)
    ridge = np.diag(columns.penalty) * _RIDGE * weight.sum() / 1e4
    factor = cho_factor(gram + ridge)
    floor = 1 / np.sqrt(1 + np.nanmean(rows.mean, axis=0))
    gone = np.isnan(log)
    response = np.where(gone, np.nanmedian(log, axis=0), log)
    robots = np.zeros_like(gone)
    for turn in range(_PASSES):
        right = (weighted.T @ response.astype(np.float32)).astype(np.float64)
        coefficients = cho_solve(factor, right)
        fitted = matrix @ coefficients
        residual = np.where(gone | robots, 0.0, log - fitted)
        scale = np.maximum(1.4826 * np.nanmedian(np.abs(residual), axis=0), 0.2 * floor)
        if turn == _PASSES - 3:
            ordinary = ~rows.in_event[:, None] & ~gone
            robots = ordinary & (np.abs(residual) > _ROBOT_SCALES * np.maximum(scale, floor))
        clipped = np.clip(residual, -_HUBER * scale, _HUBER * scale)
        clipped = np.where(rows.in_event[:, None], residual, clipped)
        response = fitted + np.where(robots, 0.0, clipped)
    steps = rows.mean.shape[1]
    return Fit(design, coefficients, np.zeros((2, 1440, steps)), robots, scale)
