"""How far off a forecast may be: conformal quantiles of the log errors of earlier origins.

By local hour, by how far ahead, and apart inside declared events; widened where, each origin left out in turn, the
others' bands held fewer of its minutes than they promised, and where the forecast's members lie farther apart than
they did: a mixture's variance is that within its members and that of their means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from scipy.optimize import nnls

from gameday.forecast.model.ahead import Ahead
from gameday.forecast.order_statistics import median, quantiles
from gameday.forecast.uncertainty.counts import (
    FEW,
    ceiling,
    dispersion,
    most_seen,
    tenths,
    whole_counts,
)
from gameday.forecast.uncertainty.event_sizes import PRIOR_SIGMA, size_distances
from gameday.vocabulary import Array

__all__ = ["LEAST_POOL", "Bands", "Errors", "make_bands", "noise_of"]

LEAST_POOL = 60
"""Errors below which a pool has no quantiles of its own and the next wider one stands for it."""
_LEADS_DAYS = np.array([1.0, 3.0, 7.0, 28.0, 90.0])
"""Ends of the stretches ahead that have a spread of their own."""
_OCTAVES = 4
"""Levels of an hour with errors of their own: so many octaves to both sides of its median level. Ours."""
_LEVELS_OF_HOUR = 2 * _OCTAVES + 1
_NEAR_OCTAVES = 1.5
"""Errors so near such a level count as its own. Ours: where a shop closes within the hour, some are 100 times
others."""
_EQUAL_NOISE = (1.0, 0.0)
"""(a, b) of the variance a + b / (1 + expected) that is the same whatever is expected."""
_WIDEST = 4.0
"""Bands are widened to at most so many times what the errors say."""
_FARTHEST = 0.999
"""The share of errors that lie within what a band is widened to: single minutes are no measure of it. Ours."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Log errors of one series, of earlier origins; each field has shape (n,)."""

    log_ratio: Array
    """log(1 + actual) - log(1 + forecast)."""
    hour: Array
    """Local hour."""
    lead_days: Array
    in_event: Array
    origin: Array
    """Number of the origin."""
    minute: Array
    """Minutes since 1970 UTC."""
    expected: Array
    """What was forecast, counts."""
    apart: Array
    """How far members of the forecast lay apart, in logs."""

    def where(self, keep: Array) -> Errors:
        """Return the errors where `keep`, shape (n,)."""
        return Errors(*(getattr(self, name)[keep] for name in Errors.__dataclass_fields__))

    @property
    def actual(self) -> Array:
        """What came, counts, shape (n,)."""
        return np.asarray((1 + self.expected) * np.exp(self.log_ratio) - 1)


