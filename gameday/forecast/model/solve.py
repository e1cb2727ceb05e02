"""The fit: ridge regression on log counts, one Gram matrix and one factorisation for all series of a calendar.

Robust by Huber's pseudo-responses (Huber 1981): residuals are clipped and the Gram matrix stays, so that all
series share it; a missing count takes the fit's own value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.closures import without_closures
from gameday.forecast.data.fit_rows import Rows
from gameday.forecast.model.design import Columns, Design
from gameday.forecast.order_statistics import column_medians
from gameday.vocabulary import Array

__all__ = ["Fit", "fit_rows", "influence"]

_HUBER = 1.0
"""Residuals beyond this many scales are clipped. Ours: low, so that the fit is
near a median regression."""
_RIDGE = 30.0
"""Overall penalty per 10,000 minutes of weight. Ours: set by trial in a prototype."""
_FEW = 3.0
"""Few counts are skewed, by 1 / sqrt(counts): so many times that is added to the bound. Ours."""
_PASSES = 4
_WARM_PASSES = 2
_MOST_SCALED = 2_000
"""Rows whose spread is measured, about: of more, every so many alone. Ours: it is known to 3 % from so many."""
_STRIDES = (1, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
"""None shares a factor with a day or a week of rows, of hours or parts of them: no time of day is missed."""
_ROUNDING = 1e-10
"""What is added to a Gram matrix of unit diagonal: far above what sums in double precision lose, far below any
penalty. Ours."""
_BLOCK_ROWS = 1024
"""Rows that are laid out in double precision at once: few enough that most holidays' and events' columns are 0."""
_EVENT_HALF_LIFE_DAYS = 720.0
"""Events are few, so they are forgotten slowly. Ours: two years halve an event's weight."""
_EVERY_WEEK = ("time of day", "weekday")
"""Ingredients of the calendar that every week has."""
_OWN_GRAM = 0.02
"""A series that misses more than this share of the rows that some series has is solved on its own rows: the
pseudo-responses of so many missing ones would not settle in a few passes. Ours."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients of all series of one region."""

    design: Design
    coefficients: Array
    """Shape (columns, series)."""
    scale: Array
    """Robust spread of the log residual, shape (series,)."""
    blocks: tuple[str, ...]
    """The ingredient of each column."""
    supported: Array
    """Whether the past moves each column at all, shape (columns,)."""
    held: Array
    """What the calendar's columns, the last ones, were shrunk to, shape (calendar columns, series)."""

    @property
    def calendar_columns(self) -> int:
        """How many columns, the last ones, depend on the minute alone."""
        return len(self.held)

    def log_mean(self, columns: Columns) -> Array:
        """Return log(1 + count) where `columns` are, shape (n, series)."""
        return np.asarray(columns.values @ self.coefficients.astype(np.float32))

    def parts(self, columns: Columns) -> dict[str, Array]:
        """Return each ingredient's share of `log_mean`, shape (n, series) each, in double precision."""
        names = np.array(self.blocks)
        return {
            name: columns.values[:, names == name].astype(float) @ self.coefficients[names == name]
            for name in dict.fromkeys(self.blocks)
        }

    def of_block(self, name: str) -> Array:
        """Return the coefficients of one ingredient's columns, shape (its columns, series)."""
        return np.asarray(self.coefficients[np.array(self.blocks) == name])

    def special(self, calendar: Columns) -> Array:
        """Return what events, holidays and regressors do to log(1 + count), shape (n, series).

        `calendar`: the columns that depend on the minute alone.
        """
        is_special = np.array([name not in _EVERY_WEEK for name in calendar.blocks], bool)
        own = self.coefficients[len(self.blocks) - self.calendar_columns :][is_special]
        return np.asarray(calendar.values[:, is_special] @ own.astype(np.float32))

    def is_known(self, columns: Columns) -> Array:
        """Return whether the past has seen all that the calendar holds of these minutes, shape (n,)."""
        new = columns.values[:, ~self.supported]
        return np.asarray(~(np.abs(new) > 1e-6).any(axis=1))

    def without_last(self) -> Fit:
        """Return the fit without its last series."""
        return replace(
            self,
            coefficients=self.coefficients[:, :-1],
            scale=self.scale[:-1],
            held=self.held[:, :-1],
        )


