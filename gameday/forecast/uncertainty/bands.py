"""How far off it may be: conformal quantiles of the log errors of earlier origins.

By local hour, by how far ahead, and apart inside declared events; widened where, each origin left
out in turn, the others' bands held fewer of its minutes than they promised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from scipy.optimize import nnls

from gameday.forecast.model.ahead import Ahead
from gameday.forecast.uncertainty.counts import FEW, ceiling, dispersion, most_seen, whole_counts
from gameday.vocabulary import Array

__all__ = ["LEAST_POOL", "PRIOR_SIGMA", "Bands", "Errors", "make_bands", "noise_of"]

PRIOR_SIGMA = 0.15
"""Spread of an event's log size where the past cannot tell. Ours: about +-35 % at p99, the size
of the step Shopify tests for (150 % of last year, anchors/practice.md §1.1) at p99.7."""
LEAST_POOL = 60
"""Errors below which a pool says nothing and the next wider one is asked."""
_LEADS_DAYS = np.array([1.0, 3.0, 7.0, 28.0, 90.0])
"""Ends of the stretches ahead that have a spread of their own."""
_OCTAVES = 4
"""Levels of an hour that have errors of their own: so many octaves to both sides of its middle. Ours."""
_NEAR_OCTAVES = 1.5
"""So near one of them errors are its own. Ours: where a shop closes within the hour, some are 100 times others."""
_WIDEST = 4.0
"""Bands are widened to at most so many times what the errors say."""
_FARTHEST = 0.999
"""The share of errors that lie within what a band is widened to: single minutes are no measure of it. Ours."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Log errors of one series, of earlier origins."""

    log_ratio: Array
    """log(1 + actual) - log(1 + forecast), shape (n,)."""
    hour: Array
    lead_days: Array
    in_event: Array
    origin: Array
    """Which origin each is of, shape (n,)."""
    minute: Array
    """Of which minute, since 1970 UTC, shape (n,)."""
    expected: Array
    """What was forecast, counts, shape (n,)."""

    @property
    def actual(self) -> Array:
        """What came, counts, shape (n,)."""
        return np.asarray((1 + self.expected) * np.exp(self.log_ratio) - 1)


@dataclass(frozen=True, slots=True)
class Bands:
    """Log distances of quantiles from the median, of one series."""

    levels: tuple[float, ...]
    noise: tuple[float, float]
    """(a, b): the log error's variance is a + b / (1 + expected); b is what counts owe to chance alone."""
    octave: Array
    """Of each local hour, log2 of 1 + what was expected in its middle, shape (24,)."""
    by_hour: Array
    """In units of that spread, by local hour and octaves from its middle, (24, 9, levels); the median's is 0."""
    by_lead: Array
    """Times as wide, shape (len(leads) + 1,)."""
    within_events: Array
    """Shape (levels,)."""
    widened: Array
    """What the width of each level was multiplied by, shape (levels,)."""
    reach: float
    """The log error beyond which nothing is widened: what comes was never farther off."""
    few: tuple[float, float]
    """(b, a): the variance b m + a m^2 of few counts about their mean m."""
    seen: Array
    """The most ever counted near each level, as `most_seen` has it."""

    def log_distance(self, at: Ahead, expected: Array) -> Array:
        """Return each minute's distances from the log of 1 + what is expected, shape (n, levels)."""
        wide = self.by_lead[np.searchsorted(_LEADS_DAYS, at.lead_days)]
        told = self.by_hour[at.hour, _octave_class(expected, self.octave[at.hour])]
        calm = told * (wide * _spread(self.noise, expected))[:, None]
        told = np.where(at.in_event[:, None], self.within_events, calm)
        most = np.maximum(np.abs(told), self.reach)
        return np.asarray(np.clip(told * self.widened, -most, most))

    def counts(self, at: Ahead, expected: Array) -> Array:
        """Return the quantiles around what is expected, counts, shape (n, levels).

        Few counts have those of counts. None passes by much what was ever seen near its level, but within events.
        """
        log = np.log1p(expected)[:, None] + self.log_distance(at, expected)
        counts = np.maximum(np.expm1(log), 0)
        few = (expected < FEW) & ~at.in_event
        if few.any():
            lead = self.by_lead[np.searchsorted(_LEADS_DAYS, at.lead_days[few])]
            wide = lead[:, None] * self.widened
            counts[few] = whole_counts(expected[few], self.levels, self.few, wide)
        most = np.where(at.in_event, np.inf, ceiling(self.seen, expected))
        return np.asarray(np.minimum(counts, most[:, None]))


