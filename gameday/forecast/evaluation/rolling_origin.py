"""What each candidate would have said before: rolling origins, its errors, and the weight it earns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.forecast.data.fit_rows import Rows, in_event
from gameday.forecast.data.training_data import Past
from gameday.forecast.data.weekly_profile import (
    QUARTERS_DAYS,
    quarters_at,
    recurring_quarters,
    rows_off,
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
    "raced_folds",
    "rolling_folds",
    "scores_of",
    "weights_of",
]

_FOLDS = (2.0, 1.5, 1.0, 0.75, 0.5, 0.25)
"""Origins so many horizons before the end of the past."""
_RACED = 1.0
"""Older origins than this tell of the spread of errors alone, not of which candidate is best now."""
_POWER = 16.0
"""A candidate's weight falls with this power of its error: one that is 10 % worse counts a fifth. Ours."""
_STRIDES = (1, 7, 13, 29, 61, 121)
"""Every so many minutes are scored: each shares no factor with a day, so no minute of it is missed."""
_MOST_SCORED = 3000
_LEAST_SCORED = 200
_LEAST_COUNT = 3.0
"""Counts that one scored sum holds on average; anchors/forecast.md §0.8 asks for 15 or 60 minutes. Ours."""
_LEAST_DAYS = 4.0
"""A fold is fitted to at least so many days."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One origin: what was said from it, and what came."""

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


def candidate_shapes(past: Past) -> tuple[Shape, ...]:
    """Return the levels raced for a past: by its length, and without those that walk where days are forecast.

    A level that walked for the last weeks says nothing of a year ahead.
    """
    if (past.end_min - past.first_min) / 1440 < 200:
        knot, damp, slow, quick = 14.0, (0.5, 7.0), (60.0, 30.0), 14.0
    else:
        knot, damp, slow, quick = 60.0, (30.0, 120.0), (240.0, 720.0), 120.0
    plain = (
        Shape("steady", knot, damp[0], slow[0]),
        Shape("growing", knot, damp[1], slow[1]),
    )
    if past.is_daily:
        return plain
    return (
        *plain,
        Shape("walking", knot, damp[0], quick, walk_min=45.0),
        Shape("strolling", knot, damp[0], slow[0], walk_min=300.0),
    )


def rolling_folds(past: Past, horizon_min: int, shapes: tuple[Shape, ...]) -> list[Fold]:
    """Return what every shape would have said from each origin before the end of the past."""
    end = past.end_min
    horizon = min(horizon_min, past.grid.slots // 3)
    stride = next((s for s in _STRIDES if horizon / s <= _MOST_SCORED), _STRIDES[-1])
    residues = None if past.is_daily else past.residues(days=56 + int(2 * horizon / 1440))
    folds = []
    for back in _FOLDS:
        origin = end - int(horizon * back)
        if origin - past.first_min < _LEAST_DAYS * 1440:
            continue
        minute = past.slots_between(origin, origin + horizon, 1 if past.is_daily else stride)
        if len(minute):
            folds.append(_fold(past, origin, back, minute, shapes, residues))
    return folds


def _fold(
    past: Past,
    origin: float,
    back: float,
    minute: Array,
    shapes: tuple[Shape, ...],
    residues: Residues | None,
) -> Fold:
    rows, fixed = past.rows.before(origin), past.columns(minute)
    slot = past.calendar.slot_of_day(minute)
    fits = [fit_rows(rows, past.design(shape, origin=origin)) for shape in shapes]
    quarter = recurring = np.zeros((1, 1), np.float32)
    if residues is not None:
        recurring = profile_at(residues.profile(origin), slot).astype(np.float32)
        quarters = quarters_of(rows, fits[0])
        quarter = quarters_at(quarters, past.calendar, minute).astype(np.float32)
    said = np.empty((len(shapes), len(minute), len(past.counts)), np.float32)
    known = np.ones(len(minute), bool)
    for index, fit in enumerate(fits):
        columns = fit.design.columns(minute + past.middle_min, fixed)
        smooth = np.maximum(np.expm1(fit.log_mean(columns)), 0)
        said[index] = np.log1p(smooth * np.exp(quarter + recurring))
        known &= fit.is_known(columns)
    actual = past.actual(minute).astype(np.float32)
    return Fold(
        origin,
        back,
        minute,
        (minute - origin) / 1440,
        slot[0] // 60,
        in_event(minute, past.calendar),
        np.where(known[:, None], actual, np.nan),
        said,
        np.broadcast_to(recurring, actual.shape),
    )


def quarters_of(rows: Rows, fit: Fit) -> Array:
    """Return what of the last weeks' rows recurs by the quarter hour beside a fit, shape (7, 96, series)."""
    late = rows.where(rows.minute >= fit.design.origin_min - QUARTERS_DAYS * 1440)
    fitted = fit.log_mean(fit.design.columns(late.minute, late.calendar))
    return recurring_quarters(late, rows_off(late, fitted), fit.design.calendar)


def fold_errors(folds: list[Fold]) -> Array:
    """Return each candidate's WAPE in each fold, (folds, candidates, series); NaN where too little was known.

    Of a sparse series sums of several minutes are scored: one by one, 0 would win.
    """
    shape = (len(folds), *folds[0].log_mean.shape[::2])
    out = np.full(shape, np.nan)
    for index, fold in enumerate(folds):
        known = ~np.isnan(fold.actual)
        number, total = known.sum(axis=0), np.nansum(fold.actual, axis=0)
        enough = (number >= min(_LEAST_SCORED, len(fold.minute) // 2)) & (total > 0)
        runs = np.ceil(_LEAST_COUNT * number / np.maximum(total, 1e-9)).clip(
            1, len(known) // 7 or 1
        )
        for candidate, said in enumerate(fold.log_mean):
            missed = np.where(known, np.expm1(said) - fold.actual, 0)
            wrong = _summed_error(missed, runs.astype(int))
            out[index, candidate] = np.where(enough, wrong / np.maximum(total, 1e-9), np.nan)
    return out


def _summed_error(missed: Array, runs: Array) -> Array:
    """Return the summed absolute error of runs of so many minutes, (n, series) and (series,) to (series,)."""
    wrong = np.abs(missed).sum(axis=0)
    for series in np.flatnonzero(runs > 1):
        starts = np.arange(0, len(missed), runs[series])
        wrong[series] = np.abs(np.add.reduceat(missed[:, series], starts)).sum()
    return np.asarray(wrong)


def weights_of(folds: list[Fold]) -> tuple[Array, Array]:
    """Return (weights, scores) of the candidates, shape (candidates, series) each; untold they weigh alike."""
    scores = scores_of(raced_folds(folds))
    log = np.log(np.where(np.isnan(scores), 1.0, scores))
    relative = np.exp(-_POWER * (log - log.min(axis=0)))
    return relative / relative.sum(axis=0), scores


def raced_folds(folds: list[Fold]) -> list[Fold]:
    """Return the folds that tell which candidate is best now."""
    return [fold for fold in folds if fold.back <= _RACED] or folds


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
