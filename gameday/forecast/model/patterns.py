"""Simple members of the blend: what came at the same time of the last weeks, without what events and holidays did.

They know nothing of growth and smooth nothing beyond the quarter hour, and often that is the best forecast. What
declared events, holidays and regressors do is the fits': it is taken out of the weeks seen and put into the
minutes forecast, so a week with an event in it is no pattern of one without.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import Rows
from gameday.forecast.data.weekly_profile import PER_DAY, by_day
from gameday.forecast.model.solve import Fit
from gameday.vocabulary import Array

__all__ = ["PATTERNS", "Pattern", "patterns_of"]

PATTERNS = ("week before", "usual week", "usual day", "year before")
"""The latest week known; the median of four weeks; the mean of weekdays, and of weekends, in four weeks; where
days are forecast, the days 52 weeks before, at today's level."""
_YEAR_DAYS = 364
_LEAST_MIN = 7 * 1440 - 1440
"""From the middle of the first row to that of the last: a week, of days or of shorter rows."""
_WEEKS = 4
_QUARTER_MIN = 15
_MOST_DAYS, _CHANCE = (0.2, 0.8), 3.0
"""Quantiles between which most days lie, and deviations of Poisson counts that a day may lie beyond. Ours."""
_SPARE_WEEKS = 4
"""Weeks before those, for quarter hours that the last ones do not know. Ours."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A level that repeats by so many local days, whole weeks, from a Monday on."""

    name: str
    log: Array
    """log(1 + counts a minute, or a day) without events' and holidays' effects, (days, slots, series); NaN of a
    series of which too little is known."""

    def at(self, calendar: RegionCalendar, minute: Array) -> Array:
        """Return the log at minutes since 1970 UTC, or at days' starts, shape (n, series)."""
        slot = calendar.slot_of_day(minute)[0] * self.log.shape[1] // 1440
        return np.asarray(self.log[_place(calendar.date(minute), len(self.log)), slot])

    def without_last(self) -> Pattern:
        """Return the pattern without its last series."""
        return replace(self, log=self.log[:, :, :-1])

    @property
    def is_silent(self) -> Array:
        """Of which series too little is known, shape (series,)."""
        return np.asarray(np.isnan(self.log).any(axis=(0, 1)))


def patterns_of(rows: Rows, fit: Fit) -> tuple[Pattern, ...]:
    """Return the patterns of rows; `fit` tells what events and holidays did to them."""
    logs = _of_weeks(rows, fit)
    if rows.minute[-1] - rows.minute[0] < _LEAST_MIN:
        logs = [np.full_like(each, np.nan) for each in logs]
    if rows.are_totals:
        year = _year(rows, _plain(rows, fit), fit.design.calendar)
        logs = [*(each[:, ::PER_DAY] for each in logs), year]
    return tuple(
        Pattern(name, each.astype(np.float32)) for name, each in zip(PATTERNS, logs, strict=False)
    )


def _of_weeks(rows: Rows, fit: Fit) -> list[Array]:
    """Return the logs of the patterns of the last weeks, (7, 96, series) each."""
    late = rows.where(rows.minute >= rows.minute[-1] - (_WEEKS + _SPARE_WEEKS) * 7 * 1440)
    weeks = _weeks(late, _plain(late, fit), fit.design.calendar)
    last, usual = _latest(weeks), _medians(weeks)
    usual = np.where(np.isnan(usual), last, usual)
    return [_filled(each) for each in (last, usual, _days(weeks, last))]


def _plain(rows: Rows, fit: Fit) -> Array:
    """Return the logs of rows without what events and holidays did, NaN in events, shape (rows, series)."""
    log = np.log1p(rows.mean) - fit.special(rows.calendar)
    log[rows.in_event] = np.nan
    return np.asarray(log)


def _place(date: Array, days: int) -> Array:
    """Return where days since 1970 lie in a pattern of so many: the first is a Monday."""
    return np.asarray((date + 3) % days)


