"""One replication of one stack in SimPy: the engine that defines what a scenario means."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import simpy

from gameday.queueing import build_cell, switches
from gameday.record import SESSIONS, STEPS, RunRecord, one_bin
from gameday.scenario import Scenario
from gameday.simulate.records import blank, close
from gameday.simulate.reference.customers import Customers, Tally
from gameday.simulate.reference.pool import ServicePool
from gameday.simulate.reference.station import Services
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array, Seed

__all__ = ["run_reference"]


def run_reference(
    scenario: Scenario, plan: LoadPlan, stack: str, *, seed: Seed, scale: float | None = None
) -> RunRecord:
    """Return what one stack shows when `plan` is played on its cell.

    The plan's seed decides arrivals and walks, `seed` the service times; `scale` sets the
    servers apart from the arrivals (1.0 for a target of one's own).
    """
    cell = build_cell(scenario, stack, scale=plan.scale if scale is None else scale)
    env = simpy.Environment()
    planned = switches(scenario, cell, plan.injections, plan.clock)
    services = Services(env, scenario, cell, seed.root, plan.grid.slots, plan.slot_wall_s, planned)
    customers = Customers(env, scenario, plan, cell, services)
    arrivals = plan.arrivals()
    regions = [plan.regions.index(r) for r in scenario.stack_regions(stack)]
    mine = np.flatnonzero(np.isin(arrivals.region, regions)).tolist()
    env.process(customers.arrive(arrivals, mine))
    patience = max(journey.patience for journey in scenario.journeys.values())
    end = plan.grid.slots * plan.slot_wall_s
    env.run(until=end + patience)
    record = blank(scenario, plan, stack, "simpy")
    _fill_customers(record, customers.tally)
    for name, pool in services.pools.items():
        _fill_service(record, tuple(scenario.services).index(name), pool)
    sales = customers.sales.items()
    gone = {(stack, p): sale.gone_s - plan.lead_in_s for p, sale in sales if sale.gone_s < inf}
    return replace(close(record, scenario, cell), notes=cell.notes, sold_out=gone)


def _bins(seconds: Array) -> Array:
    return np.array([one_bin(one) for one in seconds.tolist()])


def _fill_customers(record: RunRecord, tally: Tally) -> None:
    names = {"after_check_failed": "after_check"}
    for (step, slot, what), number in tally.steps.items():
        place = min(slot, record.grid.slots - 1)
        record.step_counts[0, step, STEPS.index(names.get(what, what)), place] += number
    for (slot, what), number in tally.sessions.items():
        record.session_counts[0, SESSIONS.index(what), min(slot, record.grid.slots - 1)] += number
    if tally.response:
        rows = np.array(tally.response)
        step_at = rows[:, 0].astype(int)
        slot_at = np.minimum(rows[:, 1].astype(int), record.grid.slots - 1)
        np.add.at(record.latency[0, :, 0], (step_at, slot_at, _bins(rows[:, 2])), 1)
    if tally.delay:
        np.add.at(record.session_delay[0], _bins(np.array(tally.delay)), 1)


def _fill_service(record: RunRecord, service: int, pool: ServicePool) -> None:
    pool.book_those_who_wait()
    record.attempts[0, service] = np.array(pool.attempts, float).T
    record.loads[0, service] = np.array(pool.loads).T
    if pool.visit_s:
        slot, seconds = (np.array(column) for column in zip(*pool.visit_s, strict=True))
        np.add.at(record.visits[0, service], (slot.astype(int), _bins(seconds)), 1)
