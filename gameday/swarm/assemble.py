"""From what workers said and targets exposed to one RunRecord, its books closed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from gameday.run_record import (
    ATTEMPTS,
    ENDS,
    FATES,
    LOADS,
    SESSION_ENDS,
    SESSIONS,
    STEPS,
    RunRecord,
    bin_of,
    blank_record,
)
from gameday.scenario import Scenario
from gameday.swarm.observe import Observer, Sample
from gameday.swarm.orders import OrderBook
from gameday.swarm.tally import UNREQUIRED
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
            "swarm", plan.grid, plan.lead_in, plan.slot_wall_s,
            (scenario.stack_names, plan.steps, tuple(scenario.services)),
            np.array([scenario.longest_patience_s(step) for step in plan.steps]),
        )  # fmt: skip
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
        self._fold_samples(observer)
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

    def _fold_samples(self, observer: Observer) -> None:
        record = self._record
        record.attempts[:] = record.loads[:] = np.nan
        if len(self.samples) < 2:
            return
        first_s = self.t0 or self.samples[0].at_s
        for s, stack in enumerate(record.stacks):
            seen = [x for x in self.samples if any(key[0] == stack for key in x.values)]
            for before, after in pairwise(seen):
                middle = (before.at_s + after.at_s) / 2 - first_s
                slot = min(int(middle / record.slot_wall_s), record.grid.slots - 1)
                for service in observer.services.get(stack, []):
                    self._fold(before, after, slot, (s, record.services.index(service)),
                               (stack, service))  # fmt: skip
        self._fold_in_flight()

    def _fold(
        self, before: Sample, after: Sample, slot: int, at: tuple[int, int], name: tuple[str, str]
    ) -> None:
        """Add what happened between two samples to a slot; the drain counts in the last one."""
        record = self._record

        def change(series: str) -> float:
            key = (*name, series)
            if key not in before.values or key not in after.values:
                return float("nan")
            grown = after.values[key] - before.values[key]
            return grown if grown >= 0 else after.values[key]  # the target began anew

        def add(array: Array, row: int, value: float) -> None:
            if not np.isnan(value):
                array[*at, row, slot] = np.nansum([array[*at, row, slot], value])

        for row, outcome in enumerate(ATTEMPTS[:-1]):
            add(record.attempts, row, change(outcome))
        elapsed = after.at_s - before.at_s
        in_slot = min(1.0, record.slot_wall_s / elapsed)
        busy = change("busy_seconds")
        if np.isnan(busy):  # only a gauge: take it as lasting
            busy = after.values.get((*name, "in_use"), float("nan")) * elapsed
        if elapsed < 2 * record.slot_wall_s:
            add(record.loads, LOADS.index("busy_s"), busy * in_slot)
            add(record.loads, LOADS.index("queue_s"), change("queue_seconds") * in_slot)
            for what, series in (
                ("lookups", "cache_lookups"), ("hits", "cache_hits"), ("repeats", "repeats"),
            ):  # fmt: skip
                add(record.loads, LOADS.index(what), change(series) * in_slot)
            record.loads[*at, LOADS.index("servers"), slot] = after.values.get(
                (*name, "capacity"), float("nan")
            )
        self._fold_visits(before, after, slot, at, name)

    def _fold_visits(
        self, before: Sample, after: Sample, slot: int, at: tuple[int, int], name: tuple[str, str]
    ) -> None:
        """Spread each bucket's new visits evenly over the bins it covers."""
        bounds = sorted(
            (float(key[2][3:]), key) for key in after.values
            if key[:2] == name and key[2].startswith("le=")
        )  # fmt: skip
        low, below = 0.0, 0.0
        anew = any(after.values[key] < before.values.get(key, 0.0) for _, key in bounds)
        for bound, key in bounds:
            upto = after.values[key] - (0.0 if anew else before.values.get(key, 0.0))
            count, below = upto - below, upto
            if count > 0:
                first, last = _bins(low, min(bound, 100.0))
                self._record.visits[*at, slot, first:last] += count / (last - first)
            low = bound

    def _fold_in_flight(self) -> None:
        record, row = self._record, ATTEMPTS.index("in_flight")
        for s, stack in enumerate(record.stacks):
            for v, service in enumerate(record.services):
                key = (stack, service, "in_flight")
                seen = [x.values[key] for x in self.samples if key in x.values]
                if seen:
                    record.attempts[s, v, row, :] = 0.0
                    record.attempts[s, v, row, -1] = seen[-1] - seen[0]


def _bins(low_s: float, high_s: float) -> tuple[int, int]:
    first, last = int(bin_of(low_s)), int(bin_of(high_s))
    return (first + 1 if low_s > 0 else first), max(last, first + 1) + 1
