"""The demand: the organic part, what launches add, and their sum; numbers of the event are of its own span.

Whatever is printed, drawn, alarmed on or ordered from comes from here. Every region's span is the event's in its
own clock (`Demand.spans`); the margins before and after it are there for lead-ins alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import NormalDist

import numpy as np
import pandas as pd

from gameday.forecast.demand import Demand
from gameday.forecast.uncertainty.peak_errors import PeakErrors
from gameday.forecast.uncertainty.peaks import LaunchedCurve, Peak, peak_of
from gameday.vocabulary import Array, TimeGrid

__all__ = ["ALL", "EventDemand", "EventNumbers", "LaunchSteps", "quantile_of_sum"]

ALL = "all"
"""Of a sum over regions, or over steps."""


@dataclass(frozen=True, slots=True)
class LaunchSteps:
    """What one launch's crowd does."""

    median: Array
    """Steps a minute of a crowd of median size, shape (regions, steps, slots)."""
    log_sigma: float
    """Spread of the log of its size, one draw for all regions and steps."""

    def at(self, quantile: float) -> Array:
        """Return steps a minute of a crowd at `quantile` of its size, shape as `median`."""
        return np.asarray(self.median * np.exp(NormalDist().inv_cdf(quantile) * self.log_sigma))

    @property
    def mean(self) -> Array:
        """Steps a minute on average over the crowd's sizes, shape as `median`."""
        return np.asarray(self.median * np.exp(self.log_sigma**2 / 2))


def quantile_of_sum(
    median: Array, quantile: Array, launches: Sequence[LaunchSteps], level: float
) -> Array:
    """Return the quantile at `level` of each minute by itself: of `median`, whose own is `quantile`, and launches.

    Day and crowds are off independently: the squares of their distances from their medians add up.
    """
    away = [quantile - median, *(launch.at(level) - launch.median for launch in launches)]
    distance = np.sign(sum(away)) * np.sqrt(sum(np.square(part) for part in away))
    middle = median + sum(launch.median for launch in launches)
    return np.asarray(np.maximum(middle + distance, 0.0))


@dataclass(frozen=True, slots=True)
class EventNumbers:
    """The numbers of a whole event, of one region and step or of sums of them."""

    region: str
    step: str
    organic_mean: float
    """Steps expected in the span without launches."""
    launch_mean: float
    """Steps that launches add to it."""
    peak: Peak
    """Its highest minute, launches included; `slot` counts from the grid's start."""
    median_then: float
    """The median of the minute in which the peak is expected: not the peak's size, which lies above it."""

    @property
    def total_mean(self) -> float:
        """Steps expected in the span, launches included."""
        return self.organic_mean + self.launch_mean


