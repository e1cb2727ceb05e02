"""The weight that each member of the blend earns: by its weighted quantile loss on rolling origins.

A member's weight falls with a power of its loss, a geometric mean over earlier origins, of which late ones count
more; a series that tells little by itself is weighed like its region's others; members that say the same share
one weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.vocabulary import Array

__all__ = ["SETTINGS", "Settings", "member_weights"]

_LEVELS = (0.1, 0.5, 0.9)
"""Quantiles whose loss is weighed."""
_GROUP_FOLDS = 2.0
"""What the region's other series say counts as so many origins of the series' own. Ours."""
_SAME = 0.1
"""Members that differ by less than this share of their error are partly the same. Ours."""
_LEAST_SCORED = 200
_LEAST_COUNT = 3.0
"""Counts that one scored sum holds on average: single minutes of a sparse series would favour a forecast of 0.
Ours."""
_THIN = 300
"""Minutes of an origin on which widths and likenesses are measured."""
_AT_ONCE = 100
"""Series of which all members' forecasts are added up at once."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How losses become weights. Ours, by backtests: `python -m tests.bench.forecast_sets settings`."""

    level_power: float = 16.0
    """By which power of its loss a level model counts among level models."""
    member_power: float = 6.0
    """By which power of its loss a member counts among all."""
    members: float = 0.6
    """Share of the blend in which all members count by their loss, unless one is better than all level models; the
    rest is the level models': what patterns are worth is mostly kept, where they mislead little is lost."""
    weighed: float = 1.0
    """Origins up to so many horizons before the end of the past count; older ones tell of the spread alone."""
    fades: float = 0.5
    """By how much less an origin counts that lies a horizon farther back: levels change."""


SETTINGS = Settings()