def fit_rows(
    rows: Rows, design: Design, prior: Array | None = None, *, start: Fit | None = None
) -> Fit:
    """Return the fit of `rows`, the calendar's columns shrunk to `prior`, (calendar columns, series), or to 0.

    Inside declared events no residual is clipped: they are what events are learned from. `start`, an earlier fit
    of nearly the same rows, saves most of the passes.
    """
    rows = without_closures(rows, design.calendar)
    lost = np.isnan(rows.mean)
    held = np.zeros((len(rows.calendar.blocks), lost.shape[1])) if prior is None else prior
    known = ~np.asarray(lost.all(axis=1))
    rows, lost = rows.where(known), lost[known]
    columns = design.columns(rows.minute, rows.calendar)
    before = None if start is None else (_log_mean(start, rows), start.scale)
    coefficients, scale = _Problem(rows, lost, columns, design, held, before).solve()
    supported = np.asarray((np.abs(columns.values) > 1e-6).any(axis=0))
    return Fit(design, coefficients, scale, columns.blocks, supported, held)


def _log_mean(fit: Fit, rows: Rows) -> Array:
    return fit.log_mean(fit.design.columns(rows.minute, rows.calendar))


@dataclass(frozen=True, slots=True)
class _Problem:
    """All series of a region, to be fitted to rows that some of them have."""

    rows: Rows
    lost: Array
    """Which are missing, shape (rows, series)."""
    columns: Columns
    design: Design
    held: Array
    """What the last columns' coefficients are shrunk to, shape (calendar columns, series); the others' to 0."""
    before: tuple[Array, Array] | None
    """An earlier fit's log(1 + count) of these rows, (rows, series), and its scales, (series,)."""

    def solve(self) -> tuple[Array, Array]:
        """Return (coefficients (columns, series), scale (series,)); 0 and NaN of series without any row."""
        series = self.lost.shape[1]
        coefficients, scale = np.zeros((len(self.columns.blocks), series)), np.full(series, np.nan)
        for group in _groups(self.lost):
            seen = np.asarray(~self.lost[:, group].all(axis=1))
            if seen.any():
                before = self.before
                if before is not None:
                    before = before[0][seen][:, group], before[1][group]
                coefficients[:, group], scale[group] = _solve(self._system(group, seen), before)
        return coefficients, scale

    def _system(self, group: Array, seen: Array) -> _System:
        """Return the equations of some series, on the rows that any of them has."""
        rows = self.rows.where(seen)
        if len(group) < self.lost.shape[1]:
            rows = replace(rows, mean=rows.mean[:, group])
        shrunk_to = np.zeros((len(self.columns.blocks), len(group)))
        shrunk_to[len(shrunk_to) - len(self.held) :] = self.held[:, group]
        return _System.of(rows, self.columns.rows(seen), self.design, shrunk_to)


def _groups(lost: Array) -> list[Array]:
    """Return the series that are solved together: those that miss about the same rows, and each other by itself.

    `lost`: which are missing, shape (rows, series).
    """
    own = np.flatnonzero(lost.mean(axis=0) > _OWN_GRAM) if len(lost) else np.empty(0, int)
    common = np.setdiff1d(np.arange(lost.shape[1]), own)
    return ([common] if len(common) else []) + [np.array([series]) for series in own]


