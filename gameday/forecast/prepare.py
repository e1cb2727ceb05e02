"""From a history to what is learned from: launches' crowds, robots and what a person masked taken out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gameday.errors import HistoryError
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
        if asked:
            _require_minutes(past, known.steps)
        found = find_outliers(past, known.steps)
        pasts.append(mask(past, found, known.steps))
        masked += asked + found
    return pasts, masked


def _require_minutes(past: Past, steps: tuple[str, ...]) -> None:
    """Raise HistoryError where masks leave nothing of a series to learn from."""
    for step, row in zip(steps, past.counts, strict=True):
        if np.isnan(row).all():
            raise HistoryError(
                f"{past.calendar.region} {step}: masks leave no minute of the past to learn from; mask less"
            )
