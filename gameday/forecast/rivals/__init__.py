"""What people would use instead, benchmarked on the same origins with the same calendar. One file a rival.

`last week` and `median of weeks` need nothing; the others are extras, benchmarked where they are installed.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

from gameday.errors import UsageError
from gameday.forecast.data.training_data import Past
from gameday.forecast.rivals import last_week, lightgbm_trees, median_weeks, statsforecast_mstl
from gameday.scenario import did_you_mean
from gameday.vocabulary import Array

__all__ = ["RIVALS", "Rival", "chosen_rivals", "installed"]


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


def chosen_rivals(text: str, *, by_day: bool) -> list[Rival]:
    """Return the rivals that `text` names: names with commas, `installed` for all that are, or `none`.

    UsageError where one is unknown or not to be had at that grain.
    """
    here = installed(daily=by_day)
    if text == "none":
        return []
    if text == "installed":
        return here
    chosen = []
    for name in (part.strip() for part in text.split(",")):
        if name not in RIVALS:
            raise UsageError(f"--rivals: unknown '{name}'{did_you_mean(name, RIVALS)}")
        if RIVALS[name] not in here:
            raise UsageError(
                f"--rivals: '{name}' is not to be had here: it needs the package {RIVALS[name].package} "
                "(an extra of gameday), or forecasts another grain"
            )
        chosen.append(RIVALS[name])
    return chosen
