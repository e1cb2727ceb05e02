"""What an event asks of each service: visits, busy servers and instances by minute, and which steps cause them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from gameday.capacity.services import (
    CountsBesideCalls,
    ServiceDemand,
    StepVisits,
    compare_counts,
    instances_for,
    service_demand,
)
from gameday.errors import HistoryError, UsageError
from gameday.files import write_whole
from gameday.forecast import EventDemand, forecast_demand
from gameday.history import History, read_history
from gameday.jobs.drawn import DRAWN_MIN, drawn
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
    own_counts: CountsBesideCalls | None
    """What its own counts are beside what the calls say; None: not known."""


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
    if order.pages is not None and order.pages.exists() and not order.pages.is_dir():
        raise UsageError(f"--pages: {order.pages} is a file; name a folder")
    past = read_history(scenario, file=order.history, seed=order.seed)
    for note in past.notes:
        show.say(f"history: {note}")
    known = past.known_before(scenario.history.until)
    own = {} if order.counts is None else _own_counts(scenario, known, order.counts)
    demand = event_demand(scenario, forecast_demand(scenario, past))
    return _Services.of(scenario, demand, own).answer(order)


def _own_counts(
    scenario: Scenario, known: History, file: Path
) -> dict[tuple[str, str], CountsBesideCalls]:
    """Return (region, service) -> what its own counts are beside those that the past's steps cause."""
    own = read_team_counts(file, scenario).known_before(scenario.history.until)
    if strange := sorted(set(own.steps) - set(scenario.services)):
        near = did_you_mean(strange[0], scenario.services)
        raise UsageError(
            f"--counts: {file}: no service of the scenario is called '{strange[0]}'{near}"
        )
    grid = _both_known(known.grid, own.grid)
    if not grid.slots:
        raise HistoryError(
            f"--counts: {file}: none of its minutes is in the past that is known, {known.grid.start:%Y-%m-%d} to "
            f"{known.grid.end:%Y-%m-%d}; give counts of that time"
        )
    steps, counts = known.during(grid), own.during(grid)
    assert steps is not None
    assert counts is not None
    compared, numbers = {}, [list(scenario.services).index(service) for service in own.steps]
    visits = StepVisits(scenario)
    for r, region in enumerate(scenario.regions):
        called = _called(visits, grid, region, steps[r])
        for s, service in enumerate(own.steps):
            compared[region, service] = compare_counts(counts[r, s], called[numbers[s]])
    return {where: found for where, found in compared.items() if found.is_learned}


def _both_known(first: TimeGrid, second: TimeGrid) -> TimeGrid:
    """Return the minutes that both grids hold."""
    begin = max(first.start, second.start)
    return TimeGrid.between(begin, max(begin, min(first.end, second.end)))


