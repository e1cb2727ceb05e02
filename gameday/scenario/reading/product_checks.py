"""What must hold between product types and the steps, services, regions and launches that they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gameday.scenario.blocks.products import Product
from gameday.scenario.blocks.steps import Exchange
from gameday.scenario.faults import Fault, unknown
from gameday.scenario.model import Scenario
from gameday.scenario.reading.step_checks import MOST_EXCHANGES
from gameday.scenario.units import sums_to_one

__all__ = ["product_faults"]


def product_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield what a product type names that is not there, and shares of a region that do not sum to 1."""
    for name, product in scenario.products.items():
        for region in product.share:
            path = ("products", name, "share", region)
            yield from unknown(path, "region", region, scenario.regions)
        for region in product.hours if isinstance(product.hours, dict) else ():
            path = ("products", name, "hours", region)
            yield from unknown(path, "region", region, scenario.regions)
        yield from _call_faults(scenario, name, product)
        yield from _without_faults(scenario, name, product)
        yield from _exchange_faults(scenario, name, product)
        yield from _stock_faults(scenario, name, product)
    for region in scenario.regions if scenario.products else ():
        total = sum(p.share.get(region, 0.0) for p in scenario.products.values())
        if not sums_to_one(total):
            yield ("products",), f"shares in region '{region}' sum to {total:g}, not 1"


def _call_faults(scenario: Scenario, name: str, product: Product) -> Iterator[Fault]:
    for step, groups in product.calls.items():
        path = ("products", name, "calls", step)
        yield from unknown(path, "step", step, scenario.steps)
        for group in groups:
            for call in group:
                for inner in call.walk():
                    yield from unknown(path, "service", inner.service, scenario.services)


def _without_faults(scenario: Scenario, name: str, product: Product) -> Iterator[Fault]:
    entries = {step.entry for step in scenario.steps.values()}
    for i, service in enumerate(product.without):
        path = ("products", name, "without", i)
        yield from unknown(path, "service", service, scenario.services)
        if service in entries:
            yield path, "is where requests enter; nobody can do without it"


def _exchange_faults(scenario: Scenario, name: str, product: Product) -> Iterator[Fault]:
    """Yield exchanges of a product type, in place of a step's own, that could not be that step."""
    for step, groups in product.exchanges.items():
        path = ("products", name, "exchanges", step)
        if faults := unknown(path, "step", step, scenario.steps):
            yield from faults
            continue
        exchanges = [exchange for group in groups for exchange in group]
        if not any(exchange.required for exchange in exchanges):
            yield path, "needs at least one required exchange"
        if len(exchanges) > MOST_EXCHANGES:
            yield path, f"are {len(exchanges)}; at most {MOST_EXCHANGES} a step"
        for action in ("add_to_cart", "place_order"):
            of_step = _does(scenario.steps[step].each_exchange(), action)
            if of_step != _does(exchanges, action):
                has = "has" if of_step else "has not"
                yield (
                    path,
                    f"must agree with step '{step}', which {has} an exchange of action {action}",
                )


def _does(exchanges: Iterable[Exchange], action: str) -> bool:
    return any(exchange.action == action for exchange in exchanges)


def _stock_faults(scenario: Scenario, name: str, product: Product) -> Iterator[Fault]:
    path = ("products", name, "stock")
    for region in product.stock:
        yield from unknown((*path, region), "region", region, scenario.regions)
    launched = [n for n, launch in scenario.launches.items() if launch.product == name]
    if product.stock and launched:
        yield path, f"launch '{launched[0]}' says how much there is; leave it out"
    for region in product.share if product.stock else ():
        if product.share[region] > 0 and region not in product.stock:
            yield path, f"lacks region '{region}', where it is asked for"
