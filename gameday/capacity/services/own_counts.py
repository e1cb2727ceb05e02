"""A service's own counts beside what the scenario's calls say of it: so many times as many, and some besides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from gameday.vocabulary import Array

__all__ = ["CountsBesideCalls", "compare_counts"]

_HOUR_MIN, _LAST_HOURS, _LEAST_HOURS = 60, 56 * 24, 7 * 24
"""Sums of hours are compared, of the last eight weeks; of less than one week nothing is learned. Ours."""
_REPEATS, _FAR = 8, 2.5
"""Times that weights are renewed, and scales from which on an hour counts less (Huber's weights). Ours."""


@dataclass(frozen=True, slots=True)
class CountsBesideCalls:
    """A service's own counts a minute are `times` what the calls say, and `besides` on top."""

    times: float
    besides: float
    """Visits a minute that no step of a customer causes."""
    explained: float
    """Share of the variance of hours' counts that this explains; NaN where nothing was learned."""
    hours: int
    """Hours it is learned from."""

    @staticmethod
    def none() -> CountsBesideCalls:
        """Return what is taken where nobody knows a service's own counts: it is as the calls say."""
        return CountsBesideCalls(1.0, 0.0, float("nan"), 0)

    @property
    def is_learned(self) -> bool:
        """Whether it rests on counts."""
        return self.hours > 0


def compare_counts(own: Array, called: Array) -> CountsBesideCalls:
    """Return counts a minute beside those that calls say, shape (slots,) each; NaN where not known.

    By least squares without negative parts (Lawson and Hanson), weighted anew until no few hours decide (Huber).
    """
    counted, said = (_hours(values) for values in (own, called))
    known = np.flatnonzero(~np.isnan(counted) & ~np.isnan(said))[-_LAST_HOURS:]
    if len(known) < _LEAST_HOURS:
        return CountsBesideCalls.none()
    counted, said = counted[known], said[known]
    weight = np.ones(len(said))
    for _ in range(_REPEATS):
        times, besides = _fitted(counted, said, weight)
        left = counted - times * said - besides
        weight = _weights(left)
    explained = _explained(counted, left, weight)
    return CountsBesideCalls(times, besides / _HOUR_MIN, explained, len(known))


def _weights(left: Array) -> Array:
    """Return Huber's weights of what is left: 1 of what is near, less the farther off."""
    away = np.abs(left)
    scale = max(1.4826 * float(np.median(away)), 1e-9)
    return np.minimum(1.0, _FAR * scale / np.maximum(away, 1e-12))


def _fitted(counted: Array, said: Array, weight: Array) -> tuple[float, float]:
    """Return by how many times `said`, and what besides, hours' counts are nearest by weighted squares."""
    root = np.sqrt(weight)
    design = np.stack([said, np.ones(len(said))], axis=1) * root[:, None]
    (times, besides), _ = nnls(design, counted * root)
    return float(times), float(besides)


def _explained(counted: Array, away: Array, weight: Array) -> float:
    """Return the share of counts' variance that is not what is left, `away`; 1 of counts that never differ."""
    whole = np.average((counted - np.average(counted, weights=weight)) ** 2, weights=weight)
    return float(1 - np.average(away**2, weights=weight) / whole) if whole > 0 else 1.0


def _hours(values: Array) -> Array:
    """Return sums of whole hours, NaN where a minute is not known."""
    whole = len(values) // _HOUR_MIN * _HOUR_MIN
    return np.asarray(values[:whole].reshape(-1, _HOUR_MIN).sum(axis=1, dtype=float))
