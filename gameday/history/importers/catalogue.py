"""What a log says of the articles: how often each was looked at, by product type, and at what price."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from gameday.vocabulary import Array

__all__ = ["Catalogue"]


@dataclass(slots=True)
class Catalogue:
    """Counts of articles; it grows with the catalogue, not with the log."""

    seen: dict[str, Counter[str]] = field(default_factory=dict)
    """Product type -> article -> how often it was looked at, put in a cart or ordered."""
    worth: dict[str, list[float]] = field(default_factory=dict)
    """Product type -> sum of prices and their number: of what was ordered, then of all that was seen."""

    def add(
        self, types: pd.Series, articles: pd.Series | None, prices: pd.Series | None, ordered: Array
    ) -> None:
        """Count the events of a part; all of one length."""
        if articles is not None:
            self._add_articles(types, articles)
        if prices is not None:
            self._add_prices(types.to_numpy(object), prices, ordered)

    def _add_articles(self, types: pd.Series, articles: pd.Series) -> None:
        counts = pd.DataFrame({"type": types, "article": articles.astype("string")})
        for (kind, article), n in counts.value_counts(["type", "article"]).items():
            self.seen.setdefault(str(kind), Counter())[str(article)] += int(n)

    def _add_prices(self, types: Array, prices: pd.Series, ordered: Array) -> None:
        price = pd.to_numeric(prices, errors="coerce").to_numpy(float)
        is_price = np.isfinite(price) & (price > 0)
        for first, chosen in ((0, is_price & ordered), (2, is_price)):
            by_type = pd.Series(price[chosen]).groupby(types[chosen])
            for kind, row in by_type.agg(["sum", "size"]).iterrows():
                sums = self.worth.setdefault(str(kind), [0.0] * 4)
                sums[first] += float(row["sum"])
                sums[first + 1] += float(row["size"])

    def counts(self, names: list[str]) -> Array:
        """Return how often each article of these types was seen, most first."""
        found = [n for name in names for n in self.seen.get(name, Counter[str]()).values()]
        return np.array(sorted(found, reverse=True), float)

    def price(self, names: list[str]) -> float | None:
        """Return the mean price of what was ordered of these types; where nothing was, of what was seen."""
        sums = np.sum([self.worth.get(name, [0.0] * 4) for name in names], axis=0)
        for total, count in (sums[:2], sums[2:]):
            if count:
                return float(total / count)
        return None
