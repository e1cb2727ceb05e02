"""Rows of more than a minute: totals of so long, spread evenly over their minutes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gameday.errors import HistoryError

__all__ = ["by_the_minute"]

_LONGEST_ROW_MIN = 60
_LEAST_ROWS, _REGULAR = 24, 0.9
"""Rows, and the share of them equally far apart, from which on a table is one of wider slots. Ours."""


def by_the_minute(rows: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """Return a row a minute: rows regularly farther apart are totals of so long, and are spread evenly.

    HistoryError where they lie more than an hour apart: a day's total does not say how the day went.
    """
    minutes = _usual_distance_min(rows)
    if minutes <= 1:
        return rows
    if minutes > _LONGEST_ROW_MIN or minutes % 1:
        raise HistoryError(
            f"{name}: rows lie {minutes:g} minutes apart; counts must be of single minutes, or of whole minutes "
            "up to an hour; export the history by the minute"
        )
    notes.append(
        f"rows lie {minutes:g} minutes apart: each is read as the total of the {minutes:g} minutes from its time "
        "on, spread evenly; how minutes differ within is not known: peaks of single minutes come out low"
    )
    count = int(minutes)
    spread = rows.loc[rows.index.repeat(count)].reset_index(drop=True)
    offset = pd.to_timedelta(np.tile(np.arange(count), len(rows)), unit="min")
    return spread.assign(instant=spread["instant"] + offset, count=spread["count"] / count)


def _usual_distance_min(rows: pd.DataFrame) -> float:
    """Return how far apart the rows of a series regularly lie; 1 where they are few, or not regular."""
    ordered = rows.sort_values("instant", kind="stable")
    distances = ordered.groupby(["region", "step"])["instant"].diff().dropna()
    if len(distances) < _LEAST_ROWS:
        return 1.0
    usual = distances.mode()[0]
    is_regular = (distances == usual).mean() > _REGULAR
    return float(usual / pd.Timedelta(minutes=1)) if is_regular else 1.0
