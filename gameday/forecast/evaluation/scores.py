"""The forecast drawn and, where the history knows better by now, scored against what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from gameday.forecast.evaluation.accuracy import absolute_errors, pooled_wape
from gameday.forecast.event_demand import EventDemand
from gameday.history import History
from gameday.vocabulary import Array

__all__ = [
    "ActualsScore",
    "DemandSeries",
    "RegionSeries",
    "actuals_table",
    "demand_series",
    "thin",
]

_MOST_POINTS = 600
"""Points of a line of a chart: more cannot be told apart on a screen."""
_LAUNCH_MIN = 60
"""Minutes around each launch that are drawn one by one: a mean of several would hide it. Ours."""


@dataclass(frozen=True, slots=True)
class ActualsScore:
    """How the median did against the history's own counts, within the event's span."""

    wape: float
    """Of a minute, over all regions and steps, launches included."""
    minutes: int
    """Minutes known."""
    peak_actual: float
    """Count of the hottest minute, all regions and steps summed."""
    peak_forecast: float
    """The same of the medians. Not the peak: that lies above every single minute's median."""
    peak_actual_at: str
    """UTC, ISO 8601, as `peak_forecast_at`."""
    peak_forecast_at: str
    peak_error: float
    """Forecast over actual less 1."""
    peak_minutes_off: int


@dataclass(frozen=True, slots=True)
class RegionSeries:
    """One region's forecast as drawn, all steps summed, launches included; steps a minute, None where unknown."""

    p50: list[float | None]
    path: list[float | None]
    """The event at the chosen quantile of its strength."""
    organic: list[float | None] | None
    """The median without launches; None: there are none."""
    p10: list[float | None] | None
    """None where there are several steps, as `p90`: quantiles do not add."""
    p90: list[float | None] | None
    actual: list[float | None] | None
    """None where the history holds none of these minutes."""
    event: list[str]
    """Start and end of the event, UTC, ISO 8601."""


@dataclass(frozen=True, slots=True)
class DemandSeries:
    """The forecast as drawn."""

    instants: Annotated[list[str], Field(alias="at")]
    """UTC, ISO 8601."""
    regions: dict[str, RegionSeries]


def actuals_table(demand: EventDemand, history: History) -> ActualsScore | None:
    """Return how the median did against the history's own counts; None where it holds none of the event's span."""
    actual = _actual_in_span(demand, history)
    if actual is None:
        return None
    known = ~np.isnan(actual)
    forecast = np.where(known, demand.median, 0.0)
    came, expected = np.nansum(actual, axis=(0, 1)), forecast.sum(axis=(0, 1))
    slots = int(came.argmax()), int(expected.argmax())
    return ActualsScore(
        wape=pooled_wape([absolute_errors(_flat(actual), _flat(forecast))]),
        minutes=int(known.any(axis=(0, 1)).sum()),
        peak_actual=float(came.max()),
        peak_forecast=float(expected.max()),
        peak_actual_at=demand.grid.instant(slots[0]).isoformat(),
        peak_forecast_at=demand.grid.instant(slots[1]).isoformat(),
        peak_error=float(expected.max() / came.max() - 1),
        peak_minutes_off=abs(slots[0] - slots[1]),
    )


def _actual_in_span(demand: EventDemand, history: History) -> Array | None:
    """Return the history's counts within the event's span, NaN elsewhere, shaped as the median; None: none."""
    actual = _actual(demand, history)
    if actual is None:
        return None
    actual = np.where(demand.in_span, actual, np.nan)
    return actual if np.isfinite(actual).any() else None


def _flat(counts: Array) -> Array:
    """Return (slots, series) of counts, (regions, steps, slots)."""
    return np.asarray(counts.reshape(-1, counts.shape[2]).T)


def _actual(demand: EventDemand, history: History) -> Array | None:
    """Return the history's counts of the minutes forecast, NaN elsewhere, shaped as the median; None: none.

    Of a curve that is given none: there the history is the curve itself.
    """
    if demand.organic.is_given:
        return None
    begin = history.grid.epoch_min - demand.grid.epoch_min
    first, last = max(0, begin), min(demand.grid.slots, begin + history.grid.slots)
    part = history.during(demand.grid.part(first, last - first)) if last > first else None
    if part is None:
        return None
    actual = np.full(demand.median.shape, np.nan)
    actual[:, :, first:last] = part
    return actual


def demand_series(demand: EventDemand, history: History, quantile: float) -> DemandSeries:
    """Return the forecast per region, all steps summed, launches included, thinned to what a chart can show."""
    drawn = _Drawn(demand, _actual(demand, history), demand.path(quantile), _drawn_slots(demand))
    return DemandSeries(
        [demand.grid.instant(slot).isoformat() for slot in drawn.begins.tolist()],
        {name: drawn.region(number) for number, name in enumerate(demand.regions)},
    )


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What is drawn of a demand; arrays of counts have shape (regions, steps, slots)."""

    demand: EventDemand
    actual: Array | None
    path: Array
    begins: Array
    """First slot of each point."""

    def region(self, number: int) -> RegionSeries:
        """Return the series of one region."""
        median, launched = self.demand.median, self.demand.launched()
        actual = self.actual
        return RegionSeries(
            p50=self._summed(median[number]),
            path=self._summed(self.path[number]),
            organic=self._summed((median - launched)[number]) if launched[number].any() else None,
            p10=self._band(0.1, number),
            p90=self._band(0.9, number),
            actual=None if actual is None else self._summed(actual[number]),
            event=self._span(number),
        )

    def _span(self, region: int) -> list[str]:
        spans, grid = self.demand.organic.spans, self.demand.grid
        return [grid.instant(slot).isoformat() for slot in spans[region]]

    def _summed(self, counts: Array) -> list[float | None]:
        return thin(counts.sum(axis=0), self.begins)

    def _band(self, level: float, region: int) -> list[float | None] | None:
        """Return the quantile of a region's minutes; None where there are several steps, whose do not add."""
        if len(self.demand.steps) > 1:
            return None
        return thin(self.demand.marginal(level)[region, 0], self.begins)


def _drawn_slots(demand: EventDemand) -> Array:
    """Return where each drawn point's slots begin: as many minutes in a row as it takes, one where a launch is."""
    close = _near_launches(demand)
    left = max(1, _MOST_POINTS - int(close.sum()))
    every = max(1, -(-demand.grid.slots // left))
    slot = np.arange(demand.grid.slots)
    return np.flatnonzero((slot % every == 0) | close | np.concatenate([[False], close[:-1]]))


def _near_launches(demand: EventDemand) -> Array:
    """Return which slots lie around the highest minute of a launch in some region, shape (slots,)."""
    close = np.zeros(demand.grid.slots, bool)
    for launch in demand.launches.values():
        for row in launch.median.sum(axis=1):
            if row.any():
                top = int(row.argmax())
                close[max(0, top - _LAUNCH_MIN // 6) : top + _LAUNCH_MIN] = True
    return close


def thin(values: Array, begins: Array) -> list[float | None]:
    """Return means of the values from each of `begins` to the next; None where none is known."""
    known = ~np.isnan(values)
    total = np.add.reduceat(np.where(known, values, 0.0), begins)
    number = np.add.reduceat(known.astype(int), begins)
    return [round(float(t) / n, 2) if n else None for t, n in zip(total, number, strict=True)]
