"""What one block says of another: dangling names, sums over blocks, local times DST skips."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from holidays import list_supported_countries

from gameday.scenario.blocks.observe import observe_faults
from gameday.scenario.blocks.url_rules import url_faults
from gameday.scenario.events import KINDS
from gameday.scenario.faults import Fault, unknown
from gameday.scenario.model import CalendarEvent, Scenario
from gameday.scenario.reading.criterion_checks import criterion_faults
from gameday.scenario.reading.journey_checks import journey_faults
from gameday.scenario.units import local_to_utc

__all__ = ["CUSTOMER_WORDS", "cross_faults"]

CUSTOMER_WORDS = frozenset(
    {"customer", "password", "product", "product_type", "term", "order_key", "region", "run"}
)
"""What a template may name without extracting it first."""

_MOST_CALLS, _MOST_EXCHANGES = 64, 32
"""Of an exchange, its own included, and of a step: the keys of draws tell so many apart."""


def cross_faults(scenario: Scenario) -> list[Fault]:
    """Return every fault between blocks, in the order of the blocks."""
    return [
        *_event_faults(scenario),
        *_forecast_faults(scenario),
        *_history_faults(scenario),
        *_launch_faults(scenario),
        *_product_faults(scenario),
        *journey_faults(scenario),
        *url_faults(scenario),
        *_step_faults(scenario),
        *_word_faults(scenario),
        *_service_faults(scenario),
        *observe_faults(scenario),
        *criterion_faults(scenario),
    ]


def _event_faults(scenario: Scenario) -> Iterator[Fault]:
    events: list[tuple[tuple[str | int, ...], CalendarEvent]] = [(("event",), scenario.event)]
    events += [(("calendar", "events", i), e) for i, e in enumerate(scenario.calendar.events)]
    for path, event in events:
        yield from unknown((*path, "kind"), "kind of event", event.kind, KINDS)
        for i, region in enumerate(event.regions or ()):
            yield from unknown((*path, "regions", i), "region", region, scenario.regions)
        for region in event.regions or scenario.regions:
            if region in scenario.regions:
                yield from _local_fault(scenario, (*path, "start"), event.start, region)
    for region, country in scenario.calendar.holidays.items():
        here = ("calendar", "holidays", region)
        yield from unknown(here, "region", region, scenario.regions)
        yield from unknown(here, "country", country, sorted(list_supported_countries()))
    if scenario.event.regions is not None and set(scenario.event.regions) != set(scenario.regions):
        yield ("event", "regions"), "must be absent: a scenario's event is in all its regions"


def _forecast_faults(scenario: Scenario) -> Iterator[Fault]:
    block = scenario.forecast
    for what in ("mask", "keep"):
        for i, stretch in enumerate(getattr(block, what)):
            here = ("forecast", what, i)
            if stretch.region is not None:
                yield from unknown((*here, "region"), "region", stretch.region, scenario.regions)
            if stretch.step is not None:
                yield from unknown((*here, "step"), "step", stretch.step, scenario.steps)
    for name, regressor in block.ingredients.regressors.items():
        for region in dict.fromkeys(regressor.regions or ()):
            place = ("forecast", "ingredients", "regressors", name, "regions")
            yield from unknown(place, "region", region, scenario.regions)


def _local_fault(
    scenario: Scenario, path: tuple[str | int, ...], local: Any, region: str
) -> Iterator[Fault]:
    try:
        local_to_utc(local, scenario.regions[region].zone)
    except ValueError as error:
        yield path, f"{error}; choose another minute"


def _history_faults(scenario: Scenario) -> Iterator[Fault]:
    block = scenario.history
    starts = [scenario.span(scenario.event, r)[0] for r in scenario.regions if _sound(scenario, r)]
    if starts and block.until > min(starts):
        yield ("history", "until"), "is after the event's start; a forecast must not know its event"
    if block.synthetic is None:
        return
    base: tuple[str | int, ...] = ("history", "synthetic")
    for region in block.synthetic.sessions_per_day:
        yield from unknown((*base, "sessions_per_day", region), "region", region, scenario.regions)
    for region in scenario.regions:
        if region not in block.synthetic.sessions_per_day:
            yield (*base, "sessions_per_day"), f"lacks region '{region}'"
    daily = [name for name, journey in scenario.journeys.items() if journey.launch is None]
    for name in block.synthetic.journeys:
        yield from unknown((*base, "journeys", name), "journey", name, daily)
    if abs(sum(block.synthetic.journeys.values()) - 1) > 1e-6:
        yield (*base, "journeys"), f"sums to {sum(block.synthetic.journeys.values()):g}, not 1"


def _sound(scenario: Scenario, region: str) -> bool:
    return not list(_local_fault(scenario, (), scenario.event.start, region))


def _launch_faults(scenario: Scenario) -> Iterator[Fault]:
    sold: dict[str, str] = {}
    for name, launch in scenario.launches.items():
        path = ("launches", name)
        if (other := sold.setdefault(launch.product, name)) != name:
            yield (
                (*path, "product"),
                f"is what launch '{other}' sells; give each a product of its own",
            )
        yield from unknown((*path, "product"), "product", launch.product, scenario.products)
        for region, local in launch.at.items():
            if faults := unknown((*path, "at", region), "region", region, scenario.regions):
                yield from faults
                continue
            yield from _local_fault(scenario, (*path, "at", region), local, region)
            if region not in launch.stock:
                yield (*path, "stock"), f"lacks region '{region}', which `at` names"
        for field in ("crowd", "stock", "admits"):
            for region in getattr(launch, field) or ():
                yield from unknown((*path, field, region), "region", region, launch.at)


def _product_faults(scenario: Scenario) -> Iterator[Fault]:
    for name, product in scenario.products.items():
        for region in product.share:
            path2 = ("products", name, "share", region)
            yield from unknown(path2, "region", region, scenario.regions)
        for step, groups in product.calls.items():
            path = ("products", name, "calls", step)
            yield from unknown(path, "step", step, scenario.steps)
            for group in groups:
                for call in group:
                    for inner in call.walk():
                        yield from unknown(path, "service", inner.service, scenario.services)
        for i, service in enumerate(product.without):
            where = ("products", name, "without", i)
            yield from unknown(where, "service", service, scenario.services)
            if service in {step.entry for step in scenario.steps.values()}:
                yield where, "is where requests enter; nobody can do without it"
        yield from _own_exchange_faults(scenario, name)
        yield from _stock_faults(scenario, name)
    for region in scenario.regions if scenario.products else ():
        total = sum(p.share.get(region, 0.0) for p in scenario.products.values())
        if abs(total - 1) > 1e-6:
            yield ("products",), f"shares in region '{region}' sum to {total:g}, not 1"


def _own_exchange_faults(scenario: Scenario, name: str) -> Iterator[Fault]:
    """What a product type does in place of a step's exchanges must be that step all the same."""
    for step, groups in scenario.products[name].exchanges.items():
        path = ("products", name, "exchanges", step)
        if faults := list(unknown(path, "step", step, scenario.steps)):
            yield from faults
            continue
        if not any(e.required for group in groups for e in group):
            yield path, "needs at least one required exchange"
        if (exchanges := sum(map(len, groups))) > _MOST_EXCHANGES:
            yield path, f"are {exchanges}; at most {_MOST_EXCHANGES} a step"
        for action in ("add_to_cart", "place_order"):
            of_step = any(e.action == action for e in scenario.steps[step].each_exchange())
            if of_step != any(e.action == action for group in groups for e in group):
                has = "has" if of_step else "has not"
                yield (
                    path,
                    f"must agree with step '{step}', which {has} an exchange of action {action}",
                )


