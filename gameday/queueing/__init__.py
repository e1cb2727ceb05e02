"""The room of a service without a clock or a wire: what the shop and the model share of it.

Job:   say which server takes an attempt, who waits, who is refused, what callers do, how a cell is sized.
In:    Scenario, a cell's scale, instants as arguments.    Out: decisions, cells, closed forms.
Never: know what time it is, sleep, send a byte, draw a number of its own.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.queueing.attempts import Attempt, PendingRequest
    from gameday.queueing.cell import Cell, Visit, build_cell, least_scale
    from gameday.queueing.limited_sales import DONE, SOLD_OUT, WAITING, Sale, build_sales
    from gameday.queueing.station import RunningLane, RunningStation
    from gameday.queueing.timed_changes import TimedChange, plan_timed_changes
    from gameday.queueing.visited import (
        call_depths,
        mean_holds_s,
        services_behind,
        step_tier,
        visited_services,
    )

__all__ = [
    "Attempt",
    "Cell",
    "DONE",
    "PendingRequest",
    "RunningLane",
    "RunningStation",
    "SOLD_OUT",
    "Sale",
    "TimedChange",
    "Visit",
    "WAITING",
    "build_cell",
    "build_sales",
    "call_depths",
    "least_scale",
    "mean_holds_s",
    "plan_timed_changes",
    "services_behind",
    "step_tier",
    "visited_services",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Attempt": "attempts",
            "Cell": "cell",
            "DONE": "limited_sales",
            "PendingRequest": "attempts",
            "RunningLane": "station",
            "RunningStation": "station",
            "SOLD_OUT": "limited_sales",
            "Sale": "limited_sales",
            "TimedChange": "timed_changes",
            "Visit": "cell",
            "WAITING": "limited_sales",
            "build_cell": "cell",
            "build_sales": "limited_sales",
            "call_depths": "visited",
            "least_scale": "cell",
            "mean_holds_s": "visited",
            "plan_timed_changes": "timed_changes",
            "services_behind": "visited",
            "step_tier": "visited",
            "visited_services": "visited",
        },
    )
