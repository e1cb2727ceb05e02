"""The organic part of the demand: what is expected per region, step and minute without launches' crowds.

What is printed, drawn or alarmed on is `EventDemand`, this with the launches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from gameday.forecast.uncertainty.error_correlation import ErrorCorrelation
from gameday.forecast.uncertainty.peak_errors import PeakErrors
from gameday.forecast.uncertainty.peaks import peak_of
from gameday.vocabulary import Array, TimeGrid, supported

__all__ = ["Crowd", "Demand"]

_NO_EVENT = 0.02
"""An event that moves no minute by more than this share is taken to do nothing. Ours."""
_MOST_STRETCHED = 1.5
"""An event's largest log effect is moved by no more than this. Ours: 4.5 times as much again."""
_HALVINGS = 50


@dataclass(frozen=True, slots=True)
class Crowd:
    """A launch's customers, who come beside those of the day."""

    starts: Array
    """Median of session starts a minute, shape (regions, slots)."""
    log_sigma: float
    """Spread of the log of its size."""
    half_life_s: float
    """In which arrivals halve."""
    past_launches: int
    """Past launches that its spread rests on, in the region with the fewest; 0: the spread is a prior."""

    def of_region(self, region: int) -> Crowd:
        """Return the crowd of one region alone."""
        return replace(self, starts=self.starts[region : region + 1])


@dataclass(frozen=True, slots=True)
class Demand:
    """Expected counts of the event and its margins; launch crowds come beside them."""

    grid: TimeGrid
    regions: tuple[str, ...]
    steps: tuple[str, ...]
    median: Array
    """Steps a minute, shape (regions, steps, slots), without launch crowds."""
    mean: Array
    """The same on average: means add up over steps, regions and minutes; medians do not."""
    marginal: dict[float, Array]
    """Level -> steps a minute, same shape. Marginal quantiles: minute by minute, no day."""
    event_log_effect: Array
    """Log of what the declared events do, same shape."""
    strength_sigma: float
    """Spread of the log of the event's size around its forecast."""
    past_events: int
    """Events of this kind in the past that were known; they set what is calibrated."""
    error_correlation: ErrorCorrelation
    """How steps and regions err together: what sample paths are drawn from."""
    launches: dict[str, Crowd]
    """Launch -> who comes for it."""
    backtest_wape: float | None
    """The forecast's own WAPE in `benchmark`, summed absolute error over summed counts; None: unknown."""
    benchmark: tuple[tuple[str, float], ...]
    """Name -> its WAPE over the same minutes of the same origins, the forecast's own first."""
    notes: tuple[str, ...]
    """What was masked, what is prior and not calibrated."""
    spans: tuple[tuple[int, int], ...]
    """Per region the event's own span: its first slot, and the slot after its last. All else is margin."""
    smooth: Array
    """The median without what recurs at single minutes, shape as `median`: what peaks are computed from."""
    peaks: dict[tuple[str, str], PeakErrors]
    """(region, step), either of them `all` for a sum -> how daily peaks were off before; absent: unknown."""
    is_given: bool = False
    """Whether the curve was given, and not forecast: it has no spread, and nothing it could be held against."""

    @property
    def calibrated_to(self) -> float:
        """The highest quantile that the past events can support: 1 - 1 / (n + 1) of n.

        Of a curve that is given it is 1: all its quantiles are the curve.
        """
        return 1.0 if self.is_given else supported(self.past_events)

    def during(self, regions: Sequence[str]) -> Array:
        """Return the slots in which the event is on in one of these regions, shape (slots,)."""
        slot = np.arange(self.grid.slots)
        spans = (self.spans[self.regions.index(region)] for region in regions)
        return np.asarray(
            np.any([(slot >= first) & (slot < last) for first, last in spans], axis=0)
        )

    def path(self, quantile: float) -> Array:
        """Return one day that could happen, as strong as the peak's `quantile`; expected counts, shape as median.

        The log effect of the event is stretched by one factor for all steps and regions, so that the highest
        minute of their sum is as many times the median's as that quantile of its peak is of the peak's median:
        marginal quantiles of every minute at once are no day that happens, and do not add. Where events do
        nothing, all is moved alike. Where no earlier peak is known, the event's own spread stands for the peak's.
        """
        if quantile == 0.5:
            return self.median
        largest = float(np.abs(self.event_log_effect).max(initial=0.0))
        errors = self.peaks.get(("all", "all"))
        if errors is None or not errors.is_known:
            return self._unscored_path(NormalDist().inv_cdf(quantile), largest)
        sigma = 0.0 if largest < _NO_EVENT else self.strength_sigma
        factor = peak_of(self._summed(self.smooth), errors, sigma).times_median(quantile)
        if largest < _NO_EVENT:
            return np.asarray(self.median * factor)
        return self._stretched_to(factor, _MOST_STRETCHED / largest)

    def _unscored_path(self, z: float, largest: float) -> Array:
        """Return the path at normal score `z` by the spread of the event's size alone, or of ordinary days."""
        if largest < _NO_EVENT:
            return np.asarray(self.median * np.exp(z * self._days_sigma()))
        return np.asarray(
            self.median * np.exp(self.event_log_effect * z * self.strength_sigma / largest)
        )

    def _summed(self, counts: Array) -> Array:
        """Return the sum of counts over regions and steps, each region's in its own span, shape (slots,)."""
        slot = np.arange(self.grid.slots)
        inside = np.stack([(slot >= first) & (slot < last) for first, last in self.spans])
        return np.asarray(np.einsum("rst,rt->t", counts, inside))

    def _stretched_to(self, factor: float, most: float) -> Array:
        """Return the median whose event is stretched until its highest minute is `factor` times as high.

        By no more than `most`, either way; what is left then moves all minutes alike.
        """
        wanted = factor * self._summed(self.median).max()

        def stretched(by: float) -> Array:
            return np.asarray(self.median * np.exp(self.event_log_effect * by))

        low, high = -most, most
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            is_below = self._summed(stretched(middle)).max() < wanted
            low, high = (middle, high) if is_below else (low, middle)
        path = stretched((low + high) / 2)
        return np.asarray(path * wanted / self._summed(path).max())

    def _days_sigma(self) -> float:
        """Return the spread of the log of an ordinary day's level: the part of the bands that hours share."""
        if 0.9 not in self.marginal:
            return self.strength_sigma
        wide = np.log1p(self.marginal[0.9]) - np.log1p(self.median)
        each = wide.mean(axis=2) / NormalDist().inv_cdf(0.9)
        return float(np.mean(np.sqrt(self.error_correlation.share) * each))

    def launch_crowd(self, launch: str, quantile: float) -> Array:
        """Return session starts of a launch at its crowd's `quantile`, shape (regions, slots)."""
        crowd, z = self.launches[launch], NormalDist().inv_cdf(quantile)
        return np.asarray(crowd.starts * np.exp(z * crowd.log_sigma))
