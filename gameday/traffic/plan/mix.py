"""How classes of customer and product types are mixed, by region and hour, and which articles are in demand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import numpy as np
from scipy import optimize

from gameday.history.importers import Sessions
from gameday.products import WhereKnown
from gameday.vocabulary import Array

__all__ = [
    "FittedPopularity",
    "GroupMix",
    "ProductBlock",
    "ProductMix",
    "fit_popularity",
    "measure_group_mix",
    "measure_product_mix",
    "product_block",
]

_LEAST_S = 2 * 86_400.0
"""Length of a log below which there are no weights by hour: each hour is to be there twice."""
_HOUR_WEIGHT = 30.0
"""Sessions of the overall mix that are added to every hour (a prior): few sessions say little of an hour."""
_MOST_ITEMS = 100_000
"""Articles of a type in a proposed scenario, at most."""


@dataclass(frozen=True, slots=True)
class FittedPopularity:
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
    popular: FittedPopularity | None


def fit_popularity(counts: Array) -> FittedPopularity:
    """Return the law of counts of articles, most first; `counts` has one entry an article, each above 0.

    Ranks are those of the counts themselves, so with few events the law is steeper than the truth.
    """
    if len(counts) < 3:
        return FittedPopularity(len(counts), 0.0, 0.0, 0.0)
    parameters = _likeliest(counts)
    gap = np.abs(
        np.cumsum(_zipf_mandelbrot(len(counts), parameters)) - np.cumsum(counts) / counts.sum()
    )
    return FittedPopularity(
        len(counts),
        exponent=round(float(parameters[0]), 4),
        shift=round(float(np.exp(parameters[1])), 4),
        distance=float(gap.max()),
    )


def _zipf_mandelbrot(items: int, parameters: Array) -> Array:
    """Return the share of the article of each rank; parameters are the exponent and the logarithm of the shift."""
    weights = (np.arange(1, items + 1) + np.exp(parameters[1])) ** -parameters[0]
    return np.asarray(weights / weights.sum())


def _likeliest(counts: Array) -> Array:
    """Return the parameters of `_zipf_mandelbrot` that make the counts likeliest, from two starting points."""
    total = counts.sum()

    def loss(parameters: Array) -> float:
        shares = _zipf_mandelbrot(len(counts), parameters)
        return float(-(counts * np.log(np.maximum(shares, 1e-300))).sum() / total)

    bounds = [(0.0, 5.0), (np.log(0.01), np.log(1e5))]
    results = (
        optimize.minimize(loss, np.array(start), method="Nelder-Mead", bounds=bounds)
        for start in ((1.0, 0.0), (0.6, 3.0))
    )
    return np.asarray(min(results, key=lambda result: float(result.fun)).x)


@dataclass(frozen=True, slots=True)
class GroupMix:
    """How groups of sessions are mixed, by region and by local hour."""

    by_region: dict[str, Array]
    """Region (`all` where the log says none) -> share of its sessions in each group, shape (groups,)."""
    by_hour: Array | None
    """Weight of each group's share by local hour, shape (groups, 24), 1 in the mean of its sessions; None where
    the log is shorter than two days."""

    def shares(self, group: int) -> dict[str, float]:
        """Return region -> share of its sessions in a group."""
        return {region: float(row[group]) for region, row in self.by_region.items()}

    def hours(self, group: int) -> list[float] | None:
        """Return the weights of a group's share by local hour."""
        if self.by_hour is None:
            return None
        return [round(float(weight), 4) for weight in self.by_hour[group]]


def measure_group_mix(seen: Sessions, group: Array, groups: int, zones: dict[str, str]) -> GroupMix:
    """Return how groups are mixed; `group` is each session's, shape (sessions,), those below 0 are left out.

    `zones` are the time zones of the regions; UTC where there is none.
    """
    by_region = {}
    for number, name in enumerate(seen.regions or ("all",)):
        in_region = group[(seen.region_of == number) & (group >= 0)]
        counts = np.bincount(in_region, minlength=groups)
        by_region[name] = counts / max(1, counts.sum())
    if seen.count == 0 or seen.at_s.max() - seen.at_s.min() < _LEAST_S:
        return GroupMix(by_region, None)
    return GroupMix(by_region, _hour_weights(group, groups, _start_hours(seen, zones)))


