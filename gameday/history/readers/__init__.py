"""Readers of history files; one file a format. Each turns a path into a table, nothing more."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from gameday.history.readers.csv import read_csv
from gameday.history.readers.parquet import read_parquet

__all__ = ["READERS"]

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": read_csv,
    ".parquet": read_parquet,
}
"""A file's suffix -> its reader; each raises HistoryError for what it cannot read."""
