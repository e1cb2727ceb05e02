"""What a template's `{word}` stands for: the customer, drawn values, feeds, values from replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import Value
from gameday.scenario.reading import Assets
from gameday.swarm.tally.orders import order_key
from gameday.vocabulary import Draw, draw_keyed

__all__ = ["TemplateContext", "TemplateVariables"]

_TERMS = ("lamp", "shoes", "phone", "rice", "shirt", "kettle", "headphones", "book")
"""What customers search for."""


class TemplateContext(Protocol):
    """A customer at a step, as templates see it."""

    key: int
    """The session's key for draws."""
    session: int
    position: int
    """Position of the step in the walk."""
    region: str
    memory: dict[str, str] | None
    """Values extracted from replies so far."""

    @property
    def product_type(self) -> str:
        """What the session is about; empty where the scenario has no products."""


Getter = Callable[[Any], str]
"""Customer -> the value of one variable."""


class TemplateVariables:
    """Looks each variable's meaning up once; its value for a customer is then one call."""

    def __init__(self, scenario: Scenario, run_id: str, assets: Assets) -> None:
        self._scenario, self._run, self._assets = scenario, run_id, assets
        self._extracted = {word for *_, e in scenario.each_exchange() for word in e.extract}
        self._cumulative_weights = {
            name: np.cumsum(product.popularity.weights(product.items))
            for name, product in scenario.products.items()
            if product.popularity
        }
        self._items = {name: product.items for name, product in scenario.products.items()}

    def getter(self, name: str) -> Getter:
        """Return the function that gives a customer's value of the variable `name`."""
        if name in self._extracted:
            own = self._own(name)
            return lambda customer: (customer.memory or {}).get(name) or own(customer)
        return self._own(name)

    def _own(self, name: str) -> Getter:
        """Return the value where no reply has given one."""
        feed, dot, column = name.partition(".")
        if dot:
            return self._of_feed(feed, column)
        if name in self._scenario.values:
            return self._of_value(name, self._scenario.values[name])
        return self._customer_words().get(name, lambda customer: "")

    def _customer_words(self) -> dict[str, Getter]:
        """Return the variables that every customer has: CUSTOMER_WORDS of the scenario room."""
        return {
            "customer": lambda customer: f"synthetic-{customer.session}",
            "password": lambda customer: f"pw-{customer.session}",
            "product": self._product,
            "product_type": lambda customer: str(customer.product_type),
            "term": lambda customer: _TERMS[int(_uniform_of_step(customer) * len(_TERMS))],
            "region": lambda customer: str(customer.region),
            "run": lambda customer: self._run,
            "order_key": lambda customer: order_key(self._run, customer.session, customer.position),
        }

    def _product(self, customer: TemplateContext) -> str:
        kind, uniform = customer.product_type, _uniform_of_step(customer)
        weights = self._cumulative_weights.get(kind)
        if weights is None:
            return f"{kind}-{int(uniform * self._items.get(kind, 1))}"
        item = int(np.searchsorted(weights, uniform * weights[-1]))
        return f"{kind}-{min(item, len(weights) - 1)}"

    def _of_feed(self, feed: str, column: str) -> Getter:
        rows, index = self._assets.feeds[feed][column], list(self._scenario.feeds).index(feed)
        if self._scenario.feeds[feed].pick == "in turn":
            return lambda customer: rows[customer.session % len(rows)]
        return lambda customer: rows[int(draw_keyed(customer.key, 0, index, Draw.FEED) * len(rows))]

    def _of_value(self, name: str, value: Value) -> Getter:
        if value.counter is not None:
            start, by = value.counter.start, value.counter.by
            return lambda customer: str(start + by * customer.session)
        if value.by_product is not None:
            known = {kind: str(text) for kind, text in value.by_product.items()}
            return lambda customer: known.get(customer.product_type, "")
        return _drawn(value, self._uniform_of(name, each_step=value.drawn == "step"))

    def _uniform_of(self, name: str, *, each_step: bool) -> Callable[[TemplateContext], float]:
        """Return the uniform number of a value: one a session, or one a step."""
        index = list(self._scenario.values).index(name)
        if each_step:
            return lambda customer: draw_keyed(customer.key, customer.position, index, Draw.VALUE)
        return lambda customer: draw_keyed(customer.key, 0, index, Draw.VALUE)


def _drawn(value: Value, uniform: Callable[[TemplateContext], float]) -> Getter:
    """Return a value drawn by the inverse of its distribution function, evaluated at `uniform`."""
    if value.whole is not None:
        low, count = value.whole[0], value.whole[1] - value.whole[0] + 1
        return lambda customer: str(low + int(uniform(customer) * count))
    if isinstance(value.choice, dict):
        return _drawn_by_weight(value.choice, uniform)
    texts = [str(text) for text in value.choice or ()]
    return lambda customer: texts[int(uniform(customer) * len(texts))]


def _drawn_by_weight(
    weight_of: dict[str, float], uniform: Callable[[TemplateContext], float]
) -> Getter:
    texts, weights = list(weight_of), np.cumsum(list(weight_of.values()))
    last = len(texts) - 1

    def drawn(customer: TemplateContext) -> str:
        index = int(np.searchsorted(weights, uniform(customer) * weights[-1]))
        return texts[min(index, last)]

    return drawn


def _uniform_of_step(customer: TemplateContext) -> float:
    """Return the uniform number that chooses what a customer looks at in this step."""
    return draw_keyed(customer.key, customer.position, 0, Draw.CUSTOMER)
