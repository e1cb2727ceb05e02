"""The fit: ridge on log counts, one Gram and one factorisation for all series of a calendar.

Robust by Huber's pseudo-responses: the residual is clipped, the Gram stays, so that all series
share it; a missing count takes the fit's own value. Source: anchors/forecast.md §4.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.closures import opened
from gameday.forecast.data.fit_rows import Rows
from gameday.forecast.model.design import Columns, Design
from gameday.vocabulary import Array

__all__ = ["Fit", "fit_rows", "influence"]

_HUBER = 1.0
"""Residuals beyond this many scales are clipped. Ours: near the median; 2.5 was the probe's."""
_RIDGE = 30.0
"""Overall penalty per 10,000 minutes of weight. Source: the probe."""
_FEW = 3.0
"""Chance in few counts is lopsided, by 1 / sqrt(counts): so many times that is added to the bound. Ours."""
_PASSES = 6
_WARM_PASSES = 2
_MOST_SCALED = 4_000_000
"""Residuals whose spread is measured: of more, every so many rows' alone."""
_ROUNDING = 1e-10
"""What is added to a Gram matrix of unit diagonal: far above what sums in double precision lose, far below any
penalty. Ours."""
_BLOCK_ROWS = 8192
"""Rows that are laid out in double precision at once."""
_EVENT_HALF_LIFE_DAYS = 720.0
"""Events are few, so they are forgotten slowly. Ours: two years halve an event's weight."""
_OWN_GRAM = 0.02
"""A series that misses more rows than this share beyond what all miss is solved on its own rows: the
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
    """What the calendar's columns, the last ones, were held to, shape (calendar columns, series)."""

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

    def is_known(self, columns: Columns) -> Array:
        """Return whether the past has seen all that the calendar says of these minutes, shape (n,)."""
        new = columns.values[:, ~self.supported]
        return np.asarray(~(np.abs(new) > 1e-6).any(axis=1))


def fit_rows(
    rows: Rows, design: Design, prior: Array | None = None, *, start: Fit | None = None
) -> Fit:
    """Return the fit of `rows`, the calendar's columns held to `prior`, (calendar columns, series), or to 0.

    Inside declared events no residual is clipped: they are the lesson. `start`, an earlier fit of nearly the
    same rows, saves most of the passes.
    """
    rows = opened(rows, design.calendar)
    lost = np.isnan(rows.mean)
    held = np.zeros((len(rows.calendar.blocks), lost.shape[1])) if prior is None else prior
    shared = np.asarray(lost.all(axis=1))
    rows, lost = rows.where(~shared), lost[~shared]
    columns = design.columns(rows.minute, rows.calendar)
    own = np.flatnonzero(lost.mean(axis=0) > _OWN_GRAM) if len(lost) else np.empty(0, int)
    common = np.setdiff1d(np.arange(lost.shape[1]), own)
    series = lost.shape[1]
    coefficients, scale = np.zeros((len(columns.blocks), series)), np.full(series, np.nan)
    said = (
        None if start is None else start.log_mean(start.design.columns(rows.minute, rows.calendar))
    )
    for group in ([common] if len(common) else []) + [np.array([one]) for one in own]:
        seen = np.asarray(~lost[:, group].all(axis=1))
        some = replace(rows.where(seen), mean=rows.mean[seen][:, group])
        whole = np.zeros((len(columns.blocks), len(group)))
        whole[len(whole) - len(held) :] = held[:, group]
        before = None if said is None else (said[seen][:, group], start.scale[group])  # type: ignore[union-attr]
        coefficients[:, group], scale[group] = _solved(
            some, columns.rows(seen), design, whole, before
        )
    supported = np.asarray((np.abs(columns.values) > 1e-6).any(axis=0))
    return Fit(design, coefficients, scale, columns.blocks, supported, held)


