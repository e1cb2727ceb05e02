"""Orders written as a row an article: which rows are a further article of an order."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gameday.vocabulary import Array

__all__ = ["OrderRows"]


class OrderRows:
    """Counts orders part by part: rows of one customer at one instant are one order."""

    def __init__(self) -> None:
        self.more = 0
        """Rows that are a further article of an order."""
        self._last = np.empty(0, np.uint64)

    def are_new(self, who: Array, at_s: Array, is_order: Array) -> Array:
        """Return which rows of a part are no further article of an order, of this part or of the one before."""
        keys = pd.util.hash_pandas_object(
            pd.DataFrame({"who": who[is_order], "at_s": at_s[is_order]}), index=False
        ).to_numpy()
        again = np.zeros(len(who), bool)
        again[is_order] = pd.Series(keys).duplicated().to_numpy() | np.isin(keys, self._last)
        self._last = keys
        self.more += int(again.sum())
        return ~again
