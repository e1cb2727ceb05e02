"""What an event asks of each service: visits, busy servers and instances by minute, and which steps cause them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from gameday.capacity import (
    ServiceDemand,
    Tie,
    callers_at,
    instances_for,
    learn_tie,
    service_demand,
    visits_of_steps,
)
from gameday.errors import UsageError
from gameday.files import write_whole
from gameday.forecast import EventDemand, forecast_demand
from gameday.history import History, read_history
from gameday.jobs.team_counts import read_team_counts
from gameday.live import Show
from gameday.products import IsoInstant
from gameday.report import render_service
from gameday.scenario import Scenario, did_you_mean, load_scenario
from gameday.traffic.fit import event_demand
from gameday.vocabulary import Array, Seed, TimeGrid

__all__ = ["Fleet", "ServiceAnswer", "ServiceOrder", "ServiceRow", "forecast_services"]

_QUANTILES = (0.5, 0.9)
"""Days that busy servers and instances are told of."""
_CHUNK_DAYS = 7
"""Days of the past that are turned into visits at once."""
_EVERY_MIN = 5
"""A page draws every so many minutes."""


@dataclass(frozen=True, slots=True)
class ServiceOrder:
    """What is asked for."""

    event: str
    seed: Seed
    history: Path | None = None
    counts: Path | None = None
    """The services' own counts by time, region and service; None: the scenario's calls alone."""
    out: Path | None = None
    """Parquet to write: every minute, region and service."""
    pages: Path | None = None
    """Folder to write a page a service into."""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """What the event asks of one service in one region."""

    service: str
    region: str
    total_mean: float
    """Visits in the event, launches included."""
    launch_mean: float
    instant: Annotated[IsoInstant, Field(alias="at")]
    """When most come in a minute, UTC."""
    visits: dict[str, float]
    """Name of a quantile, as p90 -> visits in the highest minute, whenever it comes."""
    busy: dict[str, float]
    """Name of a quantile of the day -> the most servers that are busy at once, if nothing waits."""
    callers: dict[str, float]
    """Step -> its share of the visits in that minute, the largest first."""
    tie: Tie | None
    """How its own counts lie to what the calls say; None: not known."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The instances of a service in a stack."""

    service: str
    stack: str
    declared: int
    needed: dict[str, int]
    """Name of a quantile of the day -> the most instances that are needed in a minute, with zones lost."""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What an event asks of all services."""

    event: str
    rows: tuple[ServiceRow, ...]
    fleets: tuple[Fleet, ...]
    notes: tuple[str, ...]


def forecast_services(order: ServiceOrder, show: Show) -> ServiceAnswer:
    """Forecast every service of a scenario from the steps of its customers, and write what is asked for.

    UsageError where the scenario has no services; HistoryError where a past is unsound.
    """
    scenario = load_scenario(order.event)
    if not scenario.services:
        raise UsageError(
            f"--event: {order.event} has no services; `gameday forecast show` forecasts its steps"
        )
    past = read_history(scenario, file=order.history, seed=order.seed)
    for note in past.notes:
        show.say(f"history: {note}")
    known = past.known_before(scenario.history.until)
    ties = {} if order.counts is None else _ties(scenario, known, order.counts)
    demand = event_demand(scenario, forecast_demand(scenario, past))
    asked = service_demand(scenario, demand, _QUANTILES, ties)
    fleets = _Fleets.of(scenario, demand, asked)
    rows = tuple(_rows(scenario, demand, asked, ties))
    answer = ServiceAnswer(
        scenario.event.name,
        rows,
        tuple(fleets.rows()),
        tuple(_notes(scenario, demand, ties, order)),
    )
    if order.out is not None:
        table = _table(scenario, asked, fleets)
        write_whole(order.out, lambda path: table.to_parquet(path, index=False))
    if order.pages is not None:
        _write_pages(scenario, asked, answer, order.pages)
    return answer


def _ties(scenario: Scenario, known: History, file: Path) -> dict[tuple[str, str], Tie]:
    """Return (region, service) -> how its own counts lie to those that the past's steps cause."""
    own = read_team_counts(file, scenario).known_before(scenario.history.until)
    if strange := sorted(set(own.steps) - set(scenario.services)):
        near = did_you_mean(strange[0], scenario.services)
        raise UsageError(
            f"--counts: {file}: no service of the scenario is called '{strange[0]}'{near}"
        )
    begin = max(known.grid.start, own.grid.start)
    grid = TimeGrid.between(begin, max(begin, min(known.grid.end, own.grid.end)))
    steps, counts = known.during(grid), own.during(grid)
    assert steps is not None
    assert counts is not None
    ties = {}
    for r, region in enumerate(scenario.regions):
        called = _called(scenario, grid, region, steps[r])
        for s, service in enumerate(own.steps):
            tie = learn_tie(counts[r, s], called[list(scenario.services).index(service)])
            if tie.is_learned:
                ties[region, service] = tie
    return ties


def _called(scenario: Scenario, grid: TimeGrid, region: str, steps: Array) -> Array:
    """Return the visits that steps of the past cause, shape (services, slots)."""
    parts = []
    for first in range(0, grid.slots, _CHUNK_DAYS * 1440):
        part = grid.part(first, min(_CHUNK_DAYS * 1440, grid.slots - first))
        parts.append(visits_of_steps(scenario, part, region, steps[:, first : first + part.slots]))
    return np.concatenate(parts, axis=1) if parts else np.empty((len(scenario.services), 0))


