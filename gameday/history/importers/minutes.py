"""Counts a minute out of events: a history file, and how finely such counts can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from gameday.vocabulary import Array

__all__ = [
    "GRAINS_MIN",
    "GrainStatistics",
    "MinuteCounts",
    "SeriesGrains",
    "assess_grains",
]

_DAY_MIN = 1440
GRAINS_MIN = (1, 15, 60, _DAY_MIN)
"""Lengths of bins that are looked at."""
_STEADY = 0.25
"""Coefficient of variation of a Poisson count above which a bin says little: below 16 events. Ours."""
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
        minutes, regions, steps = (counts.index.get_level_values(level) for level in range(3))
        every = range(int(minutes.min()), int(minutes.max()) + 1)
        index = pd.MultiIndex.from_product(
            [every, sorted(set(regions)), sorted(set(steps))], names=["minute", "region", "step"]
        )
        out = counts.reindex(index, fill_value=0).rename("count").reset_index()
        out.insert(0, "time", pd.to_datetime(60 * out.pop("minute"), unit="s", utc=True))
        return out


@dataclass(frozen=True, slots=True)
class GrainStatistics:
    """What counts look like in bins of one length, in the hours of the week that are open."""

    mean: float
    """Events a bin."""
    empty: float
    """Share of bins without an event."""
    noise: float
    """1 / sqrt(mean): the coefficient of variation of a Poisson count, what chance alone leaves unknown."""
    dispersion: float
    """Variance over mean about the mean of the bin's hour of the week: 1 where events are independent."""


@dataclass(frozen=True, slots=True)
class SeriesGrains:
    """How finely the counts of one region and step can be told."""

    region: str
    step: str
    count: int
    """Events."""
    grains: dict[int, GrainStatistics | None]
    """Length of bins in minutes -> statistics; None where there is no whole bin."""
    finest_min: int | None
    """Shortest bins whose noise is at most a quarter; None where not even a day's is."""


def assess_grains(table: pd.DataFrame) -> list[SeriesGrains]:
    """Return of counts a minute, per region and step, what they look like in bins of each length."""
    return [
        _series_grains(str(region), str(step), rows.set_index("time")["count"].sort_index())
        for (region, step), rows in table.groupby(["region", "step"])
    ]


def _series_grains(region: str, step: str, counts: pd.Series) -> SeriesGrains:
    grains = {minutes: _grain_statistics(counts, minutes) for minutes in GRAINS_MIN}
    steady = (minutes for minutes, seen in grains.items() if seen and seen.noise <= _STEADY)
    return SeriesGrains(region, step, int(counts.sum()), grains, next(steady, None))


def _grain_statistics(counts: pd.Series, minutes: int) -> GrainStatistics | None:
    """Return what counts look like in bins of so many minutes; None where there is no whole one."""
    bins = counts.resample(f"{minutes}min").sum()
    day, hour = bins.index.day_of_week, bins.index.hour
    is_open = _is_open(bins, day)
    if minutes < _DAY_MIN:
        is_open &= _is_open(bins, hour)
    if not bins[is_open].any():
        return None
    counted, hour_of_week = bins[is_open], (24 * day + hour)[is_open]
    mean = float(counted.mean())
    residual = counted - counted.groupby(hour_of_week).transform("mean")
    degrees_of_freedom = max(1, len(counted) - len(hour_of_week.unique()))
    return GrainStatistics(
        mean=round(mean, 4),
        empty=round(float((counted == 0).mean()), 4),
        noise=round(mean**-0.5, 4),
        dispersion=round(float((residual**2).sum() / degrees_of_freedom / mean), 3),
    )


def _is_open(bins: pd.Series, when: pd.Index) -> pd.Series:
    """Return whether bins are of an hour of the day, or a day of the week, in which there is business."""
    level = bins.groupby(when).transform("mean")
    return level >= _OPEN * level.max()
