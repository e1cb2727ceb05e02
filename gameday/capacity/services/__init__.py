"""What an event asks of each service, from its customers' steps and from the service's own counts."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.capacity.services.demand import (
        ServiceDemand,
        StepVisits,
        instances_for,
        service_demand,
    )
    from gameday.capacity.services.own_counts import CountsBesideCalls, compare_counts

__all__ = [
    "CountsBesideCalls",
    "ServiceDemand",
    "StepVisits",
    "compare_counts",
    "instances_for",
    "service_demand",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "CountsBesideCalls": "own_counts",
            "ServiceDemand": "demand",
            "StepVisits": "demand",
            "compare_counts": "own_counts",
            "instances_for": "demand",
            "service_demand": "demand",
        },
    )