@dataclass(frozen=True, slots=True)
class _Fleets:
    """Instances needed in each minute of the event."""

    scenario: Scenario
    needed: dict[tuple[str, str], dict[float, Array]]
    """(service, stack) -> quantile of the day -> instances, shape (slots,)."""

    @staticmethod
    def of(scenario: Scenario, demand: EventDemand, asked: ServiceDemand) -> _Fleets:
        needed = {}
        for stack in scenario.stack_names:
            rows = [demand.regions.index(region) for region in scenario.stack_regions(stack)]
            inside = demand.organic.during(scenario.stack_regions(stack))
            for s, (name, service) in enumerate(scenario.services.items()):
                if stack in service.stacks:
                    needed[name, stack] = {
                        q: instances_for(scenario, stack, name, busy[rows, s].sum(axis=0) * inside)
                        for q, busy in asked.busy.items()
                    }
        return _Fleets(scenario, needed)

    def rows(self) -> Iterator[Fleet]:
        """Yield the most that each service needs."""
        for (service, stack), by_quantile in self.needed.items():
            declared = self.scenario.services[service].stacks[stack].instances
            yield Fleet(
                service,
                stack,
                declared,
                {_name(q): int(values.max()) for q, values in by_quantile.items()},
            )


def _rows(
    scenario: Scenario,
    demand: EventDemand,
    asked: ServiceDemand,
    ties: dict[tuple[str, str], Tie],
) -> Iterator[ServiceRow]:
    """Yield what is asked of each service in each region whose stack has it."""
    for r, region in enumerate(demand.regions):
        for s, (service, block) in enumerate(scenario.services.items()):
            if scenario.regions[region].stack not in block.stacks:
                continue
            numbers = asked.visits.numbers(region, service)
            slot = numbers.peak.slot
            first, last = demand.organic.spans[r]
            yield ServiceRow(
                service=service,
                region=region,
                total_mean=round(numbers.total_mean),
                launch_mean=round(numbers.launch_mean),
                instant=demand.grid.instant(slot),
                visits={_name(q): round(size, 1) for q, size in numbers.peak.size.items()},
                busy={
                    _name(q): round(float(busy[r, s, first:last].max()), 2)
                    for q, busy in asked.busy.items()
                },
                callers=_shares(scenario, callers_at(scenario, demand, region, slot)[s]),
                tie=ties.get((region, service)),
            )


def _shares(scenario: Scenario, visits: Array) -> dict[str, float]:
    """Return step -> its share of visits, the largest first; none where there are none."""
    total = float(visits.sum())
    order = np.argsort(-visits)
    names = scenario.step_names
    return {names[i]: round(float(visits[i]) / total, 4) for i in order if visits[i] > 0}


def _notes(
    scenario: Scenario,
    demand: EventDemand,
    ties: dict[tuple[str, str], Tie],
    order: ServiceOrder,
) -> Iterator[str]:
    yield "visits are without retries; busy servers are those at work if nothing waits"
    if order.counts is not None:
        lacking = [s for s in scenario.services if not any(name == s for _, name in ties)]
        if lacking:
            yield (
                f"{', '.join(lacking)}: of less than a week own counts are known: forecast by the scenario's calls"
            )
    yield from demand.organic.notes


def _table(scenario: Scenario, asked: ServiceDemand, fleets: _Fleets) -> pd.DataFrame:
    """Return every minute: visits by quantile, busy servers, and the instances that the stack then needs."""
    table = asked.visits.table(series_column="service")
    shape = asked.visits.organic.median.shape
    for q, busy in asked.busy.items():
        table[f"busy_{_name(q)}"] = busy.ravel()
        instances = np.full(shape, np.nan)
        for r, region in enumerate(asked.visits.regions):
            for s, service in enumerate(asked.visits.steps):
                found = fleets.needed.get((service, scenario.regions[region].stack))
                if found is not None:
                    instances[r, s] = found[q]
        table[f"stack_instances_{_name(q)}"] = instances.ravel()
    here = pd.MultiIndex.from_frame(table[["region", "service"]])
    has = [
        (region, service)
        for region in asked.visits.regions
        for service, block in scenario.services.items()
        if scenario.regions[region].stack in block.stacks
    ]
    return table[here.isin(has)].reset_index(drop=True)


def _write_pages(
    scenario: Scenario, asked: ServiceDemand, answer: ServiceAnswer, folder: Path
) -> None:
    """Write a page a service."""
    folder.mkdir(parents=True, exist_ok=True)
    for service in scenario.services:
        rows = [row for row in answer.rows if row.service == service]
        if rows:
            data = {
                "service": service,
                "event": answer.event,
                "regions": [_region_of_page(asked, row) for row in rows],
                "fleets": [fleet for fleet in answer.fleets if fleet.service == service],
                "notes": answer.notes,
            }
            render_service(data, folder / f"{service}.html")


def _region_of_page(asked: ServiceDemand, row: ServiceRow) -> dict[str, object]:
    """Return what a page shows of one region."""
    demand = asked.visits
    r, s = demand.regions.index(row.region), demand.steps.index(row.service)
    first, last = demand.organic.spans[r]
    slots = np.arange(first, last, _EVERY_MIN)
    line = {level: demand.marginal(level)[r, s, slots] for level in (0.1, 0.9)}
    return {
        "row": row,
        "at": [demand.grid.instant(int(slot)) for slot in slots],
        "p50": demand.median[r, s, slots].tolist(),
        "p10": line[0.1].tolist(),
        "p90": line[0.9].tolist(),
    }


def _name(level: float) -> str:
    return f"p{100 * level:g}"
