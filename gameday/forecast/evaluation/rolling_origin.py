"""Rolling-origin evaluation: what each candidate would have forecast, its errors, and the weight it earns."""

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
from gameday.forecast.model.blend import profile_at
from gameday.forecast.model.profile import Residues
from gameday.forecast.model.solve import Fit, fit_rows
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array

__all__ = [
    "Fold",
    "candidate_shapes",
    "fold_errors",
    "quarters_of",
    "weighed_folds",
    "rolling_folds",
    "scores_of",
    "weights_of",
]

_FOLDS = (2.0, 1.5, 1.0, 0.75, 0.5, 0.25)
"""Origins so many horizons before the end of the past."""
_WEIGHED = 1.0
"""Older origins than this tell of the spread of errors alone, not of which candidate is best now."""
_POWER = 16.0
"""A candidate's weight falls with this power of its error: one that is 10 % worse counts a fifth. Ours."""
_STRIDES = (1, 7, 13, 29, 61, 121)
"""Every so many minutes are scored: each shares no factor with a day, so no minute of it is missed."""
_MOST_SCORED = 3000
_LEAST_SCORED = 200
_LEAST_COUNT = 3.0
"""Counts that one scored sum holds on average: single minutes of a sparse series would favour a forecast of 0.
Ours."""
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
    """Each candidate's log(1 + count), shape (candidates, n, series), float32."""
    recurring: Array
    """Log of the single minutes' factor in that, shape (n, series), float32."""

    def without_last(self) -> Fold:
        """Return the fold without its last series."""
        return replace(
            self,
            actual=self.actual[:, :-1],
            log_mean=self.log_mean[:, :, :-1],
            recurring=self.recurring[:, :-1],
        )


def candidate_shapes(past: Past) -> tuple[Shape, ...]:
    """Return the level models weighted for a past: by its length; where days are forecast, no random walks.

    A random walk over the last weeks says nothing of a year ahead.
    """
    is_short = (past.end_min - past.first_min) / 1440 < 200
    plain, walks = _SHORT_PAST if is_short else _LONG_PAST
    return plain if past.is_daily else plain + walks


def rolling_folds(past: Past, horizon_min: int, shapes: tuple[Shape, ...]) -> list[Fold]:
    """Return what every shape would have forecast from each origin before the end of the past."""
    horizon = min(horizon_min, past.grid.slots // 3)
    residues = None if past.is_daily else past.residues(days=56 + int(2 * horizon / 1440))
    folds = []
    for back in _FOLDS:
        origin = past.end_min - int(horizon * back)
        if origin - past.first_min >= _LEAST_DAYS * 1440:
            minute = past.slots_between(origin, origin + horizon, _stride(past, horizon))
            if len(minute):
                candidates = _Candidates.fit(past, origin, shapes, residues)
                folds.append(candidates.score(minute, back))
    return folds


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

    @staticmethod
    def fit(
        past: Past, origin: float, shapes: tuple[Shape, ...], residues: Residues | None
    ) -> _Candidates:
        """Return the candidates of an origin; `residues`: None where days are forecast."""
        rows = past.rows.before(origin)
        fits = [fit_rows(rows, past.design(shape, origin=origin)) for shape in shapes]
        if residues is None:
            return _Candidates(past, origin, fits, None, None)
        return _Candidates(past, origin, fits, quarters_of(rows, fits[0]), residues.profile(origin))

    def score(self, minute: Array, back: float) -> Fold:
        """Return what they forecast of slots that start at `minute`, beside what came."""
        past, slot = self.past, self.past.calendar.slot_of_day(minute)
        actual = past.actual(minute).astype(np.float32)
        quarter, recurring = self._recurring(minute, slot)
        log_mean, known = self._log_means(minute, quarter + recurring)
        return Fold(
            origin=self.origin,
            back=back,
            minute=minute,
            lead_days=(minute - self.origin) / 1440,
            hour=slot[0] // 60,
            in_event=in_event(minute, past.calendar),
            actual=_where_known(actual, known),
            log_mean=log_mean,
            recurring=np.broadcast_to(recurring, actual.shape),
        )

    def _recurring(self, minute: Array, slot: tuple[Array, Array]) -> tuple[Array, Array]:
        """Return the log factors by the quarter hour, and by the single minute, (n, series) or (1, 1) each."""
        if self.quarters is None or self.profile is None:
            return np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32)
        quarter = quarters_at(self.quarters, self.past.calendar, minute)
        return quarter.astype(np.float32), profile_at(self.profile, slot).astype(np.float32)

    def _log_means(self, minute: Array, recurring: Array) -> tuple[Array, Array]:
        """Return each candidate's log(1 + count), float32, and where all knew what the calendar holds."""
        fixed = self.past.columns(minute)
        log_mean = np.empty((len(self.fits), len(minute), len(self.past.counts)), np.float32)
        known = np.ones(len(minute), bool)
        for index, fit in enumerate(self.fits):
            columns = fit.design.columns(minute + self.past.middle_min, fixed)
            smooth = np.maximum(np.expm1(fit.log_mean(columns)), 0)
            log_mean[index] = np.log1p(smooth * np.exp(recurring))
            known &= fit.is_known(columns)
        return log_mean, known


