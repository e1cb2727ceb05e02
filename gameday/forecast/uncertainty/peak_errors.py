"""What peaks were before: how the highest minute of earlier origins' days lay to what was expected of it.

Of one day, and of windows of several: the highest of many days is no single day's. Windows of a length are few and
overlap, so what the next shorter ones say counts beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.forecast.model.regional import Model
from gameday.forecast.order_statistics import median, quantiles
from gameday.forecast.uncertainty.bands import Errors, noise_of
from gameday.forecast.uncertainty.counts import BEYOND, FEW, dispersion
from gameday.forecast.uncertainty.highest import highest_points, median_maximum
from gameday.vocabulary import Array

__all__ = ["FIVE_MIN", "PEAK_LEVELS", "PeakErrors", "peak_errors"]

PEAK_LEVELS = (0.1, 0.5, 0.9, 0.99)
"""Quantiles of peaks that are told."""
FIVE_MIN = 5
"""Minutes that the highest mean of several is of."""
_SHORTER = 2.0
"""As how many windows of its own length what shorter ones say of a window counts, at most. Ours, by backtests."""
_ONWARD = 0.8
"""By which part of it the middle error moves on as it did from one doubling of the length to the next. Ours."""
_MANY = 60
"""From so many windows on their own quantiles tell; of fewer Student's law has a share. Ours."""
_LEAST_DAYS = 3
"""Scored days that it takes to tell anything of peaks."""
_FEW = 5
"""Windows from which on their median is their middle; of fewer it is their mean. Ours."""
_HIGH = 0.95
"""Level of the expectations of which a series' chance is asked. Ours."""
_MOST_UNKNOWN = 0.1
"""Share of a day's scored minutes that may be unknown."""
_STARTS = 4
"""Windows of several days begin at least a quarter of their length apart, for more would tell the same."""


@dataclass(frozen=True, slots=True)
class PeakErrors:
    """How far the highest minute of a window of days may lie from its likely one: series, or sums of them."""

    log_size: Array
    """Quantiles, at `PEAK_LEVELS`, of the log of the highest minute over the likely highest; NaN: unknown."""
    log_five: Array
    """The same of the highest mean of five minutes, over that same likely highest minute."""
    minutes: Array
    """Quantiles, at the first three of `PEAK_LEVELS`, of how much later than expected it comes, minutes."""
    distinct: int
    """How many days they rest on: origins share some."""
    chance: float
    """b of a minute's log variance a + b / (1 + expected): what its counts owe to chance."""

    @property
    def is_known(self) -> bool:
        """Whether enough days tell."""
        return self.distinct >= _LEAST_DAYS

    @staticmethod
    def unknown(chance: float = 0.0) -> PeakErrors:
        """Return what is known of peaks where no day was foretold: nothing."""
        nothing = np.full(len(PEAK_LEVELS), np.nan)
        return PeakErrors(nothing, nothing, nothing[:3], 0, chance)


@dataclass(frozen=True, slots=True)
class _ScoredDay:
    """A whole day of an earlier origin: what was forecast of it, and its highest minutes."""

    curve: Array
    """The smooth forecast at the scored minutes, shape (points,)."""
    every_min: float
    """Minutes between them."""
    late_min: float
    """How much later its highest minute came than the forecast's."""
    highest: float
    """Actual count of that minute."""
    five: float
    """Actual highest mean of five minutes."""
    start: float
    """Minutes since 1970 UTC."""
    origin: float
    """From which it was forecast, likewise."""


@dataclass(frozen=True, slots=True)
class _Windows:
    """Errors of windows of one length; all arrays have shape (windows,)."""

    log_size: Array
    log_five: Array
    late_min: Array
    start: Array
    """Minutes since 1970 UTC."""
    origin: Array
    """Likewise."""
    days: int
    """Their length."""

    @property
    def independent(self) -> float:
        """As how many independent windows they count: without overlap, and with what those of an origin share."""
        number = self._days_covered(self.start) / self.days
        of_origin = [
            self._days_covered(self.start[self.origin == origin]) / self.days
            for origin in np.unique(self.origin)
        ]
        alike = _shared(self.log_size, self.origin)
        return float(number / (1 + (np.mean(of_origin) - 1) * alike))

    def _days_covered(self, start: Array) -> int:
        """Return how many days windows that begin at `start` hold."""
        day = np.round(start / 1440).astype(int)
        return len(np.unique(day[:, None] + np.arange(self.days)))


