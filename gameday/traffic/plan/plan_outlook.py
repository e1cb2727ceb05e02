"""What a plan will send, reckoned and not sent: steps, requests, orders and customers by slot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import Exchange, Journey
from gameday.traffic.fit.by_type import caused_by_type
from gameday.traffic.journeys.chains import Chain, chain_of
from gameday.traffic.plan.load_plan import LoadPlan
from gameday.vocabulary import SLOT_S, Array

__all__ = ["Limit", "Outlook", "outlook"]


@dataclass(frozen=True, slots=True)
class Limit:
    """What bounds the orders of a product in a stack, as the plan is played."""

    units: float
    """Stock there; infinite where it has none."""
    opens: int
    """Slot of its release; 0 where it is sold all the time."""
    most: float
    """Customers a slot whom a waiting room lets on; the others wait for the next slot. Infinite without one."""
    regions: list[int]
    """Indices of the regions whose customers meet the stack."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is played in a plan's slots; arrays by region and slot of the whole grid, lead-in included."""

    steps: Array
    """Steps, shape (regions, steps, grid.slots)."""
    requests: Array
    """HTTP requests, shape (regions, grid.slots), with declared redirects; undeclared ones and customers' second
    tries come on top."""
    redirects: float
    """How many of all requests are declared redirects."""
    orders: Array
    """Steps that place an order, same shape."""
    customers: Array
    """Concurrent customers (in a session), in the mean of the slot, same shape."""
    request_bytes: float
    """Bytes of all requests as their templates are written, without cookies and what templates are filled with."""
    chains: dict[str, Chain]
    """Journey -> its expectations, with the first stack's nominal responses."""
    orders_by_type: dict[str, Array]
    """Product type -> its orders, shape as `orders`, of which they are the parts; empty without products."""
    steps_by_type: dict[str | None, Array]
    """Product type -> its steps a minute at full scale, shape as `steps`."""

    def sold_out(self, product: str, limit: Limit) -> int | None:
        """Return the slot in which the orders since the release come to the stock; None: never."""
        gone = np.flatnonzero(self._orders_upto(product, limit) >= max(limit.units, 1e-9))
        return int(gone[0]) if len(gone) else None

    def sold(self, product: str, limit: Limit) -> float:
        """Return how much of the stock is sold by the last slot."""
        upto = self._orders_upto(product, limit)
        return min(limit.units, float(upto[-1])) if len(upto) else 0.0

    def _orders_upto(self, product: str, limit: Limit) -> Array:
        """Return the orders let on up to the end of each slot, as if the stock had no end."""
        wanted = self.orders_by_type[product][limit.regions].sum(axis=0)
        upto, waiting, ordered = np.zeros(len(wanted)), 0.0, 0.0
        for slot, orders in enumerate(wanted.tolist()):
            waiting += orders if slot >= limit.opens else 0.0
            ordered += min(waiting, limit.most)
            waiting -= min(waiting, limit.most)
            upto[slot] = ordered
        return upto


def outlook(scenario: Scenario, plan: LoadPlan) -> Outlook:
    """Return what a plan will send: the steps its session starts cause, as they are played."""
    share = plan.clock.stock_scale
    steps, steps_by_type = plan.caused * share, caused_by_type(scenario, plan)
    traffic = _http_traffic(scenario, plan, steps_by_type)
    places_order = np.array([step.places_order for step in scenario.steps.values()])
    response_s = plan.event_response_s(scenario.stack_names[0])
    return Outlook(
        steps=steps,
        requests=traffic.requests,
        redirects=traffic.redirects,
        orders=steps[:, places_order].sum(axis=1),
        customers=_customers(scenario, plan),
        request_bytes=traffic.size_bytes,
        chains={
            name: chain_of(scenario.journeys[name], plan.steps, response_s)
            for name in plan.journeys
        },
        orders_by_type={
            name: share * rows[:, places_order].sum(axis=1)
            for name, rows in steps_by_type.items()
            if name is not None
        },
        steps_by_type=steps_by_type,
    )