def _called(visits: StepVisits, grid: TimeGrid, region: str, steps: Array) -> Array:
    """Return the visits that steps of the past cause, shape (services, slots)."""
    parts = [np.empty((len(visits.scenario.services), 0))]
    for first in range(0, grid.slots, _CHUNK_DAYS * 1440):
        part = grid.part(first, min(_CHUNK_DAYS * 1440, grid.slots - first))
        parts.append(visits.caused(part, region, steps[:, first : first + part.slots]))
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True)
class _Services:
    """What is asked of a scenario's services, and the instances for it."""

    scenario: Scenario
    demand: EventDemand
    own: dict[tuple[str, str], CountsBesideCalls]
    asked: ServiceDemand
    step_visits: StepVisits
    needed: dict[tuple[str, str], dict[float, Array]]
    """(service, stack) -> quantile of the day -> instances in each minute, shape (slots,)."""

    @staticmethod
    def of(
        scenario: Scenario, demand: EventDemand, own: dict[tuple[str, str], CountsBesideCalls]
    ) -> _Services:
        asked = service_demand(scenario, demand, _QUANTILES, own)
        needed = _needed(scenario, demand, asked)
        return _Services(scenario, demand, own, asked, StepVisits(scenario), needed)

    def answer(self, order: ServiceOrder) -> ServiceAnswer:
        """Return what is told, and write what is asked for."""
        rows = tuple(self._row(*place) for place in self._places())
        notes = tuple(self._notes(is_counted=order.counts is not None))
        answer = ServiceAnswer(self.scenario.event.name, rows, tuple(self._fleets()), notes)
        if order.out is not None:
            table = self._table()
            write_whole(order.out, lambda path: table.to_parquet(path, index=False))
        if order.pages is not None:
            _write_pages(self.scenario, self.asked, answer, order.pages)
        return answer

    def _places(self) -> list[tuple[int, int]]:
        """Return (region, service), numbers, of each service in each region whose stack has it."""
        return [
            (r, s)
            for r, region in enumerate(self.demand.regions)
            for s, block in enumerate(self.scenario.services.values())
            if self.scenario.regions[region].stack in block.stacks
        ]

    def _row(self, r: int, s: int) -> ServiceRow:
        """Return what is asked of one service in one region."""
        region, service = self.demand.regions[r], self.asked.visits.steps[s]
        numbers = self.asked.visits.numbers(region, service)
        slot = numbers.peak.slot
        callers = self.step_visits.callers(self.demand, region, s, slot)
        return ServiceRow(
            service=service,
            region=region,
            total_mean=round(numbers.total_mean),
            launch_mean=round(numbers.launch_mean),
            instant=self.demand.grid.instant(slot),
            visits={_name(q): round(size, 1) for q, size in numbers.peak.size.items()},
            busy=self._most_busy(r, s),
            callers=_shares(self.scenario, callers),
            own_counts=self.own.get((region, service)),
        )

    def _most_busy(self, r: int, s: int) -> dict[str, float]:
        """Return name of a quantile of the day -> the most servers busy at once in the event."""
        first, last = self.demand.organic.spans[r]
        return {
            _name(q): round(float(busy[r, s, first:last].max()), 2)
            for q, busy in self.asked.busy.items()
        }

    def _fleets(self) -> Iterator[Fleet]:
        """Yield the most instances that each service needs."""
        for (service, stack), by_quantile in self.needed.items():
            declared = self.scenario.services[service].stacks[stack].instances
            most = {_name(q): int(values.max()) for q, values in by_quantile.items()}
            yield Fleet(service, stack, declared, most)

    def _notes(self, *, is_counted: bool) -> Iterator[str]:
        yield "visits are without retries; busy servers are those at work if nothing waits"
        if len(self.demand.regions) > 1:
            yield (
                "visits at p90 are each region's own; busy servers and instances are of one day for all regions, "
                "whose highest minute of all together is p90"
            )
        if idle := sorted(
            {s for (_, s), own in self.own.items() if own.times == 0 and own.besides > 0}
        ):
            yield f"{', '.join(idle)}: its own counts follow no step of a customer; its busy servers are not told"
        known = {service for _, service in self.own}
        lacking = [service for service in self.scenario.services if service not in known]
        if is_counted and lacking:
            yield (
                f"{', '.join(lacking)}: of less than a week own counts are known: forecast by the scenario's calls"
            )
        yield from self.demand.organic.notes

    def _table(self) -> pd.DataFrame:
        """Return every minute: visits by quantile, busy servers, and the instances that the stack then needs."""
        table, places = self.asked.visits.table(series_column="service"), self._places()
        for q, busy in self.asked.busy.items():
            table[f"busy_{_name(q)}"] = busy.ravel()
            table[f"stack_instances_{_name(q)}"] = self._instances(q).ravel()
        services = self.asked.visits.steps
        has = [(self.demand.regions[r], services[s]) for r, s in places]
        here = pd.MultiIndex.from_frame(table[["region", "service"]])
        return table[here.isin(has)].reset_index(drop=True)

    def _instances(self, quantile: float) -> Array:
        """Return the instances of each service's stack in each minute, shape (regions, services, slots)."""
        instances = np.full(self.asked.visits.organic.median.shape, np.nan)
        for r, s in self._places():
            stack = self.scenario.regions[self.demand.regions[r]].stack
            instances[r, s] = self.needed[self.asked.visits.steps[s], stack][quantile]
        return instances


def _needed(
    scenario: Scenario, demand: EventDemand, asked: ServiceDemand
) -> dict[tuple[str, str], dict[float, Array]]:
    """Return (service, stack) -> quantile of the day -> instances in each minute of the event, shape (slots,)."""
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
    return needed


def _shares(scenario: Scenario, visits: Array) -> dict[str, float]:
    """Return step -> its share of visits, the largest first; none where there are none."""
    total = float(visits.sum())
    order = np.argsort(-visits)
    names = scenario.step_names
    return {names[i]: round(float(visits[i]) / total, 4) for i in order if visits[i] > 0}


def _write_pages(
    scenario: Scenario, asked: ServiceDemand, answer: ServiceAnswer, folder: Path
) -> None:
    """Write a page a service."""
    folder.mkdir(parents=True, exist_ok=True)
    demand = asked.visits
    lines = {"p50": demand.median, "p10": demand.marginal(0.1), "p90": demand.marginal(0.9)}
    for service in scenario.services:
        rows = [row for row in answer.rows if row.service == service]
        if rows:
            data = {
                "service": service,
                "event": answer.event,
                "regions": [_region_of_page(demand, lines, row) for row in rows],
                "fleets": [fleet for fleet in answer.fleets if fleet.service == service],
                "notes": answer.notes,
            }
            render_service(data, folder / f"{service}.html")


def _region_of_page(
    demand: EventDemand, lines: dict[str, Array], row: ServiceRow
) -> dict[str, object]:
    """Return what a page shows of one region; `lines`: name -> visits, shape (regions, services, slots)."""
    r, s = demand.regions.index(row.region), demand.steps.index(row.service)
    first, last = demand.organic.spans[r]
    at = [demand.grid.instant(slot) for slot in range(first, last, DRAWN_MIN)]
    highest = {name: drawn(minutes[r, s, first:last]) for name, minutes in lines.items()}
    return {"row": row, "at": at} | highest


def _name(level: float) -> str:
    return f"p{100 * level:g}"
