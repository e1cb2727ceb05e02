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
        erlang_b,
        erlang_c,
        mean_wait_s,
        servers_for,
        wait_quantile_s,
    )
    from gameday.queueing.sales import Sale
    from gameday.queueing.station import Places, StationAtWork
    from gameday.queueing.timed_changes import Switch, switches
    from gameday.queueing.visited import services_behind, step_tier, visited_services

__all__ = [
    "Asked",
    "Attempt",
    "Cell",
    "Places",
    "Sale",
    "StationAtWork",
    "Switch",
    "Visit",
    "build_cell",
    "erlang_b",
    "erlang_c",
    "least_scale",
    "mean_wait_s",
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
        "Places": "station",
        "Sale": "sales",
        "StationAtWork": "station",
        "Switch": "timed_changes",
        "Visit": "cell",
        "build_cell": "cell",
        "erlang_b": "closed_forms",
        "erlang_c": "closed_forms",
        "least_scale": "cell",
        "mean_wait_s": "closed_forms",
        "servers_for": "closed_forms",
        "services_behind": "visited",
        "step_tier": "visited",
        "switches": "timed_changes",
        "visited_services": "visited",
        "wait_quantile_s": "closed_forms",
    },
)
