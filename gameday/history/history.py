"""The product: counts of steps in the past, per minute."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from gameday.vocabulary import Array, TimeGrid

__all__ = ["History"]


@dataclass(frozen=True, slots=True)
class History:
    """What happened, per region, step and minute."""

    grid: TimeGrid
    regions: tuple[str, ...]
    steps: tuple[str, ...]
    counts: Array
    """Shape (regions, steps, slots), float32, >= 0; NaN = not known."""
    source: str
    """The file's name, or `synthetic`."""
    sha256: str
    """Of the file, or of what made the synthetic past."""
    notes: tuple[str, ...] = ()
    """What was found and mended on the way in: gaps, duplicates, DST."""

    def known_before(self, instant: datetime) -> History:
        """Return the part of the past that was known at `instant`."""
        return self.known_before_minute(instant.timestamp() / 60)

    def known_before_minute(self, minute: float) -> History:
        """Return the part of the past that was known at `minute` since 1970 UTC."""
        slots = max(0, min(self.grid.slots, math.floor(minute) - self.grid.epoch_min))
        return replace(self, grid=self.grid.part(0, slots), counts=self.counts[:, :, :slots])

    def during(self, grid: TimeGrid) -> Array | None:
        """Return counts over `grid`, shape (regions, steps, grid.slots); None if not all known."""
        first = self.grid.index_of(grid.start)
        if first < 0 or first + grid.slots > self.grid.slots:
            return None
        return self.counts[:, :, first : first + grid.slots]
