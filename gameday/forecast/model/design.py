"""The calendar as columns: every ingredient's, by name, so that a forecast can be read back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.scenario.ingredients import Origin, Part, Shape
from gameday.vocabulary import Array

__all__ = ["Columns", "Design", "calendar_columns"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Part of a design matrix."""

    values: Array
    """Shape (rows, columns), float32."""
    blocks: tuple[str, ...]
    """The ingredient of each column."""
    penalty: Array
    """The ridge of each column: relative to all weight or, where negative, minus so many minutes of data."""

    def rows(self, keep: Array | slice) -> Columns:
        """Return the rows where `keep`."""
        if not isinstance(keep, slice) and keep.all():
            return self
        return replace(self, values=self.values[keep])

    def beside(self, other: Columns) -> Columns:
        """Return these columns and then the other's."""
        return Columns(
            np.concatenate([self.values, other.values], axis=1),
            self.blocks + other.blocks,
            np.concatenate([self.penalty, other.penalty]),
        )


def _joined(parts: Iterable[Part], rows: int) -> Columns:
    found = list(parts)
    if not found:
        return Columns(np.empty((rows, 0), np.float32), (), np.empty(0))
    return Columns(
        np.concatenate([values for _, values, _ in found], axis=1, dtype=np.float32),
        tuple(name for name, values, _ in found for _ in range(values.shape[1])),
        np.concatenate([penalty for _, _, penalty in found]),
    )


def calendar_columns(calendar: RegionCalendar, minute: Array) -> Columns:
    """Return the columns that depend on neither origin nor trend: days, weeks, events."""
    parts = calendar.block.ingredients.calendar_columns(calendar.when(minute))
    return _joined(parts, len(minute))


@dataclass(frozen=True, slots=True)
class Design:
    """Columns for one region's calendar, for a past that runs from `first` to `origin`."""

    calendar: RegionCalendar
    first_min: float
    """Start of the past, minutes since 1970 UTC."""
    origin_min: float
    """End of the past, minutes since 1970 UTC."""
    shape: Shape

    def columns(self, minute: Array, fixed: Columns | None = None) -> Columns:
        """Return every column at `minute`; `fixed`, if given, is `calendar_columns(minute)`."""
        month = self.calendar.month(minute) if self.shape.is_monthly else None
        origin = Origin(minute, self.first_min, self.origin_min, self.shape, month)
        own = _joined(self.calendar.block.ingredients.origin_columns(origin), len(minute))
        return own.beside(fixed or calendar_columns(self.calendar, minute))
