"""Lines whose columns stand between tabs, bars, semicolons or commas, with or without a head that names them."""

from __future__ import annotations

import csv
from collections.abc import Callable

from gameday.history.importers.log_lines.columns import role_of_name
from gameday.history.importers.log_lines.named_lines import Fields

__all__ = ["delimited_fields"]

_DELIMITERS = "\t|;,"
_FEWEST_COLUMNS = 4
_FEWEST_NAMED = 3
"""Cells of a head that must be names of columns."""


def delimited_fields(lines: list[str]) -> tuple[str, Fields] | None:
    """Return delimiter and what splits lines by it into named texts; None where the lines are not written so."""
    for delimiter in _DELIMITERS:
        split = _splitter(delimiter)
        rows = [split(line) for line in lines]
        width = len(rows[0]) if rows else 0
        if width < _FEWEST_COLUMNS or any(len(row) != width for row in rows):
            continue
        head = rows[0]
        is_named = sum(role_of_name(cell) is not None for cell in head) >= _FEWEST_NAMED
        names = head if is_named else [f"column {number + 1}" for number in range(width)]
        return delimiter, _fields(split, names, lines[0] if is_named else None)
    return None


def _splitter(delimiter: str) -> Callable[[str], list[str]]:
    def split(line: str) -> list[str]:
        plain = line.rstrip("\n")
        if '"' not in plain:
            return [cell.strip() for cell in plain.split(delimiter)]
        return [cell.strip() for cell in next(csv.reader([plain], delimiter=delimiter))]

    return split


def _fields(split: Callable[[str], list[str]], names: list[str], head: str | None) -> Fields:
    def fields(line: str) -> dict[str, str] | None:
        cells = split(line)
        if len(cells) != len(names) or line.rstrip("\n") == head:
            return None
        return dict(zip(names, cells, strict=True))

    return fields
