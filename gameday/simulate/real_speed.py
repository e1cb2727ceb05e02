"""A window at real speed, simulated beside the swarm on a core that gives way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from gameday.errors import PreflightFailed
from gameday.files import scratch_folder
from gameday.forecast import Demand
from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate.offered import expected_visits
from gameday.simulate.replications import REPLICATIONS, RunControl, replicate_each
from gameday.traffic import LoadPlan, ReplayOptions, plan_load
from gameday.vocabulary import Seed

__all__ = [
    "LEAD_IN",
    "CoreBudget",
    "RealSpeedRuns",
    "RealSpeedWindow",
    "WaitForModel",
    "plan_at_real_speed",
    "wait_for",
]

LEAD_IN = 60
"""Minutes of warm-up before the window, which bring customers, queues and servers into their state. Ours:
several times as long as a session lasts or autoscaling takes."""
_VISITS_PER_S = 2.0e6
"""Service visits a core simulates in a second. Source: half of what `make bench-simulate` measures on a
quiet one."""
_BESIDE_LOAD = 0.5
"""Share of the run's time in which a core that gives way to swarm and shop is the model's. Ours."""

_LEAST_WAIT_S = 60.0
"""The model is waited for after the load as long as the run took, and at least so long. Ours: it was sized
to end with the run; where it has not by then, other work has the machine."""
_POLL_S = 0.2

T = TypeVar("T")
Seen = tuple[tuple[T, ...], ...]
"""One entry a replication, in each one a stack."""


@dataclass(frozen=True, slots=True)
class RealSpeedRuns(Generic[T]):
    """What the model saw of a window at real speed; nothing where one core is all there is."""

    event: Seen[T] = ()
    calm: Seen[T] = ()
    """With nothing injected; empty where nothing is."""
    scale: float | None = None
    why: str = ""
    """Why it is missing or has fewer replications than were wanted; empty where it is whole."""


WaitForModel = Callable[[Callable[[], str | None], Callable[[str], None]], RealSpeedRuns[T]]
"""Waits for a model: asks why to cut it short (None: go on), tells how far it is."""


@dataclass(frozen=True, slots=True)
class CoreBudget:
    """How much computing a plan's replications may take, which decides its scale."""

    core_s: float
    """Seconds of one core, all replications together."""
    replications: int = REPLICATIONS
    least_scale: float = 0.0
    """The plan is at least so large, even if that takes longer."""

    def scale_for(self, visits: float) -> float:
        """Return the scale that fits, of two digits, where a replication at full scale makes `visits`."""
        fits = self.core_s * _VISITS_PER_S / max(1.0, self.replications * visits)
        return max(float(f"{0.95 * fits:.1e}"), self.least_scale)  # rounded, yet not upwards


def plan_at_real_speed(
    scenario: Scenario,
    demand: Demand,
    *,
    seed: Seed,
    window: str,
    budget: CoreBudget,
    quantile: float | None = None,
    scale: float | None = None,
    lead_in: int = LEAD_IN,
) -> LoadPlan:
    """Return the load plan of a window at real speed, `lead_in` minutes of warm-up before it included.

    Without a `scale`, at the largest that the budget allows, and at most at full scale.
    """

    def planned(scale: float) -> LoadPlan:
        order = ReplayOptions(window, 1.0, None, scale, quantile, lead_in)
        return plan_load(scenario, demand, seed=seed, options=order)

    if scale is not None:
        return planned(scale)
    whole = planned(1.0)
    fits = budget.scale_for(expected_visits(scenario, whole))
    return whole if fits >= 1.0 else planned(fits)


def wait_for(
    model: Future[Any],
    done: Callable[[], int],
    *,
    most_s: float,
    why_cut: Callable[[], str | None],
    tell: Callable[[str], None],
) -> str:
    """Wait for a model; return why it was given up, empty where it ended.

    `done`: replications so far; `most_s`: wall seconds; `why_cut` is asked a few times a second.
    """
    began = time.monotonic()
    while not model.done():
        if (why := why_cut()) is not None:
            return why
        waited = time.monotonic() - began
        if waited >= most_s:
            return f"it was not done {most_s:.0f} s after the load, the most it is waited for"
        tell(f"{done()} of {REPLICATIONS} replications, {waited:.0f} s of at most {most_s:.0f} s")
        wait([model], timeout=min(_POLL_S, most_s - waited))
    return ""


