"""Counts a minute out of events: a history file, and how finely such counts can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from gameday.vocabulary import Array

__all__ = ["GRAINS_MIN", "MinuteCounts", "permits"]

GRAINS_MIN = (1, 15, 60, 1440)
_STEADY = 0.25
"""Noise of chance alone, one standard deviation over the mean, above which a bin says little: below 16 events.
Ours."""
_OPEN = 0.1
"""An hour of the day, or a day of the week, with less than this of the busiest one's events is taken as closed."""


@dataclass(slots=True)
class MinuteCounts:
    """Events by minute, region and step; it grows with the time a log covers, not with its events."""

    parts: list[pd.Series] = field(default_factory=list)

    def add(self, at_s: Array, region: Array | str, step: Array) -> None:
        """Count events: seconds since 1970, names of regions and of steps."""
        rows = pd.DataFrame(
            {"minute": (at_s // 60).astype(np.int64), "region": region, "step": step}
        )
        self.parts.append(rows.groupby(["minute", "region", "step"]).size())
        if len(self.parts) > 32:
            self.parts = [self._sum()]

    def _sum(self) -> pd.Series:
        return pd.concat(self.parts).groupby(level=[0, 1, 2]).sum()

    def table(self) -> pd.DataFrame:
        """Return columns time, region, step, count: every minute from the first event to the last, zeros too."""
        if not self.parts:
            return pd.DataFrame({"time": [], "region": [], "step": [], "count": []})
        counts = self._sum()
        minutes = counts.index.get_level_values(0)
        every = range(int(minutes.min()), int(minutes.max()) + 1)
        names = [sorted(set(counts.index.get_level_values(k))) for k in (1, 2)]
        index = pd.MultiIndex.from_product([every, *names], names=["minute", "region", "step"])
        out = counts.reindex(index, fill_value=0).rename("count").reset_index()
        out.insert(0, "time", pd.to_datetime(60 * out.pop("minute"), unit="s", utc=True))
        return out


def permits(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return per region and step of counts a minute how they look at each grain, and the finest that is steady.

    Of the hours of the week that are open: noise is 1 / sqrt(mean), what chance alone leaves unknown of a bin;
    dispersion is variance over mean about the mean of that hour of the week, 1 where events are independent. The
    finest grain is the first whose noise is at most a quarter; None where not even a day's is.
    """
    out = []
    for (region, step), rows in table.groupby(["region", "step"]):
        counts = rows.set_index("time")["count"].sort_index()
        row: dict[str, Any] = {
            "region": region,
            "step": step,
            "count": int(counts.sum()),
            "grains": {},
        }
        for minutes in GRAINS_MIN:
            row["grains"][minutes] = _at_grain(counts, minutes)
        steady = [g for g, seen in row["grains"].items() if seen and seen["noise"] <= _STEADY]
        row["finest_min"] = steady[0] if steady else None
        out.append(row)
    return out


def _at_grain(counts: pd.Series, minutes: int) -> dict[str, float] | None:
    """Return what counts look like in bins of so many minutes; None where there is no whole one."""
    bins = counts.resample(f"{minutes}min").sum()
    day, hour = bins.index.day_of_week, bins.index.hour
    is_open = _is_open(bins, day) if minutes == 1440 else _is_open(bins, day) & _is_open(bins, hour)
    if not bins[is_open].any():
        return None
    mine, when = bins[is_open], (24 * day + hour)[is_open]
    mean = float(mine.mean())
    away = mine - mine.groupby(when).transform("mean")
    free = max(1, len(mine) - len(when.unique()))
    return {
        "mean": round(mean, 4),
        "empty": round(float((mine == 0).mean()), 4),
        "noise": round(mean**-0.5, 4),
        "dispersion": round(float((away**2).sum() / free / mean), 3),
    }


def _is_open(bins: pd.Series, when: pd.Index) -> pd.Series:
    """Return whether bins are of an hour of the day, or a day of the week, in which there is business."""
    level = bins.groupby(when).transform("mean")
    return level >= _OPEN * level.max()