@dataclass(frozen=True, slots=True)
class Bands:
    """Log distances of quantiles from the median, of one series."""

    levels: tuple[float, ...]
    noise: tuple[float, float]
    """(a, b): the log error's variance is a + b / (1 + expected); b is the part of chance in counts."""
    octave: Array
    """Median of log2(1 + expected) in each local hour, shape (24,)."""
    by_hour: Array
    """In units of that spread, by local hour and octaves from its median, (24, 9, levels); the p50's is 0."""
    by_lead: Array
    """Times as wide, shape (len(leads) + 1,)."""
    within_events: Array
    """Shape (levels,)."""
    widened: Array
    """What the width of each level was multiplied by, shape (levels,)."""
    reach: float
    """The log error beyond which nothing is widened: no earlier error was larger."""
    few: tuple[float, float]
    """(b, a): the variance b m + a m^2 of few counts about their mean m."""
    seen: Array
    """The most ever counted near each level, as `most_seen` has it."""
    usual_apart: float
    """How far members lay apart when the errors were made, in logs: so much is in the errors."""

    def log_distance(self, ahead: Ahead, expected: Array, apart: Array) -> Array:
        """Return each minute's distances from the log of 1 + what is expected, shape (n, levels).

        `apart`, shape (n,): how far members of the forecast lie apart there, in logs.
        """
        distance = np.where(
            ahead.in_event[:, None], self.within_events, self._ordinary(ahead, expected)
        )
        most = np.maximum(np.abs(distance), self.reach)
        known = np.clip(distance * self.widened, -most, most)
        more = np.sqrt(self._more_apart(apart))[:, None] * _scores(self.levels)
        return np.asarray(np.sign(known) * np.hypot(known, more))

    def _ordinary(self, ahead: Ahead, expected: Array) -> Array:
        """Return the distances off events, not widened, shape (n, levels)."""
        lead = self._lead_factor(ahead.lead_days)
        scaled = self.by_hour[ahead.hour, _octave_class(expected, self.octave[ahead.hour])]
        return np.asarray(scaled * (lead * _spread(self.noise, expected))[:, None])

    def _few_counts(self, lead_days: Array, expected: Array, apart: Array) -> Array:
        """Return the quantiles of whole counts, shape (n, levels)."""
        wide = self._lead_factor(lead_days)[:, None] * self.widened
        noise = self.few[0], self.few[1] + self._more_apart(apart)
        return whole_counts(expected, self.levels, noise, wide)

    def _more_apart(self, apart: Array) -> Array:
        """Return the variance of members' logs beyond what it was when the errors were made, shape (n,)."""
        return np.maximum(apart**2 - self.usual_apart**2, 0)

    def _lead_factor(self, lead_days: Array) -> Array:
        return np.asarray(self.by_lead[np.searchsorted(_LEADS_DAYS, lead_days)])

    def counts(self, ahead: Ahead, expected: Array, apart: Array) -> Array:
        """Return the quantiles around what is expected, counts, shape (n, levels); `apart` as in `log_distance`.

        Small expectations have quantiles of whole counts. Outside events none passes by much what was ever
        counted near its level.
        """
        log = np.log1p(expected)[:, None] + self.log_distance(ahead, expected, apart)
        counts = np.maximum(np.expm1(log), 0)
        few = (expected < FEW) & ~ahead.in_event
        if few.any():
            counts[few] = self._few_counts(ahead.lead_days[few], expected[few], apart[few])
        most = np.where(ahead.in_event, np.inf, ceiling(self.seen, expected))
        return np.asarray(np.minimum(counts, most[:, None]))


def make_bands(errors: Errors, levels: tuple[float, ...], events: Sequence[Array] = ()) -> Bands:
    """Return the bands of one series; `events` are log errors of past events, each left out in turn."""
    known = errors.where(~np.isnan(errors.log_ratio))
    # Few counts have quantiles of their own; their errors say nothing of the others.
    many = known.where(known.expected >= FEW)
    part = many if len(many.minute) >= LEAST_POOL else known
    actual, ordinary = known.actual, ~known.in_event
    return replace(
        _plain_bands(part, levels, events),
        widened=_widening(part, levels),
        reach=_reach(part.log_ratio, events),
        few=dispersion(actual[ordinary], known.expected[ordinary]),
        seen=most_seen(actual[ordinary], known.expected[ordinary]),
    )


def _reach(log_ratio: Array, events: Sequence[Array]) -> float:
    """Return the log error beyond which nothing is widened: nearly all errors, of events too, are smaller."""
    if not len(log_ratio):
        return 0.0
    every = np.concatenate([log_ratio, *events])
    return float(np.nanquantile(np.abs(every), _FARTHEST))


def _plain_bands(errors: Errors, levels: tuple[float, ...], events: Sequence[Array]) -> Bands:
    """Return the bands that the errors give, not widened, with nothing said of few counts and of the most seen."""
    noise = noise_of(errors)
    scaled = errors.log_ratio / _spread(noise, errors.expected)
    octave, by_hour = _by_hour(errors, scaled, levels)
    return Bands(
        levels=levels,
        noise=noise,
        octave=octave,
        by_hour=by_hour,
        by_lead=_by_lead(errors, scaled),
        within_events=_within_events(errors, levels, events),
        widened=np.ones(len(levels)),
        reach=np.inf,
        few=(1.0, 0.0),
        seen=most_seen(np.empty(0), np.empty(0)),
        usual_apart=float(np.linalg.norm(errors.apart)) / max(len(errors.apart), 1) ** 0.5,
    )


def _distinct(errors: Errors) -> int:
    """Return how many minutes the errors are of: origins share some."""
    return max(LEAST_POOL, len(np.unique(errors.minute)))


