"""From the reports of workers and the series of targets to one RunRecord whose accounts balance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gameday.record import ENDS, FATES, SESSION_ENDS, SESSIONS, STEPS, RunRecord, blank_record
from gameday.scenario import Scenario
from gameday.swarm.tally.observe import Observer, Sample
from gameday.swarm.tally.observed import fold_samples
from gameday.swarm.tally.orders import OrderAccount, PlacedOrder
from gameday.swarm.tally.reports import TallyCounts, WorkerReport
from gameday.swarm.tally.samples import UNREQUIRED
from gameday.traffic import LoadPlan, Walks
from gameday.vocabulary import Array

__all__ = ["Assembly"]

_MOST_NOTES = 12
_ABANDONED = [STEPS.index("abandoned")]
_BAD = [STEPS.index(name) for name in ("failed", "check_failed", "abandoned")]
_EXCUSED = [STEPS.index(name) for name in ("held", "after_sold_out", "after_waiting")]
_ENDED = [*_BAD, *(STEPS.index(name) for name in ("done", "sold_out", "waiting"))]


class Assembly:
    """Adds up reports as they come; `record` balances the accounts."""

    t0 = 0.0
    """When the lead-in began, seconds since the epoch; 0 = with the first sample."""
    reports_lost = 0
    """Reports that a worker sent and that never came: the run is then invalid."""

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
        """(Step, why it was not done) -> how often."""
        self.busy: dict[int, list[float]] = {}
        """Worker -> its share of a core, report by report."""
        self.limits: dict[int, dict[str, int]] = {}
        """What held each worker's requests back, and how often."""
        self._next: dict[int, int] = {}
        """Worker -> the number of its next report."""
        self._walks = Walks(scenario, plan)
        self._orders = OrderAccount(scenario, plan, self._walks)
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

    def add(self, report: WorkerReport) -> tuple[Array, Array]:
        """Add one worker's report; return its steps by how they ended, and their latencies.

        Shapes (steps, 3 = all that ended, bad, abandoned) and (steps, BINS).
        """
        counts, worker = report.counts, report.counts.worker
        self.reports_lost += max(0, counts.number - self._next.get(worker, 0))
        self._next[worker] = counts.number + 1
        outcomes, latency = self._add_steps(counts), self._add_latency(counts)
        self._add_sessions(counts)
        self._add_faults(counts)
        self._orders.add(counts.orders)
        self.busy.setdefault(worker, []).append(float(report.gauges.busy))
        self.limits[worker] = dict(report.gauges.limits)
        return outcomes, latency

    @property
    def _last_slot(self) -> int:
        """The slot in which the drain after the grid's end is counted, too."""
        return self.plan.grid.slots - 1

    def _add_steps(self, counts: TallyCounts) -> Array:
        outcomes = np.zeros((len(self._record.steps), 3))
        if counts.steps:
            stack, step, column, slot, n = np.array(counts.steps).T
            slots = np.minimum(slot, self._last_slot)
            np.add.at(self._record.step_counts, (stack, step, column, slots), n)
            for row, columns in enumerate((_ENDED, _BAD, _ABANDONED)):
                np.add.at(outcomes[:, row], step, n * np.isin(column, columns))
        return outcomes

    def _add_latency(self, counts: TallyCounts) -> Array:
        latency = np.zeros((len(self._record.steps), self._record.latency.shape[-1]))
        if counts.latency:
            stack, step, kind, slot, bin_, n = np.array(counts.latency).T
            slots = np.minimum(slot, self._last_slot)
            np.add.at(self._record.latency, (stack, step, kind, slots, bin_), n)
            np.add.at(latency, (step, bin_), n * (kind == 0))
        return latency

    def _add_sessions(self, counts: TallyCounts) -> None:
        record = self._record
        for stack, column, slot, n in counts.sessions:
            record.session_counts[stack, column, min(slot, self._last_slot)] += n
        for stack, bin_, n in counts.delay:
            record.session_delay[stack, bin_] += n

    def _add_faults(self, counts: TallyCounts) -> None:
        """Add faults, redirects and when customers heard that a product is sold out."""
        record = self._record
        for _, step, why, n in counts.faults:
            fault = (record.steps[step], why)
            self.faults[fault] = self.faults.get(fault, 0) + n
        for step, n in counts.redirects:
            name = record.steps[step]
            record.redirects[name] = record.redirects.get(name, 0) + n
        for stack, product, at_s in counts.gone:
            sale = (record.stacks[stack], product)
            record.sold_out[sale] = min(at_s, record.sold_out.get(sale, at_s))

    def record(self, observer: Observer, keys: dict[str, set[str]] | None) -> RunRecord:
        """Return the record with its accounts balanced: what nobody reported was lost by us.

        `keys` are the orders that each stack's shop holds; None where they cannot be read.
        """
        lost = self._book_lost_steps()
        self._book_lost_sessions()
        first_s = self.t0 or (self.samples[0].at_s if self.samples else 0.0)
        fold_samples(self._record, self.samples, observer, first_s)
        orders = self._orders.close(keys, lost)
        return replace(self._record, orders=orders, notes=self._notes(observer))

    def placed_orders(self) -> tuple[PlacedOrder, ...]:
        """Return every order that customers placed, by time."""
        return self._orders.told(self.t0 or 0.0)

    def _book_lost_steps(self) -> Array:
        """Count steps of which nobody told the end as lost; return them, shape (stacks, steps)."""
        counts = self._record.step_counts
        ended = counts[:, :, FATES].sum(axis=2)
        counts[:, :, STEPS.index("lost")] += np.maximum(counts[:, :, 0] - ended, 0)
        open_ = counts[:, :, STEPS.index("achieved")] - counts[:, :, ENDS].sum(axis=2)
        counts[:, :, STEPS.index("unfinished")] += np.maximum(open_, 0)
        lost = counts[:, :, [STEPS.index("lost"), STEPS.index("unfinished")]]
        return np.asarray(lost.sum(axis=(2, 3)))

    def _book_lost_sessions(self) -> None:
        sessions = self._record.session_counts
        gone = np.maximum(sessions[:, 1] - sessions[:, SESSION_ENDS].sum(axis=1), 0)
        sessions[:, SESSIONS.index("lost")] += gone

    def _notes(self, observer: Observer) -> tuple[str, ...]:
        notes = [f"not observed: {stack}: {why}" for stack, why in observer.faults.items()]
        top = sorted(self.faults.items(), key=lambda item: -item[1])[:_MOST_NOTES]
        for (step, why), n in top:
            kind = "exchanges failed, " if why.startswith(UNREQUIRED) else "not done: "
            notes.append(f"{step}: {n} {kind}{why}")
        return tuple(notes)
