"""The event at real speed, simulated beside the swarm on a core that gives way.

SimPy simulates some tens of thousands of calls a second, so what fits in the run's own time is
the hottest minutes of the event in the same cell; the report says how many.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gameday.forecast import Demand
from gameday.run_record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate.replicate import LEAST, simulate
from gameday.traffic import Asked, LoadPlan, plan_load
from gameday.vocabulary import Seed

__all__ = ["real_speed_model"]

_MOST_SLOTS = 60
_LEAST_SLOTS = 3
_LEAD_IN_SHARE = 0.4
"""Of the simulated minutes, so many bring customers under way and are not judged."""
_SPARE_S = 10.0
"""Left over at the end of the run, so that nobody waits for the model."""


@contextmanager
def real_speed_model(
    scenario: Scenario, demand: Demand, plan: LoadPlan, *, seed: Seed, cost_s: float,
    scale: float | None,
) -> Iterator[Callable[[bool], tuple[RunRecord, ...]]]:  # fmt: skip
    """Begin the model of `plan`'s hottest minutes at real speed; yield what takes its records.

    `cost_s` is the core-seconds a step costs. The taker waits for LEAST replications; called with
    True it cuts the model short. Too short a run, or one core, gives no records.
    """
    result: list[tuple[RunRecord, ...]] = []
    over = threading.Event()
    slots = _slots_that_fit(plan, cost_s)
    thread: threading.Thread | None = None
    if slots >= _LEAST_SLOTS and (os.cpu_count() or 1) > 1:
        near = hottest_minutes(plan, slots)
        again = plan_load(scenario, demand, seed=seed, asked=near, own_target=scale is not None)

        def work() -> None:
            result.append(
                simulate(
                    scenario, again, seed=seed.child("event"), budget_s=0.0, workers=1,
                    scale=scale, beside_load=True, new_customers=True, cancelled=over.is_set,
                )
            )  # fmt: skip

        thread = threading.Thread(target=work, name="event model")
        thread.start()

    def take(cut_short: bool) -> tuple[RunRecord, ...]:
        if cut_short:
            over.set()
        if thread is not None:
            thread.join()
        return result[0] if result else ()

    try:
        yield take
    finally:
        over.set()
        if thread is not None:
            thread.join()


def _slots_that_fit(plan: LoadPlan, cost_s: float) -> int:
    """Return how many slots LEAST replications can simulate in the run's own time."""
    per_slot = float(plan.forecast.sum(axis=(0, 1)).max()) * plan.scale
    fits = int((plan.duration_s - _SPARE_S) / max(1e-9, (LEAST + 1) * cost_s * per_slot))
    return min(fits, _MOST_SLOTS, plan.window.slots)


def hottest_minutes(plan: LoadPlan, slots: int) -> Asked:
    """Return the window around the hottest slot: part of `slots` as lead-in, the rest judged."""
    lead_in = max(1, int(slots * _LEAD_IN_SHARE))
    judged = slots - lead_in
    hottest = int(plan.forecast.sum(axis=(0, 1))[plan.lead_in :].argmax())
    first = max(0, min(hottest - judged // 2, plan.window.slots - judged))
    start, end = plan.window.instant(first), plan.window.instant(first + judged)
    return Asked(
        window=f"{start.isoformat()}/{end.isoformat()}", speed=1.0, scale=plan.scale,
        quantile=plan.quantile, lead_in=lead_in,
    )  # fmt: skip