def _solved(
    rows: Rows, columns: Columns, design: Design, prior: Array, before: tuple[Array, Array] | None
) -> tuple[Array, Array]:
    """Return (coefficients (columns, series), scale (series,)) of series that share their rows.

    `before`: what an earlier fit said of these rows, and its scales.
    """
    matrix, weight = columns.values, _weights(rows, design)
    if not len(matrix):
        return np.zeros((matrix.shape[1], rows.mean.shape[1])), np.full(rows.mean.shape[1], np.nan)
    weighted = matrix * weight[:, None].astype(np.float32)
    root, ridge = _root(columns, weight), _ridge(columns, weight)[:, None]
    log = _log(rows)
    gone = np.isnan(log)
    floor = 1 / np.sqrt(1 + np.nanmean(rows.mean, axis=0) * np.median(rows.counted))
    few = 1 + _FEW * floor
    calm, thin = ~rows.in_event[:, None], 1 + log.size // _MOST_SCALED
    if before is None:
        pull = np.where(gone, np.nanmedian(log, axis=0), log)
    else:
        pull = before[0] + _clipped(log - before[0], gone, calm, before[1] * few)
    coefficients = np.zeros_like(prior)
    for _ in range(_PASSES if before is None else _WARM_PASSES):
        # Each pass adds what the last one missed: sums in single precision then err by a share of the residual,
        # not of the counts, which the trend of a long past would make large.
        right = (weighted.T @ pull).astype(np.float64) - ridge * (coefficients - prior)
        coefficients += root.T @ (root @ right)
        residual = log - matrix @ coefficients.astype(np.float32)
        middle = np.where(gone[::thin], np.nan, np.abs(residual[::thin]))
        scale = np.maximum(1.4826 * np.nanmedian(middle, axis=0), 0.2 * floor)
        pull = _clipped(residual, gone, calm, scale * few)
    return coefficients, scale


def _log(rows: Rows) -> Array:
    """Return log(1 + mean) of rows, what chance takes from the log of a few counts given back.

    As much chance as a row has beside the next one, but no more than a Poisson count's.
    """
    width = rows.counted[:, None].astype(np.float32)
    thin = 1 + rows.mean.size // _MOST_SCALED
    jumps = (rows.mean[1::thin] - rows.mean[:-1:thin]) ** 2 / 2
    told = ~np.isnan(jumps)
    own = np.where(told, jumps, 0).sum(axis=0) / np.maximum(told.sum(axis=0), 1)
    poisson = np.nanmean(rows.mean / width, axis=0)
    share = np.clip(own / np.maximum(poisson, 1e-12), 0, 1).astype(np.float32)
    chance = share * rows.mean / width
    return np.asarray(np.log1p(rows.mean) + chance / (2 * (1 + rows.mean) ** 2))


def _clipped(residual: Array, gone: Array, calm: Array, scale: Array) -> Array:
    """Return what the next pass is to follow: residuals, clipped outside events; 0 where nothing is known."""
    bound = (_HUBER * scale).astype(np.float32)
    known = np.where(gone, np.float32(0), residual)
    return np.asarray(np.where(calm, np.clip(known, -bound, bound), known))


def influence(fit: Fit, learned: Rows, more: Rows, asked: Columns, series: int) -> float:
    """Return by how much the mean log forecast of `asked` rises had `more` rows been learned from too.

    To first order, with the residuals clipped as the fit clips them.
    """
    seen = learned.where(np.asarray(~np.isnan(learned.mean[:, series])))
    columns = fit.design.columns(seen.minute, seen.calendar)
    root = _root(columns, _weights(seen, fit.design))
    extra = fit.design.columns(more.minute, more.calendar)
    bound = _HUBER * fit.scale[series]
    missed = np.log1p(more.mean[:, series]) - fit.log_mean(extra)[:, series]
    push = np.clip(np.nan_to_num(missed), -bound, bound) * _weights(more, fit.design)
    moved = root.T @ (root @ (extra.values.T.astype(float) @ push))
    return float((asked.values @ moved).mean())


def _root(columns: Columns, weight: Array) -> Array:
    """Return R with R'R the inverse of the penalised Gram matrix, shape (columns, columns).

    Scaled to a diagonal of ones (Jacobi) before it is factorised, for the trend of ten years is a thousand times a
    weekday; columns that are one another's sums, as equal regressors, are told apart by `_ROUNDING` alone.
    """
    gram = _gram(columns.values, weight) + np.diag(_ridge(columns, weight))
    size = np.sqrt(np.diag(gram))
    size = np.where(size > 0, size, 1.0)
    scaled = gram / np.outer(size, size) + np.diag(np.full(len(size), _ROUNDING))
    # Of numpy, not scipy: the two bring their own BLAS threads, which would wait for each other.
    return np.asarray(np.linalg.inv(np.linalg.cholesky(scaled)) / size)


def _gram(matrix: Array, weight: Array) -> Array:
    """Return X'WX in double precision, block by block: single precision loses it over years of minutes."""
    gram = np.zeros((matrix.shape[1],) * 2)
    for first in range(0, len(matrix), _BLOCK_ROWS):
        part = slice(first, first + _BLOCK_ROWS)
        block = matrix[part] * np.sqrt(weight[part])[:, None]
        gram += block.T @ block
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