@dataclass(frozen=True, slots=True)
class _Spread:
    """What errors of windows of a length say of one more."""

    middle: float
    spread: float
    windows: float
    """As how many windows that rests on."""
    onward: float
    """By how much the middle moved from half the length on."""

    @staticmethod
    def of_days(errors: Array, distinct: int) -> _Spread:
        """Return what errors of single days say; `distinct`: of how many they are."""
        spread = np.sqrt(distinct / max(distinct - 1, 1)) * errors.std()
        return _Spread(float(np.median(errors)), float(spread), float(distinct), 0.0)

    def of_longer(self, errors: Array, number: float, doublings: float) -> _Spread:
        """Return what errors of longer windows say, that count as `number`, beside what these do."""
        before = min(self.windows, _SHORTER)
        foreseen = self.middle + _ONWARD * self.onward * doublings
        own = np.median(errors) if number >= _FEW else errors.mean()
        middle = (before * foreseen + number * own) / (before + number)
        square = before * self.spread**2 + number * np.mean((errors - middle) ** 2)
        # Few windows that happen to agree make no longer one surer than the shorter ones are.
        least, windows = self.spread * min(1.0, _FEW / number), before + number
        spread = max(float(np.sqrt(square / windows)), least)
        return _Spread(float(middle), spread, windows, float(middle - self.middle) / doublings)

    def quantiles(self, errors: Array) -> Array:
        """Return quantiles of one more, shape (PEAK_LEVELS,), by no more than `BEYOND` times beyond any error."""
        levels, number = np.array(PEAK_LEVELS), max(self.windows, 2.0)
        # One degree of freedom went into the middle, one into the members' weights: they are of the same origins.
        away = self.spread * np.sqrt(1 + 1 / number) * stdtrit(max(number - 2, 1.0), levels)
        share = min(1.0, number / _MANY)
        own = quantiles(errors, [_outward(q, number) for q in levels]) - median(errors)
        away = (1 - share) * away + share * own
        most = np.abs(errors - self.middle).max() + np.log(BEYOND)
        return np.asarray(self.middle + np.clip(away, -most, most))


def peak_errors(members: Sequence[tuple[Model, int]], days: int = 1) -> PeakErrors:
    """Return the errors of the highest minute of `days` days, of the sum of series: (model, number) each.

    On every earlier origin; where none forecast so many days, of as many as any did. The models' origins are the
    same, and so are the minutes that each scored.
    """
    chance = _chance(members)
    by_origin = [
        list(_days(members, folds))
        for folds in zip(*(model.folds for model, _ in members), strict=True)
    ]
    scored = [day for origin in by_origin for day in origin]
    if not scored:
        return PeakErrors.unknown(chance)
    distinct = len({round(day.start / 1440) for day in scored})
    windows = [_windows(by_origin, length, chance) for length in _lengths(days)]
    told = [each for each in windows if len(each.start)]
    return PeakErrors(
        _quantiles([(each, each.log_size) for each in told], distinct),
        _quantiles([(each, each.log_five) for each in told], distinct),
        quantiles(told[-1].late_min, [_outward(q, distinct) for q in PEAK_LEVELS[:3]]),
        distinct,
        chance,
    )


def _lengths(days: int) -> list[int]:
    """Return 1, 2, 4 and so on, and the length wanted: each tells what to expect of the next."""
    shorter = [2**power for power in range(12) if 2**power < days]
    return [*shorter, max(days, 1)]


def _quantiles(told: list[tuple[_Windows, Array]], distinct: int) -> Array:
    """Return the quantiles of errors of the longest windows, given those of all lengths, the shortest first."""
    first, errors = told[0]
    spread, length = _Spread.of_days(errors, distinct), first.days
    for windows, errors in told[1:]:
        doublings = float(np.log2(windows.days / length))
        spread, length = (
            spread.of_longer(errors, windows.independent, doublings),
            windows.days,
        )
    return spread.quantiles(errors)