def _within_events(errors: Errors, levels: tuple[float, ...], events: Sequence[Array]) -> Array:
    """Return the log distances inside events: of `events`, else of earlier origins' minutes in events.

    Where they are few, of all errors, but at least the prior's.
    """
    known = [event[~np.isnan(event)] for event in events]
    if sum(map(len, known)) >= LEAST_POOL:
        return _of_events([event for event in known if len(event)], levels)
    busy = errors.log_ratio[errors.in_event]
    if not known and len(busy) >= LEAST_POOL:
        return _quantiles(busy, levels, len(busy))
    found = _quantiles(errors.log_ratio, levels, _distinct(errors))
    prior = _prior(levels)
    return np.where(np.abs(found) > np.abs(prior), found, prior)


def _of_events(events: Sequence[Array], levels: tuple[float, ...]) -> Array:
    """Return the log distances of one more event's minutes: of its size, and about that."""
    about = np.concatenate([event - event.mean() for event in events])
    sizes = size_distances(np.array([event.mean() for event in events]), levels)
    return np.asarray(np.sign(sizes) * np.hypot(_quantiles(about, levels, len(about)), sizes))


def _by_hour(errors: Errors, scaled: Array, levels: tuple[float, ...]) -> tuple[Array, Array]:
    """Return each hour's median octave, (24,), and its quantiles by octaves from it, (24, 9, levels), off events.

    An hour's errors are its own and those of the hours beside it; where they are few, those of all hours.
    """
    ordinary, off_events = errors.where(~errors.in_event), scaled[~errors.in_event]
    widest = off_events if len(off_events) >= LEAST_POOL else scaled
    widest = _quantiles(widest, levels, _distinct(errors))
    middle, by_hour = np.zeros(24), np.tile(widest, (24, _LEVELS_OF_HOUR, 1))
    octaves = _octave(ordinary.expected)
    for hour in range(24):
        near = np.flatnonzero((ordinary.hour - hour + 1) % 24 <= 2)
        if len(near) >= LEAST_POOL:
            middle[hour], pool = median(octaves[near]), off_events[near]
            away = np.clip(octaves[near] - middle[hour], -_OCTAVES, _OCTAVES)
            by_hour[hour] = _by_octave(pool, ordinary.minute[near], away, levels)
    return middle, by_hour


def _by_octave(pool: Array, minute: Array, away: Array, levels: tuple[float, ...]) -> Array:
    """Return an hour's quantiles by octaves `away` from its median, (9, levels).

    Where all lie near it, or few errors near an octave, those of the whole hour.
    """
    rows = np.tile(_quantiles(pool, levels, len(np.unique(minute))), (_LEVELS_OF_HOUR, 1))
    if np.abs(away).max() <= _NEAR_OCTAVES:
        return rows
    for number in range(_LEVELS_OF_HOUR):
        near = np.abs(away - number + _OCTAVES) <= _NEAR_OCTAVES
        if near.sum() >= LEAST_POOL:
            rows[number] = _quantiles(pool[near], levels, len(np.unique(minute[near])))
    return rows


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
    known = errors.where(~np.isnan(errors.log_ratio))
    if len(known.minute) < LEAST_POOL:
        return _EQUAL_NOISE
    chance = 1 / (1 + np.maximum(known.expected, 0))
    parts = tenths(chance)
    design = np.array([[1.0, chance[part].mean()] for part in parts])
    variance = np.array([_robust_variance(known.log_ratio[part]) for part in parts])
    a, b = map(float, nnls(design, variance)[0])
    return (a, b) if a + b * float(chance.min()) > 1e-12 else _EQUAL_NOISE


def _robust_variance(values: Array) -> np.float64:
    """Return the squared median absolute deviation, scaled to the variance of normal values."""
    return np.float64((1.4826 * median(np.abs(values - median(values)))) ** 2)


def _quantiles(pool: Array, levels: tuple[float, ...], distinct: int) -> Array:
    """Return the pool's quantiles less its median, moved outward for one more of `distinct` minutes.

    Between two order statistics of n lies (n - 1) / (n + 1) of the share among the n themselves. The prior's
    quantiles where the pool is small.
    """
    if len(pool) < LEAST_POOL:
        return _prior(levels)
    outward = (distinct + 1) / max(distinct - 1, 1)
    shares = np.clip(0.5 + (np.array(levels) - 0.5) * outward, 0, 1)
    return np.asarray(quantiles(pool, shares) - median(pool))