def _stock_faults(scenario: Scenario, name: str) -> Iterator[Fault]:
    product = scenario.products[name]
    for region in product.stock:
        path = ("products", name, "stock", region)
        yield from unknown(path, "region", region, scenario.regions)
    launched = [n for n, launch in scenario.launches.items() if launch.product == name]
    if product.stock and launched:
        yield (
            ("products", name, "stock"),
            f"launch '{launched[0]}' says how much there is; leave it out",
        )
    for region in product.share if product.stock else ():
        if product.share[region] > 0 and region not in product.stock:
            yield ("products", name, "stock"), f"lacks region '{region}', where it is asked for"


def _step_faults(scenario: Scenario) -> Iterator[Fault]:
    for name, step in scenario.steps.items():
        yield from unknown(("steps", name, "entry"), "service", step.entry, scenario.services)
        if not any(e.required for e in step.each_exchange()):
            yield ("steps", name, "exchanges"), "needs at least one required exchange"
        if (exchanges := sum(1 for _ in step.each_exchange())) > _MOST_EXCHANGES:
            yield ("steps", name, "exchanges"), f"are {exchanges}; at most {_MOST_EXCHANGES} a step"
    for path, name, exchange in scenario.each_exchange():
        if name not in scenario.steps:
            continue  # said already
        step = scenario.steps[name]
        extra = [p.calls[name] for p in scenario.products.values() if name in p.calls]
        calls = max(sum(1 for _ in step.entry_call(exchange, x).walk()) for x in ((), *extra))
        if calls > _MOST_CALLS:
            yield (*path, "calls"), f"come to {calls} calls; at most {_MOST_CALLS} an exchange"
        for call in step.entry_call(exchange).walk():
            if call.service != step.entry:
                yield from unknown((*path, "calls"), "service", call.service, scenario.services)


def _word_faults(scenario: Scenario) -> Iterator[Fault]:
    for name in sorted(CUSTOMER_WORDS & set(scenario.values)):
        yield ("values", name), "is a word every customer has already; choose another"
    for name, value in scenario.values.items():
        for product in value.by_product or ():
            here = ("values", name, "by_product", product)
            yield from unknown(here, "product", product, scenario.products)
    extracted = {word for *_, e in scenario.each_exchange() for word in e.extract}
    known = sorted(CUSTOMER_WORDS | extracted | set(scenario.values))
    for path, word in scenario.template_words():
        feed, dot, _ = word.partition(".")
        if dot:
            yield from unknown(path, "feed", feed, scenario.feeds)
        else:
            yield from unknown(path, "template word", word, known)


def _service_faults(scenario: Scenario) -> Iterator[Fault]:
    stacks = set(scenario.stack_names)
    for name, service in scenario.services.items():
        for stack, fleet in service.stacks.items():
            path = ("services", name, "stacks", stack)
            yield from unknown(path, "stack", stack, sorted(stacks))
            known = scenario.capacity.instances
            yield from unknown((*path, "instance"), "instance type", fleet.instance, known)
        for field in ("step_time", "queue_share"):
            for step in getattr(service, field):
                path4 = ("services", name, field, step)
                yield from unknown(path4, "step", step, scenario.steps)
    called = {
        call.service
        for _, name, e in scenario.each_exchange()
        if name in scenario.steps
        for call in scenario.steps[name].entry_call(e).walk()
    }
    called |= {
        inner.service
        for product in scenario.products.values()
        for groups in product.calls.values()
        for group in groups
        for call in group
        for inner in call.walk()
    }
    for name in sorted(called & set(scenario.services)):
        for stack in sorted(stacks - set(scenario.services[name].stacks)):
            yield ("services", name, "stacks"), f"lacks stack '{stack}', whose customers call it"
