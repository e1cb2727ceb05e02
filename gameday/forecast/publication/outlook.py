"""Years ahead: every week of two years, and the highest day and minute of the next one.

Told by the daily model, so that weeks are sums of days; the minute of a peak by the minutes' shape of
its day. Only what stands on the calendar is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import in_event
from gameday.forecast.data.preparation import prepare
from gameday.forecast.data.training_data import daily
from gameday.forecast.event_demand import ALL, EventDemand, LaunchSteps, quantile_of_sum
from gameday.forecast.model.ahead import Ahead
from gameday.forecast.model.reconciliation import (
    LONG_PAST_DAYS,
    closed_tree,
    daily_error,
    pooled,
    totals,
)
from gameday.forecast.model.regional import Model, fit_models
from gameday.forecast.model.strength import strength_sigma
from gameday.forecast.uncertainty.bands import make_bands
from gameday.forecast.uncertainty.peaks import Peak, peak_errors, peak_of
from gameday.history import History
from gameday.vocabulary import Array

__all__ = ["Outlook", "RegionOutlook", "look_ahead"]

LEVELS = (0.1, 0.5, 0.9)
_WEEK_MIN = 7 * 1440
_NEAR_MIN = 8 * _WEEK_MIN
"""Up to here bands are those of origins that foretold as far, and no farther. Ours."""
_TOP_DAYS = 6
"""Days of a year whose minutes are looked at for its highest: those of the highest totals. Ours."""
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
    """Per series, the day with the highest expectation."""
    peaks: tuple[Peak, ...]
    """Per series, the highest minutes of the year; `slot` counts from the peak day's beginning."""
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
    the year it is told as of the event itself. None: there is none.

    `sums`: name -> by how much each region's steps count in it, shape (regions, steps). They have quantiles and
    peaks of their own, for those of steps do not add. The first is the parent that days are tied to.
    """
    days_known = known.grid.slots / 1440
    if days_known < _LEAST_DAYS:
        raise HistoryError(
            f"{known.source}: {days_known:.1f} days known; an outlook needs at least {_LEAST_DAYS}"
        )
    pasts, _ = prepare(calendars, known)
    weights = [np.stack([w[r] for w in sums.values()]) for r in range(len(pasts))]
    pasts = [
        replace(past, counts=np.concatenate([past.counts, w.astype(np.float32) @ past.counts]))
        for past, w in zip(pasts, weights, strict=True)
    ]
    horizon = weeks * _WEEK_MIN
    by_day = [daily(past) for past in pasts]
    days = fit_models(by_day, horizon, kind)
    # What is off a year ahead, known for half as long, says nothing of next week.
    near = days if horizon <= _NEAR_MIN else fit_models(by_day, _NEAR_MIN, kind)
    minutes = fit_models(pasts, min(horizon, int(known.grid.slots / 4)), kind)
    regions = tuple(
        _region((day, close), minute, w, weeks, strength_sigma(minutes), event)
        for day, close, minute, w in zip(days, near, minutes, weights, strict=True)
    )
    return Outlook((*known.steps, *sums), regions, tuple(_notes(known, days_known, weeks)))


def _notes(known: History, days_known: float, weeks: int) -> list[str]:
    notes = ["only events on the calendar are in it"]
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


def _region(
    both: tuple[Model, Model],
    minutes: Model,
    weights: Array,
    weeks: int,
    sigma: float,
    event: EventDemand | None,
) -> RegionOutlook:
    """Return one region's outlook from its models of days, of all the horizon and of what is near."""
    days, near = both
    past, calendar = minutes.past, minutes.past.calendar
    edges = calendar.midnights(past.end_min, past.end_min + (weeks + 2) * _WEEK_MIN)
    means = days.blend.means(edges[:-1]).T
    coherent = _coherent(means, weights, daily_error(days))
    factor = np.divide(coherent, means, out=np.ones_like(means), where=means > 0)
    bands = {level: rows * factor for level, rows in _bands(days, near, edges[:-1]).items()}
    weekday = calendar.weekday(edges)
    monday = int(np.flatnonzero(weekday == 0)[0])
    whole = min(weeks, (len(edges) - 1 - monday) // 7)

    def by_week(rows: Array) -> Array:
        part = rows[:, monday : monday + 7 * whole]
        return np.asarray(part.reshape(len(rows), whole, 7).sum(axis=2))

    crowds = [
        LaunchSteps(by_week(one.median), one.log_sigma)
        for one in _launches(event, calendar.region, weights, edges)
    ]
    weekly = {level: by_week(rows) for level, rows in bands.items()}
    year = min(365, len(edges) - 1)
    told = _as_published(minutes, days, edges[: year + 1], coherent[:, :year])
    top, peaks = _peaks(minutes, edges[: year + 1], told, sigma, event)
    if event is not None:
        top, peaks = _with_event(top, peaks, event, calendar.region, weights, edges[: year + 1])
    return RegionOutlook(
        calendar.region,
        tuple(_instant(m) for m in edges[monday : monday + 7 * whole : 7]),
        by_week(coherent) + sum(one.mean for one in crowds),
        {
            level: quantile_of_sum(weekly[0.5], rows, crowds, level)
            for level, rows in weekly.items()
        },
        tuple(_instant(m) for m in edges[:year]),
        tuple(_instant(edges[day]) for day in top),
        peaks,
        days.wape(),
    )


def _launches(
    event: EventDemand | None, region: str, weights: Array, edges: Array
) -> list[LaunchSteps]:
    """Return what each launch adds to days between `edges`, shape (series, days): the steps', then the sums'."""
    if event is None:
        return []
    place, minute = event.regions.index(region), event.grid.minutes()
    day = np.searchsorted(edges, minute, "right") - 1
    inside = (day >= 0) & (day < len(edges) - 1)
    out = []
    for one in event.launches.values():
        steps = np.zeros((len(event.steps), len(edges) - 1))
        np.add.at(steps.T, day[inside], one.median[place].T[inside])
        out.append(LaunchSteps(np.concatenate([steps, weights @ steps]), one.log_sigma))
    return out


def _as_published(minutes: Model, days: Model, edges: Array, means: Array) -> Array:
    """Return totals of days, (series, days): pooled with the minutes' own where those reach, as a forecast's."""
    reach = int(np.searchsorted(edges, minutes.past.end_min + _reach_min(minutes))) - 1
    if reach < 1 or minutes.past.grid.slots < LONG_PAST_DAYS * 1440:
        return means
    mine = totals(minutes, edges[: reach + 1])
    theirs = means[:, :reach].T
    errors = [np.broadcast_to(daily_error(m), mine.shape) for m in (minutes, days)]
    out = means.copy()
    out[:, :reach] = pooled(mine, errors[0], theirs, errors[1])[0].T
    return out


def _reach_min(minutes: Model) -> float:
    """Return how far ahead the minutes' model was held against what came."""
    return 1440 * max((float(fold.lead_days.max()) for fold in minutes.folds), default=0.0)


def _coherent(means: Array, weights: Array, error: Array) -> Array:
    """Return daily means that add up, (series, days): steps moved toward their sum's own, sums made of them."""
    steps = weights.shape[1]
    parts, whole = means[:steps] * weights[0][:, None], means[steps]
    moved = closed_tree(parts.T, whole, parts.T * error[:steps], whole * error[steps]).T
    own = weights[0] > 0
    leaves = means[:steps].copy()
    leaves[own] = moved[own] / weights[0][own, None]
    return np.concatenate([leaves, weights @ leaves])


def _bands(days: Model, near: Model, starts: Array) -> dict[float, Array]:
    """Return quantile -> totals of days, shape (series, days); a week's is their sum: its days are off alike."""
    said = days.blend.counts(starts)
    lead, none = (starts - days.past.end_min) / 1440, np.zeros(len(starts), bool)
    at = Ahead(np.zeros(len(starts), int), lead, none)
    out = {level: np.empty(said.T.shape) for level in LEVELS}
    for series in range(said.shape[1]):
        far, close = (
            make_bands(model.errors(series), LEVELS).counts(at, said[:, series])
            for model in (days, near)
        )
        counts = np.where((1440 * lead < _NEAR_MIN)[:, None], close, far)
        for level, column in zip(LEVELS, counts.T, strict=True):
            out[level][series] = column
    return out


def _peaks(
    minutes: Model, edges: Array, totals: Array, sigma: float, event: EventDemand | None
) -> tuple[list[int], tuple[Peak, ...]]:
    """Return each series' day with the highest minute, and that peak; a day's minutes sum to its total.

    Days of the event are left to its own demand.
    """
    tops, peaks, calendar = [], [], minutes.past.calendar
    other = np.ones(len(edges) - 1, bool)
    if event is not None:
        first, last = event.organic.spans[event.regions.index(calendar.region)]
        begins, ends = event.grid.epoch_min + first, event.grid.epoch_min + last
        other = (edges[1:] <= begins) | (edges[:-1] >= ends)
    for series, row in enumerate(totals):
        days = np.flatnonzero(other) if other.any() else np.arange(len(row))
        candidates = sorted(days[np.argsort(row[days])[-_TOP_DAYS:]].tolist())
        best: tuple[float, int, Array] | None = None
        for day in candidates:
            at = np.arange(edges[day], edges[day + 1])
            shape = minutes.blend.smooth(at)[:, series]
            hour = calendar.slot_of_day(at)[0] // 60
            # Totals are means; what is learned of peaks is learned of medians.
            mean = shape * minutes.blend.smear[hour, series]
            scaled = shape * row[day] / max(float(mean.sum()), 1e-9)
            if best is None or scaled.max() > best[0]:
                best = (float(scaled.max()), day, scaled)
        assert best is not None  # a year has days
        tops.append(best[1])
        noon = np.array([float(edges[best[1]] + edges[best[1] + 1]) / 2])
        own = sigma if in_event(noon, minutes.past.calendar)[0] else 0.0
        peaks.append(peak_of(best[2], peak_errors([(minutes, series)]), own))
    return tops, tuple(peaks)


def _with_event(
    tops: list[int],
    peaks: tuple[Peak, ...],
    event: EventDemand,
    region: str,
    weights: Array,
    edges: Array,
) -> tuple[list[int], tuple[Peak, ...]]:
    """Return the same with the event's peak where it is the higher one, or where all days are the event's."""
    days, out = list(tops), list(peaks)
    asked = [(step, None) for step in event.steps] + [(ALL, row) for row in weights]
    for series, (step, per_step) in enumerate(asked):
        told = event.peak(region, step, per_step)
        minute = event.grid.epoch_min + told.slot
        day = int(np.searchsorted(edges, minute, "right")) - 1
        if 0 <= day < len(edges) - 1 and told.size[0.5] >= out[series].size[0.5]:
            days[series] = day
            out[series] = replace(told, slot=int(minute - edges[day]))
    return days, tuple(out)


def _instant(minute: float) -> datetime:
    return datetime.fromtimestamp(60 * float(minute), UTC)
