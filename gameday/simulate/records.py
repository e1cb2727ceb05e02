"""A RunRecord of one stack: blank before a replication, its accounts closed after it."""

from __future__ import annotations

import numpy as np

from gameday.queueing import Cell
from gameday.record import (
    ATTEMPTS,
    ENDS,
    LOADS,
    SESSION_ENDS,
    SESSIONS,
    STEPS,
    RunRecord,
    blank_record,
)
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan

__all__ = ["blank", "close", "end_s", "regions_of"]


def end_s(scenario: Scenario, plan: LoadPlan) -> float:
    """Return when a replication ends, simulated s: the last slot, and the longest patience after it."""
    patience_s = max(journey.patience for journey in scenario.journeys.values())
    return plan.grid.slots * plan.slot_wall_s + patience_s


def regions_of(scenario: Scenario, plan: LoadPlan, stack: str) -> list[int]:
    """Return the positions in the plan of the regions that a stack serves."""
    return [plan.regions.index(region) for region in scenario.stack_regions(stack)]


def blank(scenario: Scenario, plan: LoadPlan, stack: str, source: str) -> RunRecord:
    """Return a record of one stack in which nothing has happened."""
    return blank_record(
        source,
        plan.grid,
        plan.lead_in,
        plan.slot_wall_s,
        ((stack,), plan.steps, tuple(scenario.services)),
        np.array([scenario.longest_patience_s(step) for step in plan.steps]),
        np.array([service.timeout for service in scenario.services.values()]),
    )


def close(record: RunRecord, scenario: Scenario, cell: Cell) -> RunRecord:
    """Return the record, complete: what had not ended is counted, services of other stacks are NaN."""
    _count_unfinished(record)
    record.loads[0, :, LOADS.index("servers")] /= record.slot_wall_s
    for index, name in enumerate(scenario.services):
        counts = record.attempts[0, index]
        counts[ATTEMPTS.index("in_flight"), -1] = counts[0].sum() - counts[1:].sum()
        if name not in cell.stations:
            record.attempts[0, index] = record.loads[0, index] = np.nan
    return record


def _count_unfinished(record: RunRecord) -> None:
    steps, sessions = record.step_counts[0], record.session_counts[0]
    achieved, unfinished = STEPS.index("achieved"), STEPS.index("unfinished")
    ended = steps[:, slice(ENDS.start, unfinished)].sum(axis=1)
    steps[:, unfinished] = steps[:, achieved] - ended
    started = sessions[SESSIONS.index("started")]
    sessions[SESSIONS.index("displaced")] += started - sessions[SESSION_ENDS].sum(axis=0)
