"""Rolling-origin evaluation: what each member would have forecast from earlier origins, beside what came."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.fit_rows import Rows, in_event
from gameday.forecast.data.training_data import Past
from gameday.forecast.data.weekly_profile import (
    QUARTERS_DAYS,
    log_ratio_of_rows,
    quarters_at,
    recurring_quarters,
)
from gameday.forecast.model.blend import apart, blended, profile_at
from gameday.forecast.model.design import Columns
from gameday.forecast.model.patterns import Pattern, patterns_of
from gameday.forecast.model.profile import Residues
from gameday.forecast.model.solve import Fit, fit_rows
from gameday.forecast.model.told import Told
from gameday.forecast.parallel import side_by_side
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array

__all__ = [
    "Fold",
    "candidate_shapes",
    "quarters_of",
    "rolling_folds",
]

_FOLDS = (2.0, 1.5, 1.0, 0.75, 0.5, 0.25)
"""Origins so many horizons before the end of the past."""
_STRIDES = (1, 7, 13, 29, 61, 121)
"""Every so many minutes are scored: each shares no factor with a day, so no minute of it is missed."""
_MOST_SCORED = 3000
_LEAST_DAYS = 4.0
"""A fold is fitted to at least so many days."""
_SHORT_PAST = (
    (Shape("steady", 14.0, 0.5, 60.0), Shape("growing", 14.0, 7.0, 30.0)),
    (
        Shape("walking", 14.0, 0.5, 14.0, walk_min=45.0),
        Shape("strolling", 14.0, 0.5, 60.0, walk_min=300.0),
    ),
)
"""Level models of a past of less than 200 days, and those of them that are random walks."""
_LONG_PAST = (
    (Shape("steady", 60.0, 30.0, 240.0), Shape("growing", 60.0, 120.0, 720.0)),
    (
        Shape("walking", 60.0, 30.0, 120.0, walk_min=45.0),
        Shape("strolling", 60.0, 30.0, 240.0, walk_min=300.0),
    ),
)
"""The same of a longer past."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One origin: what was forecast from it, and what came."""

    origin: float
    back: float
    """How many horizons before the end of the past it lies."""
    minute: Array
    """Shape (n,)."""
    lead_days: Array
    """How far ahead each minute lay, shape (n,)."""
    hour: Array
    """Local hour, shape (n,)."""
    in_event: Array
    """Shape (n,)."""
    actual: Array
    """Counts, shape (n, series); NaN where not known or, then, not knowable."""
    log_mean: Array
    """Each member's log(1 + count), shape (members, n, series), float32; the level models' first."""
    said: Array
    """Which member forecast all of these minutes of a series, (members, series); elsewhere `log_mean` is 0."""
    levels: int
    """How many of them are level models, which always do."""
    recurring: Array
    """Log of the single minutes' factor in that, shape (n, series), float32."""

    def blended(self, weights: Array) -> Array:
        """Return the counts of members with such weights, (members, series), shape (n, series)."""
        return blended(self._heard(weights), self.log_mean, self.levels)

    def _heard(self, weights: Array) -> Array:
        """Return the weights of members that forecast; they sum to 1, too."""
        heard = weights * self.said
        whole = heard.sum(axis=0)
        heard[0] = np.where(whole > 0, heard[0], 1.0)
        return np.asarray(heard / heard.sum(axis=0))

    def blended_series(self, weights: Array, series: int) -> Array:
        """Return the same of one series alone, shape (n,)."""
        own = [series]
        return blended(self._heard(weights)[:, own], self.log_mean[:, :, own], self.levels)[:, 0]

    def apart_series(self, weights: Array, series: int) -> Array:
        """Return how far members of one series lie apart, as `Blend.apart`, shape (n,)."""
        own = [series]
        return apart(self._heard(weights)[:, own], self.log_mean[:, :, own], self.levels)[:, 0]

    def part(self, series: slice) -> Fold:
        """Return the fold of some series."""
        return replace(
            self,
            actual=self.actual[:, series],
            log_mean=self.log_mean[:, :, series],
            said=self.said[:, series],
            recurring=self.recurring[:, series],
        )


def candidate_shapes(past: Past) -> tuple[Shape, ...]:
    """Return the level models weighted for a past: by its length; where days are forecast, no random walks.

    A random walk over the last weeks says nothing of a year ahead.
    """
    days = (past.end_min - past.first_min) / 1440
    plain: tuple[Shape, ...]
    plain, walks = _SHORT_PAST if days < 200 else _LONG_PAST
    month = past.calendar.block.ingredients.month
    if month is not None and days >= month.from_days:
        plain = (*plain, replace(plain[0], name="paydays", is_monthly=True))
    return plain if past.is_daily else plain + walks


