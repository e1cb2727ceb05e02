"""An event that is over: what came against what had been said, and whether level or event was wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gameday.forecast.data.fit_rows import in_event
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
_AROUND_DAYS, _LEAST_ORDINARY = 7, 360
"""Days before and after an event whose ordinary minutes tell the level, and how many of those it takes. Ours."""
_MOSTLY = 0.9
"""Share of an event's minutes that must be known to say anything of its highest. Ours."""


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
    """p10 of came / said over hours; None of fewer than three."""
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
    """Whether p10 to p90 held it; None where those were not told, or over a tenth of the minutes is not known."""


@dataclass(frozen=True, slots=True)
class IngredientError:
    """By how much an ingredient of a forecast was wrong."""

    region: str
    step: str
    ingredient: str
    """`level`: ordinary minutes around the event; `event`: what it did beside them; `level and event` where no
    ordinary minutes are known that would tell them apart."""
    factor: float
    """What came over what was said of it: of a region and step they multiply to came / said."""


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
        """Return p10 and p90 of came / said over hours, all series summed; None of fewer than three."""
        said, came = (values.sum(axis=(0, 1)) for values in (self.said, self.came))
        ratio = ((came + 0.5) / (said + 0.5))[said > 0]
        if len(ratio) < _LEAST_HOURS:
            return None, None
        low, high = np.quantile(ratio, (0.1, 0.9))
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
    inside = np.broadcast_to(demand.in_span, came.shape)
    summed = np.nansum(np.where(inside, came, np.nan), axis=(0, 1))
    top, highest, size = int(summed.argmax()), float(summed.max()), peak.size
    held = None
    if (~np.isnan(came[inside])).mean() >= _MOSTLY and {0.1, 0.9} <= set(size):
        held = size[0.1] <= highest <= size[0.9]
    return PeakReview(size, highest, float(top - peak.slot), held)


def ingredient_errors(
    model: Model, demand: EventDemand, came: Array, around: Array, begin_min: float
) -> list[IngredientError]:
    """Return by how much level and event of a region were wrong, by step and of all.

    `came`: counts of the demand's grid, (steps, slots), NaN where not known; `around`: those from `begin_min` on,
    (steps, minutes), of which the ordinary ones up to a week before and after the event tell the level.
    """
    region = model.past.calendar.region
    r = demand.regions.index(region)
    span = slice(*demand.organic.spans[r])
    said = np.where(np.isnan(came[:, span]), 0.0, demand.mean[r, :, span])
    whole = said.sum(axis=1), np.nansum(came[:, span], axis=1)
    level = _ordinary(model, demand, r, around, begin_min)
    out = []
    for number, step in [(None, "all"), *enumerate(demand.steps)]:
        total, usual = (
            _ratio(*(x if number is None else x[number] for x in p)) for p in (whole, level)
        )
        out += _told_apart(region, step, total, usual)
    return out


def _ordinary(
    model: Model, demand: EventDemand, r: int, around: Array, begin_min: float
) -> tuple[Array, Array]:
    """Return what was said and what came in ordinary minutes around the event, (steps,) each."""
    minute = begin_min + np.arange(around.shape[1])
    first, last = (demand.grid.epoch_min + slot for slot in demand.organic.spans[r])
    near = (minute >= first - _AROUND_DAYS * 1440) & (minute < last + _AROUND_DAYS * 1440)
    use = np.flatnonzero(
        near & (minute >= model.past.end_min) & ~in_event(minute, model.past.calendar)
    )
    came = around[:, use]
    if len(use) < _LEAST_ORDINARY:
        return np.zeros(len(around)), np.zeros(len(around))
    said = np.where(np.isnan(came), 0.0, model.blend.means(minute[use]).T)
    return said.sum(axis=1), np.nansum(came, axis=1)


def _ratio(said: Array, came: Array) -> float:
    """Return what came over what was said, of all given; NaN of nothing."""
    expected, counted = float(np.sum(said)), float(np.sum(came))
    return counted / expected if expected > 0 and counted > 0 else float("nan")


def _told_apart(region: str, step: str, total: float, usual: float) -> list[IngredientError]:
    """Return level and event of a step, given came / said of the event's minutes and of ordinary ones."""
    if np.isnan(total):
        return []
    if np.isnan(usual):
        return [IngredientError(region, step, "level and event", total)]
    return [
        IngredientError(region, step, "level", usual),
        IngredientError(region, step, "event", total / usual),
    ]