@dataclass(frozen=True, slots=True)
class _HttpTraffic:
    """The requests of a plan as it is played; fields as those of Outlook."""

    requests: Array
    redirects: float
    size_bytes: float


def _http_traffic(
    scenario: Scenario, plan: LoadPlan, steps_by_type: dict[str | None, Array]
) -> _HttpTraffic:
    """Return the requests of steps a minute at full scale, shape (regions, steps, slots) for each type."""
    share = plan.clock.stock_scale
    requests = np.zeros((len(plan.regions), plan.grid.slots))
    redirects = size_bytes = 0.0
    for product, rows in steps_by_type.items():
        each = _step_requests(scenario, plan.steps, product)
        requests += share * np.einsum("rst,s->rt", rows, each.requests)
        redirects += share * float(np.einsum("rst,s->", rows, each.redirects))
        size_bytes += share * float(np.einsum("rst,s->", rows, each.size_bytes))
    return _HttpTraffic(requests, redirects, size_bytes)


@dataclass(frozen=True, slots=True)
class _StepRequests:
    """What one visit to each step sends, arrays of shape (steps,)."""

    requests: Array
    redirects: Array
    size_bytes: Array


def _step_requests(
    scenario: Scenario, steps: tuple[str, ...], product: str | None
) -> _StepRequests:
    """Return what one visit to each step sends in sessions about a product type."""
    exchanges = [[*chain.from_iterable(scenario.exchanges(step, product))] for step in steps]
    requests = np.array([scenario.requests(step, product) for step in steps])
    return _StepRequests(
        requests,
        redirects=requests - np.array([len(row) for row in exchanges]),
        size_bytes=np.array([sum(map(_size_bytes, row)) for row in exchanges]),
    )


def _size_bytes(exchange: Exchange) -> int:
    """Return the bytes of a request's line, headers and body, as written."""
    body = exchange.body or exchange.form or exchange.json_body or ""
    head = f"{exchange.method} {exchange.path} HTTP/1.1\r\n{exchange.query or ''}"
    lines = sum(len(name) + len(value) + 4 for name, value in exchange.headers.items())
    return len(head) + lines + len(str(body))


def _customers(scenario: Scenario, plan: LoadPlan) -> Array:
    """Return concurrent customers by Little's law: steps a second times how long each keeps its customer."""
    out = np.zeros((len(plan.regions), plan.grid.slots))
    for r in range(len(plan.regions)):
        stay_s = _stay_s(scenario, plan, r)
        out[r] = (plan.caused[r] * stay_s).sum(axis=0) / SLOT_S
    return np.asarray(plan.clock.played(out))


def _stay_s(scenario: Scenario, plan: LoadPlan, r: int) -> Array:
    """Return how long a step keeps its customer, reply and pause, s of event time, shape (steps, slots).

    It depends on the journey: the mean is over the visits of sessions that start in the same slot.
    """
    response_s = plan.event_response_s(scenario.regions[plan.regions[r]].stack)
    journeys = [scenario.journeys[name] for name in plan.journeys]
    visits = np.array([journey.visits_per_session(plan.steps) for journey in journeys])
    stay_s = np.array([_journey_stay_s(journey, plan.steps, response_s) for journey in journeys])
    weights = np.einsum("jt,js->jst", np.maximum(plan.starts[r], 0.0), visits)
    total = weights.sum(axis=0)
    summed_s = (weights * stay_s[:, :, None]).sum(axis=0)
    return np.asarray(np.divide(summed_s, total, out=np.zeros(total.shape), where=total > 0))


def _journey_stay_s(
    journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]
) -> list[float]:
    """Return how long each step keeps a customer of a journey, s; 0 for steps it does not have."""
    return [
        journey.think_s(step) + response_s[step] if step in journey.next else 0.0 for step in steps
    ]
