"""What the model says of an event: services, bottlenecks, objectives, headroom, sell-outs, checks."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.experiments.rehearsal.cross_check import check_against_queues
    from gameday.experiments.rehearsal.full_scale_wait import full_scale_waits
    from gameday.experiments.rehearsal.headroom import find_headroom
    from gameday.experiments.rehearsal.sell_out import sell_outs, when_sold_out
    from gameday.experiments.rehearsal.small_cells import FEW_SERVERS, small_stations, unseen
    from gameday.experiments.rehearsal.stack_answers import (
        NOBODY,
        Replications,
        objective_change,
        rehearse,
        said_of,
        series_of,
        series_table,
        service_change,
    )

__all__ = [
    "FEW_SERVERS",
    "NOBODY",
    "Replications",
    "check_against_queues",
    "find_headroom",
    "full_scale_waits",
    "objective_change",
    "rehearse",
    "said_of",
    "sell_outs",
    "series_of",
    "series_table",
    "service_change",
    "small_stations",
    "unseen",
    "when_sold_out",
]

__getattr__ = opening(
    __name__,
    {
        "FEW_SERVERS": "small_cells",
        "NOBODY": "stack_answers",
        "Replications": "stack_answers",
        "check_against_queues": "cross_check",
        "find_headroom": "headroom",
        "full_scale_waits": "full_scale_wait",
        "objective_change": "stack_answers",
        "rehearse": "stack_answers",
        "said_of": "stack_answers",
        "sell_outs": "sell_out",
        "series_of": "stack_answers",
        "series_table": "stack_answers",
        "service_change": "stack_answers",
        "small_stations": "small_cells",
        "unseen": "small_cells",
        "when_sold_out": "sell_out",
    },
)
