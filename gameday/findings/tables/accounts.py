"""Both accounts of a run in full, and its orders by key: what was planned, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.record import ATTEMPTS, SESSIONS, STEPS, Orders, RunRecord, percentile
from gameday.record.intervals import plain_number

__all__ = ["Accounts", "accounts_of"]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Counts over the whole run, lead-in included."""

    steps: dict[str, dict[str, int]]
    """Step -> measure of STEPS -> count, all stacks."""
    sessions: dict[str, int]
    """Measure of SESSIONS -> count."""
    attempts: dict[str, dict[str, float | None]]
    """Stack and service -> measure of ATTEMPTS -> count; those not observed are left out."""
    orders: Orders | None
    session_delay_p50_s: float | None
    """By how much sessions ended later than planned."""
    session_delay_p99_s: float | None
    imbalances: tuple[str, ...]
    """Accounts that do not balance, in words."""


def accounts_of(run: RunRecord) -> Accounts:
    """Return the accounts of a run."""
    steps = {}
    for step in run.steps:
        counts = run.steps_by_slot(steps=[step], slots=run.whole)
        steps[step] = {measure: counts.count(measure) for measure in STEPS}
    sessions = run.sessions_by_slot(slots=run.whole)
    delay = run.session_delay.sum(axis=0)
    return Accounts(
        steps=steps,
        sessions={measure: sessions.count(measure) for measure in SESSIONS},
        attempts=_attempts(run),
        orders=run.orders,
        session_delay_p50_s=plain_number(percentile(delay, 0.5)),
        session_delay_p99_s=plain_number(percentile(delay, 0.99)),
        imbalances=tuple(run.imbalances()),
    )


def _attempts(run: RunRecord) -> dict[str, dict[str, float | None]]:
    rows = {}
    for stack in run.stacks:
        for service in run.services:
            counts = run.attempts_by_slot(stack, service, slots=run.whole)
            totals = {measure: counts.total(measure) for measure in ATTEMPTS}
            if not np.isnan(list(totals.values())).all():
                rows[f"{stack} {service}"] = {
                    measure: plain_number(total, 0) for measure, total in totals.items()
                }
    return rows
