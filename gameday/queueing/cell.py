"""A cell: one stack with its arrivals and servers scaled by k, as model and shop run it.

A service that holds its server while it calls others is busy for its own work plus theirs; one
that calls asynchronously, for its own alone. A cell has c' = max(1, round(k c)) servers, so its
utilisation is exact only if each visit holds its server c'/(k c) times as long as at full scale: the
own work of the visit is stretched until it does. Where the calls alone last longer than that, own
work is nothing and the cell is busier than the full scale: `Cell.notes` says so.

A service that was measured to be visited more often than the scenario's calls say (`visits_factor`) is called
again, one call after the other: what a query for each item of a list does. Where customers' exchanges visit it,
requests are sent again after the step's own: what a redirect does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from gameday.scenario import Scenario
from gameday.scenario.blocks import Call, Exchange, Station
from gameday.scenario.service_times import ServiceTime

__all__ = ["Cell", "Visit", "build_cell", "least_scale"]

_MOST_STRETCH = 1.5
"""How many times as long a service may take in a cell. Ours: beyond, a server stands for less than two
thirds of a real one, and time-outs and waits are an effect of the cell."""


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
    """Position in the exchange's call tree, depth first: part of the key of its draws."""
    then: tuple[tuple[Visit, ...], ...]
    """The visits it makes: groups in sequence, those of a group in parallel."""
    chance: float
    """Share of its caller's visits that make it, 0-1."""
    per_exchange: float
    """How often an exchange makes it on average: its chance and those of all above it."""
    mean_response_s: float
    """Mean time to the reply when nothing waits: own work plus calls in sequence."""
    mean_hold_s: float
    """Mean time for which a server is held then: without the calls if they are asynchronous."""

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
    """(step, product type) -> its exchanges: groups in sequence, one entry visit an exchange; then those again
    that were measured to be sent more than once."""
    sent: dict[tuple[str, str | None], tuple[tuple[Exchange, ...], ...]]
    """The same -> the exchange that each entry visit is of."""
    notes: tuple[str, ...]

    def exchanges(self, step: str, product: str | None) -> tuple[tuple[Visit, ...], ...]:
        """Return the entry visits of a step for a customer of this product type."""
        return self.visits.get((step, product)) or self.visits[(step, None)]

    def requests(
        self, step: str, product: str | None
    ) -> tuple[tuple[tuple[Visit, Exchange], ...], ...]:
        """Return the same, each with the exchange that it is of."""
        sent = self.sent.get((step, product)) or self.sent[(step, None)]
        groups = zip(self.exchanges(step, product), sent, strict=True)
        return tuple(tuple(zip(*group, strict=True)) for group in groups)

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
    """Return a stack's cell at scale k > 0; 1 = full scale."""
    scenario = scenario.as_measured(stack)
    stations = {
        name: scenario.services[name].station(name, stack, scale)
        for name in scenario.stack_services(stack)
    }
    builder = _CellBuilder(scenario, stack, stations)
    visits, sent = {}, {}
    for step in scenario.steps:
        for product in (None, *_products_with_own_calls(scenario, step)):
            groups = builder.exchanges(step, product)
            visits[step, product] = tuple(tuple(v for v, _ in group) for group in groups)
            sent[step, product] = tuple(tuple(e for _, e in group) for group in groups)
    return Cell(stack, scale, stations, visits, sent, tuple(sorted(builder.notes)))


def _products_with_own_calls(scenario: Scenario, step: str) -> list[str]:
    """Return the product types whose customers may call other services in a step."""
    return [
        name
        for name, block in scenario.products.items()
        if step in block.calls or step in block.exchanges or block.without
    ]


def least_scale(scenario: Scenario) -> float:
    """Return the smallest scale whose cell can be judged.

    There no service's time is stretched beyond _MOST_STRETCH, and every policy has what it needs (a pool's
    connections).
    """
    if scenario.is_black_box:
        return 0.0
    rules = scenario.services.values()
    servers = min(rule.servers(stack) for rule in rules for stack in rule.stacks)
    of_policies = [policy.least_scale for rule in rules for _, policy in rule.policies()]
    return min(1.0, max(1.0 / (_MOST_STRETCH * servers), *of_policies, 0.0))


