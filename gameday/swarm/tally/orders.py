"""The orders of a run by their keys: what customers were told, what the shop holds, what we lost."""

from __future__ import annotations

from gameday.record import Orders
from gameday.scenario import Scenario
from gameday.traffic import Arrivals, LoadPlan, Walks
from gameday.vocabulary import Array

__all__ = ["OrderBook", "order_key"]


def order_key(run: str, session: int, place: int) -> str:
    """Return the key of the order that a session places with the step at `place`."""
    return f"{run}-{session}-{place}"


class OrderBook:
    """Notes what became of each key, as (stack, key)."""

    def __init__(self, scenario: Scenario, plan: LoadPlan, walks: Walks) -> None:
        self.scenario, self.plan, self._walks = scenario, plan, walks
        self._orders: dict[str, set[tuple[int, str]]] = {"confirmed": set(), "unknown": set()}

    def add(self, said: list[list[object]]) -> None:
        """Take a worker's orders: (stack, key, confirmed | unknown)."""
        for stack, key, what in said:
            self._orders[str(what)].add((int(str(stack)), str(key)))

    def close(self, in_shops: dict[str, set[str]] | None, lost: Array) -> Orders | None:
        """Return the book, given each stack's keys and the steps that we lost, (stacks, steps)."""
        confirmed, unknown = self._orders["confirmed"], self._orders["unknown"]
        unknown = unknown - confirmed
        if in_shops is None:
            if self.scenario.observe.orders is None:
                return None
            return Orders(len(confirmed), len(unknown), -1, -1, -1)
        names = self.scenario.stack_names
        held = {(names.index(stack), key) for stack, found in in_shops.items() for key in found}
        unknown |= self._untold(held - confirmed - unknown, lost)
        return Orders(
            len(confirmed),
            len(unknown),
            len(held),
            len(confirmed - held),
            len(held - confirmed - unknown),
        )

    def _untold(self, strays: set[tuple[int, str]], lost: Array) -> set[tuple[int, str]]:
        """Return those of `strays` that a lost worker sent: planned, and no more than steps were lost."""
        places_order = [step.places_order for step in self.scenario.steps.values()]
        left = lost[:, places_order].sum(axis=1)
        out = set[tuple[int, str]]()
        if not strays or not left.any():
            return out
        arrivals = self.plan.arrivals()
        for stack, key in sorted(strays):
            if left[stack] and self._is_planned(arrivals, stack, key):
                left[stack] -= 1
                out.add((stack, key))
        return out

    def _is_planned(self, arrivals: Arrivals, stack: int, key: str) -> bool:
        *_, session, place = ["", *key.rsplit("-", 2)]
        if not (session.isdecimal() and place.isdecimal() and int(session) < len(arrivals.at_s)):
            return False
        region = self.plan.regions[arrivals.region[int(session)]]
        walk = self._walks.planned(arrivals, int(session))
        if self.scenario.stack_names[stack] != self.scenario.regions[region].stack:
            return False
        names = [self.plan.steps[one.step] for one in walk]
        return int(place) < len(names) and self.scenario.steps[names[int(place)]].places_order
