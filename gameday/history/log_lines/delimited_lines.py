"""Lines whose columns stand between tabs, bars, semicolons or commas, with or without a head that names them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass

from gameday.history.log_lines.columns import role_of_name
from gameday.history.log_lines.named_lines import Fields

__all__ = ["Delimited", "delimited_fields"]

_DELIMITERS = "\t|;,"
_FEWEST_COLUMNS = 4
_FEWEST_NAMED = 3
"""Cells of a head that must be names of columns."""


@dataclass(frozen=True, slots=True)
class Delimited:
    """How lines are split into columns."""

    delimiter: str
    fields: Fields
    head: str
    """The line that names the columns; empty where none does."""


def delimited_fields(lines: list[str]) -> Delimited | None:
    """Return how lines are split into named texts; None where they are not written so."""
    for delimiter in _DELIMITERS:
        split = _splitter(delimiter)
        rows = [split(line) for line in lines]
        width = len(rows[0]) if rows else 0
        if width < _FEWEST_COLUMNS or any(len(row) != width for row in rows):
            continue
        is_named = sum(role_of_name(cell) is not None for cell in rows[0]) >= _FEWEST_NAMED
        names = rows[0] if is_named else [f"column {number + 1}" for number in range(width)]
        head = lines[0].rstrip("\n") if is_named else ""
        return Delimited(delimiter, _fields(split, names, head), head)
    return None


def _splitter(delimiter: str) -> Callable[[str], list[str]]:
    def split(line: str) -> list[str]:
        plain = line.rstrip("\n")
        if '"' not in plain:
            return [cell.strip() for cell in plain.split(delimiter)]
        return [cell.strip() for cell in next(csv.reader([plain], delimiter=delimiter))]

    return split


def _fields(split: Callable[[str], list[str]], names: list[str], head: str) -> Fields:
    def fields(line: str) -> dict[str, str] | None:
        cells = split(line)
        if len(cells) != len(names) or line.rstrip("\n") == head:
            return None
        return dict(zip(names, cells, strict=True))

    return fields
