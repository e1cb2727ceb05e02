"""Parquet: any flat file pyarrow reads."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from gameday.errors import HistoryError

__all__ = ["read_parquet"]


def read_parquet(path: Path) -> pd.DataFrame:
    """Return the file as a table; HistoryError if it is not Parquet."""
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except (pa.ArrowException, ValueError, OSError) as error:
        raise HistoryError(f"{path}: cannot be read as Parquet: {error}") from None