@dataclass(frozen=True, slots=True)
class _System:
    """The penalised normal equations of series that share their rows, ready to be solved again and again."""

    log: Array
    """log(1 + mean), shape (rows, series)."""
    matrix: Array
    """Shape (rows, columns), float32."""
    weight: Array
    """Of each row, shape (rows, 1), float32."""
    root: Array
    """R with R'R the inverse of the penalised Gram matrix, shape (columns, columns)."""
    ridge: Array
    """Shape (columns, 1)."""
    shrunk_to: Array
    """What the coefficients are shrunk to, shape (columns, series)."""
    missing: Array
    """Shape (rows, series)."""
    ordinary: Array
    """Which rows lie in no event, shape (rows, 1)."""
    floor: Array
    """The log spread of a Poisson count of each series' mean, shape (series,)."""

    @staticmethod
    def of(rows: Rows, columns: Columns, design: Design, shrunk_to: Array) -> _System:
        """Return the equations of rows and their columns."""
        weight, log = _weights(rows, design), _log(rows)
        return _System(
            log=log,
            matrix=columns.values,
            weight=weight[:, None].astype(np.float32),
            root=_root(columns, weight),
            ridge=_ridge(columns, weight)[:, None],
            shrunk_to=shrunk_to,
            missing=np.isnan(log),
            ordinary=~rows.in_event[:, None],
            floor=1 / np.sqrt(1 + np.nanmean(rows.mean, axis=0) * np.median(rows.counted)),
        )

    def right(self, pull: Array, coefficients: Array) -> Array:
        """Return the right-hand side for what coefficients are still to be moved by, shape (columns, series).

        `pull`, (rows, series), is overwritten.
        """
        pull *= self.weight
        pulled = (self.matrix.T @ pull).astype(np.float64)
        return np.asarray(pulled - self.ridge * (coefficients - self.shrunk_to))

    def clipped(self, residual: Array, scale: Array) -> Array:
        """Return residuals, overwritten: clipped outside events; 0 where nothing is known. `scale`: (series,)."""
        bound = (_HUBER * (scale * (1 + _FEW * self.floor))).astype(np.float32)
        residual[self.missing] = 0
        return np.asarray(np.clip(residual, -bound, bound, out=residual, where=self.ordinary))

    def spread(self, residual: Array) -> Array:
        """Return the robust spread of residuals, not far below that of Poisson counts, shape (series,)."""
        thin = _thin(len(self.log))
        known = np.where(self.missing[::thin], np.nan, np.abs(residual[::thin]))
        return np.maximum(1.4826 * column_medians(known), 0.2 * self.floor)


