"""The room where an expectation becomes customers.

Job:   find the session starts that cause the forecast, and lay out a run of them.
In:    Scenario, Demand, Seed, what was asked.    Out: LoadPlan.
Never: send anything, simulate a queue, touch a clock.
"""

from gameday.traffic.load import event_steps, plan_load
from gameday.traffic.plan import Arrivals, LoadPlan
from gameday.traffic.shape import Asked
from gameday.traffic.walks import END, Course, PlannedStep, Walks

__all__ = [
    "END", "Arrivals", "Asked", "Course", "LoadPlan", "PlannedStep", "Walks",
    "event_steps", "plan_load",
]  # fmt: skip
