"""The model that forecasts: the candidates' fits, weighted by how well each did before, and the profile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.weekly_profile import quarters_at
from gameday.forecast.model.design import Columns
from gameday.forecast.model.patterns import Pattern
from gameday.forecast.model.solve import Fit
from gameday.forecast.model.told import Told
from gameday.vocabulary import Array

__all__ = [
    "FACTORS",
    "INGREDIENTS",
    "PROFILE",
    "RECONCILIATION",
    "Blend",
    "Reconciliation",
    "apart",
    "blended",
    "levels_of",
    "profile_at",
]

PROFILE = "minute of the day"
RECONCILIATION = "days and region"
INGREDIENTS = "ingredients"
"""The member that the fits are."""
FACTORS = (PROFILE, RECONCILIATION)
"""Ingredients that are factors of the count, not terms of log(1 + count)."""
_EVENT = "event: "
_QUARTER_MIN = 15


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
    """A weighted mean of members, times what recurs and what reconciles: all of it readable.

    The fits, level models with the same ingredients, are one member: their weighted mean in logs, whose sum is
    log(1 + count). Patterns, and what models from outside told, are the others. Their counts add up; profile and
    reconciliation are factors of the sum, so that they move the sparsest series by the same share as the busiest.
    """

    fits: tuple[Fit, ...]
    weights: Array
    """Of the fits and then of the others, shape (members, series); each series' sum to 1."""
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
    patterns: tuple[Pattern, ...] = ()
    told: tuple[Told, ...] = ()
    """What members from outside say of the time ahead; beyond it the fits stand in for them."""

    @property
    def others(self) -> tuple[Pattern | Told, ...]:
        """The members that are no fits, in the order of their weights."""
        return (*self.patterns, *self.told)

    @property
    def levels(self) -> Array:
        """The fits' weights among themselves, shape (fits, series)."""
        return levels_of(self.weights, len(self.fits))

    @property
    def main(self) -> Fit:
        """The fit that weighs most over all series."""
        return self.fits[int(self.levels.sum(axis=1).argmax())]

    @property
    def calendar(self) -> RegionCalendar:
        """The region's calendar."""
        return self.fits[0].design.calendar

    def counts(self, minute: Array) -> Array:
        """Return medians at `minute` (minutes since 1970 UTC), shape (n, series)."""
        return self.median_of(self.smooth(minute), minute)

    def median_of(self, smooth: Array, minute: Array) -> Array:
        """Return medians, given those without what recurs at single minutes; (n, series) each."""
        return np.asarray(smooth * np.exp(self._recurring(minute)))

    def mean_of(self, median: Array, minute: Array) -> Array:
        """Return expected counts, given medians; (n, series) each."""
        return np.asarray(median * self.mean_factor[self.calendar.slot_of_day(minute)[0] // 60])

    def _recurring(self, minute: Array) -> Array:
        """Return the log factor of single minutes, shape (n, series)."""
        return profile_at(self.profile, self.calendar.slot_of_day(minute))

    def means(self, minute: Array) -> Array:
        """Return expected counts, shape (n, series): these add up, over minutes and over series."""
        return self.mean_of(self.counts(minute), minute)

    def smooth(self, minute: Array) -> Array:
        """Return medians without what recurs at single minutes, shape (n, series)."""
        counts = np.zeros((len(minute), self.weights.shape[1]))
        for share, member in self._members(minute).values():
            counts += share * member
        if self.reconciliation is None:
            return counts
        return np.asarray(counts * np.exp(self.reconciliation.at(minute)))

    def _members(self, minute: Array) -> dict[str, tuple[Array, Array]]:
        """Return member -> its share, (series,), and its counts without factors of the sum, (n, series).

        Fits alone where no other has any share.
        """
        fixed = self.columns(minute)
        shares, fitted = self.weights[len(self.fits) :], self._of_fits(minute, fixed)
        members = {INGREDIENTS: (1 - shares.sum(axis=0), fitted)}
        if shares.any():
            logs = self._of_others(minute, fixed, np.log1p(fitted))
            for share, member, log in zip(shares, self.others, logs, strict=True):
                members[member.name] = share, np.expm1(log)
        return members

    def apart(self, minute: Array) -> Array:
        """Return how far members lie apart, (n, series): their logs' weighted deviation from the blend's.

        As they are in the middle of each quarter hour.
        """
        quarter, back = np.unique(minute // _QUARTER_MIN, return_inverse=True)
        middle = minute if len(quarter) == len(minute) else quarter * _QUARTER_MIN + 7.0
        logs = self._logs(middle)
        return apart(self.weights[: len(logs)], logs, len(self.fits))[back]

    def _logs(self, minute: Array) -> Array:
        """Return each member's log(1 + count) without factors of the sum, (members, n, series).

        Fits alone where no other has any weight.
        """
        fixed, calendar = self.columns(minute), self.calendar
        quarters = np.exp(quarters_at(self.quarters, calendar, minute))
        each = (
            fit.log_mean(fit.design.columns(minute + self.middle_min, fixed)) for fit in self.fits
        )
        logs = [np.log1p(np.maximum(np.expm1(log), 0) * quarters) for log in each]
        if self.weights[len(self.fits) :].any():
            logs += self._of_others(minute, fixed, np.log1p(self._of_fits(minute, fixed)))
        return np.stack(logs)

    def _of_others(self, minute: Array, fixed: Columns, fitted: Array) -> list[Array]:
        """Return each other member's log(1 + count), (n, series) each, or what is `fitted` where it says nothing.

        `fixed`: the calendar's columns.
        """
        special = self._special(fixed)
        logs = [each.at(self.calendar, minute) + special for each in self.patterns]
        logs += [each.at(minute) for each in self.told]
        return [np.maximum(np.where(np.isnan(log), fitted, log), 0) for log in logs]

    def _of_fits(self, minute: Array, fixed: Columns) -> Array:
        """Return the fits' counts, quarters included, shape (n, series); `fixed`: the calendar's columns."""
        log = np.zeros((len(minute), self.weights.shape[1]))
        for fit, weight in zip(self.fits, self.levels, strict=True):
            if weight.any():
                log += weight * fit.log_mean(fit.design.columns(minute + self.middle_min, fixed))
        quarters = quarters_at(self.quarters, self.calendar, minute)
        return np.asarray(np.maximum(np.expm1(log), 0) * np.exp(quarters))

    def _special(self, fixed: Columns) -> Array:
        """Return what events, holidays and regressors do, in logs, shape (n, series)."""
        each = zip(self.fits, self.levels, strict=True)
        return np.asarray(sum(weight * fit.special(fixed) for fit, weight in each))

    def members(self, minute: Array) -> dict[str, tuple[Array, Array]]:
        """Return member -> its share, (series,), and its counts, (n, series); the shares' sum is `counts`."""
        factor = np.exp(self._recurring(minute))
        if self.reconciliation is not None:
            factor = factor * np.exp(self.reconciliation.at(minute))
        each = self._members(minute)
        return {name: (share, counts * factor) for name, (share, counts) in each.items()}

    def parts(self, minute: Array) -> dict[str, Array]:
        """Return each ingredient's log, shape (n, series) each, of the fits.

        All but `FACTORS` sum to log(1 + count), and those are factors of that count.
        """
        fixed, logs = self.columns(minute), dict[str, Array]()
        for fit, weight in zip(self.fits, self.levels, strict=True):
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
        for fit, weight in zip(self.fits, self.levels, strict=True):
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
            patterns=tuple(pattern.without_last() for pattern in self.patterns),
            told=tuple(each.without_last() for each in self.told),
        )


def profile_at(profile: Array, slot: tuple[Array, Array]) -> Array:
    """Return the profile at (minute of the day, weekend), shape (n, series)."""
    return np.asarray(profile[slot[1], slot[0]])


def levels_of(weights: Array, fits: int) -> Array:
    """Return the weights of the first `fits` members among themselves, (fits, series); alike where all are 0."""
    own = weights[:fits]
    whole = own.sum(axis=0)
    return np.where(whole > 0, own / np.where(whole > 0, whole, 1.0), 1 / fits)


def blended(weights: Array, log_mean: Array, fits: int) -> Array:
    """Return the counts of members' weighted mean, as `Blend` has it, shape (n, series).

    `log_mean`: each member's log(1 + count), (members, n, series), the fits first; `weights`, (members, series).
    """
    fitted = np.expm1(np.einsum("cs,cns->ns", levels_of(weights, fits), log_mean[:fits]))
    counts = weights[:fits].sum(axis=0) * fitted
    for weight, log in zip(weights[fits:], log_mean[fits:], strict=True):
        if weight.any():
            counts += weight * np.expm1(log)
    return np.asarray(counts)


def apart(weights: Array, log_mean: Array, fits: int) -> Array:
    """Return the weighted standard deviation of members' logs about their blend's, shape (n, series)."""
    middle = np.log1p(blended(weights, log_mean, fits))
    away = (weight * (log - middle) ** 2 for weight, log in zip(weights, log_mean, strict=True))
    return np.sqrt(sum(away, np.zeros(middle.shape)))
