"""What the model is asked once the load is over: what can be lost, whether the peak is borne, what to order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
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
    with_order,
    withhold,
)
from gameday.capacity.living import Prediction, fallen, predicted_by
from gameday.experiments.failures import (
    LossBudget,
    PeakCase,
    StackLosses,
    far_words,
    n_minus_one,
    peak_cases,
    played_with,
)
from gameday.findings import Evidence, Finding, Standing
from gameday.findings.tables import ServiceRow, service_rows
from gameday.jobs.foresee import Foreseen
from gameday.jobs.one_run.after_load import AfterLoad
from gameday.jobs.one_run.run import Run
from gameday.scenario import Scenario
from gameday.simulate import REPLICATIONS, RunControl, simulate
from gameday.vocabulary import TimeGrid

__all__ = ["Asked", "Questions"]

_LOSSES_S = 15.0
"""For what can be lost at the peak, seconds of each core, where a cell that can be judged allows."""
_SIZING_SHARE, _LEAST_SIZING_S, _MOST_SIZING_S = 0.5, 10.0, 90.0
"""For the search of fleets, wall seconds: of the run's own time, at least, and at most."""
_PROOF_TIMES = 2.5
"""For the proof of what was found, as a multiple of the search."""
_MOST_LOSSES_S = 120.0
"""For what can be lost, wall seconds, whatever cell can be judged: of very many services not all are asked."""
_BUDGET_SEARCH, _BUDGET_LOSSES = 0.23, 0.15
"""Shares of a budget for the search and for what can be lost; the proof has `_PROOF_TIMES` the search."""
_FLEETS = 80
"""Fleets of a stack that the search is to have time for, two replications each: that decides the size of its cell.
Ours: of eleven services twenty growths and five halvings each."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run asks for."""

    requests: tuple[CapacityRequest, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    sized: frozenset[str] = frozenset()
    """Stacks whose fleets the model sized: of these a service without a request needs none."""


@dataclass(frozen=True, slots=True)
class Questions:
    """A run whose load is over: each question shows its phase, and is left out where a person ends it."""

    run: Run
    seen: Foreseen
    after: AfterLoad
    scenario: Scenario
    """The model's: calibrated on this run."""
    is_learned: bool = True
    """Whether this run taught anything of the target."""

    def is_cut(self) -> bool:
        """Return whether no more is to be asked of the model."""
        return self.after.why_cut() is not None

    def in_minutes(self, minutes: TimeGrid) -> Scenario:
        """Return the model with the fleets that are placed in some minutes."""
        return self.run.model_in(self.scenario, minutes)

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
                    budget=LossBudget(_LOSSES_S * (os.cpu_count() or 1), self._losses_s()),
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
                    self.in_minutes,
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
    ) -> Asked:
        """Return the requests, proven in the model in the case they are sized for, and those withheld."""
        run, seed = self.run, self.run.order.seed
        scenario = run.unplaced(self.scenario)
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
        stacks = frozenset(each.stack for each in sized)
        if not requests:
            return Asked(requests, withheld, stacks)
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
        return Asked(self._predicted(evidence, scenario, proven), withheld, stacks)

    def _predicted(
        self, evidence: Evidence, declared: Scenario, requests: tuple[CapacityRequest, ...]
    ) -> tuple[CapacityRequest, ...]:
        """Return the requests with what the next run like this one will show, all of them placed."""
        run, plan = self.run, self.seen.plan
        why, rows = "the run was cut short", tuple[ServiceRow, ...]()
        with self.after.phase("what the next run will show", run.show):
            if not self.is_cut():
                placed = with_order(declared, requests, plan.window)
                runs = simulate(
                    placed,
                    plan,
                    seed=run.order.seed,
                    scale=run.servers_scale,
                    control=RunControl(cancelled=self.is_cut),
                )
                rows = service_rows(replace(evidence, scenario=placed, predicted=runs))
        if not rows:
            return tuple(replace(r, prediction=Prediction(why_not=why)) for r in requests)
        return tuple(
            replace(r, prediction=predicted_by(rows, plan, r.stack, r.service)) for r in requests
        )

    def _sizing_s(self) -> float:
        """Return for how long fleets are searched, wall seconds."""
        if (budget_s := self.run.order.budget_s) is not None:
            return _BUDGET_SEARCH * budget_s
        run_s = self.seen.plan.duration_s + self.seen.plan.lead_in_s
        return min(max(_LEAST_SIZING_S, _SIZING_SHARE * run_s), _MOST_SIZING_S)

    def _to_size(self, cases: tuple[PeakCase, ...]) -> Iterator[tuple[PeakCase, Scenario]]:
        """Yield each case with the fleets from which its own are searched: those placed, where their load stands.

        Where it has fallen, those declared: what is placed may be more than is needed.
        """
        declared = self.run.unplaced(self.scenario)
        less = self._less(declared)
        for line in less:
            self.run.show.say(f"sized anew: {line}")
        for case in cases:
            if less and not self.is_cut():
                runs = played_with(case, declared, seed=self.run.order.seed, cancelled=self.is_cut)
                yield replace(case, runs=runs), declared
            else:
                yield case, self.in_minutes(case.plan.window)

    def _less(self, declared: Scenario) -> tuple[str, ...]:
        """Return the placed fleets whose load has fallen, in words; none where nothing is known of the target."""
        is_known = self.is_learned or self.run.calibration is not None
        if self.run.placed is None or not is_known:
            return ()
        return fallen(self.run.placed, declared, self.seen.demand)

    def _losses_s(self) -> float:
        """Return for how long it is asked what can be lost, wall seconds."""
        budget_s = self.run.order.budget_s
        return _MOST_LOSSES_S if budget_s is None else _BUDGET_LOSSES * budget_s

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
            for case, scenario in self._to_size(cases):
                if not self.is_cut():
                    found = size_stack(
                        scenario, self.seen.demand, case, seed=self.run.order.seed, budget=budget
                    )
                    sized.append(found)
        return () if self.is_cut() or len(sized) < len(cases) else tuple(sized)


def _marked(evidence: Evidence, request: CapacityRequest) -> CapacityRequest:
    """Return a request that says where the load it is sized for lies far above what was played."""
    of_case = [far_words(case) for case in evidence.peak if case.stack == request.stack]
    far = next(iter(of_case), evidence.far_words)
    return replace(request, sized_for=f"{request.sized_for}; {far}") if far else request
