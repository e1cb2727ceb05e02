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
from gameday.simulate.replications import REPLICATIONS, replicate_each
from gameday.traffic import LoadPlan, ReplayOptions, plan_load
from gameday.vocabulary import Seed

__all__ = ["LEAD_IN", "AtRealSpeed", "Take", "at_real_speed", "real_speed_model", "wait_for"]

LEAD_IN = 60
"""Minutes before the window that bring customers, queues and servers into their state. Source: the
project's issue on rehearsal."""
_VISITS_PER_S = 2.0e6
"""Service visits a core simulates in a second: half of what is measured on a quiet one (`make
bench-simulate`)."""
_BESIDE_LOAD = 0.5
"""Share of the run's time in which a core that gives way to swarm and shop is the model's."""

_LEAST_WAIT_S = 60.0
"""The model is waited for after the load as long as the run took, and at least so long. Ours: it was sized
to end with the run; where it has not by then, other work has the machine."""
_ASKED_EVERY_S = 0.2

T = TypeVar("T")
Seen = tuple[tuple[T, ...], ...]
"""One entry a replication, in each one a stack."""


@dataclass(frozen=True, slots=True)
class AtRealSpeed(Generic[T]):
    """What the model saw of a window at real speed; nothing where one core is all there is."""

    event: Seen[T] = ()
    calm: Seen[T] = ()
    """With nothing injected; empty where nothing is."""
    scale: float | None = None
    why: str = ""
    """Why it is missing or has fewer replications than were wanted; empty where it is whole."""


Take = Callable[[Callable[[], str | None], Callable[[str], None]], AtRealSpeed[T]]
"""Waits for a model: asks why to cut it short (None: go on), tells how far it is."""


def at_real_speed(
    scenario: Scenario,
    demand: Demand,
    *,
    seed: Seed,
    window: str,
    core_s: float,
    quantile: float | None = None,
    scale: float | None = None,
    at_least: float = 0.0,
    replications: int = REPLICATIONS,
    lead_in: int = LEAD_IN,
) -> LoadPlan:
    """Return the plan of a window at real speed, `lead_in` minutes before it included.

    Without a `scale`, at the largest one of which so many replications take `core_s` seconds of a
    core; at `at_least` even if that takes longer, and at most at full scale.
    """

    def at(scale: float) -> LoadPlan:
        options = ReplayOptions(window, 1.0, None, scale, quantile, lead_in)
        return plan_load(scenario, demand, seed=seed, options=options)

    if scale is not None:
        return at(scale)
    whole = at(1.0)
    fits = core_s * _VISITS_PER_S / max(1.0, replications * expected_visits(scenario, whole))
    fits = max(_rounded(fits), at_least)
    return whole if fits >= 1.0 else at(fits)


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
        wait([model], timeout=min(_ASKED_EVERY_S, most_s - waited))
    return ""


def _taken(model: Future[AtRealSpeed[T]], why: str, *, has_calm: bool) -> AtRealSpeed[T]:
    """Return what a model saw; fewer than two replications, which have no interval, are nothing."""
    try:
        seen = model.result()
    except PreflightFailed as error:  # one of its processes was killed
        return AtRealSpeed(why=f"it failed: {error}")
    whole = min(len(seen.event), len(seen.calm) if has_calm else REPLICATIONS)
    if whole >= REPLICATIONS:
        return seen
    return replace(seen, why=why) if whole > 1 else AtRealSpeed(why=why)


def _rounded(scale: float) -> float:
    """Return a scale of two digits that is not larger."""
    return float(f"{0.95 * scale:.1e}")


@contextmanager
def real_speed_model(
    scenario: Scenario,
    demand: Demand,
    plan: LoadPlan,
    look_at: Callable[[LoadPlan], Callable[[RunRecord], T]],
    *,
    seed: Seed,
    scale: float | None,
) -> Iterator[Take[T]]:
    """Begin the model of `plan`'s window at real speed beside its run; yield what waits for its outcome.

    Where something is injected the same customers are played with nothing injected too. `scale` is that of the
    servers, if it is not the plan's. The wait is bounded: as long as the run itself, or _LEAST_WAIT_S.
    """
    run_s = plan.duration_s + plan.lead_in_s
    if (os.cpu_count() or 1) == 1:
        yield lambda *_: AtRealSpeed(
            why="this machine has one core, which the load needs for itself"
        )
        return
    core_s = _BESIDE_LOAD * run_s / (2 if plan.injections else 1)
    calm = at_real_speed(
        scenario,
        demand,
        seed=seed,
        core_s=core_s,
        quantile=plan.quantile,
        window=f"{plan.window.start.isoformat()}/{plan.window.end.isoformat()}",
    )
    servers = None if scale is None else calm.scale * scale / plan.scale
    plans = [calm.with_injections(plan.injections), calm] if plan.injections else [calm]
    done = [0]

    def play(stop_file: Path) -> AtRealSpeed[T]:
        seen = replicate_each(
            scenario,
            plans,
            look_at(calm),
            seed=seed.child("event"),
            workers=1,
            scale=servers,
            beside_load=True,
            new_customers=True,
            stop_file=stop_file,
            progress=lambda whole: done.__setitem__(0, whole),
        )
        return AtRealSpeed(seen[0], seen[1] if plan.injections else (), calm.scale)

    with scratch_folder("model") as folder, ThreadPoolExecutor(1, "event model") as thread:
        model = thread.submit(play, folder / "stop")

        def take(why_cut: Callable[[], str | None], tell: Callable[[str], None]) -> AtRealSpeed[T]:
            most_s = max(_LEAST_WAIT_S, run_s)
            why = wait_for(model, lambda: done[0], most_s=most_s, why_cut=why_cut, tell=tell)
            (folder / "stop").touch()
            return _taken(model, why, has_calm=bool(plan.injections))

        try:
            yield take
        finally:
            (folder / "stop").touch()