def rolling_folds(past: Past, horizon_min: int, shapes: tuple[Shape, ...]) -> list[Fold]:
    """Return what every shape would have forecast from each origin before the end of the past."""
    horizon = min(horizon_min, past.grid.slots // 3)
    residues = None if past.is_daily else past.residues(days=56 + int(2 * horizon / 1440))
    _ = past.rows  # made once, before threads want them

    def fold_at(back: float) -> Fold | None:
        """Return what is forecast from so many horizons back; None where too little was known then."""
        origin = past.end_min - int(horizon * back)
        minute = past.slots_between(origin, origin + horizon, _stride(past, horizon))
        if origin - past.first_min < _LEAST_DAYS * 1440 or not len(minute):
            return None
        candidates = _Candidates.fit(past, origin, origin + horizon, shapes, residues)
        return candidates.score(minute, back)

    found = side_by_side(fold_at, [(back,) for back in _FOLDS])
    return [fold for fold in found if fold is not None]


def _stride(past: Past, horizon: int) -> int:
    """Return which of the slots ahead are scored: every so many, or all where they are days."""
    fitting = (stride for stride in _STRIDES if horizon / stride <= _MOST_SCORED)
    return 1 if past.is_daily else next(fitting, _STRIDES[-1])


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The candidates fitted to what was known at one origin."""

    past: Past
    """All of it, for what came."""
    origin: float
    fits: list[Fit]
    quarters: Array | None
    """What recurs by the quarter hour of the week, (7, 96, series); None where days are forecast."""
    profile: Array | None
    """What recurs by the minute of the day, (2, 1440, series); likewise."""
    patterns: tuple[Pattern, ...]
    told: tuple[Told, ...]
    """What members from outside said then."""

    @staticmethod
    def fit(
        past: Past, origin: float, end: float, shapes: tuple[Shape, ...], residues: Residues | None
    ) -> _Candidates:
        """Return the candidates of an origin for up to `end`; `residues`: None where days are forecast."""
        rows = past.rows.before(origin)
        fits = [fit_rows(rows, past.design(shape, origin=origin)) for shape in shapes]
        patterns = patterns_of(rows, fits[0])
        told = tuple(member.told(past, origin, end) for member in past.outside)
        if residues is None:
            return _Candidates(past, origin, fits, None, None, patterns, told)
        quarters, profile = quarters_of(rows, fits[0]), residues.profile(origin)
        return _Candidates(past, origin, fits, quarters, profile, patterns, told)

    def score(self, minute: Array, back: float) -> Fold:
        """Return what they forecast of slots that start at `minute`, beside what came."""
        past, slot = self.past, self.past.calendar.slot_of_day(minute)
        actual = past.actual(minute).astype(np.float32)
        quarter, recurring = self._recurring(minute, slot)
        log_mean, known = self._log_means(minute, quarter, recurring)
        return Fold(
            origin=self.origin,
            back=back,
            minute=minute,
            lead_days=(minute - self.origin) / 1440,
            hour=slot[0] // 60,
            in_event=in_event(minute, past.calendar),
            actual=_where_known(actual, known),
            log_mean=np.nan_to_num(log_mean),
            said=np.asarray(~np.isnan(log_mean).any(axis=1)),
            levels=len(self.fits),
            recurring=np.broadcast_to(recurring, actual.shape),
        )

    def _recurring(self, minute: Array, slot: tuple[Array, Array]) -> tuple[Array, Array]:
        """Return the log factors by the quarter hour, and by the single minute, (n, series) or (1, 1) each."""
        if self.quarters is None or self.profile is None:
            return np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32)
        quarter = quarters_at(self.quarters, self.past.calendar, minute)
        return quarter.astype(np.float32), profile_at(self.profile, slot).astype(np.float32)

    def _log_means(self, minute: Array, quarter: Array, recurring: Array) -> tuple[Array, Array]:
        """Return each member's log(1 + count), float32, and where all knew what the calendar holds."""
        past, fixed = self.past, self.past.columns(minute)
        logs, known = list[Array](), np.ones(len(minute), bool)
        for fit in self.fits:
            columns = fit.design.columns(minute + past.middle_min, fixed)
            logs.append(_times(fit.log_mean(columns), quarter + recurring))
            known &= fit.is_known(columns)
        logs += [_times(log, recurring) for log in self._of_patterns(minute, fixed)]
        return np.stack(logs), known

    def _of_patterns(self, minute: Array, fixed: Columns) -> list[Array]:
        """Return each pattern's, and each outside member's, log(1 + count) without what recurs by the minute."""
        special, calendar = self.fits[0].special(fixed), self.past.calendar
        plain = [pattern.at(calendar, minute) + special for pattern in self.patterns]
        return plain + [each.at(minute) for each in self.told]


def _times(log: Array, log_factor: Array) -> Array:
    """Return log(1 + count) of so many times the count, at least none."""
    counts = np.maximum(np.expm1(log), 0) * np.exp(log_factor)
    return np.asarray(np.log1p(counts), np.float32)


def _where_known(counts: Array, known: Array) -> Array:
    """Return counts, (n, series), NaN where what the calendar holds was not known, (n,)."""
    return np.where(known[:, None], counts, np.nan)


def quarters_of(rows: Rows, fit: Fit) -> Array:
    """Return what of the last weeks' rows recurs by the quarter hour beside a fit, shape (7, 96, series)."""
    late = rows.where(rows.minute >= fit.design.origin_min - QUARTERS_DAYS * 1440)
    fitted = fit.log_mean(fit.design.columns(late.minute, late.calendar))
    return recurring_quarters(late, log_ratio_of_rows(late, fitted), fit.design.calendar)
