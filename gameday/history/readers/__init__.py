"""Kinds of table files that every input of counts or events may have; one file a kind, listed here once.

Light to import: help texts name the kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gameday.errors import HistoryError, UsageError
from gameday.history.readers.csv import CSV
from gameday.history.readers.json_lines import JSON_LINES
from gameday.history.readers.parquet import PARQUET
from gameday.history.readers.table_format import TableFormat, TableParts

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "READERS",
    "TableFormat",
    "TableParts",
    "find_reader",
    "readable_kinds",
    "readable_suffixes",
    "reader_of",
    "writable_kinds",
    "table_writer",
    "writable_suffixes",
]

READERS: list[TableFormat] = [CSV, PARQUET, JSON_LINES]
"""All kinds of histories, logs and actuals; a scenario's own assets and regressors are CSV or Parquet."""


def find_reader(file: Path) -> TableFormat | None:
    """Return the kind of a file by its name's suffix (.gz behind it is no matter); None: it is none of them."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    suffix = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else file.suffix.lower()
    return next((kind for kind in READERS if suffix in (kind.suffix, *kind.also)), None)


def reader_of(file: Path) -> TableFormat:
    """Return the kind of a file by its name's suffix; HistoryError where it is none of them."""
    kind = find_reader(file)
    if kind is None:
        raise HistoryError(f"{file}: must end in {readable_suffixes()} (got '{file.suffix}')")
    return kind


def readable_kinds() -> str:
    """Return the names of the kinds that can be read, as a help text lists them."""
    return " or ".join(kind.name for kind in READERS)


def writable_kinds() -> str:
    """Return the names of the kinds that can be written, as a help text lists them."""
    return " or ".join(kind.name for kind in READERS if kind.write_table is not None)


def readable_suffixes() -> str:
    """Return the suffixes of files that can be read, as a message lists them."""
    return " or ".join(kind.suffix for kind in READERS)


def writable_suffixes() -> str:
    """Return the suffixes of files that can be written, as a message lists them."""
    return " or ".join(kind.suffix for kind in READERS if kind.write_table is not None)


def table_writer(flag: str, file: Path) -> Callable[[pd.DataFrame, Path], None]:
    """Return what writes tables of a file's kind; UsageError, naming the flag, where it cannot be written."""
    kind = find_reader(file)
    write = None if kind is None else kind.write_table
    if write is None:
        raise UsageError(f"{flag}: must end in {writable_suffixes()} (got '{file.name}')")
    return write
