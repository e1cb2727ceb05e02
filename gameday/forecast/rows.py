"""Rows of the fit: quarter or half hours where days are ordinary, minutes where events bend them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.forecast.design import Columns, Design, Shape
from gameday.history import History
from gameday.scenario import Scenario
from gameday.scenario.events import KINDS
from gameday.vocabulary import Array

__all__ = ["Rows", "make_rows"]

_COARSE_MIN = (15, 30)
"""Width of an ordinary row, minutes: for a past of up to 400 days, and beyond. Halving it
doubles the fit's time."""

_EVENT_MARGIN_MIN = 750
"""Minutes around an event kept one by one: the widest knot (720) and a little."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Bins of the past for one region."""

    minute: Array
    """Middle of each row, minutes since 1970 UTC, float, shape (rows,)."""
    width: Array
    """Minutes in each row, shape (rows,)."""
    mean: Array
    """Mean count a minute, shape (rows, steps); NaN where no minute was known."""
    in_event: Array
    """Whether the row lies in a declared event or its margin, shape (rows,)."""
    calendar: Columns
    """The design's columns that depend on the minute alone."""

    def before(self, origin: float) -> Rows:
        """Return the rows that end at or before `origin`."""
        return self.where(self.minute + self.width / 2 <= origin)

    def where(self, keep: Array) -> Rows:
        """Return the rows where `keep`, shape (rows,)."""
        return Rows(
            self.minute[keep], self.width[keep], self.mean[keep], self.in_event[keep],
            self.calendar.rows(keep),
        )  # fmt: skip


def make_rows(history: History, scenario: Scenario, region: str) -> Rows:
    """Return the rows of `region`; launch crowds are left out (they add, not multiply)."""
    counts = history.counts[history.regions.index(region)].astype(np.float32)
    slots = history.grid.slots
    fine, masked = np.zeros(slots, bool), np.zeros(slots, bool)
    for event, start, end in scenario.occurrences(region):
        first, last = history.grid.index_of(start), history.grid.index_of(end)
        kind = KINDS[event.kind]
        if kind.masked_min is not None:
            masked[max(0, first - 5) : max(0, last + int(kind.masked_min))] = True
        elif kind.start_knots_min:
            fine[max(0, first - _EVENT_MARGIN_MIN) : max(0, last + _EVENT_MARGIN_MIN)] = True
    counts = np.where(masked, np.nan, counts)
    edges = _edges(fine, slots, _COARSE_MIN[slots > 400 * 1440])
    width = np.diff(edges)
    known = np.add.reduceat(~np.isnan(counts), edges[:-1], axis=1)
    total = np.add.reduceat(np.nan_to_num(counts), edges[:-1], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known > 0, total / known, np.nan)
    middle = history.grid.epoch_min + edges[:-1] + width / 2
    anywhere = Design(scenario, region, 0.0, 0.0, Shape(1, 1, 1))
    calendar = anywhere.calendar_columns(middle)
    return Rows(middle, width.astype(float), mean.T, fine[edges[:-1]], calendar)


def _edges(fine: Array, slots: int, coarse_min: int) -> Array:
    """Return row boundaries: every minute where `fine`, else every `coarse_min`."""
    start = np.arange(slots) % coarse_min == 0
    start |= fine | np.concatenate([[False], fine[:-1]])
    return np.append(np.flatnonzero(start), slots)
