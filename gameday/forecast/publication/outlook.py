"""Years ahead: every week of two years, and the highest day and minute of the next one.

Forecast by the daily model, so that weeks are sums of days; the minute of a peak by the minutes' shape of its
day. Only events on the calendar are in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.coarse_rows import tells_minutes, tells_weekdays
from gameday.forecast.data.preparation import prepare
from gameday.forecast.data.training_data import Past, daily
from gameday.forecast.event_demand import EventDemand, LaunchSteps, quantile_of_sum
from gameday.forecast.model.ahead import Ahead
from gameday.forecast.model.reconciliation import (
    LONG_PAST_DAYS,
    combine_totals,
    daily_error,
    daily_totals,
    reconcile_tree,
)
from gameday.forecast.model.regional import Model, fit_models
from gameday.forecast.model.strength import strength_sigma
from gameday.forecast.publication.horizon import Horizon
from gameday.forecast.publication.year_peaks import peaks_of_year
from gameday.forecast.uncertainty.bands import make_bands
from gameday.forecast.uncertainty.peaks import Peak
from gameday.history import History
from gameday.vocabulary import Array

__all__ = ["Outlook", "RegionOutlook", "look_ahead"]

LEVELS = (0.1, 0.5, 0.9)
_WEEK_MIN = 7 * 1440
_NEAR_MIN = 8 * _WEEK_MIN
"""Up to here bands are those of origins scored as far ahead, and no farther. Ours."""
_LEAST_DAYS = 56


@dataclass(frozen=True)
class RegionOutlook:
    """One region's years ahead."""

    region: str
    weeks: tuple[datetime, ...]
    """Local Mondays' beginnings, UTC."""
    means: Array
    """What is expected of each week, shape (series, weeks): the sums' rows are the sums of the steps'."""
    totals: dict[float, Array]
    """Quantile -> count a week, each series' own, shape (series, weeks)."""
    days: tuple[datetime, ...]
    """Local days' beginnings of the first year, UTC."""
    peak_day: tuple[datetime, ...]
    """Per series, the day with the highest expectation; none where minutes cannot be told."""
    peaks: tuple[Peak, ...]
    """Per series, the highest minutes of the year; `slot` counts from the peak day's beginning. Likewise."""
    wape: float
    """Of the daily model on its rolling origins."""


@dataclass(frozen=True)
class Outlook:
    """All regions' years ahead."""

    series: tuple[str, ...]
    """The steps, and then the sums."""
    regions: tuple[RegionOutlook, ...]
    notes: tuple[str, ...]


def look_ahead(
    known: History,
    calendars: Sequence[RegionCalendar],
    kind: str,
    *,
    weeks: int,
    sums: Mapping[str, Array],
    event: EventDemand | None = None,
) -> Outlook:
    """Return the outlook of a history; HistoryError where less than 56 days are known.

    `event`: the demand of the event that is planned. Weeks get its launches, and where its peak is the highest of
    the year, that peak is the event's own. None: there is none.

    `sums`: name -> by how much each region's steps count in it, shape (regions, steps). They have quantiles and
    peaks of their own, for those of steps do not add. The first is the parent that days are reconciled with.
    """
    _require_days(known)
    by_minute = tells_minutes(known)
    pasts, _ = prepare(calendars, known, by_day=not by_minute)
    weights = [np.stack(rows) for rows in zip(*sums.values(), strict=True)]
    horizons = _fit(pasts, weights, weeks * _WEEK_MIN, kind, event, by_minute=by_minute)
    regions = tuple(_region(horizon, weeks) for horizon in horizons)
    return Outlook((*known.steps, *sums), regions, tuple(_notes(known, weeks)))


def _require_days(known: History) -> None:
    """Raise HistoryError where too little is known to look years ahead."""
    days_known = known.grid.slots / 1440
    if days_known < _LEAST_DAYS:
        raise HistoryError(
            f"{known.source}: {days_known:.1f} days known; an outlook needs at least {_LEAST_DAYS}"
        )


def _with_sums(past: Past, weights: Array) -> Past:
    """Return the past with the weighted sums of its steps as further series."""
    summed = weights.astype(np.float32) @ past.counts
    # What files tell is of steps alone.
    members = tuple(each for each in past.asked if each.forecasts(daily=True))
    return replace(past, counts=np.concatenate([past.counts, summed]), raw=None, asked=members)


