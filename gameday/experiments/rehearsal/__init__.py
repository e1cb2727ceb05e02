"""What the model says of an event: services, bottlenecks, objectives, headroom, sell-outs, checks."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.experiments.rehearsal.changes import (
        ObjectiveChange,
        objective_change,
        service_change,
    )
    from gameday.experiments.rehearsal.cross_check import QueueCheck, check_against_queues
    from gameday.experiments.rehearsal.full_scale_wait import FullScaleWait, full_scale_waits
    from gameday.experiments.rehearsal.headroom import Headroom, find_headroom
    from gameday.experiments.rehearsal.minute_series import StackSeries, series_of, series_table
    from gameday.experiments.rehearsal.sell_out import SellOut, sell_outs, when_sold_out
    from gameday.experiments.rehearsal.small_cells import FEW_SERVERS, small_stations, unseen
    from gameday.experiments.rehearsal.stack_answers import (
        ModelAnswer,
        ObjectiveAnswer,
        Quantities,
        ServiceAnswer,
        StackAnswer,
        rehearse,
        said_of,
    )

__all__ = [
    "FEW_SERVERS",
    "FullScaleWait",
    "Headroom",
    "ModelAnswer",
    "ObjectiveAnswer",
    "ObjectiveChange",
    "Quantities",
    "QueueCheck",
    "SellOut",
    "ServiceAnswer",
    "StackAnswer",
    "StackSeries",
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

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "FEW_SERVERS": "small_cells",
            "FullScaleWait": "full_scale_wait",
            "Headroom": "headroom",
            "ModelAnswer": "stack_answers",
            "ObjectiveAnswer": "stack_answers",
            "ObjectiveChange": "changes",
            "Quantities": "stack_answers",
            "QueueCheck": "cross_check",
            "SellOut": "sell_out",
            "ServiceAnswer": "stack_answers",
            "StackAnswer": "stack_answers",
            "StackSeries": "minute_series",
            "check_against_queues": "cross_check",
            "find_headroom": "headroom",
            "full_scale_waits": "full_scale_wait",
            "objective_change": "changes",
            "rehearse": "stack_answers",
            "said_of": "stack_answers",
            "sell_outs": "sell_out",
            "series_of": "minute_series",
            "series_table": "minute_series",
            "service_change": "changes",
            "small_stations": "small_cells",
            "unseen": "small_cells",
            "when_sold_out": "sell_out",
        },
    )
