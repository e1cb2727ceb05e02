"""What a plan comes to, without sending anything: sessions, steps, requests, orders, customers by slot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.steps import Exchange
from gameday.traffic.chains import Chain, chain_of
from gameday.traffic.plan import LoadPlan
from gameday.vocabulary import SLOT_S, Array

__all__ = ["Outlook", "outlook"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """A plan's slots, as they are played; arrays by region and slot of the whole grid, lead-in included."""

    steps: Array
    """Steps, shape (regions, steps, grid.slots)."""
    requests: Array
    """HTTP exchanges, shape (regions, grid.slots): redirects and customers' second tries come on top."""
    orders: Array
    """Steps that place an order, same shape."""
    customers: Array
    """Customers in a session at one time, in the mean of the slot, same shape."""
    request_bytes: float
    """Bytes of all requests as their templates are written, without cookies and what templates are filled with."""
    chains: dict[str, Chain]
    """Journey -> what it comes to, with the first stack's responses when nothing waits."""


def outlook(scenario: Scenario, plan: LoadPlan) -> Outlook:
    """Return what a plan comes to; what it sends is its forecast's share as the journeys cause it."""
    steps = plan.caused * plan.scale / plan.speed
    does = list(scenario.steps.values())
    exchanges = np.array([sum(1 for _ in one.each_exchange()) for one in does])
    sizes = np.array([sum(_size(e) for e in one.each_exchange()) for one in does])
    places = np.array([one.places_order for one in does])
    replies = _replies_s(plan, scenario.stack_names[0])
    chains = {
        name: chain_of(scenario.journeys[name], plan.steps, replies) for name in plan.journeys
    }
    return Outlook(
        steps, np.einsum("rst,s->rt", steps, exchanges),
        steps[:, places].sum(axis=1), _customers(scenario, plan),
        float(np.einsum("rst,s->", steps, sizes)), chains,
    )  # fmt: skip


def _replies_s(plan: LoadPlan, stack: str) -> dict[str, float]:
    """Return each step's response in event time when nothing waits, s."""
    return {step: plan.speed * plan.nominal[stack][step].mean_s for step in plan.steps}


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
        think = np.array([
            [one.think_s(step) + replies[step] if step in one.next else 0.0 for step in plan.steps]
            for one in journeys
        ])  # fmt: skip
        weights = np.einsum("jt,js->jst", np.maximum(plan.starts[r], 0.0), visits)
        total = weights.sum(axis=0)
        kept = (weights * think[:, :, None]).sum(axis=0)
        held_s = np.divide(kept, total, out=np.zeros(total.shape), where=total > 0)
        out[r] = (plan.caused[r] * held_s).sum(axis=0) / SLOT_S
    return out * plan.scale / plan.speed