def _thin(rows: int) -> int:
    """Return every how many rows tell of all of them."""
    return max((stride for stride in _STRIDES if rows // stride >= _MOST_SCALED), default=1)


def _first_pull(system: _System, before: tuple[Array, Array] | None) -> Array:
    """Return what the first pass fits, (rows, series): unknown rows are their series' median; or by `before`."""
    log = system.log
    if before is None:
        return np.where(system.missing, column_medians(log), log)
    return np.asarray(before[0] + system.clipped(log - before[0], before[1]))


def _solve(system: _System, before: tuple[Array, Array] | None) -> tuple[Array, Array]:
    """Return (coefficients (columns, series), scale (series,)) of series that share their rows.

    `before`: an earlier fit's log(1 + count) of these rows, and its scales.
    """
    log, matrix = system.log, system.matrix
    pull = _first_pull(system, before)
    coefficients = np.zeros_like(system.shrunk_to)
    for _ in range(_PASSES if before is None else _WARM_PASSES):
        # Each pass adds what the last one missed: sums in single precision then err by a share of the residual,
        # not of the counts, which the trend of a long past would make large.
        right = system.right(pull, coefficients)
        coefficients += system.root.T @ (system.root @ right)
        residual = matrix @ coefficients.astype(np.float32)
        np.subtract(log, residual, out=residual)
        scale = system.spread(residual)
        pull = system.clipped(residual, scale)
    return coefficients, scale


def _log(rows: Rows) -> Array:
    """Return log(1 + mean) of rows, corrected for what chance takes from the mean log of few counts.

    By the second-order Taylor expansion of the log.
    """
    missed = (_chance_share(rows) / 2) * rows.mean
    missed /= rows.counted[:, None].astype(np.float32)
    missed /= (1 + rows.mean) ** 2
    return np.asarray(np.add(np.log1p(rows.mean), missed, out=missed))


def _chance_share(rows: Rows) -> Array:
    """Return the variance of each series' rows over that of Poisson counts, at most 1, shape (series,), float32.

    The variance is that of the differences of neighbouring rows.
    """
    thin = _thin(len(rows.mean))
    before, after = rows.mean[:-1:thin], rows.mean[1::thin]
    own = (after - before) ** 2 / 2
    poisson = before / rows.counted[:-1:thin, None].astype(np.float32)
    known = ~np.isnan(own)
    own, poisson = (np.where(known, each, 0).sum(axis=0) for each in (own, poisson))
    return np.asarray(np.clip(own / np.maximum(poisson, 1e-12), 0, 1).astype(np.float32))


def influence(fit: Fit, learned: Rows, more: Rows, columns: Columns, series: int) -> float:
    """Return by how much the mean log forecast at `columns` rises had `more` rows been learned from too.

    To first order, with the residuals clipped as the fit clips them.
    """
    root = _root_of(fit, learned.where(np.asarray(~np.isnan(learned.mean[:, series]))))
    extra = fit.design.columns(more.minute, more.calendar)
    bound = _HUBER * fit.scale[series]
    missed = np.log1p(more.mean[:, series]) - fit.log_mean(extra)[:, series]
    push = np.clip(np.nan_to_num(missed), -bound, bound) * _weights(more, fit.design)
    moved = root.T @ (root @ (extra.values.T.astype(float) @ push))
    return float((columns.values @ moved).mean())


def _root_of(fit: Fit, rows: Rows) -> Array:
    """Return `_root` of a fit to such rows."""
    columns = fit.design.columns(rows.minute, rows.calendar)
    return _root(columns, _weights(rows, fit.design))


def _root(columns: Columns, weight: Array) -> Array:
    """Return R with R'R the inverse of the penalised Gram matrix, shape (columns, columns).

    Scaled to a diagonal of ones (Jacobi preconditioning) before its Cholesky factorisation, for the trend of ten
    years is a thousand times a weekday; `_ROUNDING` keeps it positive definite where columns are collinear, as
    equal regressors are.
    """
    gram = _gram(columns.values, weight) + np.diag(_ridge(columns, weight))
    size = np.sqrt(np.diag(gram))
    size = np.where(size > 0, size, 1.0)
    scaled = gram / np.outer(size, size) + np.diag(np.full(len(size), _ROUNDING))
    # Of numpy, not scipy: the two bring their own BLAS threads, which would wait for each other.
    return np.asarray(np.linalg.inv(np.linalg.cholesky(scaled)) / size)


def _gram(matrix: Array, weight: Array) -> Array:
    """Return X'WX in double precision, block by block: single precision loses it over years of minutes.

    Of each block only the columns that hold anything.
    """
    gram = np.zeros((matrix.shape[1],) * 2)
    for first in range(0, len(matrix), _BLOCK_ROWS):
        part = slice(first, first + _BLOCK_ROWS)
        held = np.flatnonzero(matrix[part].any(axis=0))
        block = matrix[part, held] * np.sqrt(weight[part])[:, None]
        gram[np.ix_(held, held)] += block.T @ block
    return gram


def _ridge(columns: Columns, weight: Array) -> Array:
    relative = columns.penalty * _RIDGE * weight.sum() / 1e4
    return np.where(columns.penalty < 0, -columns.penalty, relative)


def _weights(rows: Rows, design: Design) -> Array:
    """Return minutes of data in each row, fewer the older they are, shape (rows,)."""
    age_days = (design.origin_min - rows.minute) / 1440
    recent = 0.5 ** (np.abs(age_days) / design.shape.half_life_days)
    slowly = 0.5 ** (np.abs(age_days) / _EVENT_HALF_LIFE_DAYS)
    weight = np.where(rows.in_event, np.maximum(recent, slowly), recent)
    return np.asarray(weight * (age_days >= 0) * rows.width)