def _fit(
    pasts: list[Past],
    weights: list[Array],
    horizon_min: int,
    kind: str,
    event: EventDemand | None,
    *,
    by_minute: bool,
) -> list[Horizon]:
    """Return each region's models, of days and, if `by_minute`, of minutes; sums of steps are further series."""
    pasts = [_with_sums(past, w) for past, w in zip(pasts, weights, strict=True)]
    by_day = [daily(past) for past in pasts]
    days = fit_models(by_day, horizon_min, kind)
    # Errors of forecasts a year ahead, from half as long a past, say nothing of next week.
    near = days if horizon_min <= _NEAR_MIN else fit_models(by_day, _NEAR_MIN, kind)
    found = list[Model]()
    if by_minute:
        found = fit_models(pasts, min(horizon_min, int(pasts[0].grid.slots / 4)), kind)
    sigma = strength_sigma(found)
    minutes: Sequence[Model | None] = found if by_minute else [None for _ in days]
    return [
        Horizon(day, close, minute, w, sigma, event)
        for day, close, minute, w in zip(days, near, minutes, weights, strict=True)
    ]


def _notes(known: History, weeks: int) -> list[str]:
    notes, days_known = ["only events on the calendar are in it"], known.grid.slots / 1440
    if not tells_minutes(known):
        notes.append(
            "rows are of days or weeks: which minute is the highest, and how high, cannot be told"
        )
    if not tells_weekdays(known):
        notes.append(
            "rows are of weeks: the days of a week are taken to be alike, so that weeks with an event to come are "
            "forecast too low"
        )
    if known.members:
        names = ", ".join(member.name for member in known.members)
        notes.append(
            f"{names}: files of what models said are of minutes, and are in no week's total"
        )
    if days_known < 350:
        notes.append(f"{days_known:.0f} days known: no year to tell the seasons by")
    elif days_known < 700:
        notes.append(
            f"{days_known:.0f} days known: less than two years, growth is not told from season and left out"
        )
    if 7 * weeks > days_known:
        notes.append(
            f"{weeks} weeks ahead of {days_known:.0f} days known: beyond {days_known / 3:.0f} days ahead "
            "bands are those of the farthest origins there are"
        )
    return notes


@dataclass(frozen=True, slots=True)
class _Totals:
    """Totals of days, or of weeks, shape (series, days) each."""

    means: Array
    quantiles: dict[float, Array]


@dataclass(frozen=True, slots=True)
class _Weeks:
    """Whole local weeks among days."""

    monday: int
    """Number of the first day that is a Monday."""
    number: int

    @property
    def days(self) -> slice:
        return slice(self.monday, self.monday + 7 * self.number)

    def sums(self, days: Array) -> Array:
        """Return weeks' sums of days, (series, days) to (series, weeks)."""
        part = days[:, self.days]
        return np.asarray(part.reshape(len(days), self.number, 7).sum(axis=2))


def _region(horizon: Horizon, weeks: int) -> RegionOutlook:
    """Return one region's outlook."""
    edges = horizon.midnights(weeks)
    whole = _whole_weeks(horizon, edges, weeks)
    in_days = _totals_of_days(horizon, edges)
    weekly = _totals_of_weeks(horizon, edges, whole, in_days)
    year = edges[: min(365, len(edges) - 1) + 1]
    peak_days, peaks = _peaks(horizon, year, in_days.means)
    return RegionOutlook(
        region=horizon.region,
        weeks=tuple(_instant(m) for m in edges[whole.days][::7]),
        means=weekly.means,
        totals=weekly.quantiles,
        days=tuple(_instant(m) for m in year[:-1]),
        peak_day=tuple(_instant(edges[day]) for day in peak_days),
        peaks=peaks,
        wape=horizon.days.wape(),
    )


