"""Orders written as a row an article: which rows are a further article of an order."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gameday.vocabulary import Array

__all__ = ["OrderRows"]

_AT_ONCE_S = 2.0
"""Rows of one customer's orders this close are articles of one order. Ours: nobody orders twice in two seconds."""


class OrderRows:
    """Counts orders part by part: by the name of the order, else rows of one customer at once are one order."""

    def __init__(self) -> None:
        self.more = 0
        """Rows that are a further article of an order."""
        self.why = "of the same customer within two seconds"
        self._named = np.empty(0, np.uint64)
        """Hashes of the orders that were seen, by name."""
        self._last_s = pd.Series(dtype=float)
        """Customer -> instant of the last row of an order in the part before."""

    def are_new(
        self, who: Array, at_s: Array, is_order: Array, order: pd.Series | None = None
    ) -> Array:
        """Return which rows of a part are no further article of an order that was seen, in it or before it.

        `who`, `at_s`, `is_order` and `order`, the name of each row's order, have shape (rows,).
        """
        again = np.zeros(len(who), bool)
        if order is not None:
            self.why = "of one name"
            again[is_order] = self._named_before(order[is_order])
        else:
            again[is_order] = self._at_once(who[is_order], at_s[is_order])
        self.more += int(again.sum())
        return ~again

    def _named_before(self, order: pd.Series) -> Array:
        """Return which rows name an order that was named before; a row without a name is an order of its own."""
        names = pd.util.hash_array(order.fillna("").to_numpy(object))
        is_named = order.notna().to_numpy() & (order.fillna("") != "").to_numpy()
        again = (pd.Series(names).duplicated().to_numpy() | np.isin(names, self._named)) & is_named
        self._named = np.union1d(self._named, names[is_named])
        return np.asarray(again)

    def _at_once(self, who: Array, at_s: Array) -> Array:
        """Return which rows follow another of the same customer within two seconds."""
        rows = pd.DataFrame({"who": who, "at_s": at_s}).sort_values(["who", "at_s"], kind="stable")
        before_s = rows.groupby("who")["at_s"].shift()
        before_s = before_s.fillna(rows["who"].map(self._last_s))
        again = (rows["at_s"] - before_s).abs() <= _AT_ONCE_S
        self._last_s = rows.groupby("who")["at_s"].last()
        return np.asarray(again.sort_index())
