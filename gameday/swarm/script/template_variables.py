"""What a template's `{word}` stands for: the customer, drawn values, feeds, what replies gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import Value
from gameday.scenario.reading import Assets
from gameday.swarm.tally.orders import order_key
from gameday.vocabulary import Draw, draw_keyed

__all__ = ["Speaker", "Words"]

_TERMS = ("lamp", "shoes", "phone", "rice", "shirt", "kettle", "headphones", "book")


class Speaker(Protocol):
    """A customer at a step, as templates see it."""

    key: int
    """The session's key for draws."""
    session: int
    place: int
    """Which step of the walk it is."""
    region: str
    memory: dict[str, str] | None
    """What replies gave so far."""

    @property
    def product_type(self) -> str:
        """What the session is about; empty where the scenario has no products."""


Getter = Callable[[Any], str]


class Words:
    """Gives each word its meaning once; asking a customer is then one call."""

    def __init__(self, scenario: Scenario, run_id: str, assets: Assets) -> None:
        self._scenario, self._run, self._assets = scenario, run_id, assets
        self._extracted = {word for *_, e in scenario.each_exchange() for word in e.extract}
        self._upto = {
            name: np.cumsum(product.popularity.weights(product.items))
            for name, product in scenario.products.items()
            if product.popularity
        }
        self._items = {name: product.items for name, product in scenario.products.items()}

    def getter(self, word: str) -> Getter:
        """Return the function that says `word` for a customer."""
        if word in self._extracted:
            own = self._own(word)
            return lambda who: (who.memory or {}).get(word) or own(who)
        return self._own(word)

    def _own(self, word: str) -> Getter:
        """Return the meaning of a word that no reply gives."""
        feed, dot, column = word.partition(".")
        if dot:
            return self._of_feed(feed, column)
        if word in self._scenario.values:
            return self._of_value(word, self._scenario.values[word])
        return self._customer_words().get(word, lambda who: "")

    def _customer_words(self) -> dict[str, Getter]:
        """Return what every customer can say: CUSTOMER_WORDS of the scenario room."""
        return {
            "customer": lambda who: f"synthetic-{who.session}",
            "password": lambda who: f"pw-{who.session}",
            "product": self._product,
            "product_type": lambda who: str(who.product_type),
            "term": lambda who: _TERMS[int(_at_step(who) * len(_TERMS))],
            "region": lambda who: str(who.region),
            "run": lambda who: self._run,
            "order_key": lambda who: order_key(self._run, who.session, who.place),
        }

    def _product(self, who: Speaker) -> str:
        kind, uniform = who.product_type, _at_step(who)
        upto = self._upto.get(kind)
        if upto is None:
            return f"{kind}-{int(uniform * self._items.get(kind, 1))}"
        return f"{kind}-{min(int(np.searchsorted(upto, uniform * upto[-1])), len(upto) - 1)}"

    def _of_feed(self, feed: str, column: str) -> Getter:
        rows, index = self._assets.feeds[feed][column], list(self._scenario.feeds).index(feed)
        if self._scenario.feeds[feed].pick == "in turn":
            return lambda who: rows[who.session % len(rows)]
        return lambda who: rows[int(draw_keyed(who.key, 0, index, Draw.FEED) * len(rows))]

    def _of_value(self, name: str, value: Value) -> Getter:
        index, each_step = list(self._scenario.values).index(name), value.drawn == "step"

        def uniform(who: Speaker) -> float:
            return draw_keyed(who.key, who.place if each_step else 0, index, Draw.VALUE)

        if value.counter is not None:
            start, by = value.counter.start, value.counter.by
            return lambda who: str(start + by * who.session)
        if value.by_product is not None:
            known = {kind: str(text) for kind, text in value.by_product.items()}
            return lambda who: known.get(who.product_type, "")
        if value.whole is not None:
            low, count = value.whole[0], value.whole[1] - value.whole[0] + 1
            return lambda who: str(low + int(uniform(who) * count))
        if isinstance(value.choice, dict):
            names, upto = list(value.choice), np.cumsum(list(value.choice.values()))
            last = len(names) - 1
            return lambda who: names[min(int(np.searchsorted(upto, uniform(who) * upto[-1])), last)]
        texts = [str(text) for text in value.choice or ()]
        return lambda who: texts[int(uniform(who) * len(texts))]


def _at_step(who: Speaker) -> float:
    """Return the uniform number that chooses what a customer looks at in this step."""
    return draw_keyed(who.key, who.place, 0, Draw.CUSTOMER)
