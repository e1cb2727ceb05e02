"""The room where findings become orders.

Job:   size every service for the event with a zone lost, write requests, prove them in the model.
In:    Scenario, Demand, Findings.    Out: CapacityRequest, one a service and stack.
Never: place an order, approve its own request, size without the forecast.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.capacity.exporters import EXPORTERS
    from gameday.capacity.joint_sizing import Budget, SizedStack, size_stack
    from gameday.capacity.order import Withheld, request_capacity, with_order, withhold
    from gameday.capacity.proof import verify
    from gameday.capacity.request import CapacityRequest, as_json, as_yaml, from_mapping
    from gameday.capacity.units import vcpus_per_step

__all__ = [
    "Budget",
    "CapacityRequest",
    "EXPORTERS",
    "SizedStack",
    "Withheld",
    "as_json",
    "as_yaml",
    "from_mapping",
    "request_capacity",
    "size_stack",
    "vcpus_per_step",
    "verify",
    "with_order",
    "withhold",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Budget": "joint_sizing",
            "CapacityRequest": "request",
            "EXPORTERS": "exporters",
            "SizedStack": "joint_sizing",
            "Withheld": "order",
            "as_json": "request",
            "as_yaml": "request",
            "from_mapping": "request",
            "request_capacity": "order",
            "size_stack": "joint_sizing",
            "vcpus_per_step": "units",
            "verify": "proof",
            "with_order": "order",
            "withhold": "order",
        },
    )
