"""An order sheet as CSV, one line a request, for teams that order by spreadsheet."""

from __future__ import annotations

import csv
import io

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
        values = (getattr(request, name) for name in _COLUMNS)
        writer.writerow([v.isoformat() if hasattr(v, "isoformat") else v for v in values])
    return out.getvalue()


EXPORTER = Exporter(_to_csv, is_order_sheet=True)