def _prior(levels: tuple[float, ...]) -> Array:
    return PRIOR_SIGMA * _scores(levels)


def _scores(levels: tuple[float, ...]) -> Array:
    return np.array([NormalDist().inv_cdf(level) for level in levels])


def _by_lead(errors: Errors, scaled: Array) -> Array:
    """Return how much wider errors lie at each stretch ahead than on the whole; never narrower farther on."""
    factors = np.ones(len(_LEADS_DAYS) + 1)
    if len(errors.log_ratio) < LEAST_POOL:
        return factors
    away = np.abs(scaled - median(scaled))
    stretch = np.searchsorted(_LEADS_DAYS, errors.lead_days)
    whole, last = max(median(away), 1e-9), 0.5
    for index in range(len(factors)):
        part = away[stretch == index]
        if len(part) >= LEAST_POOL:
            last = max(last, min(2.0, median(part) / whole))
        factors[index] = max(last, 1.0) if last == 0.5 else last
    return factors


def _widening(errors: Errors, levels: tuple[float, ...]) -> Array:
    """Return what each level's width must be multiplied by to hold what it promises, >= 1.

    Each origin in turn is held against the bands of the others; all origins count alike.
    """
    factors = np.ones(len(levels))
    needed = _needed_widths(errors, levels)
    if len(needed) < 2:
        return factors
    ratio = np.concatenate(needed)
    weight = np.concatenate([np.full(len(part), 1 / len(part)) for part in needed])
    for index, level in enumerate(levels):
        sides, promised = _sides(levels, index)
        if level != 0.5 and not np.isnan(ratio[:, sides]).all():
            found = np.clip(_width_that_holds(ratio[:, sides], weight, promised), 1, _WIDEST)
            # A few origins tell little: they are weighed against one that needed nothing.
            factors[index] = 1 + (found - 1) * len(needed) / (len(needed) + 1)
    return _in_order(factors, levels)


def _width_that_holds(ratio: Array, weight: Array, promised: float) -> float:
    """Return how many times as wide a band must be to hold a share of minutes; `ratio`: (n, its sides)."""
    widest = np.where(np.isnan(ratio), -np.inf, ratio).max(axis=1)
    return _weighted_quantile(widest, weight, promised)


def _in_order(factors: Array, levels: tuple[float, ...]) -> Array:
    """Return the factors, each level's at least that of the levels nearer to the median: bands do not cross."""
    order = np.argsort(np.abs(np.array(levels) - 0.5), kind="stable")
    ordered = factors.copy()
    ordered[order] = np.maximum.accumulate(factors[order])
    return ordered


def _sides(levels: tuple[float, ...], index: int) -> tuple[list[int], float]:
    """Return the levels that bound a band with this one, and the share of minutes that it promises to hold."""
    level = levels[index]
    opposite = next((i for i, other in enumerate(levels) if abs(other - (1 - level)) < 1e-9), None)
    if opposite is None:
        return [index], max(level, 1 - level)
    return [index, opposite], abs(2 * level - 1)


def _of_other_minutes(errors: Errors, here: Errors) -> Errors:
    """Return the errors outside `here`'s minutes: another origin's of the same minutes know what came, too."""
    first, last = here.minute.min(), here.minute.max()
    return errors.where((errors.minute < first) | (errors.minute > last))


def _needed_widths(errors: Errors, levels: tuple[float, ...]) -> list[Array]:
    """Return each origin's errors over the others' bands, (n, levels) each: above 1 where the band missed it."""
    needed = []
    for origin in np.unique(errors.origin):
        here = errors.where(errors.origin == origin)
        others = _of_other_minutes(errors, here)
        if len(others.minute) < LEAST_POOL:
            continue
        distance = _plain_bands(others, levels, ()).log_distance(
            Ahead(here.hour, here.lead_days, here.in_event), here.expected, here.apart
        )
        distance = np.where(np.abs(distance) < 1e-12, np.nan, distance)
        needed.append(here.log_ratio[:, None] / distance)
    return needed


def _weighted_quantile(values: Array, weight: Array, level: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][min(int(np.searchsorted(reached, level)), len(order) - 1)])
