"""The highest minute of the year ahead, of each series: days at their totals, the event by its own demand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gameday.forecast.data.fit_rows import in_event
from gameday.forecast.event_demand import ALL, EventDemand
from gameday.forecast.model.regional import Model
from gameday.forecast.publication.horizon import Horizon
from gameday.forecast.uncertainty.peak_errors import peak_errors
from gameday.forecast.uncertainty.peaks import Peak, busy_days, peak_of
from gameday.vocabulary import Array

__all__ = ["peaks_of_year"]

_TOP_DAYS = 6
"""Days of a year whose minutes are looked at for its highest: those of the highest totals. Ours."""


def peaks_of_year(
    horizon: Horizon, minutes: Model, edges: Array, totals: Array
) -> tuple[tuple[int, ...], tuple[Peak, ...]]:
    """Return each series' day with the highest minute of the year, and that peak.

    `minutes`: the region's model of minutes; `totals`: of the days between `edges`, (series, days). Days of the
    event are left to its own demand: its peak is taken where it is higher, or where all days are the event's.
    """
    ordinary = _ordinary_days(horizon, edges)
    found = [
        _peak(horizon.sigma, minutes, edges, series, row, ordinary)
        for series, row in enumerate(totals)
    ]
    if horizon.event is not None:
        found = _with_event(horizon, horizon.event, edges, found)
    return tuple(day for day, _ in found), tuple(peak for _, peak in found)


def _ordinary_days(horizon: Horizon, edges: Array) -> Array:
    """Return which days are not the event's, shape (days,); all of them where no day is left otherwise."""
    ordinary, event = np.ones(len(edges) - 1, bool), horizon.event
    if event is not None:
        first, last = event.organic.spans[event.regions.index(horizon.region)]
        begins, ends = event.grid.epoch_min + first, event.grid.epoch_min + last
        ordinary = (edges[1:] <= begins) | (edges[:-1] >= ends)
    return ordinary if ordinary.any() else np.ones(len(edges) - 1, bool)


def _peak(
    sigma: float, minutes: Model, edges: Array, series: int, totals: Array, ordinary: Array
) -> tuple[int, Peak]:
    """Return the day of one series' highest minute among `ordinary` days, and that peak."""
    curves = {
        day: _day_curve(minutes, series, edges[day : day + 2], totals[day])
        for day in _highest_days(totals, ordinary)
    }
    top = max(curves, key=lambda day: float(curves[day].max()))
    noon = edges[top : top + 2].mean(keepdims=True)
    sigma = sigma if in_event(noon, minutes.past.calendar)[0] else 0.0
    begins = np.concatenate([[0], np.cumsum([len(curve) for curve in curves.values()])])
    errors = peak_errors([(minutes, series)], busy_days(np.repeat(totals[ordinary], 1440)))
    peak = peak_of(np.concatenate(list(curves.values())), errors, sigma)
    return top, replace(peak, slot=peak.slot - int(begins[list(curves).index(top)]))


def _highest_days(totals: Array, ordinary: Array) -> list[int]:
    """Return the numbers of the `ordinary` days with the highest totals, in order."""
    days = np.flatnonzero(ordinary)
    highest: list[int] = days[np.argsort(totals[days])[-_TOP_DAYS:]].tolist()
    return sorted(highest)


def _day_curve(minutes: Model, series: int, edges: Array, total: float) -> Array:
    """Return the smooth medians of a day's minutes whose means sum to `total`, shape (minutes,)."""
    minute = np.arange(edges[0], edges[1])
    shape = minutes.blend.smooth(minute)[:, series]
    hour = minutes.past.calendar.slot_of_day(minute)[0] // 60
    # Totals are means; peaks are learned from medians.
    mean = shape * minutes.blend.mean_factor[hour, series]
    return np.asarray(shape * total / max(float(mean.sum()), 1e-9))


def _with_event(
    horizon: Horizon, event: EventDemand, edges: Array, found: list[tuple[int, Peak]]
) -> list[tuple[int, Peak]]:
    """Return (day, peak) of each series, the event's where that is at least as high."""
    series = [(step, None) for step in event.steps] + [(ALL, row) for row in horizon.weights]
    highest = list(found)
    for number, (step, per_step) in enumerate(series):
        peak = event.peak(horizon.region, step, per_step)
        minute = event.grid.epoch_min + peak.slot
        day = int(np.searchsorted(edges, minute, "right")) - 1
        is_within = 0 <= day < len(edges) - 1
        if is_within and peak.size[0.5] >= found[number][1].size[0.5]:
            highest[number] = day, replace(peak, slot=int(minute - edges[day]))
    return highest
