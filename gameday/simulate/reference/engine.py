"""One replication of one stack in SimPy: the engine that defines what a scenario means."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import simpy

from gameday.queueing import build_cell, plan_timed_changes
from gameday.record import SESSIONS, STEPS, RunRecord, one_bin
from gameday.scenario import Scenario
from gameday.simulate.records import blank, close, end_s
from gameday.simulate.reference.customers import Customers, Tally
from gameday.simulate.reference.pool import ServicePool
from gameday.simulate.reference.station import Services
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array, Seed

__all__ = ["run_reference"]

_COUNTED_AS = {"after_check_failed": "after_check"}
"""Outcome -> its name in STEPS, where it differs."""


def run_reference(
    scenario: Scenario, plan: LoadPlan, stack: str, *, seed: Seed, scale: float | None = None
) -> RunRecord:
    """Return what one stack shows when `plan` is played on its cell.

    The plan's seed decides arrivals and walks, `seed` the service times; `scale` sets the
    servers apart from the arrivals (1.0 for a target of one's own).
    """
    cell = build_cell(scenario, stack, scale=plan.scale if scale is None else scale)
    env = simpy.Environment()
    changes = plan_timed_changes(scenario, cell, plan.injections, plan.clock)
    services = Services(env, scenario, cell, seed.root, plan.grid.slots, plan.slot_wall_s, changes)
    customers = Customers(env, scenario, plan, cell, services)
    env.process(customers.arrive())
    env.run(until=end_s(scenario, plan))
    record = blank(scenario, plan, stack, "simpy")
    _fill_customers(record, customers.tally)
    _fill_latencies(record, customers.tally.response)
    for name, pool in services.pools.items():
        _fill_service(record, tuple(scenario.services).index(name), pool)
    sold_out = _sold_out(customers, stack)
    return replace(close(record, scenario, cell), notes=cell.notes, sold_out=sold_out)


def _sold_out(customers: Customers, stack: str) -> dict[tuple[str, str], float]:
    """Return (stack, product type) -> when somebody first met it sold out, s of the plan."""
    return {
        (stack, product): sale.gone_s - customers.plan.lead_in_s
        for product, sale in customers.sales.items()
        if sale.gone_s < inf
    }


def _bins(seconds: Array) -> Array:
    return np.array([one_bin(number) for number in seconds.tolist()])


def _fill_customers(record: RunRecord, tally: Tally) -> None:
    last = record.grid.slots - 1
    for (step, slot, outcome), count in tally.steps.items():
        row = STEPS.index(_COUNTED_AS.get(outcome, outcome))
        record.step_counts[0, step, row, min(slot, last)] += count
    for (slot, outcome), count in tally.sessions.items():
        record.session_counts[0, SESSIONS.index(outcome), min(slot, last)] += count
    if tally.delay:
        np.add.at(record.session_delay[0], _bins(np.array(tally.delay)), 1)


def _fill_latencies(record: RunRecord, response: list[tuple[int, int, float]]) -> None:
    if response:
        rows = np.array(response)
        steps = rows[:, 0].astype(int)
        slots = np.minimum(rows[:, 1].astype(int), record.grid.slots - 1)
        np.add.at(record.latency[0, :, 0], (steps, slots, _bins(rows[:, 2])), 1)


def _fill_service(record: RunRecord, service: int, pool: ServicePool) -> None:
    pool.book_those_who_wait()
    record.attempts[0, service] = np.array(pool.attempts, float).T
    record.loads[0, service] = np.array(pool.loads).T
    if pool.visit_s:
        slot, seconds = (np.array(column) for column in zip(*pool.visit_s, strict=True))
        np.add.at(record.visits[0, service], (slot.astype(int), _bins(seconds)), 1)
