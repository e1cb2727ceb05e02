"""The room where findings become orders.

Job:   size every service for the event with a zone lost, write requests, prove them in the model.
In:    Scenario, Demand, Findings.    Out: CapacityRequest, one a service and stack.
Never: place an order, approve its own request, size without the forecast.
"""

from gameday.capacity.exporters import EXPORTERS
from gameday.capacity.order import request_capacity, with_order
from gameday.capacity.request import CapacityRequest, Move, as_yaml, from_mapping, moved

__all__ = [
    "EXPORTERS",
    "CapacityRequest",
    "Move",
    "as_yaml",
    "from_mapping",
    "moved",
    "request_capacity",
    "with_order",
]