def _whole_weeks(horizon: Horizon, edges: Array, weeks: int) -> _Weeks:
    """Return the whole weeks, at most so many, between midnights."""
    monday = int(np.flatnonzero(horizon.days.past.calendar.weekday(edges) == 0)[0])
    return _Weeks(monday, min(weeks, (len(edges) - 1 - monday) // 7))


def _totals_of_weeks(horizon: Horizon, edges: Array, whole: _Weeks, in_days: _Totals) -> _Totals:
    """Return what is expected of whole weeks and its quantiles, launches included, (series, weeks) each."""
    crowds = [
        LaunchSteps(whole.sums(launch.median), launch.log_sigma)
        for launch in _launches(horizon, edges)
    ]
    weekly = {level: whole.sums(rows) for level, rows in in_days.quantiles.items()}
    return _Totals(
        whole.sums(in_days.means) + sum(crowd.mean for crowd in crowds),
        {
            level: quantile_of_sum(weekly[0.5], rows, crowds, level)
            for level, rows in weekly.items()
        },
    )


def _totals_of_days(horizon: Horizon, edges: Array) -> _Totals:
    """Return the totals of the days between `edges`.

    Means add up; each series' quantiles are moved by the same factor as its mean.
    """
    means = horizon.days.blend.means(edges[:-1]).T
    coherent = _coherent(means, horizon.weights, daily_error(horizon.days))
    factor = np.divide(coherent, means, out=np.ones_like(means), where=means > 0)
    quantiles = _quantiles(horizon, edges[:-1])
    return _Totals(coherent, {level: rows * factor for level, rows in quantiles.items()})


def _launches(horizon: Horizon, edges: Array) -> list[LaunchSteps]:
    """Return what each launch adds to days between `edges`, shape (series, days): the steps', then the sums'."""
    event, weights = horizon.event, horizon.weights
    if event is None:
        return []
    region, days = event.regions.index(horizon.region), len(edges) - 1
    day = np.searchsorted(edges, event.grid.minutes(), "right") - 1
    inside = (day >= 0) & (day < days)
    added = []
    for launch in event.launches.values():
        steps = np.zeros((len(event.steps), days))
        np.add.at(steps.T, day[inside], launch.median[region].T[inside])
        added.append(LaunchSteps(np.concatenate([steps, weights @ steps]), launch.log_sigma))
    return added


def _peaks(horizon: Horizon, year: Array, means: Array) -> tuple[tuple[int, ...], tuple[Peak, ...]]:
    """Return each series' day with the year's highest minute, and that peak; none where minutes cannot be told."""
    if horizon.minutes is None:
        return (), ()
    return peaks_of_year(
        horizon, horizon.minutes, year, _minutes_totals(horizon, horizon.minutes, year, means)
    )


def _minutes_totals(horizon: Horizon, minutes: Model, edges: Array, means: Array) -> Array:
    """Return the totals of the days between `edges`, (series, days), combined with the minutes' own where those
    reach, as in an event's forecast.

    `means`: the daily model's, of as many days or more.
    """
    means = means[:, : len(edges) - 1]
    reach = int(np.searchsorted(edges, minutes.past.end_min + _reach_min(minutes))) - 1
    if reach < 1 or minutes.past.grid.slots < LONG_PAST_DAYS * 1440:
        return means
    own, other = daily_totals(minutes, edges[: reach + 1]), means[:, :reach].T
    errors = [np.broadcast_to(daily_error(m), own.shape) for m in (minutes, horizon.days)]
    combined = means.copy()
    combined[:, :reach] = combine_totals(own, errors[0], other, errors[1])[0].T
    return combined


def _reach_min(minutes: Model) -> float:
    """Return how far ahead the minutes' model was scored on earlier origins, minutes."""
    return 1440 * max((float(fold.lead_days.max()) for fold in minutes.folds), default=0.0)


def _coherent(means: Array, weights: Array, error: Array) -> Array:
    """Return daily means that add up, (series, days): steps moved toward their sum's own, sums made of them."""
    steps = weights.shape[1]
    parts, whole = means[:steps] * weights[0][:, None], means[steps]
    moved = reconcile_tree(parts.T, whole, parts.T * error[:steps], whole * error[steps]).T
    own = weights[0] > 0
    leaves = means[:steps].copy()
    leaves[own] = moved[own] / weights[0][own, None]
    return np.concatenate([leaves, weights @ leaves])


def _quantiles(horizon: Horizon, starts: Array) -> dict[float, Array]:
    """Return quantile -> totals of days, shape (series, days); a week's is their sum: its days err alike."""
    median, end_min = horizon.days.blend.counts(starts), horizon.days.past.end_min
    none, apart = np.zeros(len(starts), bool), horizon.days.blend.apart(starts)
    ahead = Ahead(np.zeros(len(starts), int), (starts - end_min) / 1440, none)
    is_near = (starts - end_min < _NEAR_MIN)[:, None]
    quantiles = {level: np.empty(median.T.shape) for level in LEVELS}
    for series, row in enumerate(median.T):
        far, close = (
            make_bands(model.errors(series), LEVELS).counts(ahead, row, apart[:, series])
            for model in (horizon.days, horizon.near)
        )
        for level, column in zip(LEVELS, np.where(is_near, close, far).T, strict=True):
            quantiles[level][series] = column
    return quantiles


def _instant(minute: float) -> datetime:
    return datetime.fromtimestamp(60 * float(minute), UTC)
