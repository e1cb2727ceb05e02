"""A window at real speed, simulated beside the swarm on a core that gives way."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from gameday.forecast import Demand
from gameday.run_record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate.offered import expected_visits
from gameday.simulate.replicate import REPLICATIONS, replicate_each
from gameday.traffic import Asked, LoadPlan, plan_load
from gameday.vocabulary import Seed

__all__ = ["LEAD_IN", "at_real_speed", "real_speed_model"]

LEAD_IN = 60
"""Minutes before the window that bring customers, queues and servers into their state. Source: the
project's issue on rehearsal."""
_VISITS_PER_S = 2.0e6
"""Service visits a core simulates in a second: half of what is measured on a quiet one (`make
bench-simulate`)."""
_BESIDE_LOAD = 0.5
"""Share of the run's time in which a core that gives way to swarm and shop is the model's."""

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


def at_real_speed(
    scenario: Scenario, demand: Demand, *, seed: Seed, window: str, core_s: float,
    quantile: float | None = None, scale: float | None = None, at_least: float = 0.0,
    replications: int = REPLICATIONS, lead_in: int = LEAD_IN,
) -> LoadPlan:  # fmt: skip
    """Return the plan of a window at real speed, `lead_in` minutes before it included.

    Without a `scale`, at the largest one of which so many replications take `core_s` seconds of a
    core; at `at_least` even if that takes longer, and at most at full scale.
    """

    def at(scale: float) -> LoadPlan:
        asked = Asked(window, 1.0, None, scale, quantile, lead_in)
        return plan_load(scenario, demand, seed=seed, asked=asked)

    if scale is not None:
        return at(scale)
    whole = at(1.0)
    fits = core_s * _VISITS_PER_S / max(1.0, replications * expected_visits(scenario, whole))
    fits = max(_rounded(fits), at_least)
    return whole if fits >= 1.0 else at(fits)


def _rounded(scale: float) -> float:
    """Return a scale of two digits that is not larger."""
    return float(f"{0.95 * scale:.1e}")


@contextmanager
def real_speed_model(
    scenario: Scenario, demand: Demand, plan: LoadPlan,
    look_at: Callable[[LoadPlan], Callable[[RunRecord], T]], *, seed: Seed, scale: float | None,
) -> Iterator[Callable[[bool], AtRealSpeed[T]]]:  # fmt: skip
    """Begin the model of `plan`'s window at real speed beside its run; yield what takes its outcome.

    Where something is injected the same customers are played with nothing injected too. The taker waits;
    called with True it cuts short. `scale` is that of the servers, if it is not the plan's.
    """
    outcome: list[AtRealSpeed[T]] = []
    core_s = _BESIDE_LOAD * (plan.duration_s + plan.lead_in_s) / (2 if plan.injections else 1)
    thread: threading.Thread | None = None
    with tempfile.TemporaryDirectory(prefix="gameday-model-") as folder:
        stop_file = Path(folder) / "stop"
        if (os.cpu_count() or 1) > 1:
            calm = at_real_speed(
                scenario, demand, seed=seed, core_s=core_s, quantile=plan.quantile,
                window=f"{plan.window.start.isoformat()}/{plan.window.end.isoformat()}",
            )  # fmt: skip
            servers = None if scale is None else calm.scale * scale / plan.scale
            plans = [calm.struck(plan.injections), calm] if plan.injections else [calm]

            def work() -> None:
                seen = replicate_each(
                    scenario, plans, look_at(calm), seed=seed.child("event"), workers=1,
                    scale=servers, beside_load=True, new_customers=True, stop_file=stop_file,
                )  # fmt: skip
                outcome.append(AtRealSpeed(seen[0], seen[1] if plan.injections else (), calm.scale))

            thread = threading.Thread(target=work, name="event model")
            thread.start()

        def take(cut_short: bool) -> AtRealSpeed[T]:
            if cut_short:
                stop_file.touch()
            if thread is not None:
                thread.join()
            return outcome[0] if outcome else AtRealSpeed()

        try:
            yield take
        finally:
            stop_file.touch()
            if thread is not None:
                thread.join()
