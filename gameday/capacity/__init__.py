"""The room where findings become orders.

Job:   size every service for the event with a zone lost, write requests, prove them in the model.
In:    Scenario, Demand, Findings.    Out: CapacityRequest, one a service and stack.
Never: place an order, approve its own request, size without the forecast.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.capacity.exporters import EXPORTERS
    from gameday.capacity.order import Withheld, request_capacity, with_order, withhold
    from gameday.capacity.own_counts import CountsBesideCalls, compare_counts
    from gameday.capacity.proof import verify
    from gameday.capacity.request import CapacityRequest, Move, as_yaml, from_mapping, moved
    from gameday.capacity.services import (
        ServiceDemand,
        StepVisits,
        instances_for,
        service_demand,
    )
    from gameday.capacity.units import vcpus_per_step

__all__ = [
    "CapacityRequest",
    "EXPORTERS",
    "Move",
    "ServiceDemand",
    "CountsBesideCalls",
    "StepVisits",
    "Withheld",
    "as_yaml",
    "from_mapping",
    "instances_for",
    "compare_counts",
    "moved",
    "request_capacity",
    "service_demand",
    "vcpus_per_step",
    "verify",
    "with_order",
    "withhold",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "CapacityRequest": "request",
            "EXPORTERS": "exporters",
            "Move": "request",
            "ServiceDemand": "services",
            "StepVisits": "services",
            "CountsBesideCalls": "own_counts",
            "Withheld": "order",
            "as_yaml": "request",
            "from_mapping": "request",
            "instances_for": "services",
            "compare_counts": "own_counts",
            "moved": "request",
            "request_capacity": "order",
            "service_demand": "services",
            "vcpus_per_step": "units",
            "verify": "proof",
            "with_order": "order",
            "withhold": "order",
        },
    )