def _where_known(counts: Array, known: Array) -> Array:
    """Return counts, (n, series), NaN where what the calendar holds was not known, (n,)."""
    return np.where(known[:, None], counts, np.nan)


def quarters_of(rows: Rows, fit: Fit) -> Array:
    """Return what of the last weeks' rows recurs by the quarter hour beside a fit, shape (7, 96, series)."""
    late = rows.where(rows.minute >= fit.design.origin_min - QUARTERS_DAYS * 1440)
    fitted = fit.log_mean(fit.design.columns(late.minute, late.calendar))
    return recurring_quarters(late, log_ratio_of_rows(late, fitted), fit.design.calendar)


def fold_errors(folds: list[Fold]) -> Array:
    """Return each candidate's WAPE in each fold, (folds, candidates, series); NaN where too little was known.

    Of a sparse series sums of several minutes are scored: one by one, 0 would win.
    """
    return np.stack([_errors_of_fold(fold) for fold in folds])


def _errors_of_fold(fold: Fold) -> Array:
    """Return the same of one fold, (candidates, series)."""
    known = ~np.isnan(fold.actual)
    number, total = known.sum(axis=0), np.nansum(fold.actual, axis=0)
    enough = (number >= min(_LEAST_SCORED, len(fold.minute) // 2)) & (total > 0)
    runs = _run_lengths(number, total, len(known))
    missed = (np.where(known, np.expm1(log_mean) - fold.actual, 0) for log_mean in fold.log_mean)
    errors = [_summed_error(row, runs) / np.maximum(total, 1e-9) for row in missed]
    return np.where(enough, np.array(errors, float), np.nan)


def _run_lengths(number: Array, total: Array, most: int) -> Array:
    """Return how many minutes each series' scored sums are of, given minutes known and counts, (series,) each."""
    runs = np.ceil(_LEAST_COUNT * number / np.maximum(total, 1e-9))
    return runs.clip(1, most // 7 or 1).astype(int)


def _summed_error(missed: Array, runs: Array) -> Array:
    """Return the summed absolute error of runs of so many minutes, (n, series) and (series,) to (series,)."""
    error = np.abs(missed).sum(axis=0)
    for series in np.flatnonzero(runs > 1):
        starts = np.arange(0, len(missed), runs[series])
        error[series] = np.abs(np.add.reduceat(missed[:, series], starts)).sum()
    return np.asarray(error)


def weights_of(folds: list[Fold]) -> tuple[Array, Array]:
    """Return (weights, scores) of the candidates, shape (candidates, series) each; unscored they weigh alike."""
    scores = scores_of(weighed_folds(folds))
    log = np.log(np.where(np.isnan(scores), 1.0, scores))
    relative = np.exp(-_POWER * (log - log.min(axis=0)))
    return relative / relative.sum(axis=0), scores


def weighed_folds(folds: list[Fold]) -> list[Fold]:
    """Return the folds that tell which candidate is best now."""
    return [fold for fold in folds if fold.back <= _WEIGHED] or folds


def scores_of(folds: list[Fold]) -> Array:
    """Return each candidate's score, shape (candidates, series); NaN where no fold tells one.

    The geometric mean of the folds' WAPEs, longer folds counting more: so a fold that all find hard does not
    outvote the others.
    """
    length = np.sqrt([(~np.isnan(fold.actual)).any(axis=1).sum() for fold in folds])[:, None, None]
    log = np.log(np.maximum(fold_errors(folds), 1e-6))
    weight = np.where(np.isnan(log), 0.0, length)
    total = weight.sum(axis=0)
    score = (weight * np.nan_to_num(log)).sum(axis=0) / np.maximum(total, 1e-9)
    return np.where(total > 0, np.exp(score), np.nan)
