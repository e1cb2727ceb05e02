"""The two engines by their names: same specification, same records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed

__all__ = ["Engine", "Stopped", "run_engine"]

Engine = Literal["compiled", "reference"]


class Stopped(Exception):
    """A replication was given up because nobody wants it any more."""


def run_engine(
    engine: Engine,
    scenario: Scenario,
    plan: LoadPlan,
    stack: str,
    *,
    seed: Seed,
    scale: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> RunRecord:
    """Return one replication of one stack, as `run_reference` documents it.

    `stopped` is asked before it begins and, by the compiled engine, whenever another part of
    the plan is due; Stopped is raised when it says so.
    """
    if stopped():
        raise Stopped
    scenario = scenario.as_measured(stack)
    if engine == "reference":
        from gameday.simulate.reference.engine import run_reference

        return run_reference(scenario, plan, stack, seed=seed, scale=scale)
    from gameday.simulate.compiled import run_compiled  # numba: a second to import

    return run_compiled(scenario, plan, stack, seed=seed, scale=scale, stopped=stopped)
