"""Formats a set of capacity requests can leave in; one format, one file."""

from gameday.capacity.exporters import csv, markdown
from gameday.capacity.exporters.exporter import Exporter

__all__ = ["EXPORTERS"]

EXPORTERS: dict[str, Exporter] = {
    "csv": csv.EXPORTER,
    "markdown": markdown.EXPORTER,
}
"""Name for `--to` -> format."""
