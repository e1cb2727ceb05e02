"""A cell: one stack with its arrivals and servers scaled by k, as model and shop run it.

A service that holds its server while it calls others is busy for its own work plus theirs; one
that calls asynchronously, for its own alone. So
that the cell's utilisation is exact, the own work of each visit is stretched until the whole
hold is c'/(k c) times what it is at full scale; where the calls alone are longer than that, the
own work is nothing and the cell is busier than the full scale: `Cell.notes` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gameday.scenario import Scenario
from gameday.scenario.blocks import Call, Station
from gameday.scenario.service_times import ServiceTime

__all__ = ["Cell", "Visit", "build_cell", "least_scale"]

_MOST_STRETCH = 1.5
"""Times its own that a service's time may be in a cell: beyond, one server stands for less than two
thirds of one, and what it does to time-outs and waits is the cell's doing. Ours."""
_FEWEST_CONNECTIONS = 4
"""In a cell's pool: they are then within an eighth of the exact number. Ours."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One service visit of an exchange, with its own work fixed for the cell."""

    service: str
    optional: bool
    time: ServiceTime
    factor: float
    """Own work is `time` x `factor`."""
    share: float
    """Of its station's queue that it may fill, 0-1."""
    number: int
    """Place in the exchange's tree, depth first: the key of its draws."""
    then: tuple[tuple[Visit, ...], ...]
    mean_response_s: float
    """Mean seconds to the reply when nothing waits: own work plus calls in sequence."""
    mean_hold_s: float
    """Mean seconds for which a server is held then: without the calls if they are asynchronous."""

    def walk(self) -> Iterator[Visit]:
        """Yield this visit and all below it."""
        yield self
        for group in self.then:
            for visit in group:
                yield from visit.walk()


@dataclass(frozen=True, slots=True)
class Cell:
    """Stations and visits of one stack at one scale."""

    stack: str
    scale: float
    stations: dict[str, Station]
    visits: dict[tuple[str, str | None], tuple[tuple[Visit, ...], ...]]
    """(step, product type) -> its exchanges: groups in sequence, one entry visit an exchange."""
    notes: tuple[str, ...]

    def exchanges(self, step: str, product: str | None) -> tuple[tuple[Visit, ...], ...]:
        """Return the entry visits of a step for a customer of this product type."""
        return self.visits.get((step, product)) or self.visits[(step, None)]

    def walk(self) -> Iterator[Visit]:
        """Yield every visit of every exchange, callers before those they call."""
        for groups in self.visits.values():
            for group in groups:
                for entry in group:
                    yield from entry.walk()

    def visits_to(self, service: str) -> list[Visit]:
        """Return every visit to a service."""
        return [visit for visit in self.walk() if visit.service == service]


def build_cell(scenario: Scenario, stack: str, *, scale: float) -> Cell:
    """Return `stack` at scale k in (0, 1] (or above)."""
    stations = {
        name: scenario.services[name].station(name, stack, scale)
        for name in scenario.stack_services(stack)
    }
    builder = _Builder(scenario, stations)
    visits: dict[tuple[str, str | None], tuple[tuple[Visit, ...], ...]] = {}
    for step_name in scenario.steps:
        visits[step_name, None] = builder.step(step_name, None)
        for product, block in scenario.products.items():
            if step_name in block.calls or step_name in block.exchanges or block.without:
                visits[step_name, product] = builder.step(step_name, product)
    return Cell(stack, scale, stations, visits, tuple(sorted(builder.notes)))


def least_scale(scenario: Scenario) -> float:
    """Return the smallest scale whose cell can be judged.

    No service's time is stretched too far, and no pool has so few connections that to round them matters: their
    number, other than that of servers, is not made good by another time.
    """
    rules = scenario.services.values()
    servers = min(rule.servers(stack) for rule in rules for stack in rule.stacks)
    pools = [rule.pool.connections for rule in rules if rule.pool is not None]
    of_pools = _FEWEST_CONNECTIONS / min(pools) if pools else 0.0
    return min(1.0, max(1.0 / (_MOST_STRETCH * servers), of_pools))


class _Builder:
    """Walks call trees, bottom up."""

    def __init__(self, scenario: Scenario, stations: dict[str, Station]) -> None:
        self.scenario = scenario
        self.stations = stations
        self.notes: set[str] = set()

    def step(self, step_name: str, product: str | None) -> tuple[tuple[Visit, ...], ...]:
        step, without = self.scenario.steps[step_name], frozenset[str]()
        extra: tuple[tuple[Call, ...], ...] = ()
        if product is not None:
            block = self.scenario.products[product]
            extra, without = block.calls.get(step_name, ()), frozenset(block.without)
        groups = []
        for index, group in enumerate(self.scenario.exchanges(step_name, product)):
            own = [extra if index == place == 0 else () for place in range(len(group))]
            calls = [
                step.entry_call(e, x).without(without) for e, x in zip(group, own, strict=True)
            ]
            groups.append(tuple(self.visit(call, step_name, [0]) for call in calls))
        return tuple(groups)

    def visit(self, call: Call, step: str, counter: list[int]) -> Visit:
        number = counter[0]
        counter[0] += 1
        then = tuple(tuple(self.visit(c, step, counter) for c in group) for group in call.then)
        rule = self.scenario.services[call.service]
        law, share = rule.time_for(step), rule.queue_share.get(step, 1.0)
        stretch = self.stations[call.service].time_factor
        cell_calls_s = sum(max(v.mean_response_s for v in group) for group in then)
        if rule.is_asynchronous:
            own_s = law.mean * stretch
            return Visit(
                call.service,
                call.optional,
                law,
                stretch,
                share,
                number,
                then,
                own_s + cell_calls_s,
                own_s,
            )
        factor = (stretch * self.full_response_s(call, step) - cell_calls_s) / law.mean
        if factor < 0:
            self.notes.add(
                f"{call.service} on {step}: its calls alone outlast its share of the cell; "
                "it is busier here than at full scale"
            )
            factor = 0.0
        hold_s = law.mean * factor + cell_calls_s
        return Visit(call.service, call.optional, law, factor, share, number, then, hold_s, hold_s)

    def full_response_s(self, call: Call, step: str) -> float:
        """Return the mean seconds to the reply at full scale when nothing waits."""
        own_s = self.scenario.services[call.service].time_for(step).mean
        return own_s + sum(max(self.full_response_s(c, step) for c in group) for group in call.then)