def make_bands(errors: Errors, levels: tuple[float, ...], events: Array | None = None) -> Bands:
    """Return the bands of one series; `events` are log errors of past events, each left out in turn."""
    known = _where(errors, ~np.isnan(errors.log_ratio))
    # Few counts have quantiles of their own; what they are off by says nothing of the others.
    many = _where(known, known.expected >= FEW)
    part = many if len(many.minute) >= LEAST_POOL else known
    plain = _bands(part, levels, events)
    seen = part.log_ratio if events is None else np.append(part.log_ratio, events)
    reach = float(np.nanquantile(np.abs(seen), _FARTHEST)) if len(part.log_ratio) else 0.0
    actual, calm = known.actual, ~known.in_event
    return replace(
        plain,
        widened=_widening(part, levels),
        reach=reach,
        few=dispersion(actual[calm], known.expected[calm]),
        seen=most_seen(actual[calm], known.expected[calm]),
    )


def _where(errors: Errors, keep: Array) -> Errors:
    return Errors(*(getattr(errors, name)[keep] for name in Errors.__dataclass_fields__))


def _bands(errors: Errors, levels: tuple[float, ...], events: Array | None) -> Bands:
    noise = noise_of(errors)
    scaled = errors.log_ratio / _spread(noise, errors.expected)
    calm = scaled[~errors.in_event]
    distinct = max(LEAST_POOL, len(np.unique(errors.minute)))
    widest = _quantiles(calm if len(calm) >= LEAST_POOL else scaled, levels, distinct)
    octave, by_hour = _by_hour(_where(errors, ~errors.in_event), calm, widest, levels)
    busy = errors.log_ratio[errors.in_event] if events is None else events[~np.isnan(events)]
    within = (
        _quantiles(busy, levels, len(busy))
        if len(busy) >= LEAST_POOL
        else _at_least_prior(_quantiles(errors.log_ratio, levels, distinct), levels)
    )
    return Bands(
        levels,
        noise,
        octave,
        by_hour,
        _by_lead(errors, scaled),
        within,
        np.ones(len(levels)),
        np.inf,
        (1.0, 0.0),
        most_seen(np.empty(0), np.empty(0)),
    )


def _by_hour(
    errors: Errors, scaled: Array, widest: Array, levels: tuple[float, ...]
) -> tuple[Array, Array]:
    """Return each hour's middle octave, (24,), and its quantiles by octaves from it, (24, 9, levels).

    An hour's errors are its own and those of the hours beside it; where they are few, `widest` stands for them.
    """
    octave, out = np.zeros(24), np.tile(widest, (24, 2 * _OCTAVES + 1, 1))
    each = _octave(errors.expected)
    for hour in range(24):
        mine = np.flatnonzero((errors.hour - hour + 1) % 24 <= 2)
        if len(mine) < LEAST_POOL:
            continue
        pool, octaves, minute = scaled[mine], each[mine], errors.minute[mine]
        octave[hour] = np.median(octaves)
        out[hour] = _quantiles(pool, levels, len(np.unique(minute)))
        away = np.clip(octaves - octave[hour], -_OCTAVES, _OCTAVES)
        if np.abs(away).max() <= _NEAR_OCTAVES:
            continue
        for number in range(2 * _OCTAVES + 1):
            near = np.abs(away - number + _OCTAVES) <= _NEAR_OCTAVES
            if near.sum() >= LEAST_POOL:
                out[hour, number] = _quantiles(pool[near], levels, len(np.unique(minute[near])))
    return octave, out


def _octave(expected: Array) -> Array:
    return np.asarray(np.log2(1 + np.maximum(expected, 0)))


def _octave_class(expected: Array, middle: Array) -> Array:
    """Return which of an hour's levels each expectation is near, 0 to 8."""
    away = np.round(_octave(expected) - middle)
    return np.asarray(np.clip(away, -_OCTAVES, _OCTAVES).astype(int) + _OCTAVES)


def _spread(noise: tuple[float, float], expected: Array) -> Array:
    return np.sqrt(noise[0] + noise[1] / (1 + np.maximum(expected, 0)))


