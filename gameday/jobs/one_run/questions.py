"""What the model is asked once the load is over: what can be lost, whether the peak is borne, what to order."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gameday.capacity import (
    Budget,
    CapacityRequest,
    SizedStack,
    Withheld,
    request_capacity,
    size_stack,
    verify,
    withhold,
)
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
from gameday.simulate import REPLICATIONS, RunControl

__all__ = ["Questions"]

_LOSSES_S = 15.0
"""For what can be lost at the peak, seconds of each core, where a cell that can be judged allows."""
_SIZING_SHARE, _LEAST_SIZING_S, _MOST_SIZING_S = 0.5, 10.0, 90.0
"""For the search of fleets, wall seconds: of the run's own time, at least, and at most."""
_PROOF_TIMES = 2.5
"""For the proof of what was found, as a multiple of the search."""
_FLEETS = 80
"""Fleets of a stack that the search is to have time for, two replications each: that decides the size of its cell.
Ours: of eleven services twenty growths and five halvings each."""


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
        core_s = self._sizing_s() * REPLICATIONS / (2 * _FLEETS) * (os.cpu_count() or 1)
        with self.after.phase("the peak that fleets are sized for", self.run.show):
            if not self.is_cut():
                cases = peak_cases(
                    self.scenario,
                    self.seen.demand,
                    self.seen.plan,
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
        sized = self._sized(evidence.peak)
        wanted = request_capacity(
            scenario,
            self.seen.demand,
            findings,
            run=run.row.run_id,
            now=datetime.now(UTC),
            sized=sized,
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
                    sized=sized,
                    progress=run.show.update,
                    cancelled=self.is_cut,
                )
        return proven, withheld

    def _sizing_s(self) -> float:
        """Return for how long fleets are searched, wall seconds."""
        run_s = self.seen.plan.duration_s + self.seen.plan.lead_in_s
        return min(max(_LEAST_SIZING_S, _SIZING_SHARE * run_s), _MOST_SIZING_S)

    def _sized(self, cases: tuple[PeakCase, ...]) -> tuple[SizedStack, ...]:
        """Return the fleets of each case's stack, sized together in the model; none where a person ended it.

        Phases of a stack belong together: a schedule of some alone would leave hours of the event without fleets.
        """
        sized: list[SizedStack] = []
        if not cases or not self.scenario.services_are_known:
            return ()
        search_s = self._sizing_s() / len(cases)
        budget = Budget(
            search_s, _PROOF_TIMES * search_s, time.monotonic, self.run.show.update, self.is_cut
        )
        with self.after.phase("fleets, sized in the model", self.run.show):
            for case in cases:
                if not self.is_cut():
                    found = size_stack(
                        self.scenario,
                        self.seen.demand,
                        case,
                        seed=self.run.order.seed,
                        budget=budget,
                    )
                    sized.append(found)
        return () if self.is_cut() or len(sized) < len(cases) else tuple(sized)


def _marked(evidence: Evidence, request: CapacityRequest) -> CapacityRequest:
    """Return a request that says where the load it is sized for lies far above what was played."""
    of_case = [far_words(case) for case in evidence.peak if case.stack == request.stack]
    far = next(iter(of_case), evidence.far_words)
    return replace(request, sized_for=f"{request.sized_for}; {far}") if far else request
