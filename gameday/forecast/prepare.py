"""From a history to what is learned from: launches' crowds, robots and what a person masked taken out."""

from __future__ import annotations

from collections.abc import Sequence

from gameday.forecast.outliers import Masked, asked_masks, find_outliers, mask
from gameday.forecast.past import Past
from gameday.forecast.rows import without_launches
from gameday.forecast.task import RegionCalendar
from gameday.history import History

__all__ = ["prepare"]


def prepare(calendars: Sequence[RegionCalendar], known: History) -> tuple[list[Past], list[Masked]]:
    """Return each region's past without what is masked, and what that is; calendars are in the history's order."""
    pasts, masked = [], []
    for index, calendar in enumerate(calendars):
        counts = without_launches(known.counts[index], known.grid, calendar)
        past = Past(calendar, known.grid, counts)
        asked = asked_masks(past, known.steps)
        past = mask(past, asked, known.steps)
        found = find_outliers(past, known.steps)
        pasts.append(mask(past, found, known.steps))
        masked += asked + found
    return pasts, masked
