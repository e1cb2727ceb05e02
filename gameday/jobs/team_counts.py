"""Counts a minute by region and team, of a file: what a publication is made of, and what is added to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gameday.errors import HistoryError
from gameday.history import History, read_any_history
from gameday.scenario import Scenario

__all__ = ["read_team_counts"]

_MOST_NAMES = 5


def read_team_counts(
    file: Path, scenario: Scenario, teams: tuple[str, ...] | None = None
) -> History:
    """Return a file's counts, regions in the scenario's order.

    `teams`: those that were published, which must all be there; None: whichever there are. The only region and
    the only team need not be named. HistoryError where regions or teams are others.
    """
    block = scenario.history
    mapped = block.columns if block.columns.model_fields_set else None
    found = read_any_history(file, time_zone=block.time_zone, columns=mapped, absent=block.absent)
    if found.steps == ("count",) and teams is not None and len(teams) == 1:
        found = replace(found, steps=teams)
    if found.regions == ("all",) and len(scenario.regions) == 1:
        found = replace(found, regions=scenario.region_names)
    if set(found.regions) != set(scenario.regions):
        raise HistoryError(
            f"{file}: regions must be {', '.join(scenario.regions)} (got {', '.join(found.regions)})"
        )
    if teams is not None and (strange := sorted(set(teams) ^ set(found.steps))):
        raise HistoryError(
            f"{file}: not the published teams: {', '.join(strange[:_MOST_NAMES])} on one side only"
        )
    order = [found.regions.index(name) for name in scenario.region_names]
    return replace(found, regions=scenario.region_names, counts=found.counts[order])