def _year(rows: Rows, log: Array, calendar: RegionCalendar) -> Array:
    """Return the last 52 weeks of days, moved to the level of the last weeks, (364, 1, series).

    NaN of less than that and eight weeks.
    """
    date = calendar.date(rows.minute)
    days = _by_date(date, log)
    year, growth = np.full((_YEAR_DAYS, 1, log.shape[1]), np.nan), _growth(days)
    if np.isnan(growth).all():
        return year
    last = np.arange(date[-1] - _YEAR_DAYS + 1, date[-1] + 1)
    year[_place(last, _YEAR_DAYS), 0] = days[-_YEAR_DAYS:] + growth
    return _filled(year)


def _by_date(date: Array, log: Array) -> Array:
    """Return the logs of every day from the first date to the last, (days, series); NaN of one without a row."""
    days = np.full((date[-1] - date[0] + 1, log.shape[1]), np.nan)
    days[date - date[0]] = log
    return days


def _growth(days: Array) -> Array:
    """Return by how much the last weeks' logs lie above those of 52 weeks before, (series,); NaN if not known."""
    level_days = (_WEEKS + _SPARE_WEEKS) * 7
    if len(days) < _YEAR_DAYS + level_days:
        return np.full(days.shape[1], np.nan)
    before = days[-_YEAR_DAYS - level_days : -_YEAR_DAYS]
    return _quietly(np.nanmedian, days[-level_days:] - before, 0)


def _weeks(rows: Rows, log: Array, calendar: RegionCalendar) -> Array:
    """Return rows by week, the latest first, and weekday, (weeks, 7, 96, series); NaN where unknown."""
    table, date = by_day(rows.minute, rows.width, log, calendar)
    weeks = np.full((_WEEKS + _SPARE_WEEKS, 7, PER_DAY, log.shape[1]), np.nan, np.float32)
    age = (date[-1] - date) // 7
    use = age < len(weeks)
    weeks[age[use], _place(date[use], 7)] = table[use]
    return weeks


def _latest(weeks: Iterable[Array]) -> Array:
    """Return the latest that is known of each weekday and quarter hour, (7, 96, series)."""
    found: Array | None = None
    for week in weeks:
        found = week if found is None else np.where(np.isnan(found), week, found)
    assert found is not None
    return found


def _medians(weeks: Array) -> Array:
    """Return the medians of the last weeks, (7, 96, series); NaN where none is known."""
    return _quantile(weeks[:_WEEKS], 0.5)


def _days(weeks: Array, last: Array) -> Array:
    """Return the mean count of weekdays, and of weekends, in the last weeks, as logs, (7, 96, series).

    What is farther off most days than chance explains is clipped: a batch on Wednesdays is no other day's.
    """
    days = np.empty_like(last)
    for group in (slice(0, 5), slice(5, 7)):
        counts = np.expm1(weeks[:_WEEKS, group].reshape(-1, *last.shape[1:]))
        days[group] = np.log1p(_quietly(np.nanmean, _clipped(counts), 0))
    return np.where(np.isnan(days), last, days)


def _clipped(counts: Array) -> Array:
    """Return counts of days, those beyond where most lie, and their chance, moved there, (days, 96, series)."""
    low, high = (_quantile(counts, level) for level in _MOST_DAYS)
    chance = _CHANCE * np.sqrt((np.maximum(high, 0) + 1 / _QUARTER_MIN) / _QUARTER_MIN)
    return np.clip(counts, low - chance, high + chance)


def _quantile(values: Array, level: float) -> Array:
    """Return a quantile over the first axis of what is known; NaN of nothing."""
    ordered, known = np.sort(values, axis=0), (~np.isnan(values)).sum(axis=0)
    rank = np.maximum(known - 1, 0) * level
    below, above = (
        np.take_along_axis(ordered, r.astype(int)[None], 0)[0]
        for r in (np.floor(rank), np.ceil(rank))
    )
    return np.asarray(below + (above - below) * (rank % 1))


def _filled(log: Array) -> Array:
    """Return a pattern whose unknown quarter hours are those of other days or, where none is known, the mean.

    NaN of a series of which nothing is known.
    """
    for axis in (0, (0, 1)):
        if np.isnan(log).any():
            log = np.where(np.isnan(log), _quietly(np.nanmean, log, axis, keepdims=True), log)
    return log


def _quietly(of: object, values: Array, axis: int | tuple[int, ...], **more: bool) -> Array:
    """Return a statistic of what is known; NaN of nothing, without numpy's warning."""
    assert callable(of)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(of(values, axis=axis, **more))
