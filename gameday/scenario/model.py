"""The scenario itself: every block a person may write, and what each field means."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from gameday.scenario.blocks.connections import Connections
from gameday.scenario.blocks.forecasting import ForecastBlock
from gameday.scenario.blocks.history_block import HistoryBlock
from gameday.scenario.blocks.journeys import Journey
from gameday.scenario.blocks.observe import Observe
from gameday.scenario.blocks.products import Product
from gameday.scenario.blocks.services import Fleet, Service
from gameday.scenario.blocks.steps import Exchange, Step
from gameday.scenario.blocks.teams import Team, owner_of
from gameday.scenario.blocks.template_values import Feed, Value
from gameday.scenario.criteria import CriterionText
from gameday.scenario.events import Launch
from gameday.scenario.units import (
    Block,
    Duration,
    LocalTime,
    Name,
    Quantile,
    ZoneName,
    local_to_utc,
)
from gameday.vocabulary import Seed

__all__ = ["CalendarEvent", "Scenario"]

_LAUNCH_HALF_LIFE_S = 900.0
"""Half-life that gives a launch its length on the calendar where it says none itself. Default: ours."""
_LAUNCH_HALF_LIVES = 8
"""Half-lives after which a launch is over on the calendar: 1/256 of its crowd is still to come."""


class CalendarEvent(Block):
    """An event on the calendar, past or future."""

    name: Name
    kind: str
    start: LocalTime
    """In each region's own event zone."""
    duration: Duration = Field(gt=0)
    strength: float = Field(default=1.0, ge=0, le=20)
    """Size relative to the kind's usual one (1): multiplies the log effect; 0: no effect."""
    lead: Duration | None = Field(default=None, le=30 * 86400)
    """How long before its start customers already buy more, or less; absent: as far as the kind's knots reach."""
    lag: Duration | None = Field(default=None, le=30 * 86400)
    """How long after its end an effect lasts, falling linearly."""
    regions: list[Name] | None = None
    """Absent: every region."""


def _launch_event(name: str, launch: Launch, region: str) -> CalendarEvent:
    """Return a launch as an event on the calendar of one region."""
    half_life_s = launch.half_life or _LAUNCH_HALF_LIFE_S
    return CalendarEvent.model_validate(
        {
            "name": name,
            "kind": "launch",
            "start": launch.at[region].isoformat(timespec="minutes"),
            "duration": f"{_LAUNCH_HALF_LIVES * half_life_s:.0f}s",
            "regions": [region],
        }
    )


class Region(Block):
    """Where customers live: one event zone, one stack that serves them."""

    zone: ZoneName
    stack: Name


class Calendar(Block):
    """What is known of other days."""

    events: list[CalendarEvent] = Field(default_factory=list)
    holidays: dict[Name, str] = Field(default_factory=dict)
    """Region -> ISO country whose public holidays count (package `holidays`)."""


class Guardrail(Block):
    """A criterion that protects the target (its time is wall time)."""

    when: CriterionText
    then: Literal["stop", "back off", "freeze"] = "stop"
    """End the run; halve session starts, each time it is crossed; or let them grow no more."""


class Ceilings(Block):
    """What a run never exceeds: refused if the plan would, stopped if it does all the same."""

    requests_per_s: float | None = Field(default=None, gt=0)
    """HTTP requests sent per second; redirects that are followed and second tries count."""
    concurrency: int | None = Field(default=None, ge=1)
    """Steps in progress at one time."""
    duration: Duration | None = None
    """Wall time, lead-in included."""
    orders: int | None = Field(default=None, ge=0)
    """Orders by their keys, confirmed or never answered."""


class Replay(Block):
    """How the event is played."""

    speed: float = Field(default=20, ge=1, le=600)
    """Event time per wall time. Default: ours; 40 minutes of peak take two."""
    peak: Duration = 2400.0
    """Length of the window `peak`. Default: ours."""
    steps_per_s: float = Field(default=250, gt=0, le=5000)
    """`--scale auto` scales the hottest slot of all stacks together to this many steps a second.

    Default: what one Locust worker and one shop sustain on two cores (tests/bench)."""
    target_fraction: float = Field(default=1.0, gt=0, le=1)
    """What share of production the target is (for a target of one's own)."""
    quantile: Quantile = 0.5
    spacing: Literal["poisson", "even"] = "poisson"
    """Session starts inside a slot: as independent customers come, or at equal distances."""
    dispersion: float = Field(default=1.0, ge=1, le=1000)
    """With `spacing: poisson`, index of dispersion of starts in short intervals; above 1 they come in bunches."""
    conversion_drift: float = Field(default=0.0, ge=0, le=0.5)
    """Share by which chances to go on to an order may differ from the journeys', hour by hour."""
    connections: Connections = Connections()
    ceilings: Ceilings = Ceilings()
    inject: list[str] = Field(default_factory=list)
    """Injections where the command names none: a drill's trigger."""