@dataclass(frozen=True, slots=True)
class RealSpeedWindow(Generic[T]):
    """A plan's window at real speed, as it is simulated: with what is injected, and without it."""

    calm: LoadPlan
    struck: LoadPlan | None
    """With what is injected; None: nothing is."""
    look: Callable[[RunRecord], T]
    seed: Seed
    servers: float | None
    """Share of full scale that the servers are, if it is not the plan's."""
    run_s: float
    """How long the run lasts, wall seconds."""

    @staticmethod
    def of(
        scenario: Scenario,
        demand: Demand,
        plan: LoadPlan,
        look_at: Callable[[LoadPlan], Callable[[RunRecord], T]],
        *,
        seed: Seed,
        scale: float | None,
    ) -> RealSpeedWindow[T]:
        """Return the window of `plan`; `scale` is that of the servers, if it is not the plan's."""
        run_s = plan.duration_s + plan.lead_in_s
        calm = _as_at_real_speed(scenario, demand, plan, seed, core_s=_BESIDE_LOAD * run_s)
        return RealSpeedWindow(
            calm=calm,
            struck=calm.with_injections(plan.injections) if plan.injections else None,
            look=look_at(calm),
            seed=seed.child("event"),
            servers=None if scale is None else calm.scale * scale / plan.scale,
            run_s=run_s,
        )

    def play(self, scenario: Scenario, control: RunControl) -> RealSpeedRuns[T]:
        """Return what the model of a scenario sees; the same customers whatever the scenario."""
        seen = replicate_each(
            scenario,
            [self.calm] if self.struck is None else [self.struck, self.calm],
            self.look,
            seed=self.seed,
            control=control,
            scale=self.servers,
            new_customers=True,
        )
        return RealSpeedRuns(seen[0], () if self.struck is None else seen[1], self.calm.scale)

    @contextmanager
    def beside_load(self, scenario: Scenario) -> Iterator[WaitForModel[T]]:
        """Begin the model beside the run; yield what waits for its outcome.

        The wait is bounded: as long as the run itself, or _LEAST_WAIT_S.
        """
        if (os.cpu_count() or 1) == 1:
            yield lambda *_: RealSpeedRuns(
                why="this machine has one core, which the load needs for itself"
            )
            return
        model = _BackgroundModel(self, scenario)
        with model.running(most_s=max(_LEAST_WAIT_S, self.run_s)) as wait_for_model:
            yield wait_for_model


def _as_at_real_speed(
    scenario: Scenario, demand: Demand, plan: LoadPlan, seed: Seed, *, core_s: float
) -> LoadPlan:
    """Return a plan's window at real speed, nothing injected; `core_s` must do for the injected one too."""
    return plan_at_real_speed(
        scenario,
        demand,
        seed=seed,
        budget=CoreBudget(core_s / (2 if plan.injections else 1)),
        quantile=plan.quantile,
        window=f"{plan.window.start.isoformat()}/{plan.window.end.isoformat()}",
    )


class _BackgroundModel(Generic[T]):
    """Replications of a window in a thread, whose process gives way to load."""

    def __init__(self, window: RealSpeedWindow[T], scenario: Scenario) -> None:
        self.window, self.scenario = window, scenario
        self.done = 0
        """Replications so far."""

    @contextmanager
    def running(self, *, most_s: float) -> Iterator[WaitForModel[T]]:
        """Yield what waits for the outcome, at most so long; the model is stopped at the latest on leaving."""
        with scratch_folder("model") as folder, ThreadPoolExecutor(1, "event model") as thread:
            stop_file = folder / "stop"
            runs = thread.submit(self._play, stop_file)

            def wait_for_model(
                why_cut: Callable[[], str | None], tell: Callable[[str], None]
            ) -> RealSpeedRuns[T]:
                why = wait_for(runs, lambda: self.done, most_s=most_s, why_cut=why_cut, tell=tell)
                stop_file.touch()
                return _what_was_seen(runs, why, has_calm=self.window.struck is not None)

            try:
                yield wait_for_model
            finally:
                stop_file.touch()

    def _play(self, stop_file: Path) -> RealSpeedRuns[T]:
        control = RunControl(
            workers=1, beside_load=True, stop_file=stop_file, progress=self._note_done
        )
        return self.window.play(self.scenario, control)

    def _note_done(self, replications: int) -> None:
        self.done = replications


def _what_was_seen(runs: Future[RealSpeedRuns[T]], why: str, *, has_calm: bool) -> RealSpeedRuns[T]:
    """Return what a model saw; fewer than two replications, which have no interval, are nothing."""
    try:
        seen = runs.result()
    except PreflightFailed as error:  # one of its processes was killed
        return RealSpeedRuns(why=f"it failed: {error}")
    complete = min(len(seen.event), len(seen.calm) if has_calm else REPLICATIONS)
    if complete >= REPLICATIONS:
        return seen
    return replace(seen, why=why) if complete > 1 else RealSpeedRuns(why=why)