def noise_of(errors: Errors) -> tuple[float, float]:
    """Return (a, b) of the variance a + b / (1 + expected): by tenths of the expectation, robust, both >= 0."""
    known = ~np.isnan(errors.log_ratio)
    if known.sum() < LEAST_POOL:
        return 1.0, 0.0
    expected, away = errors.expected[known], errors.log_ratio[known]
    chance = 1 / (1 + np.maximum(expected, 0))
    edges = np.quantile(chance, np.linspace(0, 1, 11)[1:-1])
    tenth = np.searchsorted(edges, chance)
    rows = [
        (chance[mine].mean(), (1.4826 * np.median(np.abs(those - np.median(those)))) ** 2)
        for mine, those in ((tenth == k, away[tenth == k]) for k in range(10))
        if mine.sum() >= 6
    ]
    design = np.array([[1.0, c] for c, _ in rows])
    (a, b), _ = nnls(design, np.array([v for _, v in rows]))
    return (float(a), float(b)) if a + b * float(chance.min()) > 1e-12 else (1.0, 0.0)


def _quantiles(pool: Array, levels: tuple[float, ...], distinct: int) -> Array:
    """Return the pool's quantiles less its median; of `distinct` minutes a new one lies outside a little oftener.

    The share between two order statistics of n is known: (n - 1) / (n + 1) of what it is among the n themselves.
    """
    if len(pool) < LEAST_POOL:
        return np.array([NormalDist(0, PRIOR_SIGMA).inv_cdf(level) for level in levels])
    outward = (distinct + 1) / max(distinct - 1, 1)
    asked = np.clip(0.5 + (np.array(levels) - 0.5) * outward, 0, 1)
    return np.asarray(np.quantile(pool, asked) - np.median(pool))


def _at_least_prior(found: Array, levels: tuple[float, ...]) -> Array:
    prior = np.array([NormalDist(0, PRIOR_SIGMA).inv_cdf(level) for level in levels])
    return np.where(np.abs(found) > np.abs(prior), found, prior)


def _by_lead(errors: Errors, scaled: Array) -> Array:
    """Return how much wider errors lie at each stretch ahead than on the whole; never narrower farther on."""
    out = np.ones(len(_LEADS_DAYS) + 1)
    if len(errors.log_ratio) < LEAST_POOL:
        return out
    away = np.abs(scaled - np.median(scaled))
    stretch = np.searchsorted(_LEADS_DAYS, errors.lead_days)
    whole, last = max(float(np.median(away)), 1e-9), 0.5
    for index in range(len(out)):
        mine = away[stretch == index]
        if len(mine) >= LEAST_POOL:
            last = max(last, min(2.0, float(np.median(mine)) / whole))
        out[index] = max(last, 1.0) if last == 0.5 else last
    return out


def _widening(errors: Errors, levels: tuple[float, ...]) -> Array:
    """Return what each level's width must be multiplied by to hold what it promises, >= 1.

    Each origin in turn is held against the bands of the others; all origins count alike.
    """
    out = np.ones(len(levels))
    origins = np.unique(errors.origin)
    needed, weight = [], []
    for origin in origins:
        here = errors.origin == origin
        # Not only its own errors: another origin's of the same minutes know what came, too.
        first, last = errors.minute[here].min(), errors.minute[here].max()
        apart = (errors.minute < first) | (errors.minute > last)
        if apart.sum() < LEAST_POOL:
            continue
        others = _where(errors, apart)
        bands = _bands(others, levels, None)
        then = Ahead(errors.hour[here], errors.lead_days[here], errors.in_event[here])
        distance = bands.log_distance(then, errors.expected[here])
        ratio = errors.log_ratio[here][:, None] / np.where(
            np.abs(distance) < 1e-12, np.nan, distance
        )
        needed.append(ratio)
        weight.append(np.full(here.sum(), 1 / here.sum()))
    if len(needed) < 2:
        return out
    ratio, share = np.concatenate(needed), np.concatenate(weight)
    for index, level in enumerate(levels):
        other = next((i for i, v in enumerate(levels) if abs(v - (1 - level)) < 1e-9), None)
        sides = ratio[:, [index] if other is None else [index, other]]
        if level == 0.5 or np.isnan(sides).all():
            continue
        promised = abs(2 * level - 1) if other is not None else max(level, 1 - level)
        needed_here = np.where(np.isnan(sides), -np.inf, sides).max(axis=1)
        found = np.clip(_quantile(needed_here, share, promised), 1, _WIDEST)
        # A few origins tell little: they are weighed against one that needed nothing.
        out[index] = 1 + (found - 1) * len(needed) / (len(needed) + 1)
    # A wider level is widened at least as much as a narrower one: bands stay in order.
    order = np.argsort(np.abs(np.array(levels) - 0.5), kind="stable")
    out[order] = np.maximum.accumulate(out[order])
    return out


def _quantile(values: Array, weight: Array, level: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][min(int(np.searchsorted(reached, level)), len(order) - 1)])
