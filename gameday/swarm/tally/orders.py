"""The orders of a run by their keys: confirmed to customers, held by the shop, lost by us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from gameday.record import Orders
from gameday.scenario import Scenario
from gameday.traffic import Arrivals, LoadPlan, Walks
from gameday.vocabulary import Array

__all__ = ["OrderAccount", "PlacedOrder", "order_key"]


def order_key(run: str, session: int, position: int) -> str:
    """Return the key of the order that a session places with the step at this position of its walk."""
    return f"{run}-{session}-{position}"


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """One order that a customer placed."""

    key: str
    """Its idempotency key."""
    number: str
    """The shop's own number of it; empty where its reply tells none."""
    session: int
    """Which customer: `synthetic-N` is its name unless a feed gave another."""
    stack: str
    at: datetime
    """When its reply came, or the customer gave up, UTC."""
    outcome: Literal["confirmed", "unknown"]
    """Unknown: its reply never came, or was bad."""


class OrderAccount:
    """Notes what became of each order, as (stack, key)."""

    def __init__(self, scenario: Scenario, plan: LoadPlan, walks: Walks) -> None:
        self.scenario, self.plan, self._walks = scenario, plan, walks
        self._orders: dict[str, set[tuple[int, str]]] = {"confirmed": set(), "unknown": set()}
        self._told: dict[tuple[int, str], tuple[str, float]] = {}
        """(Stack, key) -> the shop's number of the order, and when its reply came, s from the window's start."""

    def add(self, rows: list[list[object]]) -> None:
        """Take a worker's orders, as TallyCounts has them."""
        for stack, key, fate, number, at_s in rows:
            order = (int(str(stack)), str(key))
            self._orders[str(fate)].add(order)
            if fate == "confirmed" or order not in self._told:
                self._told[order] = (str(number), float(str(at_s)))

    def told(self, t0_s: float) -> tuple[PlacedOrder, ...]:
        """Return every order that customers placed, by time; `t0_s`: the window's start, Unix seconds."""
        names = self.scenario.stack_names
        orders = [
            PlacedOrder(
                key=key,
                number=number,
                session=_session_and_position(key)[0],
                stack=names[stack],
                at=datetime.fromtimestamp(t0_s + at_s, UTC),
                outcome="confirmed" if (stack, key) in self._orders["confirmed"] else "unknown",
            )
            for (stack, key), (number, at_s) in self._told.items()
        ]
        return tuple(sorted(orders, key=lambda order: (order.at, order.key)))

    def close(self, in_shops: dict[str, set[str]] | None, lost: Array) -> Orders | None:
        """Return the account, given each stack's keys and the steps that we lost, (stacks, steps)."""
        confirmed, unknown = self._orders["confirmed"], self._orders["unknown"]
        unknown = unknown - confirmed
        if in_shops is None:
            if self.scenario.observe.orders is None:
                return None
            return Orders(len(confirmed), len(unknown), -1, -1, -1)
        names = self.scenario.stack_names
        held = {(names.index(stack), key) for stack, found in in_shops.items() for key in found}
        unknown |= self._of_lost_workers(held - confirmed - unknown, lost)
        return Orders(
            len(confirmed),
            len(unknown),
            len(held),
            len(confirmed - held),
            len(held - confirmed - unknown),
        )

    def _of_lost_workers(self, strays: set[tuple[int, str]], lost: Array) -> set[tuple[int, str]]:
        """Return those of `strays` that a lost worker sent: planned, and at most as many as steps were lost."""
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
        """Return whether the plan holds the order of a key, in this stack."""
        session, position = _session_and_position(key)
        if not 0 <= session < len(arrivals.at_s):
            return False
        region = self.plan.regions[arrivals.region[session]]
        if self.scenario.stack_names[stack] != self.scenario.regions[region].stack:
            return False
        walk = list(self._walks.planned(arrivals, session))
        if position >= len(walk):
            return False
        return self.scenario.steps[self.plan.steps[walk[position].step]].places_order


def _session_and_position(key: str) -> tuple[int, int]:
    """Return what `order_key` made a key of; -1 where another made it."""
    *_, session, position = ["", *key.rsplit("-", 2)]
    if not (session.isdecimal() and position.isdecimal()):
        return -1, -1
    return int(session), int(position)
