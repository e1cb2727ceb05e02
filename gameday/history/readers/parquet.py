"""Parquet: any flat file pyarrow reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gameday.errors import HistoryError
from gameday.history.readers.table_format import TableFormat, TableParts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet

__all__ = ["PARQUET"]

_PART_ROWS = 250_000


def _read_table(file: Path) -> pd.DataFrame:
    import pandas as pd  # heavy: help texts name the formats without it
    import pyarrow as pa

    try:
        return pd.read_parquet(file, engine="pyarrow")
    except (pa.ArrowException, ValueError, OSError) as error:
        raise HistoryError(f"{file}: cannot be read as Parquet: {error}") from None


def _read_selected_parts(file: Path, columns: Sequence[str]) -> TableParts:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(file)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise HistoryError(f"{file}: cannot be read ({error})") from None
    names = tuple(opened.schema_arrow.names)
    selected = [name for name in names if name in columns]
    return TableParts(names, _batches(opened, selected, file))


def _batches(
    opened: pyarrow.parquet.ParquetFile, columns: list[str], file: Path
) -> Iterator[pd.DataFrame]:
    import pyarrow as pa

    try:
        for batch in opened.iter_batches(_PART_ROWS, columns=columns):
            yield batch.to_pandas()
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise HistoryError(f"{file}: cannot be read ({error})") from None


def _write_table(table: pd.DataFrame, file: Path) -> None:
    table.to_parquet(file, index=False)


PARQUET = TableFormat(
    "Parquet", ".parquet", _read_table, _read_selected_parts, write_table=_write_table
)
