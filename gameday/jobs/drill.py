"""The drill of the finder on one's own scenario: hidden faults in the model, and how many would be named."""

from __future__ import annotations

from gameday.errors import UsageError
from gameday.experiments.diagnosis import Drill, drill
from gameday.jobs.foresee import foresee
from gameday.jobs.one_run.order import Order, checked
from gameday.live import Show
from gameday.scenario.reading import read_scenario
from gameday.simulate import compiling

__all__ = ["drill_order"]


def drill_order(order: Order, faults: int, show: Show) -> Drill:
    """Return how many of so many faults, hidden in the model of a scenario, diagnosis would name;
    nothing is sent.
    """
    loaded = read_scenario(order.event, drift=order.drift)
    scenario = loaded.played
    if scenario.is_black_box:
        raise UsageError(
            f"{order.event} has no `services`: there is no model to hide a fault in; write them (`gameday "
            "history import --traces` makes them of traces)"
        )
    with compiling() as wait_for_code:
        plan = foresee(loaded, checked(order, scenario), show).plan
        with show.phase("drill"):
            wait_for_code(show.update)
            servers = scenario.replay.target_fraction if order.has_own_target else None
            return drill(
                scenario, plan, faults=faults, seed=order.seed, scale=servers, progress=show.update
            )
