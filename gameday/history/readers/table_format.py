"""What the program needs of a kind of table file: how it is read, followed while it grows, and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableFormat", "TableParts"]


@dataclass(frozen=True, slots=True)
class TableParts:
    """A table that is read part by part, because it may be larger than memory."""

    columns: tuple[str, ...]
    """Names of all columns of the file."""
    parts: Iterator[pd.DataFrame]
    """The rows in the order of the file, with at least the columns asked for."""


@dataclass(frozen=True, slots=True)
class TableFormat:
    """A kind of table file. Only `read_table` must be given; the rest has a plain default.

    Each of its functions raises HistoryError for a file that it cannot read.
    """

    name: str
    """As messages and help call it."""
    suffix: str
    """Of its files' names, with the dot, lower case."""
    read_table: Callable[[Path], pd.DataFrame]
    """Return the whole table; values may be text, as the file writes them."""
    read_selected_parts: Callable[[Path, Sequence[str]], TableParts] | None = None
    """Return the table part by part with at least the named columns that it has; None: as one part."""
    read_complete_rows: Callable[[Path], pd.DataFrame | None] | None = None
    """Return the rows that are whole in a file that another program appends to, None where there is none yet;
    None: such files are only ever replaced as a whole."""
    write_table: Callable[[pd.DataFrame, Path], None] | None = None
    """Write a table without its index; None: files of this kind are only read."""
    also: tuple[str, ...] = ()
    """Further suffixes."""

    def read_parts(self, file: Path, columns: Sequence[str]) -> TableParts:
        """Return the table part by part, with at least those of `columns` that the file has."""
        if self.read_selected_parts is not None:
            return self.read_selected_parts(file, columns)
        table = self.read_table(file)
        return TableParts(tuple(map(str, table.columns)), iter((table,)))

    def read_so_far(self, file: Path) -> pd.DataFrame | None:
        """Return the rows of a file that may still grow; None where it has none yet."""
        read = self.read_complete_rows or self.read_table
        return read(file)
