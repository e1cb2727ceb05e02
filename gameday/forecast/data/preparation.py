"""From a history to the training data: launches' crowds, robots and what a person masked taken out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.coarse_rows import minutes_of_rows, row_notes
from gameday.forecast.data.fit_rows import without_launches
from gameday.forecast.data.outliers import Masked, asked_masks, find_outliers, mask
from gameday.forecast.data.training_data import Past
from gameday.forecast.parallel import side_by_side
from gameday.forecast.rivals.outside import outside_members
from gameday.history import History
from gameday.vocabulary import Array

__all__ = ["prepare"]


def prepare(
    calendars: Sequence[RegionCalendar], known: History, *, by_day: bool = False
) -> tuple[list[Past], list[Masked]]:
    """Return each region's past without what is masked, and what that is; calendars are in the history's order.

    Where rows are longer than minutes, how their minutes lie is borrowed from finer ones; HistoryError where none
    tell. `by_day`: nobody asks for minutes; then nothing is taken for an outlier, for those are minutes.
    """
    if not by_day:
        row_notes(known, calendars)

    def of_region(index: int, counts: Array) -> tuple[Past, list[Masked]]:
        past = _past(calendars[index], known, index, counts)
        declared = asked_masks(past, known.steps)
        past = mask(past, declared, known.steps)
        _require_minutes(
            past, known.steps, "masks leave no minute of the past to learn from; mask less"
        )
        found = [] if by_day else find_outliers(past, known.steps)
        return mask(past, found, known.steps), declared + found

    prepared = side_by_side(of_region, enumerate(minutes_of_rows(known, calendars)))
    return [past for past, _ in prepared], [each for _, masked in prepared for each in masked]


def _past(calendar: RegionCalendar, known: History, region: int, counts: Array) -> Past:
    """Return a region's past, of counts (steps, slots), without launches; HistoryError where nothing is known."""
    counts = without_launches(counts, known.grid, calendar)
    members = outside_members(known, region, calendar.block)
    past = Past(calendar, known.grid, counts, raw=counts, asked=members)
    _require_minutes(
        past, known.steps, "no minute of the past is known; give its counts, 0 where none came"
    )
    return past


def _require_minutes(past: Past, steps: tuple[str, ...], why: str) -> None:
    """Raise HistoryError where nothing of a series is known to learn from."""
    for step, row in zip(steps, past.counts, strict=True):
        if np.isnan(row).all():
            raise HistoryError(f"{past.calendar.region} {step}: {why}")
