"""A RunRecord of one stack: blank before a replication, its books closed after it."""

from __future__ import annotations

import numpy as np

from gameday.queueing import Cell
from gameday.record import ATTEMPTS, ENDS, SESSION_ENDS, SESSIONS, STEPS, RunRecord, blank_record
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan

__all__ = ["blank", "close"]


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
    """Book what had not ended at the end, and what is not there to be observed."""
    steps, sessions = record.step_counts[0], record.session_counts[0]
    ended = slice(ENDS.start, STEPS.index("unfinished"))
    steps[:, STEPS.index("unfinished")] = steps[:, STEPS.index("achieved")] - steps[:, ended].sum(
        axis=1
    )
    sessions[SESSIONS.index("displaced")] += sessions[SESSIONS.index("started")] - sessions[
        SESSION_ENDS
    ].sum(axis=0)
    record.loads[0, :, 2] /= record.slot_wall_s
    for index, name in enumerate(scenario.services):
        counts = record.attempts[0, index]
        counts[ATTEMPTS.index("in_flight"), -1] = counts[0].sum() - counts[1:].sum()
        if name not in cell.stations:
            record.attempts[0, index] = record.loads[0, index] = np.nan
    return record
