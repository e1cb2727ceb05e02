"""What a plan comes to, without sending anything: sessions, steps, requests, orders, customers by slot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import Exchange
from gameday.traffic.fit.by_type import caused_by_type
from gameday.traffic.journeys.chains import Chain, chain_of
from gameday.traffic.plan.load_plan import LoadPlan
from gameday.vocabulary import SLOT_S, Array

__all__ = ["Outlook", "outlook"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """A plan's slots, as they are played; arrays by region and slot of the whole grid, lead-in included."""

    steps: Array
    """Steps, shape (regions, steps, grid.slots)."""
    requests: Array
    """HTTP requests, shape (regions, grid.slots): redirects as declared; others, and customers' second
    tries, come on top."""
    redirects: float
    """How many of all requests are redirects, as declared."""
    orders: Array
    """Steps that place an order, same shape."""
    customers: Array
    """Customers in a session at one time, in the mean of the slot, same shape."""
    request_bytes: float
    """Bytes of all requests as their templates are written, without cookies and what templates are filled with."""
    chains: dict[str, Chain]
    """Journey -> what it comes to, with the first stack's responses when nothing waits."""
    orders_by_type: dict[str, Array]
    """Product type -> its orders, shape as `orders`, of which they are the parts; empty without products."""
    steps_by_type: dict[str | None, Array]
    """Product type -> its steps a minute at full scale, shape as `steps`."""

    def sold_out(
        self, product: str, units: float, regions: list[int], opens: int, most: float = np.inf
    ) -> int | None:
        """Return the slot in which the orders asked for since slot `opens` come to `units`; None: never.

        No more than `most` can order in a slot, as a waiting room lets on; the others wait for the next.
        """
        gone = np.flatnonzero(self._upto(product, regions, opens, most) >= max(units, 1e-9))
        return int(gone[0]) if len(gone) else None

    def sold(
        self, product: str, units: float, regions: list[int], opens: int, most: float = np.inf
    ) -> float:
        """Return how many of `units` are sold by the last slot; the arguments are those of `sold_out`."""
        upto = self._upto(product, regions, opens, most)
        return min(units, float(upto[-1])) if len(upto) else 0.0

    def _upto(self, product: str, regions: list[int], opens: int, most: float) -> Array:
        """Return the orders let through up to the end of each slot, were there no end of the stock."""
        asked = self.orders_by_type[product][regions].sum(axis=0)
        upto, waiting, sold = np.zeros(len(asked)), 0.0, 0.0
        for slot, orders in enumerate(asked.tolist()):
            waiting += orders if slot >= opens else 0.0
            sold += min(waiting, most)
            waiting -= min(waiting, most)
            upto[slot] = sold
        return upto


def outlook(scenario: Scenario, plan: LoadPlan) -> Outlook:
    """Return what a plan comes to; what it sends is its forecast's share as the journeys cause it."""
    share = plan.clock.stock_scale
    steps, by_type = plan.caused * share, caused_by_type(scenario, plan)
    requests, size = np.zeros((len(plan.regions), plan.grid.slots)), 0.0
    redirects = 0.0
    for product, rows in by_type.items():
        asked = [[*chain.from_iterable(scenario.exchanges(step, product))] for step in plan.steps]
        each = np.array([scenario.requests(step, product) for step in plan.steps])
        requests += share * np.einsum("rst,s->rt", rows, each)
        hops = each - np.array([len(one) for one in asked])
        redirects += share * float(np.einsum("rst,s->", rows, hops))
        sizes = np.array([sum(_size(exchange) for exchange in one) for one in asked])
        size += share * float(np.einsum("rst,s->", rows, sizes))
    places = np.array([one.places_order for one in scenario.steps.values()])
    replies = _replies_s(plan, scenario.stack_names[0])
    chains = {
        name: chain_of(scenario.journeys[name], plan.steps, replies) for name in plan.journeys
    }
    return Outlook(
        steps,
        requests,
        redirects,
        steps[:, places].sum(axis=1),
        _customers(scenario, plan),
        size,
        chains,
        {
            name: share * rows[:, places].sum(axis=1)
            for name, rows in by_type.items()
            if name is not None
        },
        by_type,
    )


def _replies_s(plan: LoadPlan, stack: str) -> dict[str, float]:
    """Return each step's response in event time when nothing waits, s."""
    return {step: plan.clock.event_s(plan.nominal[stack][step].mean_s) for step in plan.steps}


def _size(exchange: Exchange) -> float:
    """Return the bytes of a request's line, headers and body, as written."""
    body = exchange.body or exchange.form or exchange.json_body or ""
    head = f"{exchange.method} {exchange.path} HTTP/1.1\r\n{exchange.query or ''}"
    lines = sum(len(name) + len(value) + 4 for name, value in exchange.headers.items())
    return len(head) + lines + len(str(body))


def _customers(scenario: Scenario, plan: LoadPlan) -> Array:
    """Return customers at one time: by Little's law, the steps of a slot times how long each one keeps them.

    How long depends on the journey: its mean over those whose sessions start then.
    """
    out = np.zeros((len(plan.regions), plan.grid.slots))
    journeys = [scenario.journeys[name] for name in plan.journeys]
    visits = np.array([one.visits_per_session(plan.steps) for one in journeys])
    for r, region in enumerate(plan.regions):
        replies = _replies_s(plan, scenario.regions[region].stack)
        think = np.array(
            [
                [
                    one.think_s(step) + replies[step] if step in one.next else 0.0
                    for step in plan.steps
                ]
                for one in journeys
            ]
        )
        weights = np.einsum("jt,js->jst", np.maximum(plan.starts[r], 0.0), visits)
        total = weights.sum(axis=0)
        kept = (weights * think[:, :, None]).sum(axis=0)
        held_s = np.divide(kept, total, out=np.zeros(total.shape), where=total > 0)
        out[r] = (plan.caused[r] * held_s).sum(axis=0) / SLOT_S
    return np.asarray(plan.clock.played(out))