def _windows(by_origin: list[list[_ScoredDay]], length: int, chance: float) -> _Windows:
    """Return the errors of windows of so many days, of all origins."""
    whole = list(_runs(by_origin, length))
    if not whole:
        none = np.empty(0)
        return _Windows(none, none, none, none, none, length)
    likely = np.log(_likely(whole, chance))
    return _Windows(
        np.log([max(day.highest for day in run) for run in whole]) - likely,
        np.log([max(day.five for day in run) for run in whole]) - likely,
        np.array([_late(run) for run in whole]),
        np.array([run[0].start for run in whole]),
        np.array([run[0].origin for run in whole]),
        length,
    )


def _runs(by_origin: list[list[_ScoredDay]], length: int) -> Iterator[list[_ScoredDay]]:
    """Yield so many days in a row, of each origin."""
    for days in by_origin:
        for first in range(0, len(days) - length + 1, max(1, length // _STARTS)):
            run = days[first : first + length]
            if run[-1].start - run[0].start <= 1440 * (length - 1):
                yield run


def _likely(runs: list[list[_ScoredDay]], chance: float) -> Array:
    """Return the likely highest minute of each run of days, shape (runs,)."""
    likely = np.empty(len(runs))
    for every_min, numbers in _alike(runs):
        curves = np.stack([np.concatenate([day.curve for day in runs[k]]) for k in numbers])
        likely[numbers] = median_maximum(*highest_points(curves, every_min), chance)
    return likely


def _alike(runs: list[list[_ScoredDay]]) -> Iterator[tuple[float, list[int]]]:
    """Yield (minutes between points, numbers of the runs) of those with as many points so far apart."""
    alike: dict[tuple[int, float], list[int]] = {}
    for number, run in enumerate(runs):
        points = sum(len(day.curve) for day in run)
        alike.setdefault((points, run[0].every_min), []).append(number)
    for (_, every_min), numbers in alike.items():
        yield every_min, numbers


def _late(run: list[_ScoredDay]) -> float:
    """Return how many minutes after the highest of what was forecast of a run its highest minute came."""
    top = max(run, key=lambda day: day.highest)
    expected = max(run, key=lambda day: float(day.curve.max()))
    own, other = (int(day.curve.argmax()) for day in (top, expected))
    return top.start - expected.start + top.late_min + (own - other) * top.every_min


def _outward(level: float, number: float) -> float:
    """Return the sample quantile beyond which one more lies as often as `level` promises. As in bands.py."""
    return float(np.clip(0.5 + (level - 0.5) * (number + 1) / max(number - 1, 1e-9), 0, 1))


def _shared(errors: Array, group: Array) -> float:
    """Return the share of errors' variance that is that of groups' means: the intraclass correlation, 0 to 1.

    From the mean squares between groups and within them (Fisher's analysis of variance); 1 where no group has two.
    """
    _, number, size = np.unique(group, return_inverse=True, return_counts=True)
    groups, left = len(size), len(errors) - len(size)
    if groups < 2 or left < 1:
        return 1.0
    means = np.bincount(number, errors) / size
    within = float(np.sum((errors - means[number]) ** 2)) / left
    between = float(np.sum(size * (means - errors.mean()) ** 2)) / (groups - 1)
    usual = (len(errors) - float(np.sum(size**2)) / len(errors)) / (groups - 1)
    whole = between + (usual - 1) * within
    return float(np.clip((between - within) / whole, 0, 1)) if whole > 0 else 1.0


def _chance(members: Sequence[tuple[Model, int]]) -> float:
    """Return what a sum's counts owe to chance: the mean of its members', each by how much of the sum it is."""
    each, level = [], []
    for model, series in members:
        errors = model.errors(series)
        each.append(_chance_of(errors))
        level.append(float(errors.expected.mean()) if len(errors.expected) else 0.0)
    return float(np.average(each, weights=level)) if sum(level) > 0 else float(np.mean(each))


def _chance_of(errors: Errors) -> float:
    """Return what a series' counts owe to chance: near its highest minutes, whose the peak is.

    Of few counts logs tell nothing of it.
    """
    known = errors.where(~np.isnan(errors.log_ratio))
    if len(known.expected) and np.quantile(known.expected, _HIGH) < FEW:
        return dispersion(known.actual, known.expected)[0]
    return noise_of(errors)[1]


def _days(members: Sequence[tuple[Model, int]], folds: Sequence[Fold]) -> Iterator[_ScoredDay]:
    """Yield the whole days that an origin forecast, of the sum of series; one fold for each."""
    curve, minute = _smooth_forecast(members, folds), folds[0].minute
    day = ((minute - minute[0]) // 1440).astype(int)
    unknown = _unknown_shares(members, folds, day)
    tops = _highest(_counts_of_days(members, minute[0], int(day[-1]) + 1))
    edges, every_min = np.searchsorted(day, np.arange(day[-1] + 2)), _stride_min(minute)
    for number, (highest, late, five) in enumerate(zip(*tops, strict=True)):
        own = curve[edges[number] : edges[number + 1]]
        if unknown[number] <= _MOST_UNKNOWN and own.max() > 0 and highest > 0:
            start = float(minute[0] + 1440 * number)
            late_min = float(late + start - minute[edges[number] + own.argmax()])
            yield _ScoredDay(own, every_min, late_min, highest, five, start, folds[0].origin)


def _unknown_shares(
    members: Sequence[tuple[Model, int]], folds: Sequence[Fold], day: Array
) -> Array:
    """Return the share of each day's scored minutes that are not known of the sum of series."""
    actual = np.sum([f.actual[:, s] for (_, s), f in zip(members, folds, strict=True)], axis=0)
    return np.asarray(np.bincount(day, np.isnan(actual)) / np.bincount(day))


def _stride_min(minute: Array) -> float:
    return float(minute[1] - minute[0]) if len(minute) > 1 else 1.0


def _counts_of_days(members: Sequence[tuple[Model, int]], begin: float, days: int) -> Array:
    """Return every minute's count of the sum of series in whole days from `begin` on, (days, 1440)."""
    past = members[0][0].past
    first = int(begin - past.first_min)
    whole = min(days, (past.grid.slots - first) // 1440)
    counts = [model.past.counts[s, first : first + 1440 * whole] for model, s in members]
    return np.asarray(np.sum(counts, axis=0)).reshape(whole, 1440)


def _highest(counts: Array) -> tuple[list[float], list[int], list[float]]:
    """Return each day's highest count, its minute, and the highest mean of five minutes; `counts`: (days, 1440).

    0 of a day of which nothing is known; where no five minutes in a row are, the highest minute stands for them.
    """
    filled = np.nan_to_num(counts)
    highest = filled.max(axis=1, initial=0.0)
    five = _means_of_five(counts).max(axis=1, initial=0.0)
    five = np.where(five > 0, five, highest)
    return highest.tolist(), filled.argmax(axis=1).tolist(), five.tolist()


def _means_of_five(counts: Array) -> Array:
    """Return the means of every five minutes in a row, (days, 1436); 0 where one of them is not known."""
    filled, known = (
        np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1, dtype=float)
        for values in (np.nan_to_num(counts), ~np.isnan(counts))
    )
    total, number = (upto[:, FIVE_MIN:] - upto[:, :-FIVE_MIN] for upto in (filled, known))
    return np.where(number == FIVE_MIN, total / FIVE_MIN, 0.0)


def _smooth_forecast(members: Sequence[tuple[Model, int]], folds: Sequence[Fold]) -> Array:
    """Return the forecast sum at an origin's scored minutes without what recurs at single minutes, shape (n,).

    Not every minute is scored, and a spike on the hour may lie between.
    """
    parts = [
        fold.blended_series(model.blend.weights, s) * np.exp(-fold.recurring[:, s])
        for (model, s), fold in zip(members, folds, strict=True)
    ]
    return np.asarray(np.sum(parts, axis=0))
