"""Sample paths: days that could happen, drawn so that each minute has its band, and series move together.

A path is one draw of the event's strength for all regions and steps; a block of hours of an earlier origin's
errors, of all series at once (block bootstrap); and for the rest of each minute chance of its own. Sums of paths
are paths of the sums: quantiles of totals are read from them.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from gameday.forecast.demand import Demand
from gameday.forecast.event_demand import ALL, EventDemand
from gameday.vocabulary import Array, Seed

__all__ = ["sample_paths", "sums_of", "total_quantiles"]

_Z90 = NormalDist().inv_cdf(0.9)


def sample_paths(demand: Demand, number: int, seed: Seed) -> Array:
    """Return `number` paths, steps a minute, float32, shape (number, regions, steps, slots)."""
    rng = seed.stream("sample paths")
    log, levels = np.log1p(demand.median), sorted(demand.marginal)
    away = np.stack([np.log1p(demand.marginal[level]) - log for level in levels])
    strength = _strength_share(demand, away[levels.index(0.1)], away[levels.index(0.9)])
    paths = np.empty((number, *demand.median.shape), np.float32)
    for path in paths:
        score = strength * rng.standard_normal() + np.sqrt(1 - strength**2) * _scores(demand, rng)
        path[:] = np.maximum(np.expm1(log + _distance(score, levels, away)), 0)
    return paths


def _strength_share(demand: Demand, low: Array, high: Array) -> Array:
    """Return what of a minute's score the event's strength is, -1 to 1; below 0 where events take traffic."""
    peak = float(np.abs(demand.event_log_effect).max(initial=0.0))
    if peak <= 0:
        return np.zeros_like(demand.median)
    moved = demand.strength_sigma * demand.event_log_effect / peak
    spread = np.maximum(high - low, 1e-9) / (2 * _Z90)
    return np.asarray(np.clip(moved / spread, -1, 1))


def _scores(demand: Demand, rng: np.random.Generator) -> Array:
    """Return normal scores, shape as the median: an origin's hours from one of its days on, and chance."""
    own = rng.standard_normal(demand.median.shape, dtype=np.float32)
    origins = demand.error_correlation.hours
    if not origins:
        return own
    hourly = _block_of_hours(origins, demand.grid.minutes(), rng)
    mixed = hourly + np.sqrt(1 - demand.error_correlation.share)[:, :, None] * own
    return np.where(np.isnan(hourly), own, mixed)


def _block_of_hours(origins: tuple[Array, ...], minute: Array, rng: np.random.Generator) -> Array:
    """Return one origin's hourly scores from one of its days on, shape (regions, steps, slots); gaps filled."""
    block = origins[int(rng.integers(len(origins)))]
    day = (minute // 1440 - minute[0] // 1440 + int(rng.integers(len(block)))) % len(block)
    hourly = np.moveaxis(block[day, minute % 1440 // 60], 0, -1)
    return _filled(hourly, origins, minute, rng)


def _filled(
    hourly: Array, origins: tuple[Array, ...], minute: Array, rng: np.random.Generator
) -> Array:
    """Return hourly scores, those that nobody scored taken from other origins' same hour of the day, if any."""
    for other in origins:
        if not np.isnan(hourly).any():
            break
        spare = other[int(rng.integers(len(other))), minute % 1440 // 60]
        hourly = np.where(np.isnan(hourly), np.moveaxis(spare, 0, -1), hourly)
    return hourly


def _distance(score: Array, levels: list[float], away: Array) -> Array:
    """Return log distances at normal scores, piecewise linear through the quantiles' and on beyond them.

    Beyond the outermost no steeper than from the median to it: what one minute in a hundred passed by far is not
    passed by as far again.
    """
    known = [NormalDist().inv_cdf(level) for level in levels]
    distance = np.zeros_like(score)
    for k in range(len(levels) - 1):
        slope = (away[k + 1] - away[k]) / (known[k + 1] - known[k])
        within = np.clip(score, known[k], known[k + 1]) - np.clip(0.0, known[k], known[k + 1])
        distance += slope * within
    for end, beside, side in ((0, 1, np.minimum), (-1, -2, np.maximum)):
        slope = (away[end] - away[beside]) / (known[end] - known[beside])
        distance += np.minimum(slope, away[end] / known[end]) * side(score - known[end], 0)
    return distance


def sums_of(demand: EventDemand) -> list[tuple[str, str]]:
    """Return (region, step) of the sums worth telling: over steps, over regions, over both."""
    regions, steps = demand.regions, demand.steps
    sums = [(region, ALL) for region in regions if len(steps) > 1]
    sums += [(ALL, step) for step in steps if len(regions) > 1]
    return sums + ([(ALL, ALL)] if len(regions) > 1 and len(steps) > 1 else [])


def _places(names: tuple[str, ...], wanted: str) -> list[int]:
    """Return where a name, or `all`, stands among names."""
    return [place for place, name in enumerate(names) if wanted in (ALL, name)]


def total_quantiles(
    demand: EventDemand, names: list[tuple[str, str]], number: int, seed: Seed
) -> dict[tuple[str, str], dict[float, float]]:
    """Return (region, step), either of them `all` -> quantile -> steps in the event's span, launches included.

    Read off `number` sample paths: quantiles of sums are those of summed days.
    """
    each = _total_draws(demand, number, seed)
    quantiles = {}
    for region, step in names:
        rows, columns = _places(demand.regions, region), _places(demand.steps, step)
        total = each[:, rows][:, :, columns].sum(axis=(1, 2))
        quantiles[region, step] = {q: float(np.quantile(total, q)) for q in demand.organic.marginal}
    return quantiles


def _total_draws(demand: EventDemand, number: int, seed: Seed) -> Array:
    """Return sample paths' totals in the event's span, launches included, shape (number, regions, steps)."""
    paths = sample_paths(demand.organic, number, seed)
    each = np.einsum("nrst,rst->nrs", paths, demand.in_span & np.ones_like(paths[0], bool))
    rng = seed.stream("launch crowds")
    for launch in demand.launches.values():
        times = np.exp(launch.log_sigma * rng.standard_normal(number))
        each = each + times[:, None, None] * (launch.median * demand.in_span).sum(axis=2)
    return np.asarray(each)