@dataclass(frozen=True, slots=True)
class _Sums:
    """Some series of a fold, added up over runs of minutes: what came, and what each member forecast."""

    series: Array
    """Their numbers, shape (k,)."""
    actual: Array
    """Shape (sums, k); what is not known counts as nothing, there and in the forecasts."""
    members: Array
    """Shape (members, sums, k)."""

    @property
    def width(self) -> Array:
        """Within what distance, in logs, four of five errors lie, by some of the sums; shape (members, k)."""
        every = max(1, len(self.actual) // _THIN)
        said = np.log1p(np.maximum(self.members[:, ::every], 0))
        away = np.abs(np.log1p(self.actual[::every]) - said)
        return np.asarray(np.quantile(away, _LEVELS[2] - _LEVELS[0], axis=1))


def member_weights(folds: list[Fold], settings: Settings = SETTINGS) -> Array:
    """Return the members' weights, shape (members, series); each series' sum to 1."""
    late = [fold for fold in folds if fold.back <= settings.weighed] or folds
    scores, levels = _scores(late, _losses(late), settings.fades), folds[0].levels
    copies = _copies(late)
    weights = settings.members * _weights(scores, copies, settings.member_power)
    own = _weights(scores[:levels], copies[:levels], settings.level_power)
    # The better the best member is than the best level model, the less the level models count apart.
    better = scores.min(axis=0) - scores[:levels].min(axis=0)
    own *= (1 - settings.members) * np.exp(settings.member_power * better)
    weights[:levels] += own
    return np.asarray(weights / weights.sum(axis=0))


def _sums_of(fold: Fold) -> Iterator[_Sums]:
    """Yield the series of a fold by the length of their runs; series of which too little is known are left out."""
    known = ~np.isnan(fold.actual)
    number, total = known.sum(axis=0), np.nansum(fold.actual, axis=0)
    enough = (number >= min(_LEAST_SCORED, len(fold.minute) // 2)) & (total > 0)
    runs = _run_lengths(number, total, len(known))
    for run in np.unique(runs[enough]):
        yield _sums(fold, np.flatnonzero(enough & (runs == run)), int(run))


def _sums(fold: Fold, series: Array, run: int) -> _Sums:
    """Return some series of a fold, added up over runs of so many minutes."""
    seen = ~np.isnan(fold.actual[:, series])
    actual = np.where(seen, fold.actual[:, series], 0)
    members = np.where(seen, np.expm1(fold.log_mean[:, :, series]), 0)
    if run > 1:
        starts = np.arange(0, len(seen), run)
        actual = np.add.reduceat(actual, starts, axis=0)
        members = np.add.reduceat(members, starts, axis=1)
    return _Sums(series, actual, members)


def _run_lengths(number: Array, total: Array, most: int) -> Array:
    """Return how many minutes each series' scored sums are of, given minutes known and counts, (series,) each."""
    runs = np.ceil(_LEAST_COUNT * number / np.maximum(total, 1e-9))
    return runs.clip(1, most // 7 or 1).astype(int)


def _losses(folds: Sequence[Fold]) -> Array:
    """Return the log of members' weighted quantile loss by fold, (folds, members, series); NaN where unknown."""
    parts = [slice(at, at + _AT_ONCE) for at in range(0, folds[0].said.shape[1], _AT_ONCE)]
    each = [_losses_of_some([fold.part(part) for fold in folds]) for part in parts]
    return np.concatenate(each, axis=2)


def _losses_of_some(folds: Sequence[Fold]) -> Array:
    """Return the same of folds of a few series.

    A member's band in a fold is as wide as its errors in the other folds.
    """
    sums = [list(_sums_of(fold)) for fold in folds]
    losses, widths = np.full((2, len(folds), *folds[0].said.shape), np.nan)
    for width, parts in zip(widths, sums, strict=True):
        for part in parts:
            width[:, part.series] = part.width
    for number, (fold, parts) in enumerate(zip(folds, sums, strict=True)):
        width = _mean_of_others(widths, number)
        for part in parts:
            losses[number][:, part.series] = _quantile_loss(part, width[:, part.series])
        losses[number][~fold.said] = np.nan
    return np.asarray(np.log(np.maximum(losses, 1e-6)))


def _mean_of_others(values: Array, number: int) -> Array:
    """Return the mean over folds but one of what is known, shape (members, series); its own where none is."""
    others = np.delete(values, number, axis=0)
    known = ~np.isnan(others)
    count = known.sum(axis=0)
    mean = np.where(known, others, 0).sum(axis=0) / np.maximum(count, 1)
    return np.asarray(np.where(count > 0, mean, values[number]))


def _quantile_loss(part: _Sums, width: Array) -> Array:
    """Return each member's weighted quantile loss, (members, k), its band so wide in logs, (members, k)."""
    loss = np.zeros(width.shape)
    for level, side in zip(_LEVELS, (-1.0, 0.0, 1.0), strict=True):
        said = (1 + part.members) * np.exp(side * width[:, None]) - 1 if side else part.members
        missed = part.actual - np.maximum(said, 0)
        loss += np.maximum(level * missed, (level - 1) * missed).sum(axis=1)
    return np.asarray(2 * loss / len(_LEVELS) / part.actual.sum(axis=0))


def _weights(scores: Array, copies: Array, power: float) -> Array:
    """Return the weights that scores earn, (members, series) each."""
    relative = np.exp(-power * (scores - scores.min(axis=0))) / copies
    return np.asarray(relative / relative.sum(axis=0))


def _scores(folds: Sequence[Fold], losses: Array, fades: float) -> Array:
    """Return each member's mean log loss less the level models', (members, series); late, long folds count more.

    Pulled to the mean over all series, the more so the fewer folds tell of a series. Infinite where a member never
    forecast.
    """
    beside = losses - losses[:, : folds[0].levels].mean(axis=1, keepdims=True)
    known, number = ~np.isnan(beside), (~np.isnan(beside)).sum(axis=0)
    own = _mean(np.nan_to_num(beside), known * [[[_counts(fold, fades)]] for fold in folds], axis=0)
    group = _mean(own, number, axis=1)[:, None]
    pulled = (number * own + _GROUP_FOLDS * group) / (number + _GROUP_FOLDS)
    return np.where(np.any([fold.said for fold in folds], axis=0), pulled, np.inf)


def _mean(values: Array, weight: Array, axis: int) -> Array:
    """Return a weighted mean; 0 of no weight."""
    return np.asarray((values * weight).sum(axis) / np.maximum(weight.sum(axis), 1e-9))


def _counts(fold: Fold, fades: float) -> float:
    """Return by how much a fold counts: the more, the longer and the later it is."""
    minutes = int((~np.isnan(fold.actual)).any(axis=1).sum())
    return float(np.sqrt(minutes) * fades**fold.back)


def _copies(folds: Sequence[Fold]) -> Array:
    """Return how many members each one is like, itself included, shape (members, series)."""
    each = [_distances(fold) for fold in folds]
    far, error = (np.sum(parts, axis=0) for parts in zip(*each, strict=True))
    near = np.maximum(0, 1 - far / np.maximum(_SAME * error, 1e-9))
    return np.asarray(np.maximum(near.sum(axis=1), 1.0))


def _distances(fold: Fold) -> tuple[Array, Array]:
    """Return how far members' logs lie from each other's, (members, members, series), and from what came.

    Those that did not both forecast are no copies.
    """
    every = max(1, len(fold.minute) // _THIN)
    log, actual = fold.log_mean[:, ::every], np.log1p(fold.actual[::every])
    away = np.abs(np.nan_to_num(actual - log)).sum(axis=1)
    between = np.stack([np.abs(log - member).sum(axis=1) for member in log])
    return np.where(fold.said & fold.said[:, None], between, away), away
