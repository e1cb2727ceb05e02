"""The room of a service without a clock or a wire: what the shop and the model share of it.

Job:   say which server takes an attempt, who waits, who is refused, what callers do, how a cell is sized.
In:    Scenario, a cell's scale, instants as arguments.    Out: decisions, cells, closed forms.
Never: know what time it is, sleep, send a byte, draw a number of its own.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.queueing.attempts import Asked, Attempt
    from gameday.queueing.cell import Cell, Visit, build_cell, least_scale
    from gameday.queueing.closed_forms import (
        bounded_queue,
        erlang_b,
        erlang_c,
        impatient_queue,
        mean_wait_s,
        servers_for,
        wait_quantile_s,
    )
    from gameday.queueing.limited_sales import DONE, SOLD_OUT, WAITING, Sale, sales
    from gameday.queueing.station import Places, StationAtWork
    from gameday.queueing.timed_changes import Switch, switches
    from gameday.queueing.visited import services_behind, step_tier, visited_services

__all__ = [
    "Asked",
    "Attempt",
    "Cell",
    "DONE",
    "Places",
    "SOLD_OUT",
    "Sale",
    "StationAtWork",
    "Switch",
    "Visit",
    "WAITING",
    "bounded_queue",
    "build_cell",
    "erlang_b",
    "erlang_c",
    "impatient_queue",
    "least_scale",
    "mean_wait_s",
    "sales",
    "servers_for",
    "services_behind",
    "step_tier",
    "switches",
    "visited_services",
    "wait_quantile_s",
]

__getattr__ = opening(
    __name__,
    {
        "Asked": "attempts",
        "Attempt": "attempts",
        "Cell": "cell",
        "DONE": "limited_sales",
        "Places": "station",
        "SOLD_OUT": "limited_sales",
        "Sale": "limited_sales",
        "StationAtWork": "station",
        "Switch": "timed_changes",
        "Visit": "cell",
        "WAITING": "limited_sales",
        "bounded_queue": "closed_forms",
        "build_cell": "cell",
        "erlang_b": "closed_forms",
        "erlang_c": "closed_forms",
        "impatient_queue": "closed_forms",
        "least_scale": "cell",
        "mean_wait_s": "closed_forms",
        "sales": "limited_sales",
        "servers_for": "closed_forms",
        "services_behind": "visited",
        "step_tier": "visited",
        "switches": "timed_changes",
        "visited_services": "visited",
        "wait_quantile_s": "closed_forms",
    },
)
