"""Quantiles of few counts, and the most that was ever counted near a level.

Below some thirty counts a minute, counts are taken as negative binomial, of variance b m + a m^2 with the mean m:
b is the chance in counts (1: Poisson), a the variance of the rate. And whatever errors elsewhere say, no quantile
passes by much what was ever counted where about as much was expected.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from scipy.special import nbdtrik, ndtri, pdtr

from gameday.vocabulary import Array

__all__ = ["BEYOND", "FEW", "ceiling", "dispersion", "most_seen", "tenths", "whole_counts"]

FEW = 30.0
"""Below so many counts expected, quantiles are those of counts. Ours: a normal's p99 is 4 % low there."""
_LEAST = 60
"""Counts below which neither is estimated."""
_LEAST_IN_TENTH = 6
_P10_TO_P90 = 2.5631
"""Distance between p10 and p90 of a standard normal."""
_LEAST_MEAN = 0.05
_MOST_RATE = 0.5
"""The most that a rate's log may vary by, as a variance. Ours: +-70 %."""
BEYOND = 1.25
"""A quantile passes what was ever seen near its level by at most so many times. Ours: the highest of some hundred
minutes lies below the p99 of others about half the time, by a few percent."""
_FINE, _MOST_KINDS = 200.0, 1_000_000
"""Kinds of minutes: logs of mean and of variance, in two hundredths."""
_STEPS = 96
"""Half octaves of 1 + count, to 2^48."""
_NEAR = 1
"""Half octaves that are near: from 0.7 to 1.4 times as much."""


def tenths(values: Array) -> list[Array]:
    """Return which values lie in each tenth of them, from the lowest on, (n,) each; tenths of few left out."""
    edges = np.quantile(values, np.linspace(0, 1, 11)[1:-1])
    tenth = np.searchsorted(edges, values)
    members = [tenth == number for number in range(10)]
    return [part for part in members if part.sum() >= _LEAST_IN_TENTH]


def dispersion(actual: Array, expected: Array) -> tuple[float, float]:
    """Return (b, a) of the variance b m + a m^2 of few counts about what was expected, shape (n,) each; robust.

    By tenths of the expectation, from the distance between p10 and p90 of the normal scores that the counts
    would have were they Poisson. (1, 0) of too few.
    """
    use = (expected >= _LEAST_MEAN) & (expected < FEW)
    actual, expected = np.round(actual[use]), expected[use]
    if len(actual) < _LEAST:
        return 1.0, 0.0
    score = _poisson_scores(actual, expected)
    rows = [(expected[part].mean(), _score_variance(score[part])) for part in tenths(expected)]
    level, variance = np.array(rows).T
    # What is beyond a Poisson count's own chance; in tenths that vary less there is none.
    beyond = np.maximum(variance - 1, 0)
    (b, a), _ = nnls(np.stack([np.ones(len(level)), level], axis=1), beyond)
    return 1 + float(b), float(min(a, _MOST_RATE))


def _score_variance(score: Array) -> np.float64:
    """Return the variance of normal values of the same distance between p10 and p90."""
    return np.float64((np.diff(np.quantile(score, (0.1, 0.9)))[0] / _P10_TO_P90) ** 2)


def _poisson_scores(actual: Array, expected: Array) -> Array:
    """Return counts' normal scores, standard normal where they are Poisson about what was expected, shape (n,).

    Randomised quantile residuals (Dunn & Smyth 1996): each count is spread over its step of the distribution,
    here evenly (golden ratio) in place of at random.
    """
    within = np.arange(len(actual)) * 0.6180339887498949 % 1
    below = np.where(actual > 0, pdtr(actual - 1, expected), 0.0)
    share = below + within * (pdtr(actual, expected) - below)
    return np.asarray(ndtri(np.clip(share, 1e-9, 1 - 1e-9)))


def whole_counts(
    expected: Array, levels: tuple[float, ...], noise: tuple[float, Array], wide: Array
) -> Array:
    """Return quantiles of few counts, (n, levels): whole ones, none on the far side of what is expected.

    `noise` is (b, a), a of shape (n,); `wide`, (n, levels), how many times as wide as that, beyond a Poisson
    count's own chance.
    """
    mean = np.maximum(expected, 1e-9)
    counts = np.empty((len(mean), len(levels)))
    for index, level in enumerate(levels):
        if level == 0.5:
            counts[:, index] = expected
            continue
        over = ((noise[0] - 1) + noise[1] * mean) * wide[:, index] ** 2 + 1e-6
        side = np.minimum if level < 0.5 else np.maximum
        counts[:, index] = side(_of_each_kind(level, mean, over), expected)
    return counts


def _of_each_kind(level: float, mean: Array, over: Array) -> Array:
    """Return the counts at `level` for means, and how far their variance is over them; alike ones computed once.

    Alike: to a quarter percent. Minutes of days are much alike, and the law takes its time.
    """
    kinds = np.stack([np.round(_FINE * np.log(x)).astype(np.int64) for x in (mean, over)])
    _, first, back = np.unique(
        kinds[0] * _MOST_KINDS + kinds[1], return_index=True, return_inverse=True
    )
    mean, over = np.exp(kinds[:, first] / _FINE)
    return np.asarray(_negative_binomial_quantile(level, mean / over, 1 / (1 + over))[back])


def _negative_binomial_quantile(level: float, size: Array, share: Array) -> Array:
    """Return the counts at `level` of negative binomials, `share` the probability of success, shape (n,)."""
    none = share**size  # the chance of no count at all
    found = np.nan_to_num(np.ceil(nbdtrik(level, size, share) - 1e-9), nan=0.0)
    return np.where(none >= level, 0.0, np.maximum(found, 0.0))


def most_seen(actual: Array, expected: Array) -> Array:
    """Return the most ever counted near each half octave of what was expected, shape (96,); inf: too little known.

    Beyond the highest level known, in proportion to what is expected.
    """
    if len(actual) < _LEAST:
        return np.full(_STEPS, np.inf)
    step = np.clip(np.round(_step_of(expected)), 0, _STEPS - 1).astype(int)
    highest = np.full(_STEPS, -1.0)
    np.maximum.at(highest, step, actual)
    top = np.flatnonzero(highest >= 0)[-1]
    most = _filled(highest, top)
    # A forecast above all that was ever expected is off by no more, in proportion, than those below it were.
    most[top + 1 :] = most[top] * 2.0 ** ((np.arange(top + 1, _STEPS) - top) / 2)
    return most


def _filled(highest: Array, top: int) -> Array:
    """Return the highest of the half octaves near each; below `top`, of the next one where none is known, -1."""
    most = np.array([highest[max(0, k - _NEAR) : k + _NEAR + 1].max() for k in range(_STEPS)])
    for k in range(_STEPS - 2, -1, -1):
        most[k] = most[k + 1] if most[k] < 0 and k < top else most[k]
    return most


def ceiling(seen: Array, expected: Array) -> Array:
    """Return what no quantile passes, shape (n,), given `most_seen`; never less than what is expected."""
    step = np.clip(_step_of(expected), 0, _STEPS - 1)
    highest = np.maximum(seen[np.floor(step).astype(int)], seen[np.ceil(step).astype(int)])
    return np.asarray(np.maximum(BEYOND * highest, expected))


def _step_of(expected: Array) -> Array:
    return np.asarray(2 * np.log2(1 + np.maximum(expected, 0)))
