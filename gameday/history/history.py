"""The product: counts of steps in the past, per minute."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from gameday.history.member_forecasts import MemberForecasts
from gameday.vocabulary import Array, TimeGrid

__all__ = ["CoarseRows", "History"]


@dataclass(frozen=True, slots=True)
class CoarseRows:
    """Rows of a series, one after the other, that are longer than a minute: its counts there are spread evenly."""

    region: int
    """Number in `History.regions`."""
    step: int
    """Likewise."""
    edges: Array
    """Slots at which they begin, and that after the last one, shape (rows + 1,)."""

    def before(self, slots: int) -> CoarseRows:
        """Return the rows that end by slot `slots`."""
        whole = int(np.searchsorted(self.edges, slots, "right"))
        return replace(self, edges=self.edges[:whole])


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
    coarse: tuple[CoarseRows, ...] = ()
    """Which counts are spread from rows of more than a minute."""
    members: tuple[MemberForecasts, ...] = ()
    """What other models forecast of it at earlier origins."""

    def known_before(self, instant: datetime) -> History:
        """Return the part of the past that was known at `instant`."""
        return self.known_before_minute(instant.timestamp() / 60)

    def known_before_minute(self, minute: float) -> History:
        """Return the part of the past that was known at `minute` since 1970 UTC."""
        slots = max(0, min(self.grid.slots, math.floor(minute) - self.grid.epoch_min))
        coarse = [rows.before(slots) for rows in self.coarse]
        return replace(
            self,
            grid=self.grid.part(0, slots),
            counts=self.counts[:, :, :slots],
            coarse=tuple(rows for rows in coarse if len(rows.edges) > 1),
            members=tuple(each.known_before(minute) for each in self.members),
        )

    def during(self, grid: TimeGrid) -> Array | None:
        """Return counts over `grid`, shape (regions, steps, grid.slots); None if not all known."""
        first = self.grid.index_of(grid.start)
        if first < 0 or first + grid.slots > self.grid.slots:
            return None
        return self.counts[:, :, first : first + grid.slots]