@dataclass(frozen=True, slots=True)
class EventDemand:
    """What is expected per region, step and minute: organic, of launches, and both."""

    organic: Demand
    launches: dict[str, LaunchSteps]

    @property
    def grid(self) -> TimeGrid:
        """The minutes forecast: every region's span, and a margin around all of them."""
        return self.organic.grid

    @property
    def regions(self) -> tuple[str, ...]:
        """The axis `region`."""
        return self.organic.regions

    @property
    def steps(self) -> tuple[str, ...]:
        """The axis `step`, or team."""
        return self.organic.steps

    @property
    def in_span(self) -> Array:
        """Whether a slot lies in the event of a region, shape (regions, 1, slots)."""
        slot = np.arange(self.grid.slots)
        return np.stack([(slot >= a) & (slot < b) for a, b in self.organic.spans])[:, None]

    def is_in_event(self, region: str, instant: datetime) -> bool:
        """Return whether an instant lies in the event of a region."""
        first, last = self.organic.spans[self.regions.index(region)]
        return first <= self.grid.index_of(instant) < last

    def launched(self, quantile: float = 0.5) -> Array:
        """Return what launches add at `quantile` of their crowds, steps a minute, shape as `median`."""
        return sum((launch.at(quantile) for launch in self.launches.values()), self._nothing)

    @property
    def launched_mean(self) -> Array:
        """What launches add on average, steps a minute, shape as `median`."""
        return sum((launch.mean for launch in self.launches.values()), self._nothing)

    @property
    def _nothing(self) -> Array:
        return np.zeros(self.organic.median.shape)

    @property
    def median(self) -> Array:
        """Steps a minute, launches included, shape (regions, steps, slots)."""
        return np.asarray(self.organic.median + self.launched())

    @property
    def mean(self) -> Array:
        """Steps a minute on average, launches included: means add up."""
        return np.asarray(self.organic.mean + self.launched_mean)

    def marginal(self, level: float) -> Array:
        """Return the quantile of each minute by itself, launches included, shape as `median`."""
        organic = self.organic
        return quantile_of_sum(
            organic.median, organic.marginal[level], list(self.launches.values()), level
        )

    def path(self, quantile: float) -> Array:
        """Return one day that could happen: event and crowds at `quantile` of their size, shape as `median`."""
        return np.asarray(self.organic.path(quantile) + self.launched(quantile))

    def numbers(self, region: str, step: str) -> EventNumbers:
        """Return the numbers of the event in its span, `all` standing for the sum of regions, or of steps."""
        curves, peak = self._curves(region, step), self.peak(region, step)
        organic, launches = float(curves.summed(self.organic.mean).sum()), curves.launches()
        launched = sum(float(steps.sum()) * np.exp(sigma**2 / 2) for steps, sigma in launches)
        median = curves.summed(self.organic.median) + sum(steps for steps, _ in launches)
        then = float(median[peak.slot - curves.first])
        return EventNumbers(region, step, organic, float(launched), peak, then)

    def peak(self, region: str, step: str, per_step: Array | None = None) -> Peak:
        """Return the highest minute of the event's span, as peaks.py defines it; `slot` counts from the grid.

        `per_step`, shape (steps,): how much each step counts in the sum, as busy vCPUs do; default 1.
        """
        curves = self._curves(region, step, per_step)
        organic, smooth = self.organic, curves.summed(self.organic.smooth)
        effect = curves.summed(np.abs(organic.event_log_effect))
        peak = peak_of(
            smooth,
            organic.peaks.get((region, step), PeakErrors.unknown()),
            organic.strength_sigma if effect[smooth.argmax()] > 0 else 0.0,
            curves.with_launches(),
        )
        return replace(peak, slot=peak.slot + curves.first)

    def _curves(self, region: str, step: str, per_step: Array | None = None) -> _EventCurves:
        """Return what adds up a region and step, or all, in their span; each step counts as `per_step` says."""
        rows, columns = (
            np.array([place for place, name in enumerate(names) if wanted in (ALL, name)])
            for wanted, names in ((region, self.regions), (step, self.steps))
        )
        weights = np.ones(len(columns)) if per_step is None else np.asarray(per_step)[columns]
        begins, ends = np.array(self.organic.spans)[rows].T
        return _EventCurves(self, rows, columns, weights, int(begins.min()), int(ends.max()))

    def table(self, *, series_column: str = "step") -> pd.DataFrame:
        """Return every minute: region, step (or team), slot_utc, in_event, quantiles, mean, their parts."""
        minutes = pd.to_datetime(self.grid.minutes(), unit="m", utc=True)
        index = pd.MultiIndex.from_product(
            [self.regions, self.steps, minutes], names=["region", series_column, "slot_utc"]
        )
        flat = {name: values.ravel() for name, values in self._columns().items()}
        return pd.DataFrame(flat, index=index).reset_index()

    def _columns(self) -> dict[str, Array]:
        """Return the table's columns, shape as `median` each."""
        organic = self.organic
        levels = sorted(organic.marginal)
        columns = {"in_event": np.broadcast_to(self.in_span, organic.median.shape)}
        columns |= {_name(q): self.marginal(q) for q in levels}
        columns["mean"] = self.mean
        columns |= {f"organic_{_name(q)}": organic.marginal[q] for q in levels if q in (0.1, 0.9)}
        return columns | {"launch_p50": self.launched(), "launch_mean": self.launched_mean}


@dataclass(frozen=True, slots=True)
class _EventCurves:
    """Sums of an event's curves over regions and steps, within its span."""

    demand: EventDemand
    rows: Array
    """Numbers of the regions that are summed."""
    columns: Array
    """Numbers of the steps that are."""
    weights: Array
    """How much each of those steps counts, shape (columns,)."""
    first: int
    """The span's first slot."""
    last: int
    """The slot after its last one."""

    def summed(self, values: Array) -> Array:
        """Return the weighted sum of values, (regions, steps, slots), at each slot of the span."""
        inside = self.demand.in_span[self.rows, :, self.first : self.last]
        part = values[self.rows[:, None], self.columns, self.first : self.last]
        return np.asarray(np.einsum("s,rst->t", self.weights, part * inside))

    def launches(self) -> tuple[tuple[Array, float], ...]:
        """Return each launch's median crowd at each slot of the span, and the log spread of its size."""
        crowds = [
            (self.summed(launch.median), launch.log_sigma)
            for launch in self.demand.launches.values()
        ]
        return tuple((steps, sigma) for steps, sigma in crowds if steps.any())

    def with_launches(self) -> LaunchedCurve | None:
        """Return the organic median and the launches on top of it; None where there are none."""
        launches = self.launches()
        return (
            LaunchedCurve(self.summed(self.demand.organic.median), launches) if launches else None
        )


def _name(level: float) -> str:
    return f"p{100 * level:g}"
