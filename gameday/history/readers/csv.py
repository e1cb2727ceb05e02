"""CSV: a header line, commas, UTF-8, times as ISO 8601."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gameday.errors import HistoryError

__all__ = ["read_csv"]


def read_csv(path: Path) -> pd.DataFrame:
    """Return the file as a table of text; HistoryError if it is not CSV."""
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (ValueError, OSError) as error:  # ParserError, EmptyDataError, UnicodeDecodeError
        raise HistoryError(f"{path}: cannot be read as CSV: {error}") from None