def _hour_weights(group: Array, groups: int, hour: Array) -> Array:
    """Return `GroupMix.by_hour`; `hour` is the local hour of each session's start, shape (sessions,)."""
    known = group >= 0
    counts = np.zeros((groups, 24))
    np.add.at(counts, (group[known], hour[known]), 1)
    share = counts.sum(axis=1, keepdims=True) / max(1.0, counts.sum())
    weights = (counts + _HOUR_WEIGHT * share) / (counts.sum(axis=0) + _HOUR_WEIGHT)
    return np.asarray(np.divide(weights, share, out=np.ones(counts.shape), where=share > 0))


def _start_hours(seen: Sessions, zones: dict[str, str]) -> Array:
    """Return the local hour at which each session starts, shape (sessions,)."""
    starts_s, hour = seen.at_s[seen.firsts[:-1]], np.zeros(seen.count, int)
    for number, name in enumerate(seen.regions or ("all",)):
        here = seen.region_of == number
        hour[here] = _local_hours(starts_s[here], zones.get(name, "UTC"))
    return hour


def _local_hours(at_s: Array, zone: str) -> Array:
    """Return the local hour of instants, s since 1970."""
    hours, index = np.unique(at_s // 3600, return_inverse=True)
    info = ZoneInfo(zone)
    return np.array([datetime.fromtimestamp(3600 * h, info).hour for h in hours], int)[index]


def measure_product_mix(
    seen: Sessions, about: Array, zones: dict[str, str]
) -> tuple[ProductMix, ...]:
    """Return the product types of a log, largest first; empty where it has none.

    `about` is the type each session is about, as by `Sessions.about`.
    """
    group, n = about - 1, len(seen.types) - 1
    if n < 1 or not (group >= 0).any():
        return ()
    mix, out = measure_group_mix(seen, group, n, zones), []
    for k, name in enumerate(seen.types[1:]):
        categories = _categories(seen, name)
        counts = seen.catalogue.counts(categories)
        popular = fit_popularity(counts) if len(counts) else None
        price = seen.catalogue.price(categories)
        out.append(ProductMix(name, mix.shares(k), mix.hours(k), price, popular))
    return tuple(product for product in out if any(product.share.values()))


def _categories(seen: Sessions, product_type: str) -> list[str]:
    """Return the categories of the catalogue that make up a product type: `other` has all without their own."""
    if product_type != "other":
        return [product_type]
    return [name for name in seen.catalogue.seen if name == "other" or name not in seen.types]


@dataclass(frozen=True, slots=True)
class PopularityBlock:
    """A product's `popularity`, as a scenario writes it."""

    exponent: float
    shift: float


@dataclass(frozen=True, slots=True)
class ProductBlock:
    """A product type, as a scenario writes it."""

    share: dict[str, float]
    """Region -> share of the sessions."""
    hours: Annotated[list[float] | None, WhereKnown] = None
    items: Annotated[int | None, WhereKnown] = None
    popularity: Annotated[PopularityBlock | None, WhereKnown] = None
    price: Annotated[float | None, WhereKnown] = None


def product_block(mix: ProductMix, regions: dict[str, float]) -> ProductBlock:
    """Return a product type as a scenario writes it; `regions` are its shares there."""
    law, price = mix.popular, mix.price
    block = ProductBlock(regions, mix.hours, price=None if price is None else round(price, 2))
    if law is None:
        return block
    fitted = PopularityBlock(law.exponent, law.shift) if law.items >= 3 else None
    return replace(block, items=min(law.items, _MOST_ITEMS), popularity=fitted)
