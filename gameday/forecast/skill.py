"""The forecast drawn and, where the history knows better by now, scored against what happened."""

from __future__ import annotations

from typing import Any

import numpy as np

from gameday.forecast.accuracy import missed, pooled_wape
from gameday.forecast.demand import Demand
from gameday.history import History
from gameday.vocabulary import Array

__all__ = ["actuals_table", "demand_series", "thin"]

_MOST_POINTS = 600
"""Points a line of a chart may have (DESIGN §5)."""


def actuals_table(demand: Demand, history: History) -> dict[str, Any] | None:
    """Return how the median did against the history's own counts; None where it holds none.

    WAPE per minute over all regions and steps; the hottest minute of both, and how far its size
    was off.
    """
    actual = history.during(demand.grid)
    if actual is None:
        part = _known_part(demand, history)
        if part is None:
            return None
        actual, forecast, first = part
    else:
        forecast, first = demand.median, 0
    known = ~np.isnan(actual)
    if not known.any():
        return None
    totals = np.nansum(actual, axis=(0, 1)), forecast.sum(axis=(0, 1))
    hottest = [int(total.argmax()) for total in totals]
    return {
        "wape": pooled_wape([missed(_flat(actual), _flat(forecast))]),
        "minutes": int(known.any(axis=(0, 1)).sum()),
        "peak_actual": float(totals[0].max()), "peak_forecast": float(totals[1].max()),
        "peak_actual_at": demand.grid.instant(first + hottest[0]).isoformat(),
        "peak_forecast_at": demand.grid.instant(first + hottest[1]).isoformat(),
        "peak_error": float(totals[1].max() / totals[0].max() - 1),
        "peak_minutes_off": abs(hottest[0] - hottest[1]),
    }  # fmt: skip


def _flat(counts: Array) -> Array:
    """Return (slots, series) of counts, (regions, steps, slots)."""
    return np.asarray(counts.reshape(-1, counts.shape[2]).T)


def _known_part(demand: Demand, history: History) -> tuple[Array, Array, int] | None:
    """Return (actual, forecast, first slot) of the minutes that the history holds."""
    first = max(0, history.grid.epoch_min - demand.grid.epoch_min)
    last = min(
        demand.grid.slots, history.grid.epoch_min + history.grid.slots - demand.grid.epoch_min
    )
    if last - first < 1:
        return None
    actual = history.during(demand.grid.part(first, last - first))
    return None if actual is None else (actual, demand.median[:, :, first:last], first)


def demand_series(demand: Demand, history: History, quantile: float) -> dict[str, Any]:
    """Return the whole event per region, all steps summed, thinned to what a chart can show."""
    every = max(1, -(-demand.grid.slots // _MOST_POINTS))
    path = demand.path(quantile)
    part = _known_part(demand, history)
    out: dict[str, Any] = {
        "at": [demand.grid.instant(i).isoformat() for i in range(0, demand.grid.slots, every)],
        "regions": {},
    }
    single = len(demand.steps) == 1
    for r, region in enumerate(demand.regions):
        rows: dict[str, Any] = {
            "p50": thin(demand.median[r].sum(axis=0), every),
            "path": thin(path[r].sum(axis=0), every),
            "p10": thin(demand.marginal[0.1][r, 0], every) if single else None,
            "p90": thin(demand.marginal[0.9][r, 0], every) if single else None,
            "actual": None,
        }
        if part is not None:
            actual = np.full(demand.grid.slots, np.nan)
            actual[part[2] : part[2] + part[0].shape[2]] = part[0][r].sum(axis=0)
            rows["actual"] = thin(actual, every)
        out["regions"][region] = rows
    return out


def thin(values: Array, every: int) -> list[float | None]:
    """Return means of `every` values in a row; None where none is known."""
    padded = np.pad(values.astype(float), (0, -len(values) % every), constant_values=np.nan)
    blocks = padded.reshape(-1, every)
    known = (~np.isnan(blocks)).sum(axis=1)
    means = np.nansum(blocks, axis=1) / np.maximum(known, 1)
    return [round(float(m), 2) if k else None for m, k in zip(means, known, strict=True)]
