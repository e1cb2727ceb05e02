"""The forecast drawn and, where the history knows better by now, scored against what happened."""

from __future__ import annotations

from typing import Any

import numpy as np

from gameday.forecast.evaluation.accuracy import missed, pooled_wape
from gameday.forecast.event_demand import EventDemand
from gameday.history import History
from gameday.vocabulary import Array

__all__ = ["actuals_table", "demand_series", "thin"]

_MOST_POINTS = 600
"""Points a line of a chart may have (DESIGN §5)."""
_LAUNCH_MIN = 60
"""Minutes around each launch that are drawn one by one: a mean of several would hide it. Ours."""


def actuals_table(demand: EventDemand, history: History) -> dict[str, Any] | None:
    """Return how the median did against the history's own counts; None where it holds none of the event's span.

    WAPE per minute over all regions and steps, launches included; the hottest minute of both, and how far its size
    was off. A minute's median, not the peak: that lies above every single minute's.
    """
    actual = _actual(demand, history)
    if actual is None:
        return None
    actual = np.where(demand.in_span, actual, np.nan)
    known = ~np.isnan(actual)
    if not known.any():
        return None
    forecast = np.where(known, demand.median, 0.0)
    totals = np.nansum(actual, axis=(0, 1)), forecast.sum(axis=(0, 1))
    hottest = [int(total.argmax()) for total in totals]
    return {
        "wape": pooled_wape([missed(_flat(actual), _flat(forecast))]),
        "minutes": int(known.any(axis=(0, 1)).sum()),
        "peak_actual": float(totals[0].max()),
        "peak_forecast": float(totals[1].max()),
        "peak_actual_at": demand.grid.instant(hottest[0]).isoformat(),
        "peak_forecast_at": demand.grid.instant(hottest[1]).isoformat(),
        "peak_error": float(totals[1].max() / totals[0].max() - 1),
        "peak_minutes_off": abs(hottest[0] - hottest[1]),
    }


def _flat(counts: Array) -> Array:
    """Return (slots, series) of counts, (regions, steps, slots)."""
    return np.asarray(counts.reshape(-1, counts.shape[2]).T)


def _actual(demand: EventDemand, history: History) -> Array | None:
    """Return the history's counts of the minutes forecast, NaN elsewhere, shaped as the median; None: none."""
    first = max(0, history.grid.epoch_min - demand.grid.epoch_min)
    last = min(
        demand.grid.slots, history.grid.epoch_min + history.grid.slots - demand.grid.epoch_min
    )
    part = history.during(demand.grid.part(first, last - first)) if last > first else None
    if part is None:
        return None
    out = np.full(demand.median.shape, np.nan)
    out[:, :, first:last] = part
    return out


def demand_series(demand: EventDemand, history: History, quantile: float) -> dict[str, Any]:
    """Return the forecast per region, all steps summed, launches included, thinned to what a chart can show."""
    begins = _drawn_slots(demand)
    path, median, launched = demand.path(quantile), demand.median, demand.launched()
    actual = _actual(demand, history)
    single = len(demand.steps) == 1
    bands = {q: demand.marginal(q) for q in (0.1, 0.9)} if single else {}
    out: dict[str, Any] = {
        "at": [demand.grid.instant(i).isoformat() for i in begins.tolist()],
        "regions": {},
    }
    for r, region in enumerate(demand.regions):
        first, last = demand.organic.spans[r]
        out["regions"][region] = {
            "p50": thin(median[r].sum(axis=0), begins),
            "path": thin(path[r].sum(axis=0), begins),
            "organic": thin((median - launched)[r].sum(axis=0), begins)
            if launched[r].any()
            else None,
            "p10": thin(bands[0.1][r, 0], begins) if single else None,
            "p90": thin(bands[0.9][r, 0], begins) if single else None,
            "actual": None if actual is None else thin(actual[r].sum(axis=0), begins),
            "event": [demand.grid.instant(slot).isoformat() for slot in (first, last)],
        }
    return out


def _drawn_slots(demand: EventDemand) -> Array:
    """Return where each drawn point's slots begin: as many minutes in a row as it takes, one where a launch is."""
    close = np.zeros(demand.grid.slots, bool)
    for launch in demand.launches.values():
        for row in launch.median.sum(axis=1):
            if row.any():
                top = int(row.argmax())
                close[max(0, top - _LAUNCH_MIN // 6) : top + _LAUNCH_MIN] = True
    left = max(1, _MOST_POINTS - int(close.sum()))
    every = max(1, -(-demand.grid.slots // left))
    slot = np.arange(demand.grid.slots)
    return np.flatnonzero((slot % every == 0) | close | np.concatenate([[False], close[:-1]]))


def thin(values: Array, begins: Array) -> list[float | None]:
    """Return means of the values from each of `begins` to the next; None where none is known."""
    known = ~np.isnan(values)
    total = np.add.reduceat(np.where(known, values, 0.0), begins)
    number = np.add.reduceat(known.astype(int), begins)
    return [round(float(t) / n, 2) if n else None for t, n in zip(total, number, strict=True)]
