"""An event reviewed: what had been said of it at several leads against what came, and what the next one gains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from gameday.capacity.services import service_demand
from gameday.errors import HistoryError
from gameday.forecast import (
    Demand,
    EventDemand,
    Fitted,
    demand_grid,
    demand_of,
    event_spans,
    fit,
)
from gameday.forecast.evaluation import (
    IngredientError,
    PeakReview,
    ReviewRow,
    ingredient_errors,
    peak_review,
    review_rows,
)
from gameday.forecast.model import strength_sigma
from gameday.history import History, read_history
from gameday.jobs.drawn import DRAWN_MIN, drawn
from gameday.live import Show
from gameday.report import render_review
from gameday.scenario import Scenario, load_scenario
from gameday.traffic.fit import event_demand
from gameday.traffic.plan import minutes_of_day
from gameday.vocabulary import Array, Seed

__all__ = ["EventReview", "ReviewOrder", "review_event"]

_LEADS_DAYS = (28, 14, 7, 1)
"""Days before the event from which it is forecast again, beside `history.until`."""
_LEAST_DAYS = 28
"""Days that must be known at such a lead."""


@dataclass(frozen=True, slots=True)
class ReviewOrder:
    """What is asked for."""

    event: str
    seed: Seed
    history: Path | None = None
    page: Path | None = None
    """HTML to write."""


@dataclass(frozen=True, slots=True)
class EventReview:
    """What came of an event against what was said."""

    event: str
    known_until: str
    """What the forecast reviewed knew: `history.until`, UTC, ISO 8601."""
    rows: tuple[ReviewRow, ...]
    peak: PeakReview
    ingredients: tuple[IngredientError, ...]
    """Of every region's sum of steps, and then of its steps, the farthest off first."""
    sigma_before: float
    """Spread of the log of an event's size, as the forecast had it."""
    sigma_after: float
    """The same with this event among the past ones: the next event's bands rest on it."""
    notes: tuple[str, ...]


def review_event(order: ReviewOrder, show: Show) -> EventReview:
    """Hold an event that is over against its forecast, by lead, region, step, local hour and service.

    HistoryError where the history does not reach the event's end.
    """
    scenario = load_scenario(order.event)
    past = read_history(scenario, file=order.history, seed=order.seed)
    for note in past.notes:
        show.say(f"history: {note}")
    came, fitted = _came(scenario, past), fit(scenario, past)
    demand = event_demand(scenario, demand_of(scenario, fitted))
    later = fit(_known_until(scenario, _last(scenario)), past)
    review = EventReview(
        event=scenario.event.name,
        known_until=scenario.history.until.isoformat(),
        rows=(*_by_lead(scenario, past, demand, came, show), *_by_part(scenario, demand, came)),
        peak=peak_review(demand, came),
        ingredients=tuple(_ingredients(fitted, past, demand, came)),
        sigma_before=strength_sigma(fitted.models),
        sigma_after=strength_sigma(later.models),
        notes=(*_unknown_notes(demand, came), *demand.organic.notes),
    )
    if order.page is not None:
        render_review(review, _lines(demand, came), order.page)
    return review


def _ingredients(
    fitted: Fitted, past: History, demand: EventDemand, came: Array
) -> list[IngredientError]:
    """Return by how much level and event were wrong, of every region and step, the farthest off first."""
    errors = [
        error
        for r, model in enumerate(fitted.models)
        for error in ingredient_errors(
            model, demand, came[r], past.counts[r], float(past.grid.epoch_min)
        )
    ]
    return sorted(errors, key=lambda error: (error.step != "all", -abs(np.log(error.factor))))


def _unknown_notes(demand: EventDemand, came: Array) -> list[str]:
    """Return a note on each region of whose event some minutes are not known."""
    shares = [
        (region, np.isnan(came[r, :, first:last]).mean())
        for r, (region, (first, last)) in enumerate(
            zip(demand.regions, demand.organic.spans, strict=True)
        )
    ]
    return [
        f"{region}: {100 * share:.0f} % of the event's minutes are not known, and are in no number"
        for region, share in shares
        if share > 0
    ]


def _came(scenario: Scenario, past: History) -> Array:
    """Return the counts that came, of the forecast's grid, NaN where not known; HistoryError if it is not over."""
    grid = demand_grid(scenario)
    last = _last(scenario)
    if past.grid.end < last:
        raise HistoryError(
            f"{past.source}: counts are known until {past.grid.end:%Y-%m-%dT%H:%MZ}, and {scenario.event.name} "
            f"ends at {last:%Y-%m-%dT%H:%MZ}; give a history that holds the event (--history)"
        )
    counts = np.full((len(past.regions), len(past.steps), grid.slots), np.nan)
    first = grid.epoch_min - past.grid.epoch_min
    slots = np.arange(first, first + grid.slots)
    inside = (slots >= 0) & (slots < past.grid.slots)
    counts[:, :, inside] = past.counts[:, :, slots[inside]]
    spans = event_spans(scenario, grid)
    if all(np.isnan(counts[r, :, first:last]).all() for r, (first, last) in enumerate(spans)):
        raise HistoryError(
            f"{past.source}: not one minute of {scenario.event.name} is known; give a history that holds it"
        )
    return counts


