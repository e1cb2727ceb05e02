"""How classes of customer and product types are mixed, by region and hour, and which articles are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from scipy import optimize

from gameday.history.importers import Sessions
from gameday.vocabulary import Array

__all__ = [
    "Popular",
    "ProductMix",
    "block_of",
    "hours_of",
    "popular",
    "product_mix",
    "shares_by_region",
]

_LEAST_S = 2 * 86_400.0
"""Of a log from which weights by hour are told: each hour is then there twice."""
_HOUR_WEIGHT = 30.0
"""Sessions of the whole's mix that each hour begins with: an hour of few says little."""


@dataclass(frozen=True, slots=True)
class Popular:
    """How demand falls off over a type's articles: Zipf-Mandelbrot, fitted by likelihood."""

    items: int
    exponent: float
    shift: float
    distance: float
    """Largest gap between the law's and the seen shares added up by rank."""


@dataclass(frozen=True, slots=True)
class ProductMix:
    """A product type in a log."""

    name: str
    share: dict[str, float]
    """Region (`all` where the log says none) -> share of the sessions that are about any type."""
    hours: list[float] | None
    price: float | None
    popular: Popular | None


def popular(counts: Array) -> Popular:
    """Return the law of counts of articles, most first; `counts` has one entry an article, each above 0.

    Ranks are those of the counts themselves, so with few events the law is steeper than the truth.
    """
    ranks, total = np.arange(1, len(counts) + 1), counts.sum()
    if len(counts) < 3:
        return Popular(len(counts), 0.0, 0.0, 0.0)

    def law(at: Array) -> Array:
        weights = (ranks + np.exp(at[1])) ** -at[0]
        return np.asarray(weights / weights.sum())

    def loss(at: Array) -> float:
        return float(-(counts * np.log(np.maximum(law(at), 1e-300))).sum() / total)

    bounds = [(0.0, 5.0), (np.log(0.01), np.log(1e5))]
    found = min(
        (
            optimize.minimize(loss, np.array(start), method="Nelder-Mead", bounds=bounds)
            for start in ((1.0, 0.0), (0.6, 3.0))
        ),
        key=lambda result: float(result.fun),
    )
    gap = np.abs(np.cumsum(law(found.x)) - np.cumsum(counts) / total).max()
    shift = float(np.exp(found.x[1]))
    return Popular(len(counts), round(float(found.x[0]), 4), round(shift, 4), float(gap))


def shares_by_region(seen: Sessions, group: Array, groups: int) -> dict[str, Array]:
    """Return region -> share of its sessions in each group, shape (groups,); `all` where the log says none.

    `group` is (sessions,); those below 0 are left out.
    """
    out = {}
    for number, name in enumerate(seen.regions or ("all",)):
        mine = group[(seen.region_of == number) & (group >= 0)]
        counts = np.bincount(mine, minlength=groups)
        out[name] = counts / max(1, counts.sum())
    return out


def hours_of(seen: Sessions, group: Array, groups: int, zones: dict[str, str]) -> Array | None:
    """Return the weight of each group's share by local hour, shape (groups, 24), 1 in the mean of its sessions.

    None where the log is shorter than two days. `zones` are those of the regions; UTC where there is none.
    """
    if seen.count == 0 or seen.at_s.max() - seen.at_s.min() < _LEAST_S:
        return None
    starts, hour = seen.at_s[seen.firsts[:-1]], np.zeros(seen.count, int)
    for number, name in enumerate(seen.regions or ("all",)):
        mine = seen.region_of == number
        hour[mine] = _local_hours(starts[mine], zones.get(name, "UTC"))
    known = group >= 0
    counts = np.zeros((groups, 24))
    np.add.at(counts, (group[known], hour[known]), 1)
    share = counts.sum(axis=1, keepdims=True) / max(1.0, counts.sum())
    weights = (counts + _HOUR_WEIGHT * share) / (counts.sum(axis=0) + _HOUR_WEIGHT)
    return np.asarray(np.divide(weights, share, out=np.ones(counts.shape), where=share > 0))


def _local_hours(at_s: Array, zone: str) -> Array:
    """Return the local hour of instants, s since 1970."""
    whole, places = np.unique(at_s // 3600, return_inverse=True)
    info = ZoneInfo(zone)
    return np.array([datetime.fromtimestamp(3600 * h, info).hour for h in whole], int)[places]


def product_mix(seen: Sessions, about: Array, zones: dict[str, str]) -> tuple[ProductMix, ...]:
    """Return the product types of a log, largest first; empty where it has none."""
    group, n = about - 1, len(seen.types) - 1
    if n < 1 or not (group >= 0).any():
        return ()
    shares, hours = shares_by_region(seen, group, n), hours_of(seen, group, n, zones)
    out = []
    for k, name in enumerate(seen.types[1:]):
        rest = [t for t in seen.catalogue.seen if t == "other" or t not in seen.types]
        own = rest if name == "other" else [name]
        counts = seen.catalogue.counts(own)
        out.append(
            ProductMix(
                name,
                {region: float(row[k]) for region, row in shares.items()},
                None if hours is None else [round(float(w), 4) for w in hours[k]],
                seen.catalogue.price(own),
                popular(counts) if len(counts) else None,
            )
        )
    return tuple(one for one in out if any(one.share.values()))


def block_of(one: ProductMix, regions: dict[str, float]) -> dict[str, Any]:
    """Return a product type as a scenario writes it; `regions` are its shares there."""
    block: dict[str, Any] = {"share": regions}
    if one.hours is not None:
        block["hours"] = one.hours
    if one.popular is not None:
        block["items"] = min(one.popular.items, 100_000)
        if one.popular.items >= 3:
            block["popularity"] = {"exponent": one.popular.exponent, "shift": one.popular.shift}
    if one.price is not None:
        block["price"] = round(one.price, 2)
    return block
