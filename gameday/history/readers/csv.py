"""CSV: a header line; commas, semicolons, tabs or bars; UTF-8; times as ISO 8601."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gameday.errors import HistoryError
from gameday.history.readers.table_format import TableFormat, TableParts

if TYPE_CHECKING:
    from typing import BinaryIO

    import pandas as pd
    import pyarrow as pa

__all__ = ["CSV"]


def _parsed(text: Path | io.BytesIO, file: Path) -> pd.DataFrame:
    """Return CSV as a table of text; HistoryError, which names `file`, if it is none."""
    import pandas as pd  # heavy: help texts name the formats without it

    try:
        return pd.read_csv(
            text,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            sep=_delimiter(file),
            compression="gzip" if file.suffix.lower() == ".gz" and text is file else None,
        )
    except (ValueError, OSError) as error:  # ParserError, EmptyDataError, UnicodeDecodeError
        raise HistoryError(f"{file}: cannot be read as CSV: {error}") from None


def _delimiter(file: Path) -> str:
    """Return what stands between the columns of a file's head: a comma where nothing stands there more often."""
    try:
        opener = gzip.open if file.suffix.lower() == ".gz" else open
        with cast("BinaryIO", opener(file, "rb")) as stream:
            head = stream.readline().decode("utf-8", errors="replace")
    except (OSError, EOFError):
        return ","  # whoever reads the file says what is wrong with it
    return max(",;\t|", key=head.count)


def _read_table(file: Path) -> pd.DataFrame:
    return _parsed(file, file)


def _read_complete_rows(file: Path) -> pd.DataFrame | None:
    """Return the rows whose line is ended: the last one may be half written."""
    text = file.read_bytes()
    ended = text[: text.rfind(b"\n") + 1]
    return None if ended.count(b"\n") < 2 else _parsed(io.BytesIO(ended), file)


def _read_selected_parts(file: Path, columns: Sequence[str]) -> TableParts:
    import pyarrow as pa
    from pyarrow import csv

    as_text = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True
    )
    try:
        reader = csv.open_csv(
            file,
            parse_options=csv.ParseOptions(delimiter=_delimiter(file)),
            convert_options=as_text,
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise HistoryError(f"{file}: cannot be read ({error})") from None
    return TableParts(tuple(reader.schema.names), _batches(reader, file))


def _batches(reader: pa.csv.CSVStreamingReader, file: Path) -> Iterator[pd.DataFrame]:
    import pyarrow as pa

    try:
        with reader:
            for batch in reader:
                yield batch.to_pandas()
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise HistoryError(f"{file}: cannot be read ({error})") from None


def _write_table(table: pd.DataFrame, file: Path) -> None:
    table.to_csv(file, index=False)


CSV = TableFormat(
    "CSV", ".csv", _read_table, _read_selected_parts, _read_complete_rows, _write_table
)
