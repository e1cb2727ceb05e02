"""What must hold between steps, their templates, and the services that they call."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.scenario.faults import Fault, FaultPath, unknown
from gameday.scenario.model import Scenario

__all__ = ["CUSTOMER_WORDS", "MOST_EXCHANGES", "service_faults", "step_faults", "word_faults"]

CUSTOMER_WORDS = frozenset(
    {"customer", "password", "product", "product_type", "term", "order_key", "region", "run"}
)
"""What a template may name without extracting it first."""

MOST_EXCHANGES = 32
"""Of a step: the keys of draws have room for so many."""
_MOST_CALLS = 64
"""Of an exchange, its own included: the keys of draws have room for so many."""


def step_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield steps without a required exchange or with too many, and calls to services that do not exist."""
    for name, step in scenario.steps.items():
        path = ("steps", name, "exchanges")
        if not scenario.is_black_box:
            yield from unknown(("steps", name, "entry"), "service", step.entry, scenario.services)
        if not any(e.required for e in step.each_exchange()):
            yield path, "needs at least one required exchange"
        if (exchanges := sum(1 for _ in step.each_exchange())) > MOST_EXCHANGES:
            yield path, f"are {exchanges}; at most {MOST_EXCHANGES} a step"
    yield from _call_faults(scenario)


def _call_faults(scenario: Scenario) -> Iterator[Fault]:
    for path, name, exchange in scenario.each_exchange():
        if name not in scenario.steps:
            continue  # a product's step that does not exist is a fault of the product
        step = scenario.steps[name]
        extra = [p.calls[name] for p in scenario.products.values() if name in p.calls]
        calls = max(len(list(step.entry_call(exchange, x).walk())) for x in ((), *extra))
        if calls > _MOST_CALLS:
            yield (*path, "calls"), f"come to {calls} calls; at most {_MOST_CALLS} an exchange"
        for call in step.entry_call(exchange).walk():
            if call.service != step.entry:
                yield from unknown((*path, "calls"), "service", call.service, scenario.services)


def word_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield values that cannot be, and template words that stand for nothing."""
    yield from _value_faults(scenario)
    extracted = {word for *_, e in scenario.each_exchange() for word in e.extract}
    known = sorted(CUSTOMER_WORDS | extracted | set(scenario.values))
    for path, word in scenario.template_words():
        feed, dot, _ = word.partition(".")
        if dot:
            yield from unknown(path, "feed", feed, scenario.feeds)
        else:
            yield from unknown(path, "template word", word, known)


def _value_faults(scenario: Scenario) -> Iterator[Fault]:
    for name in sorted(CUSTOMER_WORDS & set(scenario.values)):
        yield ("values", name), "is a word every customer has already; choose another"
    for name, value in scenario.values.items():
        for product in value.by_product or ():
            value_path: FaultPath = ("values", name, "by_product", product)
            yield from unknown(value_path, "product", product, scenario.products)


def service_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield what a service names that is not there, and stacks that lack a service which is called."""
    if scenario.is_black_box:
        return
    missing = {"observe", "capacity"} - scenario.model_fields_set
    for block in sorted(missing):
        yield (block,), f"is missing; add `{block}:` (only without `services` may it be left out)"
    stacks = sorted(set(scenario.stack_names))
    for name, service in scenario.services.items():
        for stack, fleet in service.stacks.items():
            path = ("services", name, "stacks", stack)
            yield from unknown(path, "stack", stack, stacks)
            if "capacity" not in missing:
                known = scenario.capacity.instances
                yield from unknown((*path, "instance"), "instance type", fleet.instance, known)
        for field in ("step_time", "queue_share"):
            for step in getattr(service, field):
                yield from unknown(("services", name, field, step), "step", step, scenario.steps)
    yield from _lacking_stacks(scenario)


def _lacking_stacks(scenario: Scenario) -> Iterator[Fault]:
    for name in sorted(_called(scenario) & set(scenario.services)):
        lacking = set(scenario.stack_names) - set(scenario.services[name].stacks)
        for stack in sorted(lacking):
            yield ("services", name, "stacks"), f"lacks stack '{stack}', whose customers call it"


def _called(scenario: Scenario) -> set[str]:
    """Return the services that a step or a product type calls."""
    trees = [
        scenario.steps[name].entry_call(exchange)
        for _, name, exchange in scenario.each_exchange()
        if name in scenario.steps
    ]
    trees += [
        call
        for product in scenario.products.values()
        for groups in product.calls.values()
        for group in groups
        for call in group
    ]
    return {call.service for tree in trees for call in tree.walk()}
