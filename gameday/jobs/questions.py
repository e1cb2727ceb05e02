"""What the model is asked once the load is over: what can be lost, whether the peak is borne, what to order."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gameday.capacity import CapacityRequest, Withheld, request_capacity, verify, withhold
from gameday.experiments import PeakCase, n_minus_one, peak_cases
from gameday.findings import Evidence, Finding, standing_of
from gameday.forecast import Demand
from gameday.jobs.after_load import AfterLoad
from gameday.live import Show
from gameday.scenario import Scenario
from gameday.simulate import RunControl
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed

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

    scenario: Scenario
    demand: Demand
    plan: LoadPlan
    seed: Seed
    show: Show
    after: AfterLoad

    def is_cut(self) -> bool:
        """Return whether no more is to be asked of the model."""
        return self.after.why_cut() is not None

    def losses(self, load_share: float) -> dict[str, Any]:
        """Return what can be lost at the peak; `load_share` is that of Evidence."""
        lost: dict[str, Any] = {}
        if self.after.played.end != "complete":
            return lost
        with self.after.phase("what can be lost at the peak", self.show):
            if not self.is_cut():
                lost = n_minus_one(
                    self.scenario,
                    self.demand,
                    self.plan,
                    seed=self.seed,
                    core_s=_LOSSES_S * (os.cpu_count() or 1),
                    load_share=load_share,
                    progress=self.show.update,
                    control=RunControl(cancelled=self.is_cut),
                )
        return lost

    def peak(self) -> tuple[PeakCase, ...]:
        """Return the peak that fleets are sized for, with the fleets as they are."""
        cases: tuple[PeakCase, ...] = ()
        if self.after.played.end != "complete":
            return cases
        run_s = self.plan.duration_s + self.plan.lead_in_s
        core_s = min(_PEAK_MOST_S, _PEAK_SHARE * run_s) * (os.cpu_count() or 1)
        with self.after.phase("the peak that fleets are sized for", self.show):
            if not self.is_cut():
                cases = peak_cases(
                    self.scenario,
                    self.demand,
                    self.plan,
                    seed=self.seed,
                    core_s=core_s,
                    progress=self.show.update,
                    cancelled=self.is_cut,
                )
        return cases

    def capacity(
        self, evidence: Evidence, findings: tuple[Finding, ...], run: str
    ) -> tuple[tuple[CapacityRequest, ...], tuple[Withheld, ...]]:
        """Return the requests, proven in the model in the case they are sized for, and those withheld."""
        standing = standing_of(evidence, findings)
        wanted = request_capacity(
            self.scenario, self.demand, findings, run=run, now=datetime.now(UTC)
        )
        requests, withheld = withhold(wanted, standing)
        if not requests:
            return requests, withheld
        proven = verify(self.scenario, (), requests, standing, seed=self.seed)
        with self.after.phase("capacity, proven in the model", self.show):
            if evidence.peak and not self.is_cut():
                proven = verify(
                    self.scenario,
                    evidence.peak,
                    requests,
                    standing,
                    seed=self.seed,
                    progress=self.show.update,
                    cancelled=self.is_cut,
                )
        return proven, withheld
