"""The model that forecasts: the candidates' fits, weighted by how well each did before, and the profile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.weekly_profile import quarters_at
from gameday.forecast.model.design import Columns
from gameday.forecast.model.solve import Fit
from gameday.vocabulary import Array

__all__ = ["FACTORS", "PROFILE", "RECONCILIATION", "Blend", "Reconciliation", "profile_at"]

PROFILE = "minute of the day"
RECONCILIATION = "days and region"
FACTORS = (PROFILE, RECONCILIATION)
"""Ingredients that are factors of the count, not terms of log(1 + count)."""
_EVENT = "event: "


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """By which factor each day's minutes are moved, so that they sum to the day's and the region's totals."""

    midnights: Array
    """Local midnights, one more than days, minutes since 1970 UTC."""
    log_factor: Array
    """Shape (days, series)."""

    def at(self, minute: Array) -> Array:
        """Return the log factor at minutes, shape (n, series); 0 outside its days."""
        day = np.searchsorted(self.midnights, minute, "right") - 1
        inside = (day >= 0) & (day < len(self.log_factor))
        log_factor = np.zeros((len(minute), self.log_factor.shape[1]))
        log_factor[inside] = self.log_factor[day[inside]]
        return log_factor


@dataclass(frozen=True, slots=True)
class Blend:
    """A weighted mean, in logs, of one region's fits, times what recurs and what reconciles: all of it readable.

    The fits' sum is log(1 + count); profile and reconciliation are factors of the count itself, so that they move
    the sparsest series by the same share as the busiest.
    """

    fits: tuple[Fit, ...]
    weights: Array
    """Shape (fits, series); each series' sum to 1."""
    profile: Array
    """Log factor of each local minute, shape (2 = weekday/weekend, 1440, series)."""
    quarters: Array
    """Log factor of each quarter hour of the local week, shape (7, 96, series)."""
    mean_factor: Array
    """Mean over median by local hour, shape (24, series)."""
    columns: Callable[[Array], Columns]
    """Slots' starts -> their calendar's columns."""
    middle_min: float = 0.0
    """From a slot's start to where it is taken to lie."""
    reconciliation: Reconciliation | None = None

    @property
    def calendar(self) -> RegionCalendar:
        """The region's calendar."""
        return self.fits[0].design.calendar

    def counts(self, minute: Array) -> Array:
        """Return medians at `minute` (minutes since 1970 UTC), shape (n, series)."""
        return np.asarray(self.smooth(minute) * np.exp(self._recurring(minute)))

    def _recurring(self, minute: Array) -> Array:
        """Return the log factor of single minutes, shape (n, series)."""
        return profile_at(self.profile, self.calendar.slot_of_day(minute))

    def means(self, minute: Array) -> Array:
        """Return expected counts, shape (n, series): these add up, over minutes and over series."""
        hour = self.calendar.slot_of_day(minute)[0] // 60
        return np.asarray(self.counts(minute) * self.mean_factor[hour])

    def smooth(self, minute: Array) -> Array:
        """Return medians without what recurs at single minutes, shape (n, series)."""
        fixed, log = self.columns(minute), np.zeros((len(minute), self.weights.shape[1]))
        for fit, weight in zip(self.fits, self.weights, strict=True):
            if weight.any():
                log += weight * fit.log_mean(fit.design.columns(minute + self.middle_min, fixed))
        counts = np.maximum(np.expm1(log), 0)
        counts = counts * np.exp(quarters_at(self.quarters, self.calendar, minute))
        if self.reconciliation is None:
            return counts
        return np.asarray(counts * np.exp(self.reconciliation.at(minute)))

    def parts(self, minute: Array) -> dict[str, Array]:
        """Return each ingredient's log, shape (n, series) each.

        All but `FACTORS` sum to log(1 + count), and those are factors of that count.
        """
        fixed, logs = self.columns(minute), dict[str, Array]()
        for fit, weight in zip(self.fits, self.weights, strict=True):
            columns = fit.design.columns(minute + self.middle_min, fixed)
            for name, part in fit.parts(columns).items():
                logs[name] = logs.get(name, 0.0) + weight * part
        logs[PROFILE] = self._recurring(minute) + quarters_at(self.quarters, self.calendar, minute)
        if self.reconciliation is not None:
            logs[RECONCILIATION] = self.reconciliation.at(minute)
        return logs

    def log_event(self, minute: Array) -> Array:
        """Return the part of log(1 + count) that declared events make, shape (n, series)."""
        columns = self.columns(minute)
        is_event = np.array([name.startswith(_EVENT) for name in columns.blocks], bool)
        effect = np.zeros((len(minute), self.weights.shape[1]))
        for fit, weight in zip(self.fits, self.weights, strict=True):
            shared = fit.coefficients[len(fit.blocks) - fit.calendar_columns :]
            effect += weight * (columns.values[:, is_event] @ shared[is_event])
        return effect

    def without_last(self, reconciliation: Reconciliation | None) -> Blend:
        """Return the blend without its last series, and reconciled."""
        return replace(
            self,
            fits=tuple(fit.without_last() for fit in self.fits),
            weights=self.weights[:, :-1],
            profile=self.profile[:, :, :-1],
            quarters=self.quarters[:, :, :-1],
            mean_factor=self.mean_factor[:, :-1],
            reconciliation=reconciliation,
        )


def profile_at(profile: Array, slot: tuple[Array, Array]) -> Array:
    """Return the profile at (minute of the day, weekend), shape (n, series)."""
    return np.asarray(profile[slot[1], slot[0]])
