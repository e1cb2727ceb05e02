"""An order sheet as Markdown, to paste into a review."""

from __future__ import annotations

from gameday.capacity.exporters.exporter import Exporter
from gameday.capacity.request import CapacityRequest

__all__ = ["EXPORTER"]


def _to_markdown(requests: tuple[CapacityRequest, ...]) -> str:
    """Return a table, one line a request."""
    lines = [
        "| request | instances | order by | needed by | cost | proven in the model |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in requests:
        late = " (**late**)" if r.at_risk else ""
        when = f": {r.schedule_words}" if r.schedule else ""
        case = f"; {r.proven_for}" if r.proven_for else ""
        lines.append(
            f"| {r.stack} {r.service} | {r.instances_from} -> {r.instances_to} {r.instance} in "
            f"{r.zones} zones{when} | {r.latest_order:%Y-%m-%d}{late} | {r.needed_by:%Y-%m-%dT%H:%MZ} | "
            f"USD {r.total_usd:,.0f} | {r.proven}{case} |"
        )
    return "\n".join(lines) + "\n"


EXPORTER = Exporter(_to_markdown, is_order_sheet=True)
