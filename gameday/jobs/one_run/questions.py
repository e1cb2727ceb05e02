"""What the model is asked once the load is over: what can be lost, whether the peak is borne, what to order."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gameday.capacity import CapacityRequest, Withheld, request_capacity, verify, withhold
from gameday.experiments.failures import (
    PeakCase,
    StackLosses,
    far_words,
    n_minus_one,
    peak_cases,
)
from gameday.findings import Evidence, Finding, Standing
from gameday.jobs.foresee import Foreseen
from gameday.jobs.one_run.after_load import AfterLoad
from gameday.jobs.one_run.run import Run
from gameday.scenario import Scenario
from gameday.simulate import RunControl

__all__ = ["Questions"]

_LOSSES_S = 15.0
"""For what can be lost at the peak, seconds of each core, where a cell that can be judged allows."""
_PEAK_SHARE = 0.08
"""For the peak that fleets are sized for, of the run's own time, as above: once as they are, once with the order
placed."""
_PEAK_MOST_S = 30.0


@dataclass(frozen=True, slots=True)
class Questions:
    """A run whose load is over: each question shows its phase, and is left out where a person ends it."""

    run: Run
    seen: Foreseen
    after: AfterLoad
    scenario: Scenario
    """The model's: calibrated on this run."""

    def is_cut(self) -> bool:
        """Return whether no more is to be asked of the model."""
        return self.after.why_cut() is not None

    def losses(self, load_share: float) -> dict[str, StackLosses]:
        """Return what can be lost at the peak; `load_share` is that of Evidence."""
        lost: dict[str, StackLosses] = {}
        if self.after.played.end != "complete":
            return lost
        with self.after.phase("what can be lost at the peak", self.run.show):
            if not self.is_cut():
                lost = n_minus_one(
                    self.scenario,
                    self.seen.demand,
                    self.seen.plan,
                    seed=self.run.order.seed,
                    core_s=_LOSSES_S * (os.cpu_count() or 1),
                    load_share=load_share,
                    progress=self.run.show.update,
                    control=RunControl(cancelled=self.is_cut),
                )
        return lost

    def peak(self, load_share: float) -> tuple[PeakCase, ...]:
        """Return the peak that fleets are sized for, with the fleets as they are; `load_share` as above."""
        cases: tuple[PeakCase, ...] = ()
        if self.after.played.end != "complete":
            return cases
        plan = self.seen.plan
        run_s = plan.duration_s + plan.lead_in_s
        core_s = min(_PEAK_MOST_S, _PEAK_SHARE * run_s) * (os.cpu_count() or 1)
        with self.after.phase("the peak that fleets are sized for", self.run.show):
            if not self.is_cut():
                cases = peak_cases(
                    self.scenario,
                    self.seen.demand,
                    plan,
                    seed=self.run.order.seed,
                    core_s=core_s,
                    load_share=load_share,
                    progress=self.run.show.update,
                    cancelled=self.is_cut,
                )
        return cases

    def capacity(
        self, evidence: Evidence, findings: tuple[Finding, ...], standing: Standing
    ) -> tuple[tuple[CapacityRequest, ...], tuple[Withheld, ...]]:
        """Return the requests, proven in the model in the case they are sized for, and those withheld."""
        run, scenario, seed = self.run, self.scenario, self.run.order.seed
        wanted = request_capacity(
            scenario, self.seen.demand, findings, run=run.row.run_id, now=datetime.now(UTC)
        )
        requests, withheld = withhold(tuple(_marked(evidence, r) for r in wanted), standing)
        if not requests:
            return requests, withheld
        proven = verify(scenario, (), requests, standing, seed=seed)
        with self.after.phase("capacity, proven in the model", run.show):
            if evidence.peak and not self.is_cut():
                proven = verify(
                    scenario,
                    evidence.peak,
                    requests,
                    standing,
                    seed=seed,
                    progress=run.show.update,
                    cancelled=self.is_cut,
                )
        return proven, withheld


def _marked(evidence: Evidence, request: CapacityRequest) -> CapacityRequest:
    """Return a request that says where the load it is sized for lies far above what was played."""
    of_case = [far_words(case) for case in evidence.peak if case.stack == request.stack]
    far = next(iter(of_case), evidence.far_words)
    return replace(request, sized_for=f"{request.sized_for}; {far}") if far else request
