"""An event that is over: what came against what had been said, and which ingredient was wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gameday.forecast.event_demand import ALL, EventDemand
from gameday.forecast.model.regional import Model
from gameday.vocabulary import Array

__all__ = [
    "IngredientError",
    "PeakReview",
    "ReviewRow",
    "ingredient_errors",
    "peak_review",
    "review_rows",
]

_HOUR_MIN = 60
_LEAST_HOURS = 3
"""Hours below which no spread is told."""


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """How what was said of some part of an event did."""

    of: str
    """What parts it: lead, region, step, hour (local) or service."""
    name: str
    said: float
    """Steps expected, on average, of the minutes that are known, launches included."""
    came: float
    bias: float
    """said / came - 1."""
    wape: float
    """Summed absolute error of the median, hour by hour, over summed counts."""
    low: float | None
    """p10 of log(came / said) over hours; None of fewer than three."""
    high: float | None
    """p90 of the same."""
    held: float
    """Share of minutes between the p10 and the p90 that were said; 0.8 is promised."""


@dataclass(frozen=True, slots=True)
class PeakReview:
    """The highest minute of all regions and steps, as said and as it came."""

    said: dict[float, float]
    """Quantile -> steps a minute."""
    came: float
    minutes_late: float
    """How much later than expected it came."""
    is_held: bool | None
    """Whether p10 to p90 held it; None where those were not told."""


@dataclass(frozen=True, slots=True)
class IngredientError:
    """By how much an ingredient of a region's forecast was wrong, as far as the event itself now tells."""

    region: str
    ingredient: str
    factor: float
    """What it is now, over what was said, on average over the event's minutes, weighted by what was expected."""


@dataclass(frozen=True, slots=True)
class _Hours:
    """Said and came by the hour, of minutes that are known; all have shape (regions, steps, hours)."""

    said: Array
    median: Array
    came: Array

    @staticmethod
    def of(demand: EventDemand, came: Array) -> _Hours:
        known = ~np.isnan(came)
        begins = np.arange(0, demand.grid.slots, _HOUR_MIN)
        said, median, counted = (
            np.add.reduceat(np.where(known, values, 0.0), begins, axis=2)
            for values in (demand.mean, demand.median, np.nan_to_num(came))
        )
        return _Hours(said, median, counted)

    def spread(self) -> tuple[float | None, float | None]:
        """Return p10 and p90 of log(came / said) over hours, all series summed; None of fewer than three."""
        said, came = (values.sum(axis=(0, 1)) for values in (self.said, self.came))
        log = np.log((came + 0.5) / (said + 0.5))[said > 0]
        if len(log) < _LEAST_HOURS:
            return None, None
        low, high = np.quantile(log, (0.1, 0.9))
        return float(low), float(high)


def review_rows(
    of: str, names: Sequence[str], parts: Sequence[Array], demand: EventDemand, came: Array
) -> Iterator[ReviewRow]:
    """Yield a row for each part of an event of which anything is known.

    `parts`: which minutes are of each, (regions, steps, slots), or what broadcasts to that; `came`: counts of that
    shape, NaN where not known.
    """
    for name, part in zip(names, parts, strict=True):
        inside = demand.in_span & np.broadcast_to(part, came.shape)
        counted = np.where(inside, came, np.nan)
        if np.isfinite(counted).any():
            yield _row(of, name, demand, counted)


def _row(of: str, name: str, demand: EventDemand, came: Array) -> ReviewRow:
    hours, known = _Hours.of(demand, came), ~np.isnan(came)
    said, counted = float(hours.said.sum()), max(float(hours.came.sum()), 1e-9)
    low, high = hours.spread()
    within = (came >= demand.marginal(0.1)) & (came <= demand.marginal(0.9))
    return ReviewRow(
        of=of,
        name=name,
        said=said,
        came=float(hours.came.sum()),
        bias=said / counted - 1,
        wape=float(np.abs(hours.median - hours.came).sum()) / counted,
        low=low,
        high=high,
        held=float(within[known].mean()),
    )


def peak_review(demand: EventDemand, came: Array) -> PeakReview:
    """Return how the highest minute of all that is known was foretold; `came` as in `review_rows`."""
    peak = demand.peak(ALL, ALL)
    summed = np.nansum(np.where(demand.in_span, came, np.nan), axis=(0, 1))
    top = int(summed.argmax())
    held = None
    if {0.1, 0.9} <= set(peak.size):
        held = bool(peak.size[0.1] <= summed[top] <= peak.size[0.9])
    return PeakReview(peak.size, float(summed[top]), float(top - peak.slot), held)


def ingredient_errors(
    before: Model, after: Model, span: tuple[float, float], came: Array
) -> list[IngredientError]:
    """Return by how much each ingredient of a region moved when the model learned of the event, farthest first.

    And what is left of what came, (steps, minutes of the span), beside what the later model says. Both models: of
    the same calendar; `span`: minutes since 1970 UTC.
    """
    minute = np.arange(*span)
    weight = np.where(np.isnan(came.T), 0.0, before.blend.means(minute))
    weight /= max(float(weight.sum()), 1e-9)
    moved = _moved(before, after, minute, weight)
    said, told = (np.log1p(model.blend.counts(minute)) for model in (before, after))
    moved["members and levels blended"] = _weighted(told - said, weight) - sum(moved.values())
    moved["told by no ingredient"] = _weighted(np.log1p(np.nan_to_num(came.T)) - told, weight)
    region = before.past.calendar.region
    rows = [IngredientError(region, name, float(np.exp(log))) for name, log in moved.items()]
    return sorted(rows, key=lambda row: -abs(np.log(row.factor)))


def _moved(before: Model, after: Model, minute: Array, weight: Array) -> dict[str, float]:
    """Return ingredient -> by how much its log moved, on average by `weight`, (n, series)."""
    was, now = (model.blend.parts(minute) for model in (before, after))
    return {
        name: _weighted(now.get(name, 0.0) - was.get(name, 0.0), weight)
        for name in dict.fromkeys([*was, *now])
    }


def _weighted(log: Array | float, weight: Array) -> float:
    return float((log * weight).sum())
