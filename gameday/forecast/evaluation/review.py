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
    said, counted = float(hours.said.sum()), float(hours.came.sum())
    whole = hours.said.sum(axis=(0, 1)), hours.came.sum(axis=(0, 1))
    log = np.log((whole[1] + 0.5) / (whole[0] + 0.5))[whole[0] > 0]
    within = (came >= demand.marginal(0.1)) & (came <= demand.marginal(0.9))
    spread = np.quantile(log, (0.1, 0.9)) if len(log) >= _LEAST_HOURS else None
    return ReviewRow(
        of=of,
        name=name,
        said=said,
        came=counted,
        bias=said / max(counted, 1e-9) - 1,
        wape=float(np.abs(hours.median - hours.came).sum()) / max(counted, 1e-9),
        low=None if spread is None else float(spread[0]),
        high=None if spread is None else float(spread[1]),
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
    weight = before.blend.means(minute)
    weight = np.where(np.isnan(came.T), 0.0, weight)
    weight /= max(float(weight.sum()), 1e-9)
    was, now = (model.blend.parts(minute) for model in (before, after))
    moved = {
        name: float(((now.get(name, 0.0) - was.get(name, 0.0)) * weight).sum())
        for name in dict.fromkeys([*was, *now])
    }
    after_all = np.log1p(after.blend.counts(minute)) - np.log1p(before.blend.counts(minute))
    moved["members and levels blended"] = float((after_all * weight).sum()) - sum(moved.values())
    came_log = np.log1p(np.nan_to_num(came.T)) - np.log1p(after.blend.counts(minute))
    moved["told by no ingredient"] = float((came_log * weight).sum())
    region = before.past.calendar.region
    rows = [IngredientError(region, name, float(np.exp(log))) for name, log in moved.items()]
    return sorted(rows, key=lambda row: -abs(np.log(row.factor)))