def _last(scenario: Scenario) -> datetime:
    """Return when the event is over in all regions."""
    return max(scenario.span(scenario.event, region)[1] for region in scenario.regions)


def _first(scenario: Scenario) -> datetime:
    return min(scenario.span(scenario.event, region)[0] for region in scenario.regions)


def _known_until(scenario: Scenario, until: datetime) -> Scenario:
    """Return the scenario as of another `history.until`."""
    history = scenario.history.model_copy(update={"until": until})
    return scenario.model_copy(update={"history": history})


def _by_lead(
    scenario: Scenario, past: History, said: EventDemand, came: Array, show: Show
) -> Iterator[ReviewRow]:
    """Yield how the forecast did from each lead, the farthest first; the last is that of `history.until`."""
    begin, until = _first(scenario), scenario.history.until
    for days in _LEADS_DAYS:
        origin = begin - timedelta(days=days)
        if origin == until or origin - past.grid.start < timedelta(days=_LEAST_DAYS):
            continue
        show.say(f"forecasting again from {days} days before")
        moved = _known_until(scenario, origin)
        demand = event_demand(moved, demand_of(moved, fit(moved, past)))
        yield from review_rows("lead", [f"{days} days before"], [_ALL_OF_IT], demand, came)
    name = f"history.until, {(begin - until).total_seconds() / 86400:.1f} days before"
    yield from review_rows("lead", [name], [_ALL_OF_IT], said, came)


_ALL_OF_IT = np.ones((1, 1, 1), bool)


def _by_part(scenario: Scenario, demand: EventDemand, came: Array) -> Iterator[ReviewRow]:
    """Yield rows by region, step, local hour and service."""
    yield from review_rows("region", demand.regions, _each(demand.regions, 0), demand, came)
    yield from review_rows("step", demand.steps, _each(demand.steps, 1), demand, came)
    hour = _local_hours(scenario, demand)
    names = [f"{h:02d}:00" for h in range(24)]
    yield from review_rows("hour", names, [hour == h for h in range(24)], demand, came)
    if scenario.services:
        yield from _by_service(scenario, demand, came)


def _each(names: tuple[str, ...], axis: int) -> list[Array]:
    """Return where each name stands on an axis of (regions, steps, slots), to be broadcast."""
    shape = [1, 1, 1]
    shape[axis] = len(names)
    return [(np.arange(len(names)) == place).reshape(shape) for place in range(len(names))]


def _local_hours(scenario: Scenario, demand: EventDemand) -> Array:
    """Return the local hour of every slot, shape (regions, 1, slots)."""
    zones = [scenario.regions[region].zone for region in demand.regions]
    return np.stack([minutes_of_day(zone, demand.grid) // 60 for zone in zones])[:, None]


def _by_service(scenario: Scenario, demand: EventDemand, came: Array) -> Iterator[ReviewRow]:
    """Yield how the visits that steps cause were foretold, of minutes in which all steps are known."""
    counted = EventDemand(_as_counted(demand, came), {})
    of_came = service_demand(scenario, counted, (), {}).visits.median
    unknown = np.isnan(came).any(axis=1, keepdims=True)
    visits = np.where(unknown, np.nan, of_came)
    said = service_demand(scenario, demand, (), {}).visits
    yield from review_rows("service", said.steps, _each(said.steps, 1), said, visits)


def _as_counted(demand: EventDemand, came: Array) -> Demand:
    """Return a demand whose curves are what came."""
    counts = np.nan_to_num(came)
    return replace(
        demand.organic,
        median=counts,
        mean=counts,
        smooth=counts,
        marginal=dict.fromkeys(demand.organic.marginal, counts),
        launches={},
    )


def _lines(demand: EventDemand, came: Array) -> list[dict[str, object]]:
    """Return what a page draws of each region: all steps' sum, as said and as it came."""
    out = list[dict[str, object]]()
    for r, region in enumerate(demand.regions):
        first, last = demand.organic.spans[r]
        out.append(
            {
                "region": region,
                "at": [demand.grid.instant(slot) for slot in range(first, last, DRAWN_MIN)],
                "p50": drawn(demand.median[r].sum(axis=0)[first:last]),
                "actual": drawn(came[r].sum(axis=0)[first:last]),
            }
        )
    return out