class InstanceType(Block):
    """A kind of machine that can be ordered."""

    hourly_usd: float = Field(gt=0)
    vcpu: int = Field(ge=1)


class CapacityBlock(Block):
    """What can be ordered, and what must hold."""

    quantile: Quantile = 0.9
    """Of the event's peak, to size for: a day so strong, of all regions together."""
    max_utilisation: float = Field(default=0.75, gt=0, lt=1)
    """With the zones lost: where the search for fleets in the model begins, and what orders keep where the model
    did not size them. Default: the usual target of synchronous services; ours."""
    max_wait_probability: float = Field(default=0.05, ge=1e-6, le=1)
    """Share of visits that may queue, by Erlang C; used as `max_utilisation` is. Default: ours."""
    lead_time_days: int = Field(default=21, ge=0)
    """From order to servers at work. Default: ours; AWS takes future-dated reservations 5 to 120 days ahead."""
    zones_lost: int = Field(default=1, ge=0, le=2)
    freeze: Duration = 14 * 86400.0
    """How long before the event nothing is changed any more: findings are due by then. Default: ours."""
    scale_down: bool = False
    """Whether fleets that idle are ordered smaller, too."""
    instances: dict[str, InstanceType] = Field(default_factory=dict)


class Scenario(Block):
    """One event, whole."""

    event: CalendarEvent
    regions: dict[Name, Region]
    calendar: Calendar = Calendar()
    history: HistoryBlock
    forecast: ForecastBlock = ForecastBlock()
    launches: dict[Name, Launch] = Field(default_factory=dict)
    products: dict[Name, Product] = Field(default_factory=dict)
    journeys: dict[Name, Journey]
    steps: dict[Name, Step]
    values: dict[Name, Value] = Field(default_factory=dict)
    feeds: dict[Name, Feed] = Field(default_factory=dict)
    services: dict[Name, Service] = Field(default_factory=dict)
    """Absent: a black box. It can be planned and replayed against a target; nothing of it can be modelled."""
    observe: Observe = Observe(series={})
    objectives: list[CriterionText]
    guardrails: list[Guardrail] = Field(default_factory=list)
    replay: Replay = Replay()
    capacity: CapacityBlock = CapacityBlock()
    teams: dict[Name, Team] = Field(default_factory=dict)
    """Who answers for services and steps; absent: nobody is named."""

    @property
    def is_black_box(self) -> bool:
        """Whether nothing is known of the services behind it: no model, no sizing, no loss can be told."""
        return not self.services

    @property
    def services_are_known(self) -> bool:
        """Whether its services are declared: not a black box, nor one for which a station stands in."""
        fleets = (fleet for service in self.services.values() for fleet in service.stacks.values())
        return not self.is_black_box and all(fleet.instance != Fleet.UNKNOWN for fleet in fleets)

    @property
    def step_names(self) -> tuple[str, ...]:
        """Steps in the scenario's order: the axis `step` everywhere."""
        return tuple(self.steps)

    @property
    def region_names(self) -> tuple[str, ...]:
        """Regions in the scenario's order: the axis `region` everywhere."""
        return tuple(self.regions)

    @property
    def stack_names(self) -> tuple[str, ...]:
        """Stacks in order of their first region."""
        return tuple(dict.fromkeys(region.stack for region in self.regions.values()))

    def stack_regions(self, stack: str) -> tuple[str, ...]:
        """Return the regions that `stack` serves."""
        return tuple(name for name, region in self.regions.items() if region.stack == stack)

    def stack_services(self, stack: str) -> tuple[str, ...]:
        """Return the services that run in `stack`."""
        return tuple(name for name, service in self.services.items() if stack in service.stacks)

    def owner(self, name: str) -> str:
        """Return the team that owns a service or a step; empty: none does."""
        return owner_of(self.teams, name)

    def stack_fleets(self, stack: str) -> dict[str, Fleet]:
        """Return service -> its fleet, of those that run in `stack`."""
        return {name: self.services[name].stacks[stack] for name in self.stack_services(stack)}

    def with_instances(self, instances: Mapping[tuple[str, str], int]) -> Scenario:
        """Return the scenario with other fleets: (stack, service) -> instances."""
        services = dict(self.services)
        for (stack, service), count in instances.items():
            services[service] = services[service].with_instances(stack, count)
        return self.model_copy(update={"services": services})

    def as_measured(self, stack: str) -> Scenario:
        """Return the scenario with the services of a stack as they were measured there; itself if none was."""
        services = {
            name: service.as_measured(stack) if stack in service.stacks else service
            for name, service in self.services.items()
        }
        if all(services[name] is service for name, service in self.services.items()):
            return self
        return self.model_copy(update={"services": services})

    def drawn(self, stack: str, seed: Seed) -> Scenario:
        """Return the scenario with each measured number of a stack drawn from its interval.

        Draws are keyed by stack, service and field: variants that share the seed share their numbers.
        """
        services = {}
        for name, fleet in self.stack_fleets(stack).items():
            if fleet.measured is not None:
                drawn = fleet.measured.drawn(seed.child(stack, name))
                stacks = {**self.services[name].stacks}
                stacks[stack] = fleet.model_copy(update={"measured": drawn})
                services[name] = self.services[name].model_copy(update={"stacks": stacks})
        return self.model_copy(update={"services": {**self.services, **services}})

    def exchanges(self, step: str, product: str | None) -> list[list[Exchange]]:
        """Return the exchanges of a step for this product type: its own, or else the step's."""
        own = self.products[product].exchanges if product is not None else {}
        return own[step] if step in own else self.steps[step].exchanges

    def longest_patience_s(self, step: str) -> float:
        """Return the seconds after which every customer has left a step that does not answer."""
        walks = self.journeys.values()
        return max((j.patience for j in walks if step in j.reached()), default=math.inf)

    def requests(self, step: str, product: str | None) -> int:
        """Return the HTTP requests of a step, declared redirects included."""
        return sum(e.requests for group in self.exchanges(step, product) for e in group)

    def depends_on_type(self, step: str) -> bool:
        """Return whether a step's calls differ between product types."""
        called = {
            call.service
            for e in self.steps[step].each_exchange()
            for call in self.steps[step].entry_call(e).walk()
        }
        return any(
            step in block.calls or step in block.exchanges or called & set(block.without)
            for block in self.products.values()
        )

    def each_exchange(self) -> Iterator[tuple[tuple[str | int, ...], str, Exchange]]:
        """Yield (path, step, exchange) of every exchange, those of the steps first."""
        for name, step in self.steps.items():
            for i, group in enumerate(step.exchanges):
                for j, exchange in enumerate(group):
                    within = (j,) if len(group) > 1 else ()
                    yield ("steps", name, "exchanges", i, *within), name, exchange
        for product, block in self.products.items():
            for name, path, exchange in block.each_exchange():
                yield ("products", product, "exchanges", *path), name, exchange

    def template_words(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield (path of the field, word) of every `{word}` in the templates of exchanges."""
        for path, _, exchange in self.each_exchange():
            for field, word in exchange.template_words():
                yield (*path, field), word

    def stock(self, stack: str) -> dict[str, int]:
        """Return product type -> units to sell in a stack at full scale; those without a limit are left out."""
        sold = [(name, product.stock) for name, product in self.products.items()]
        sold += [(launch.product, launch.stock) for launch in self.launches.values()]
        here, out = self.stack_regions(stack), dict[str, int]()
        for product, units in sold:
            if units:
                out[product] = out.get(product, 0) + sum(units.get(region, 0) for region in here)
        return out

    def span(self, event: CalendarEvent, region: str) -> tuple[datetime, datetime]:
        """Return when `event` starts and ends in `region`, UTC."""
        start = local_to_utc(event.start, self.regions[region].zone)
        return start, start + timedelta(seconds=event.duration)

    def launch_at(self, launch: str, region: str) -> datetime:
        """Return the UTC instant of a launch in a region."""
        return local_to_utc(self.launches[launch].at[region], self.regions[region].zone)

    def release(self, product: str, stack: str) -> datetime | None:
        """Return when a stack begins to sell a product: its regions' first release; None: it has no launch."""
        instants = [
            self.launch_at(name, region)
            for name, launch in self.launches.items()
            if launch.product == product
            for region in launch.at
            if self.regions[region].stack == stack
        ]
        return min(instants, default=None)

    def occurrences(self, region: str) -> list[tuple[CalendarEvent, datetime, datetime]]:
        """Return every event of `region`, launches and the scenario's own included, by start."""
        events = [*self.calendar.events, self.event]
        found = [
            (event, *self.span(event, region))
            for event in events
            if event.regions is None or region in event.regions
        ]
        for name, launch in self.launches.items():
            if region in launch.at:
                event = _launch_event(name, launch, region)
                found.append((event, *self.span(event, region)))
        return sorted(found, key=lambda item: (item[1], item[0].name))

    def sha256(self) -> str:
        """Return the SHA-256, hex, of what the scenario says otherwise than by default.

        A field that a later version adds changes it for those alone who write it.
        """
        text = self.model_dump_json(by_alias=True, exclude_defaults=True)
        return hashlib.sha256(text.encode()).hexdigest()
