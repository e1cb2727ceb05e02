"""A member that another model told: its counts of the time ahead, as it said them, events included."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gameday.vocabulary import Array

__all__ = ["Told"]


@dataclass(frozen=True, slots=True)
class Told:
    """What another model said of the time ahead, by rows of equal length."""

    name: str
    first_min: float
    """Where its first row begins, minutes since 1970 UTC."""
    width_min: float
    """How long a row is."""
    log: Array
    """log(1 + counts a minute, or a day), shape (rows, series); NaN where it said nothing."""

    def at(self, minute: Array) -> Array:
        """Return the log at minutes since 1970 UTC, shape (n, series); NaN beyond what it said."""
        row = np.floor((minute - self.first_min) / self.width_min).astype(int)
        inside = (row >= 0) & (row < len(self.log))
        out = np.full((len(minute), self.log.shape[1]), np.nan)
        out[inside] = self.log[row[inside]]
        return out

    def without_last(self) -> Told:
        """Return it without its last series."""
        return replace(self, log=self.log[:, :-1])

    @property
    def is_silent(self) -> Array:
        """Of which series it left out any row, shape (series,)."""
        return np.asarray(np.isnan(self.log).any(axis=0))
