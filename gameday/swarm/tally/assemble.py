"""From what workers said and targets exposed to one RunRecord, its books closed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gameday.record import ENDS, FATES, SESSION_ENDS, SESSIONS, STEPS, RunRecord, blank_record
from gameday.scenario import Scenario
from gameday.swarm.tally.observe import Observer, Sample
from gameday.swarm.tally.observed import fold_samples
from gameday.swarm.tally.orders import OrderBook
from gameday.swarm.tally.samples import UNREQUIRED
from gameday.traffic import LoadPlan, Walks
from gameday.vocabulary import Array

__all__ = ["Assembly"]

_LEFT = [STEPS.index("abandoned")]
_BAD = [STEPS.index(what) for what in ("failed", "check_failed", "abandoned")]
_EXCUSED = [STEPS.index(what) for what in ("held", "after_sold_out", "after_waiting")]
_ENDED = [*_BAD, *(STEPS.index(what) for what in ("done", "sold_out", "waiting"))]


class Assembly:
    """Adds up reports as they come; `record` closes the books."""

    def __init__(self, scenario: Scenario, plan: LoadPlan) -> None:
        self.scenario, self.plan = scenario, plan
        self._record = blank_record(
            "swarm",
            plan.grid,
            plan.lead_in,
            plan.slot_wall_s,
            (scenario.stack_names, plan.steps, tuple(scenario.services)),
            np.array([scenario.longest_patience_s(step) for step in plan.steps]),
        )
        self.samples: list[Sample] = []
        self.faults: dict[tuple[str, str], int] = {}
        self.busy: dict[int, list[float]] = {}
        self.t0 = 0.0
        """When the lead-in began, seconds since the epoch; 0 = with the first sample."""
        self.reports_lost = 0
        """Reports that a worker sent and that never came: the run is then invalid."""
        self.limits: dict[int, dict[str, int]] = {}
        """What held each worker's requests back, and how often."""
        self._next: dict[int, int] = {}
        self._walks = Walks(scenario, plan)
        self._orders = OrderBook(scenario, plan, self._walks)
        self._add_planned()

    def _add_planned(self) -> None:
        planned = self._walks.planned_steps(self.plan.arrivals())
        for r, region in enumerate(self.plan.regions):
            stack = self.scenario.stack_names.index(self.scenario.regions[region].stack)
            self._record.step_counts[stack, :, STEPS.index("planned")] += planned[r]
            starts = self.plan.played[r].sum(axis=0)
            self._record.session_counts[stack, SESSIONS.index("planned")] += starts
        self.planned: Array = planned.sum(axis=(0, 1))
        """Steps by slot of the grid."""

    def still_due(self) -> Array:
        """Return the steps that should have gone out, (steps, slots), of all stacks.

        Less than planned by those that a guardrail held, or that nobody comes to any more
        because what they want is sold out or not released.
        """
        counts = self._record.step_counts.sum(axis=0)
        return np.asarray(counts[:, STEPS.index("planned")] - counts[:, _EXCUSED].sum(axis=1))

    def add(self, report: dict[str, Any]) -> tuple[Array, Array]:
        """Add one worker's report; return its (steps, 3 = all, bad, left) and (steps, BINS)."""
        worker, number = report["worker"], report.get("number", 0)
        self.reports_lost += max(0, number - self._next.get(worker, 0))
        self._next[worker] = number + 1
        record, last = self._record, self.plan.grid.slots - 1
        outcomes = np.zeros((len(record.steps), 3))
        latency = np.zeros((len(record.steps), record.latency.shape[-1]))
        if report["steps"]:
            stack, step, what, slot, n = np.array(report["steps"]).T
            np.add.at(record.step_counts, (stack, step, what, np.minimum(slot, last)), n)
            for row, whats in enumerate((_ENDED, _BAD, _LEFT)):
                np.add.at(outcomes[:, row], step, n * np.isin(what, whats))
        if report["latency"]:
            stack, step, kind, slot, bin_, n = np.array(report["latency"]).T
            np.add.at(record.latency, (stack, step, kind, np.minimum(slot, last), bin_), n)
            np.add.at(latency, (step, bin_), n * (kind == 0))
        for stack, what, slot, n in report["sessions"]:
            record.session_counts[stack, what, min(slot, last)] += n
        for stack, bin_, n in report["delay"]:
            record.session_delay[stack, bin_] += n
        for _, step, why, n in report["faults"]:
            key = (record.steps[step], why)
            self.faults[key] = self.faults.get(key, 0) + n
        for step, n in report["redirects"]:
            name = record.steps[step]
            record.redirects[name] = record.redirects.get(name, 0) + n
        self._orders.add(report["orders"])
        for stack, product, at_s in report["gone"]:
            key = (record.stacks[stack], product)
            record.sold_out[key] = min(at_s, record.sold_out.get(key, at_s))
        gauges = report["gauges"]
        self.busy.setdefault(worker, []).append(float(gauges["busy"]))
        self.limits[worker] = dict(gauges["limits"])
        return outcomes, latency

    def record(self, observer: Observer, keys: dict[str, set[str]] | None) -> RunRecord:
        """Return the record with its books closed: what nobody reported was lost by us."""
        record = self._record
        counts = record.step_counts
        ended = counts[:, :, FATES].sum(axis=2)
        counts[:, :, STEPS.index("lost")] += np.maximum(counts[:, :, 0] - ended, 0)
        open_ = counts[:, :, STEPS.index("achieved")] - counts[:, :, ENDS].sum(axis=2)
        counts[:, :, STEPS.index("unfinished")] += np.maximum(open_, 0)
        sessions = record.session_counts
        gone = np.maximum(sessions[:, 1] - sessions[:, SESSION_ENDS].sum(axis=1), 0)
        sessions[:, SESSIONS.index("lost")] += gone
        first_s = self.t0 or (self.samples[0].at_s if self.samples else 0.0)
        fold_samples(record, self.samples, observer, first_s)
        lost = counts[:, :, [STEPS.index("lost"), STEPS.index("unfinished")]].sum(axis=(2, 3))
        orders = self._orders.close(keys, lost)
        return replace(record, orders=orders, notes=self._notes(observer))

    def _notes(self, observer: Observer) -> tuple[str, ...]:
        notes = [f"not observed: {stack}: {why}" for stack, why in observer.faults.items()]
        top = sorted(self.faults.items(), key=lambda item: -item[1])[:12]
        for (step, why), n in top:
            what = "exchanges failed, " if why.startswith(UNREQUIRED) else "not done: "
            notes.append(f"{step}: {n} {what}{why}")
        return tuple(notes)
