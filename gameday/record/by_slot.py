"""Numbers of a run by their names: what a selector of RunRecord gives instead of axes by number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.vocabulary import Array

__all__ = ["BySlot", "known_sum"]


@dataclass(frozen=True, slots=True)
class BySlot:
    """Named measures slot by slot: `steps["sent"]` is an array of shape (slots,)."""

    names: tuple[str, ...]
    values: Array
    """Shape (names, slots); NaN = not observed."""

    def __getitem__(self, name: str) -> Array:
        """Return one measure, shape (slots,)."""
        return np.asarray(self.values[self.names.index(name)])

    def together(self, *names: str) -> Array:
        """Return the sum of some measures, shape (slots,)."""
        return np.asarray(self.values[[self.names.index(name) for name in names]].sum(axis=0))

    def total(self, *names: str) -> float:
        """Return the sum of some measures over all slots; NaN where one was not observed at all."""
        rows = self.values[[self.names.index(name) for name in names]]
        return float(known_sum(rows).sum())

    def count(self, *names: str) -> int:
        """Return the sum of some measures over all slots as a whole number."""
        return int(self.total(*names))


def known_sum(values: Array) -> Array:
    """Return sums over the last axis of what was observed; NaN where nothing was."""
    seen = ~np.isnan(values)
    return np.asarray(np.where(seen.any(axis=-1), np.nansum(values, axis=-1), np.nan))
