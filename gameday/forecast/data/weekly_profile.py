"""What recurs at a quarter hour of the week and no smooth curve holds: schedules, batches, nightly closings.

How rows lie to the smooth fit, by weekday or weekend and, where one weekday differs, by weekday; kept as far as
the middle of its days stands out of their noise, so what recurs on most days is kept and chance is not.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import Rows
from gameday.vocabulary import Array

__all__ = [
    "PER_DAY",
    "QUARTERS_DAYS",
    "by_day",
    "quarters_at",
    "weekday_of",
    "recurring_quarters",
    "log_ratio_of_rows",
]

PER_DAY = 96
"""Quarter hours of a day."""
_QUARTER_MIN = 15
QUARTERS_DAYS = 56
"""Days it is learned from. As the minute profile's."""
_LEAST_DAYS = 5
"""Days a quarter hour must have been seen on; of one weekday: four."""
_LEAST_WEEKS = 4
_AROUND = 9
"""Quarter hours that a spread is smoothed over."""
_MEDIAN_ERROR = 1.2533
"""Standard error of a median, in units of that of a mean of normal values: sqrt(pi / 2)."""
_STANDS_OUT, _WEEKDAY_STANDS_OUT = 4.0, 5.0
"""Standard errors of the middle of its days, for one of 192 slots, and of 672. Ours."""


def log_ratio_of_rows(rows: Rows, fitted: Array) -> Array:
    """Return log of rows against the fit's counts, shape (rows, series): half a count more on both sides.

    `fitted` is log(1 + count). Nothing seen where little was expected is then no outage.
    """
    half = 0.5 / rows.width[:, None]
    return np.asarray(np.log((rows.mean + half) / (np.maximum(np.expm1(fitted), 0) + half)))


def recurring_quarters(
    rows: Rows, log_ratio: Array, calendar: RegionCalendar, days: float = QUARTERS_DAYS
) -> Array:
    """Return each quarter hour's log factor, shape (7 weekdays, 96, series); `log_ratio` as `log_ratio_of_rows`.

    Of the last `days`, events and their margins left out.
    """
    table, date = _last_days(rows, log_ratio, calendar, days)
    weekday = weekday_of(date)
    factors = np.zeros((7, PER_DAY, log_ratio.shape[1]))
    # The level is the fit's: of all days, for one of a group may be closed.
    centre = _median(table.reshape(-1, log_ratio.shape[1]))
    for group in (slice(0, 5), slice(5, 7)):
        members = np.isin(weekday, np.arange(7)[group])
        if members.sum() >= _LEAST_DAYS:
            shared = _shared(table[members], centre)
            factors[group] = shared  # a weekday that only events fell on is like the others
            beside = table[members] - centre - shared
            for number, own in _by_weekday(beside, weekday[members]).items():
                factors[number] = shared + own
    return factors


def _last_days(
    rows: Rows, log_ratio: Array, calendar: RegionCalendar, days: float
) -> tuple[Array, Array]:
    """Return `by_day` of the last `days`, events and their margins left out."""
    if not len(rows.minute):
        return by_day(rows.minute, rows.width, log_ratio, calendar)
    use = ~rows.in_event & (rows.minute >= rows.minute[-1] - days * 1440)
    return by_day(rows.minute[use], rows.width[use], log_ratio[use], calendar)


def _shared(table: Array, centre: Array) -> Array:
    """Return what recurs on most days of a group about `centre`, (days, 96, series) to (96, series)."""
    middle, error, days_seen = _middle(table)
    return np.where(days_seen >= _LEAST_DAYS, _shrunk(middle - centre, error, _STANDS_OUT), 0)


def _by_weekday(table: Array, weekday: Array) -> dict[int, Array]:
    """Return weekday -> what recurs on it beside what its group shares, (96, series); one of them may be closed.

    `table`: days less what they share, (days, 96, series).
    """
    each = {int(number): table[weekday == number] for number in np.unique(weekday)}
    # Each day is held against its own weekday's middle: so a closed one widens no other's spread.
    spread = _spread(np.concatenate([own - _median(own) for own in each.values()]))
    effects = {}
    for number, own in each.items():
        weeks = (~np.isnan(own)).sum(axis=0)
        error = _MEDIAN_ERROR * spread / np.sqrt(np.maximum(weeks - 1, 1))
        effect = _shrunk(_median(own), error, _WEEKDAY_STANDS_OUT)
        effects[number] = np.where(weeks >= _LEAST_WEEKS, effect, 0)
    return effects


def quarters_at(quarters: Array, calendar: RegionCalendar, minute: Array) -> Array:
    """Return the log factor at minutes since 1970 UTC, shape (n, series)."""
    day, _ = calendar.slot_of_day(minute)
    return np.asarray(quarters[calendar.weekday(minute), day // _QUARTER_MIN])


def by_day(
    minute: Array, width: Array, values: Array, calendar: RegionCalendar
) -> tuple[Array, Array]:
    """Return rows' values by local day, (days, 96, series), NaN where unknown, and the days, since 1970, (days,).

    A row wider than a quarter hour fills all of its own.
    """
    if not len(minute):
        return np.empty((0, PER_DAY, values.shape[1])), np.empty(0, int)
    row, quarter = _quarters_of(minute, width)
    slot = calendar.slot_of_day(quarter)[0]
    dates, day = np.unique(calendar.date(quarter), return_inverse=True)
    table = np.full((day[-1] + 1, PER_DAY, values.shape[1]), np.nan)
    table[day, slot // _QUARTER_MIN] = values[row]
    return table, dates


def weekday_of(date: Array) -> Array:
    """Return the weekdays, Monday 0, of days since 1970, which began on a Thursday."""
    return np.asarray((date + 3) % 7)


def _quarters_of(minute: Array, width: Array) -> tuple[Array, Array]:
    """Return the row, and the middle in minutes since 1970 UTC, of every quarter hour that rows fill."""
    parts = np.maximum(width // _QUARTER_MIN, 1).astype(int)
    row = np.repeat(np.arange(len(minute)), parts)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(parts) - parts, parts)
    begin = (minute - width / 2)[row] + _QUARTER_MIN * nth
    return row, begin + np.minimum(width[row], _QUARTER_MIN) / 2


def _middle(table: Array) -> tuple[Array, Array, Array]:
    """Return medians over days, (96, series), their standard errors, and how many days there are."""
    number, middle = (~np.isnan(table)).sum(axis=0), _median(table)
    error = _MEDIAN_ERROR * _spread(table - middle) / np.sqrt(np.maximum(number, 1))
    return middle, error, number


def _median(table: Array) -> Array:
    """Return the medians over the first axis of what is known; 0 of nothing."""
    known = (~np.isnan(table)).any(axis=0)
    return (
        np.asarray(np.nanmedian(np.where(known, table, 0.0), axis=0))
        if len(table)
        else np.zeros(known.shape)
    )


def _spread(left: Array) -> Array:
    """Return the robust deviation of days about their middle, (days, 96, series) to (96, series).

    A few days tell their spread badly: the slots around have nearly the same.
    """
    return np.asarray(median_filter(1.4826 * _median(np.abs(left)), size=(_AROUND, 1), mode="wrap"))


def _shrunk(effect: Array, error: Array, stands_out: float) -> Array:
    """Return effects shrunk by their own noise (empirical Bayes), 0 where they do not stand out of it."""
    signal = np.maximum(effect**2 - (stands_out * error) ** 2, 0)
    return np.asarray(effect * signal / np.maximum(signal + error**2, 1e-300))
