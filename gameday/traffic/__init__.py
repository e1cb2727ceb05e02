"""The room where an expectation becomes customers.

Job:   find the session starts that cause the forecast, and lay out a run of them; fit journeys to sessions.
In:    Scenario, Demand, Seed, what was asked; Sessions.    Out: LoadPlan, Calibration.
Never: send anything, simulate a queue, touch a clock.
"""

from typing import TYPE_CHECKING, Any

from gameday.traffic.plan import Arrivals, LoadPlan
from gameday.traffic.walks import END, Course, PlannedStep, Walks

if TYPE_CHECKING:
    from gameday.traffic.load import event_steps, plan_load
    from gameday.traffic.shape import Asked

__all__ = [
    "END", "Arrivals", "Asked", "Course", "LoadPlan", "PlannedStep", "Walks",
    "event_steps", "plan_load",
]  # fmt: skip

_PLANNING = {"event_steps": "load", "plan_load": "load", "Asked": "shape"}
"""What makes a plan: a worker that only plays one need not hold pandas and scipy (100 MB)."""


def __getattr__(name: str) -> Any:
    if name not in _PLANNING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PLANNING[name]}"), name)
