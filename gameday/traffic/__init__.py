"""The room where an expectation becomes customers.

Job:   find the session starts that cause the forecast, and lay out a run of them; fit journeys to sessions.
In:    Scenario, Demand, Seed, ReplayOptions; Sessions.    Out: LoadPlan, Calibration.
Never: send anything, simulate a queue, touch a clock.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.traffic.journeys.walks import END, Course, PlannedStep, Walks
    from gameday.traffic.plan.load import event_steps, plan_load
    from gameday.traffic.plan.load_plan import Arrivals, LoadPlan
    from gameday.traffic.plan.shape import ReplayOptions

__all__ = [
    "Arrivals",
    "Course",
    "END",
    "LoadPlan",
    "PlannedStep",
    "ReplayOptions",
    "Walks",
    "event_steps",
    "plan_load",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Arrivals": "plan.load_plan",
            "Course": "journeys.walks",
            "END": "journeys.walks",
            "LoadPlan": "plan.load_plan",
            "PlannedStep": "journeys.walks",
            "ReplayOptions": "plan.shape",
            "Walks": "journeys.walks",
            "event_steps": "plan.load",
            "plan_load": "plan.load",
        },
    )
