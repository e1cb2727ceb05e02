"""What people would use instead, benchmarked on the same origins with the same calendar. One file a rival.

`last week` and `median of weeks` need nothing; the others are extras, benchmarked where they are installed.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

from gameday.forecast.data.training_data import Past
from gameday.forecast.rivals import last_week, lightgbm_trees, median_weeks, statsforecast_mstl
from gameday.vocabulary import Array

__all__ = ["RIVALS", "Rival", "installed"]


class Rival(Protocol):
    """A way to forecast."""

    name: str
    """As the command knows it."""
    package: str | None
    """What must be installed; None: nothing."""
    daily: bool
    """Whether it forecasts days."""
    minutes: bool
    """Whether it forecasts minutes."""

    def __call__(self, past: Past, minute: Array) -> Array:
        """Return counts of slots that start at `minute`, minutes since 1970 UTC, shape (n, series)."""


RIVALS: dict[str, Rival] = {
    rival.name: rival
    for rival in (
        last_week.LastWeek(),
        median_weeks.MedianWeeks(),
        lightgbm_trees.LightGBMTrees(),
        statsforecast_mstl.StatsForecastMSTL(),
    )
}


def installed(*, daily: bool) -> list[Rival]:
    """Return the rivals that can be benchmarked here at a grain."""
    return [
        rival
        for rival in RIVALS.values()
        if (rival.daily if daily else rival.minutes)
        and (rival.package is None or find_spec(rival.package) is not None)
    ]
