"""An order sheet as CSV, one line a request, for teams that order by spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

from gameday.capacity.exporters.exporter import Exporter
from gameday.capacity.request import CapacityRequest

__all__ = ["EXPORTER"]

_COLUMNS = (
    "id",
    "state",
    "stack",
    "service",
    "instance",
    "zones",
    "instances_from",
    "instances_to",
    "needed_by",
    "latest_order",
    "at_risk",
    "expires",
    "schedule",
    "instance_hours",
    "hourly_usd",
    "total_usd",
    "model",
    "proven",
    "proven_for",
)


def _to_csv(requests: tuple[CapacityRequest, ...]) -> str:
    """Return the order sheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for request in requests:
        writer.writerow([_cell(getattr(request, name)) for name in _COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> Any:
    """Return what a cell holds: an instant in ISO 8601; of a schedule START/END=INSTANCES, a step each."""
    if isinstance(value, tuple):
        return ";".join(
            f"{step.start:%Y-%m-%dT%H:%MZ}/{step.end:%Y-%m-%dT%H:%MZ}={step.instances}"
            for step in value
        )
    return value.isoformat() if isinstance(value, datetime) else value


EXPORTER = Exporter(_to_csv, is_order_sheet=True)
