"""Formats a set of capacity requests can leave in; one format, one file."""

from collections.abc import Callable

from gameday.capacity.exporters.csv import to_csv
from gameday.capacity.exporters.markdown import to_markdown
from gameday.capacity.request import CapacityRequest

__all__ = ["EXPORTERS"]

EXPORTERS: dict[str, Callable[[tuple[CapacityRequest, ...]], str]] = {
    "csv": to_csv,
    "markdown": to_markdown,
}
"""Name for `--to` -> text of all requests."""
