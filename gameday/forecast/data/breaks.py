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
"""More are thinned: the search's cost grows with their square."""
_LEAST_CHANGE = 0.1
"""A growth that changes by less than this share a year is not worth a word. Ours."""
_LEAST_DAYS = 14
"""Days between two breaks, and at least so many on each side."""
_PENALTY = 6.0
"""How many variances of the noise, times log n, a break must save. Ours: twice the usual, for days' errors are
correlated."""


@dataclass(frozen=True, slots=True)
class SlopeBreak:
    """A day from which a region's total grows otherwise."""

    region: str
    start: datetime
    before_per_year: float
    """Growth before it, times a year."""
    after_per_year: float


def propose_breaks(past: Past) -> list[SlopeBreak]:
    """Return where a region's total breaks its slope; nothing without the extra `ruptures`."""
    if find_spec("ruptures") is None:
        return []
    minute, log = _daily_level(past)
    if not len(minute):
        return []
    thin = -(-len(log) // _MOST_POINTS)
    minute, log = minute[::thin], log[::thin]
    ends = _change_points(log, max(3, _LEAST_DAYS // thin))
    growths = [_growth(minute[a:b], log[a:b]) for a, b in itertools.pairwise([0, *ends])]
    changes = zip(minute[ends[:-1]], growths[:-1], growths[1:], strict=True)
    return [
        SlopeBreak(past.calendar.region, datetime.fromtimestamp(60 * start, UTC), before, after)
        for start, before, after in changes
        if abs(np.log(after / before)) > _LEAST_CHANGE
    ]


def _daily_level(past: Past) -> tuple[Array, Array]:
    """Return the starts of known days, and the log of the region's total without what recurs; nothing of few."""
    days = daily(past)
    total = days.counts.sum(axis=0)
    known = ~np.isnan(total) & (total > 0)
    if days.starts is None or known.sum() < 4 * _LEAST_DAYS:
        return np.empty(0), np.empty(0)
    starts = days.starts[known]
    return starts, np.log(total[known]) - _recurring(days, starts)


def _change_points(log: Array, least: int) -> list[int]:
    """Return where pieces of a piecewise linear curve end, `least` points apart: PELT (Killick et al. 2012)."""
    import ruptures

    noise = (1.4826 * float(np.median(np.abs(np.diff(log)))) / np.sqrt(2)) ** 2
    signal = np.column_stack([log, np.arange(len(log), dtype=float), np.ones(len(log))])
    search = ruptures.Pelt(model="linear", min_size=least, jump=1).fit(signal)
    found: list[int] = search.predict(pen=_PENALTY * np.log(len(log)) * max(noise, 1e-8) * 3)
    return found


def _recurring(days: Past, minute: Array) -> Array:
    """Return the part of the region's log total that the year, the week, holidays and events make, shape (n,)."""
    whole = with_total(days)
    fit = fit_rows(whole.rows, whole.design(candidate_shapes(whole)[0]))
    parts = fit.parts(fit.design.columns(minute + whole.middle_min, whole.columns(minute)))
    level = ("base", "trend", "slope breaks", "recent level")
    return np.asarray(sum(part[:, -1] for name, part in parts.items() if name not in level))


def _growth(minute: Array, log: Array) -> float:
    """Return growth as times a year."""
    slope = np.polyfit(minute / 1440, log, 1)[0] if len(minute) > 2 else 0.0
    return float(np.exp(np.clip(365.25 * slope, -20, 20)))
