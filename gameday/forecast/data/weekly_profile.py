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

__all__ = ["PER_DAY", "QUARTERS_DAYS", "by_day", "quarters_at", "recurring_quarters", "rows_off"]

PER_DAY = 96
"""Quarter hours of a day."""
_QUARTER_MIN = 15
QUARTERS_DAYS = 56
"""Days it is learned from. As the minute profile's."""
_LEAST_DAYS = 5
"""Days a quarter hour must have been seen on; of one weekday: four."""
_LEAST_WEEKS = 4
_AROUND = 9
_STANDS_OUT, _WEEKDAY_STANDS_OUT = 4.0, 5.0
"""Standard errors of the middle of its days, for one of 192 slots, and of 672. Ours."""


def rows_off(rows: Rows, fitted: Array) -> Array:
    """Return log of rows against the fit's counts, shape (rows, series): half a count more on both sides.

    `fitted` is log(1 + count). Nothing seen where little was expected is then no outage.
    """
    half = 0.5 / rows.width[:, None]
    return np.asarray(np.log((rows.mean + half) / (np.maximum(np.expm1(fitted), 0) + half)))


def recurring_quarters(
    rows: Rows, off: Array, calendar: RegionCalendar, days: float = QUARTERS_DAYS
) -> Array:
    """Return each quarter hour's log factor, shape (7 weekdays, 96, series); `off` as `rows_off` makes it.

    Of the last `days`, events and their margins left out.
    """
    use = (
        ~rows.in_event & (rows.minute >= rows.minute[-1] - days * 1440) if len(rows.minute) else []
    )
    table, weekday = by_day(rows.minute[use], rows.width[use], off[use], calendar)
    out = np.zeros((7, PER_DAY, off.shape[1]))
    # The level is the fit's: of all days, for one of a group may be closed.
    centre = _median(table.reshape(-1, off.shape[1]))
    for days_of in (slice(0, 5), slice(5, 7)):
        members = np.isin(weekday, np.arange(7)[days_of])
        mine = table[members]
        if len(mine) < _LEAST_DAYS:
            continue
        middle, error, days_seen = _middle(mine)
        kept = np.where(days_seen >= _LEAST_DAYS, _kept(middle - centre, error, _STANDS_OUT), 0)
        out[days_of] = kept  # a weekday that only events fell on is like the others
        each = {n: mine[weekday[members] == n] - centre - kept for n in np.unique(weekday[members])}
        # One of the days may be closed: each is held against what is left beside its own middle.
        left = np.concatenate([own - _median(own) for own in each.values()])
        spread = _spread(left)
        for number, own in each.items():
            weeks = (~np.isnan(own)).sum(axis=0)
            noise = 1.2533 * spread / np.sqrt(np.maximum(weeks - 1, 1))
            found = _kept(_median(own), noise, _WEEKDAY_STANDS_OUT)
            out[number] = kept + np.where(weeks >= _LEAST_WEEKS, found, 0)
    return out


def quarters_at(quarters: Array, calendar: RegionCalendar, minute: Array) -> Array:
    """Return the log factor at minutes since 1970 UTC, shape (n, series)."""
    day, _ = calendar.slot_of_day(minute)
    return np.asarray(quarters[calendar.weekday(minute), day // _QUARTER_MIN])


def by_day(
    minute: Array, width: Array, off: Array, calendar: RegionCalendar
) -> tuple[Array, Array]:
    """Return (days, 96, series), NaN where nothing is known, and each day's weekday; wide rows fill slots."""
    if not len(minute):
        return np.empty((0, PER_DAY, off.shape[1])), np.empty(0, int)
    parts = np.maximum(width // _QUARTER_MIN, 1).astype(int)
    row = np.repeat(np.arange(len(minute)), parts)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(parts) - parts, parts)
    at = (minute - width / 2)[row] + _QUARTER_MIN * nth + np.minimum(width[row], _QUARTER_MIN) / 2
    slot, weekday = calendar.slot_of_day(at)[0], calendar.weekday(at)
    # Local dates: the local noon of each row's day, in whole days.
    day = np.round((at - slot) / 1440).astype(int)
    day = np.unique(day, return_inverse=True)[1]
    table = np.full((day[-1] + 1, PER_DAY, off.shape[1]), np.nan)
    table[day, slot // _QUARTER_MIN] = off[row]
    return table, weekday[np.unique(day, return_index=True)[1]]


def _middle(table: Array) -> tuple[Array, Array, Array]:
    """Return medians over days, (96, series), their standard errors, and how many days there are."""
    number, middle = (~np.isnan(table)).sum(axis=0), _median(table)
    return middle, 1.2533 * _spread(table - middle) / np.sqrt(np.maximum(number, 1)), number


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


def _kept(effect: Array, error: Array, stands_out: float) -> Array:
    """Return effects shrunk by their own noise, nothing of what does not stand out."""
    signal = np.maximum(effect**2 - (stands_out * error) ** 2, 0)
    return np.asarray(effect * signal / np.maximum(signal + error**2, 1e-300))
