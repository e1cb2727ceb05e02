"""What a format says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gameday.capacity.request import CapacityRequest

__all__ = ["Exporter"]


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format that capacity requests can leave in."""

    export: Callable[[tuple[CapacityRequest, ...]], str]
    """Returns the text of all requests, each with what it is proven for and whether that holds."""
    is_order_sheet: bool
    """Whether its text says, request by request, what to order by when, and nothing where nothing is ordered."""
