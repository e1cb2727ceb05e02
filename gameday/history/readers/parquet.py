"""Parquet: any flat file pyarrow reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gameday.errors import HistoryError
from gameday.history.readers.nested import flat_table
from gameday.history.readers.table_format import TableFormat, TableParts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet

__all__ = ["PARQUET"]

_PART_ROWS = 250_000
_LOOKED_AT = 200
"""First rows by which the columns of nested values are told."""


def _read_table(file: Path) -> pd.DataFrame:
    import pandas as pd  # heavy: help texts name the formats without it
    import pyarrow as pa

    try:
        return flat_table(pd.read_parquet(file, engine="pyarrow"))
    except (pa.ArrowException, ValueError, OSError) as error:
        raise HistoryError(f"{file}: cannot be read as Parquet: {error}") from None


def _read_selected_parts(file: Path, columns: Sequence[str]) -> TableParts:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(file)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise HistoryError(f"{file}: cannot be read ({error})") from None
    names = _names(opened)
    parents = {name.partition(".")[0] for name in columns}
    selected = [name for name in opened.schema_arrow.names if name in {*columns, *parents}]
    return TableParts(names, _batches(opened, selected, file))


def _names(opened: pyarrow.parquet.ParquetFile) -> tuple[str, ...]:
    """Return the names of all columns; of nested ones those that the first rows have."""
    schema = opened.schema_arrow
    nested = [name for name in schema.names if schema.field(name).type.num_fields > 0]
    if not nested:
        return tuple(schema.names)
    first = next(opened.iter_batches(_LOOKED_AT, columns=nested)).to_pandas()
    return (*(name for name in schema.names if name not in nested), *flat_table(first).columns)


def _batches(
    opened: pyarrow.parquet.ParquetFile, columns: list[str], file: Path
) -> Iterator[pd.DataFrame]:
    import pyarrow as pa

    try:
        for batch in opened.iter_batches(_PART_ROWS, columns=columns):
            yield flat_table(batch.to_pandas())
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise HistoryError(f"{file}: cannot be read ({error})") from None


def _write_table(table: pd.DataFrame, file: Path) -> None:
    table.to_parquet(file, index=False)


PARQUET = TableFormat(
    "Parquet", ".parquet", _read_table, _read_selected_parts, write_table=_write_table
)