class _CellBuilder:
    """Turns call trees into visits, from the leaves up."""

    def __init__(self, scenario: Scenario, stack: str, stations: dict[str, Station]) -> None:
        self.scenario = scenario
        self.stations = stations
        self.factors = {name: scenario.services[name].visits_factor(stack) for name in stations}
        """How many times as often each service is visited as the scenario's calls say."""
        self.notes: set[str] = set()

    def exchanges(self, step: str, product: str | None) -> list[list[tuple[Visit, Exchange]]]:
        """Return the entry visits of a step with their exchanges, groups in sequence; of a black box none.

        Those that are sent more than once come again at the end, and do nothing there but visit.
        """
        if self.scenario.is_black_box:
            return [[] for _ in self.scenario.exchanges(step, product)]
        calls = self._entry_calls(step, product)
        first, *more = _chances(1.0, self.factors[self.scenario.steps[step].entry])
        again = [
            [(self._entry(call, step, chance), _as_page(exchange)) for call, exchange in group]
            for group in calls
            for chance in more
        ]
        return [
            [(self._entry(call, step, first), exchange) for call, exchange in group]
            for group in calls
        ] + again

    def _entry_calls(
        self, step_name: str, product: str | None
    ) -> list[list[tuple[Call, Exchange]]]:
        """Return the exchanges of a step, each with the tree of calls that answers it, groups in sequence."""
        step = self.scenario.steps[step_name]
        extra, without = self._of_product(step_name, product)
        groups = list[list[tuple[Call, Exchange]]]()
        for exchanges in self.scenario.exchanges(step_name, product):
            calls = [step.entry_call(exchange, ()) for exchange in exchanges]
            if not groups:  # a product's own calls are made by the first exchange
                calls[0] = step.entry_call(exchanges[0], extra)
            calls = [call.without(without) for call in calls]
            groups.append([*zip(calls, exchanges, strict=True)])
        return groups

    def _entry(self, call: Call, step: str, chance: float) -> Visit:
        """Return the visit that an exchange makes, with all below it."""
        numbers = _Numbers(count(), count(sum(1 for _ in call.walk())))
        return self._visit(replace(call, chance=chance), step, numbers)

    def _of_product(
        self, step: str, product: str | None
    ) -> tuple[tuple[tuple[Call, ...], ...], frozenset[str]]:
        """Return the calls that a product type adds to a step, and the services it does without."""
        if product is None:
            return (), frozenset()
        block = self.scenario.products[product]
        return block.calls.get(step, ()), frozenset(block.without)

    def _visit(self, call: Call, step: str, numbers: _Numbers, reached: float = 1.0) -> Visit:
        """Return a call as a visit with all below it; `numbers` are given out depth first.

        `reached`: how often an exchange comes to its caller.
        """
        number, reached = next(numbers.declared), reached * call.chance
        then = tuple(
            tuple(
                self._visit(below, step, numbers.again if is_again else numbers, reached)
                for below in group
            )
            for group, is_again in self._groups(call)
        )
        rule = self.scenario.services[call.service]
        law = rule.time_for(step)
        calls_s = sum(
            _longest_s([(visit.mean_response_s, visit.chance) for visit in group]) for group in then
        )
        factor = self._own_work_factor(call, step, calls_s)
        own_s = law.mean * factor
        return Visit(
            service=call.service,
            optional=call.optional,
            time=law,
            factor=factor,
            share=rule.queue_share.get(step, 1.0),
            number=number,
            then=then,
            chance=call.chance,
            per_exchange=reached,
            mean_response_s=own_s + calls_s,
            mean_hold_s=own_s if rule.is_asynchronous else own_s + calls_s,
        )

    def _own_work_factor(self, call: Call, step: str, calls_s: float) -> float:
        """Return how many times as long own work takes in the cell, where its calls take `calls_s`."""
        rule = self.scenario.services[call.service]
        stretch = self.stations[call.service].time_factor
        if rule.is_asynchronous:
            return stretch
        hold_s = stretch * self._full_response_s(call, step)
        factor = (hold_s - calls_s) / rule.time_for(step).mean
        if factor < 0:
            self.notes.add(
                f"{call.service} on {step}: its calls alone outlast its share of the cell; "
                "it is busier here than at full scale"
            )
            return 0.0
        return factor

    def _full_response_s(self, call: Call, step: str) -> float:
        """Return the mean seconds to the reply at full scale when nothing waits."""
        own_s = self.scenario.services[call.service].time_for(step).mean
        return own_s + sum(
            _longest_s([(self._full_response_s(below, step), below.chance) for below in group])
            for group, _ in self._groups(call)
        )

    def _groups(self, call: Call) -> Iterator[tuple[tuple[Call, ...], bool]]:
        """Yield the groups of calls that a visit makes, in sequence, and whether they are made again."""
        for group in call.then:
            chances = [_chances(below.chance, self.factors[below.service]) for below in group]
            pairs = [*zip(group, chances, strict=True)]
            yield tuple(replace(below, chance=first) for below, (first, *_) in pairs), False
            for below, (_, *more) in pairs:
                for chance in more:
                    yield (replace(below, chance=chance),), True


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Numbers of an exchange's visits: those that the scenario names, and behind them those made again."""

    declared: Iterator[int]
    more: Iterator[int]

    @property
    def again(self) -> _Numbers:
        """The same below a call that is made again."""
        return _Numbers(self.more, self.more)


def _as_page(exchange: Exchange) -> Exchange:
    """Return an exchange that sells nothing."""
    return exchange.model_copy(update={"action": "page"})


def _chances(chance: float, factor: float) -> list[float]:
    """Return the chance of each call, one after another, that make `chance` x `factor` calls on average."""
    calls = chance * factor
    sure = int(calls)
    rest = calls - sure
    return [1.0] * sure + ([rest] if rest > 0 or not sure else [])


def _longest_s(calls: list[tuple[float, float]]) -> float:
    """Return the mean seconds until all of a group have answered: (seconds, chance that it is made) of each."""
    mean_s, none_longer = 0.0, 1.0
    for seconds, chance in sorted(calls, reverse=True):
        mean_s += none_longer * chance * seconds
        none_longer *= 1.0 - chance
    return mean_s
