"""The likely highest of many counts: that of a curve's minutes, each with the chance in its count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import log_ndtr

from gameday.vocabulary import Array

__all__ = ["highest_points", "median_maximum"]

_EACH, _BLOCKS = 60, 40
"""Points of a curve that are kept one by one, and how many blocks the lower ones are drawn together in. Ours."""
_ANSCOMBE = 3 / 8
_HALVINGS = 13
"""Of eight deviations: to a thousandth of one."""


def highest_points(curves: Array, every_min: float = 1.0) -> tuple[Array, Array]:
    """Return the highest points of curves, and how many minutes each stands for, (curves, 100) each; 0 of none.

    `curves`: shape (curves, points), `every_min` minutes apart. The lower a point, the more others it is a mean
    with.
    """
    ordered, points = -np.sort(-curves, axis=1), curves.shape[1]
    edges = np.arange(min(_EACH, points))
    if points > _EACH:
        blocks = np.geomspace(_EACH, points, _BLOCKS + 1).astype(int)[:-1]
        edges = np.concatenate([edges, np.unique(blocks)])
    size = np.diff(edges, append=points)
    means = np.zeros((len(curves), _EACH + _BLOCKS))
    means[:, : len(edges)] = np.add.reduceat(ordered, edges, axis=1) / size
    minutes = np.zeros(means.shape)
    minutes[:, : len(edges)] = size * max(every_min, 1.0)
    return means, minutes


def median_maximum(points: Array, minutes: Array, chance: float) -> Array:
    """Return the median of the highest minute of curves, shape (curves,), given the chance in counts.

    `points` and the `minutes` that each stands for as `highest_points` has them, (curves, points). The square root
    of a minute's count is normal with variance chance / 4 (Anscombe 1948), independently; the maximum's
    distribution is the product of the minutes', and its median is found by bisection.
    """
    root, spread = np.sqrt(np.maximum(points, 0) + _ANSCOMBE), np.sqrt(chance) / 2 + 1e-6

    def is_below(middle: Array) -> Array:
        log_share = log_ndtr((middle[:, None] - root) / spread)
        return np.asarray((minutes * log_share).sum(axis=1) < np.log(0.5))

    return np.asarray(_bisected(is_below, root[:, 0], root[:, 0] + 8 * spread) ** 2 - _ANSCOMBE)


def _bisected(is_below: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return where `is_below` turns false between low and high, elementwise."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = is_below(middle)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high
