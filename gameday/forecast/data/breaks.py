"""Slope breaks proposed: where the daily level, its week taken out, begins to grow otherwise.

For a person to look at and, if there was a reason, to declare: none enters a forecast by itself.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec

import numpy as np

from gameday.forecast.data.training_data import Past, daily
from gameday.forecast.evaluation.rolling_origin import candidate_shapes
from gameday.forecast.model.reconciliation import with_total
from gameday.forecast.model.solve import fit_rows
from gameday.vocabulary import Array

__all__ = ["SlopeBreak", "propose_breaks"]

_MOST_POINTS = 400
"""More are thinned: the search's cost grows with their square (anchors/forecast.md §4.2: 800 are the most)."""
_LEAST_CHANGE = 0.1
"""A growth that changes by less than this share a year is not worth a word. Ours."""
_LEAST_DAYS = 14
"""Days between two breaks, and at least so many on each side."""
_PENALTY = 6.0
"""How many variances of the noise, times log n, a break must save. Ours: twice the usual, days wander together."""


@dataclass(frozen=True, slots=True)
class SlopeBreak:
    """A day from which a region's total grows otherwise."""

    region: str
    at: datetime
    before_per_year: float
    """Growth before it, times a year."""
    after_per_year: float


def propose_breaks(past: Past) -> list[SlopeBreak]:
    """Return where a region's total breaks its slope; nothing without the extra `ruptures`."""
    if find_spec("ruptures") is None:
        return []
    import ruptures

    days = daily(past)
    total = days.counts.sum(axis=0)
    known = ~np.isnan(total) & (total > 0)
    if days.starts is None or known.sum() < 4 * _LEAST_DAYS:
        return []
    at = days.starts[known]
    log = np.log(total[known]) - _recurring(days, at)
    thin = -(-len(log) // _MOST_POINTS)
    at, log = at[::thin], log[::thin]
    noise = (1.4826 * float(np.median(np.abs(np.diff(log)))) / np.sqrt(2)) ** 2
    signal = np.column_stack([log, np.arange(len(log), dtype=float), np.ones(len(log))])
    search = ruptures.Pelt(model="linear", min_size=max(3, _LEAST_DAYS // thin), jump=1).fit(signal)
    ends = search.predict(pen=_PENALTY * np.log(len(log)) * max(noise, 1e-8) * 3)
    places = [0, *ends]
    slopes = [_growth(at[a:b], log[a:b]) for a, b in itertools.pairwise(places)]
    return [
        SlopeBreak(past.calendar.region, datetime.fromtimestamp(60 * at[place], UTC), one, other)
        for place, one, other in zip(ends[:-1], slopes[:-1], slopes[1:], strict=True)
        if abs(np.log(other / one)) > _LEAST_CHANGE
    ]


def _recurring(days: Past, at: Array) -> Array:
    """Return the part of the region's log total that the year, the week, holidays and events make, shape (n,)."""
    whole = with_total(days)
    fit = fit_rows(whole.rows, whole.design(candidate_shapes(whole)[0]))
    parts = fit.parts(fit.design.columns(at + whole.middle_min, whole.columns(at)))
    level = ("base", "trend", "slope breaks", "recent level")
    return np.asarray(sum(part[:, -1] for name, part in parts.items() if name not in level))


def _growth(at: Array, log: Array) -> float:
    """Return growth as times a year."""
    slope = np.polyfit(at / 1440, log, 1)[0] if len(at) > 2 else 0.0
    return float(np.exp(np.clip(365.25 * slope, -20, 20)))
