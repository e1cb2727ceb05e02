"""The event minute by minute: bands over replications, as they are drawn and as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gameday.experiments.replications.replication import (
    QUANTITIES,
    UNITS,
    Replication,
    Replications,
)
from gameday.record.intervals import rounded, t_bands
from gameday.vocabulary import Array

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DRAWN", "StackSeries", "minute_bands", "series_of", "series_table"]

DRAWN = ("utilisation", "wait_s", "p99_s", "turned_away")
"""Quantities that are drawn minute by minute."""
_MOST_POINTS = 600

Drawn = tuple[list[float | None], ...]
"""Mid, low and high of each point."""


@dataclass(frozen=True, slots=True)
class StackSeries:
    """A stack's points in time, and what is drawn of its services."""

    slot_utc: tuple[str, ...]
    services: dict[str, dict[str, Drawn]]
    """Service -> quantity of DRAWN -> mid, low, high."""


def minute_bands(runs: list[Replication]) -> tuple[Array, Array, Array]:
    """Return mid, low and high of every minute of a stack, each (QUANTITIES, services, slots)."""
    mid, low, high = t_bands(np.stack([run.series for run in runs]))
    most = np.array([1.0 if UNITS[q] == "share" else np.inf for q in QUANTITIES])[:, None, None]
    return mid, np.maximum(low, 0.0), np.minimum(high, most)


def series_of(replications: Replications) -> dict[str, StackSeries]:
    """Return stack -> what is drawn of it.

    A long window is thinned to _MOST_POINTS: the highest of the middle, the widest of the band.
    """
    series = {}
    for runs in map(list, zip(*replications, strict=True)):
        slots = runs[0].grid.slots
        firsts = np.arange(0, slots, -(-slots // _MOST_POINTS))
        bands = [
            reduce.reduceat(band, firsts, axis=2)
            for reduce, band in zip((np.fmax, np.fmin, np.fmax), minute_bands(runs), strict=True)
        ]
        series[runs[0].stack] = StackSeries(
            tuple(runs[0].grid.instant(int(slot)).isoformat() for slot in firsts),
            {
                name: {
                    quantity: tuple(
                        rounded(band[QUANTITIES.index(quantity), number]) for band in bands
                    )
                    for quantity in DRAWN
                }
                for number, name in enumerate(runs[0].services)
            },
        )
    return series


def series_table(replications: Replications) -> pd.DataFrame:
    """Return every minute's numbers with their intervals, as `event.parquet` holds them."""
    import pandas as pd

    frames = [_stack_table(list(runs)) for runs in zip(*replications, strict=True)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _stack_table(runs: list[Replication]) -> pd.DataFrame:
    """Return the same of one stack's replications."""
    import pandas as pd

    minutes = pd.to_datetime(runs[0].grid.minutes(), unit="m", utc=True)
    index = pd.MultiIndex.from_product(
        [[runs[0].stack], QUANTITIES, runs[0].services, minutes],
        names=["stack", "quantity", "service", "slot_utc"],
    )
    bands = zip(("mid", "low", "high"), minute_bands(runs), strict=True)
    columns = {name: band.ravel() for name, band in bands}
    return pd.DataFrame(columns, index=index).reset_index()
