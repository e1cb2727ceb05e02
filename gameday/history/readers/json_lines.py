"""JSON lines: an object a line; objects and lists in it become columns with dotted names."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gameday.errors import HistoryError
from gameday.history.readers.nested import leaves
from gameday.history.readers.table_format import TableFormat, TableParts

if TYPE_CHECKING:
    from typing import TextIO

    import pandas as pd

__all__ = ["JSON_LINES"]

_PART_ROWS = 50_000
_LOOKED_AT = 200
"""First rows by which the columns are told."""


def _rows(file: Path, *, only_whole: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file; HistoryError names the line that is no object."""
    try:
        opener = gzip.open if file.suffix.lower() == ".gz" else open
        with cast("TextIO", opener(file, "rt", encoding="utf-8")) as stream:
            number = 0
            for number, line in enumerate(stream, start=1):
                if line.strip() and not (only_whole and not line.endswith("\n")):
                    yield dict(leaves(_object(line, number, file)))
            if number == 0:
                raise HistoryError(f"{file}: cannot be read as JSON lines: it is empty")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise HistoryError(f"{file}: cannot be read as JSON lines: {error}") from None


def _object(line: str, number: int, file: Path) -> Any:
    """Return the JSON object of a line; HistoryError where it is none."""
    try:
        data = json.loads(line)
    except ValueError as error:
        raise HistoryError(
            f"{file}: cannot be read as JSON lines: line {number}: {error}"
        ) from None
    if not isinstance(data, dict):
        raise HistoryError(
            f"{file}: cannot be read as JSON lines: line {number} must be an object (jq -c '.[]' writes a "
            "list one entry a line)"
        )
    return data


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd  # heavy: help texts name the formats without it

    return pd.DataFrame(rows)


def _read_table(file: Path) -> pd.DataFrame:
    return _table(list(_rows(file)))


def _read_complete_rows(file: Path) -> pd.DataFrame | None:
    rows = list(_rows(file, only_whole=True))
    return _table(rows) if rows else None


def _read_selected_parts(file: Path, columns: Sequence[str]) -> TableParts:
    rows = _rows(file)
    first = list(islice(rows, _LOOKED_AT))
    names = tuple(dict.fromkeys(name for row in first for name in row))
    selected = [name for name in names if name in columns]
    return TableParts(names, _parts(chain(first, rows), selected))


def _parts(rows: Iterator[dict[str, Any]], columns: list[str]) -> Iterator[pd.DataFrame]:
    while part := list(islice(rows, _PART_ROWS)):
        yield _table([{name: row.get(name) for name in columns} for row in part])


def _write_table(table: pd.DataFrame, file: Path) -> None:
    table.to_json(file, orient="records", lines=True, date_format="iso")


JSON_LINES = TableFormat(
    "JSON lines",
    ".jsonl",
    _read_table,
    _read_selected_parts,
    _read_complete_rows,
    _write_table,
    also=(".ndjson", ".json"),
)
