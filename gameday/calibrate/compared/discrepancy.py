"""How far a model is from what was measured: every number both show, in standard deviations of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gameday.calibrate.compared.observed import Observed, StackObserved
from gameday.record import percentile
from gameday.vocabulary import Array

__all__ = ["Row", "discrepancy", "distance", "law_distance", "rows_of", "tolerance"]

_TOLERANCE = {
    "utilisation": 0.03,
    "hold": 0.04,
    "queue": 0.5,
    "p50": 0.08,
    "p90": 0.08,
    "p99": 0.15,
    "bad": 0.005,
    "repeats": 0.01,
    "hits": 0.02,
    "servers": 0.02,
}
"""Standard deviation that a measured number has beside chance: points of utilisation and shares,
shares of times, of servers and of a queue's length. Ours: what scrapes, buckets and HTTP itself add."""
_SECONDS = ("hold", "p50", "p90", "p99")
_RELATIVE = (*_SECONDS, "servers")
_LEAST_VISITS = 100
"""Visits below which a latency is not compared; a p99 needs so many."""
_LEAST_S = 0.002
"""Seconds that any latency may differ by: HTTP, event loops and clocks. Ours."""
_MOST = 60.0
"""Squared standard deviations that one number counts at most: one that is far off does not outweigh all others."""
_LEVELS = (0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.93, 0.97, 0.99, 0.997)
"""Quantiles of the model's visits between which visits are counted."""
_MOST_VISITS = 2000.0
"""Visits that count at most: beyond, no scraped histogram is exact. Ours."""
_BIN_TOLERANCE = 0.12
"""Share by which a count may differ for other reasons. Ours."""
_MOST_OF_BIN = 40.0
"""Squared standard deviations that one count adds at most. Ours."""
_PARTS = 4
"""Parts of the window in which numbers that change with the load are compared. Ours."""


@dataclass(frozen=True, slots=True)
class Row:
    """One number that both show."""

    subject: str
    """A service, or `step NAME`."""
    metric: str
    part: int
    """Of the window, from 0; -1: the whole."""
    measured: float
    predicted: float
    sd: float

    @property
    def key(self) -> tuple[str, str, int]:
        """What the number is of."""
        return self.subject, self.metric, self.part

    @property
    def z(self) -> float:
        """How far they are apart, in standard deviations."""
        return (self.measured - self.predicted) / self.sd

    @property
    def weight(self) -> float:
        """Its contribution to a distance: z squared less 1, from 0 to `_MOST`."""
        return min(_MOST, max(0.0, self.z**2 - 1.0))


def discrepancy(rows: Sequence[Row]) -> float:
    """Return how far apart all numbers are together."""
    return sum(row.weight for row in rows)


def rows_of(seen: StackObserved, runs: Sequence[StackObserved]) -> list[Row]:
    """Return every number that a measured run and replications of its model both show."""
    measured = dict(_numbers(seen, seen))
    predicted = [dict(_numbers(run, seen)) for run in runs]
    rows = []
    for key, value in measured.items():
        values = np.array([numbers.get(key, np.nan) for numbers in predicted])
        if not np.isnan([value, *values]).any():
            rows.append(_row(key, value, values))
    return rows


def _row(key: _Key, measured: float, predicted: Array) -> Row:
    """Return one number with the standard deviation of a run's distance from the mean of the model's."""
    mean, n = float(predicted.mean()), len(predicted)
    spread = float(predicted.std(ddof=1)) if n > 1 else 0.0
    sd = float(np.sqrt(spread**2 * (1 + 1 / n) + tolerance(key[1], mean) ** 2))
    return Row(*key, measured, mean, sd)


def tolerance(metric: str, mean: float) -> float:
    """Return the standard deviation that a number has beside chance."""
    if metric == "queue":
        return 0.2 * mean + _TOLERANCE[metric]
    relative = _TOLERANCE[metric] * (abs(mean) if metric in _RELATIVE else 1.0)
    return relative + (_LEAST_S if metric in _SECONDS else 0.0)


_Key = tuple[str, str, int]


def _numbers(stack: StackObserved, measured: StackObserved) -> Iterator[tuple[_Key, float]]:
    """Yield the numbers of a stack, of the slots and the outcomes that were measured."""
    for name, service in stack.services.items():
        yield from _of_service(name, service, measured.services[name])
    for index, step in enumerate(stack.steps):
        yield from _quantiles(f"step {step}", stack.response[index].sum(axis=0))
        for part, chosen in enumerate(_parts(stack.achieved.shape[1])):
            for metric, value in _of_step(stack, index, chosen):
                yield (f"step {step}", metric, part), value


def _of_step(stack: StackObserved, index: int, part: slice) -> Iterator[tuple[str, float]]:
    """Yield what part of the window shows of a step."""
    histogram = stack.response[index][part].sum(axis=0)
    if histogram.sum() >= _LEAST_VISITS:
        yield "p50", percentile(histogram, 0.5)
        yield "p90", percentile(histogram, 0.9)
    went_out = float(stack.achieved[index, part].sum())
    if went_out >= _LEAST_VISITS / 2:
        yield "bad", float(stack.bad[index, part].sum()) / went_out


def _quantiles(subject: str, histogram: Array) -> Iterator[tuple[_Key, float]]:
    if histogram.sum() >= _LEAST_VISITS:
        for metric, level in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            yield (subject, metric, -1), percentile(histogram, level)


def _of_service(name: str, service: Observed, measured: Observed) -> Iterator[tuple[_Key, float]]:
    yield from _quantiles(name, service.histogram)
    for part, chosen in enumerate(_parts(len(service.queue))):
        for metric, value in _of_part(service, measured, chosen):
            yield (name, metric, part), value


def _of_part(service: Observed, measured: Observed, part: slice) -> Iterator[tuple[str, float]]:
    """Yield what part of the window shows of a service, in the slots in which it was measured."""
    for metric, of in _OF_SLOTS:
        known = ~np.isnan(of(measured)[part])
        yield metric, _mean(of(service)[part][known])
    yield "hold", service.hold_s(part)
    lost = [name for name in _LOST if not np.isnan(measured.attempt(name)).all()]
    if lost:
        yield "bad", _share(service.counted(*lost), service, part)
    yield "repeats", _share(service.load("repeats"), service, part)
    yield from _hits(service, part)


def _busy(service: Observed) -> Array:
    return service.concurrency / np.maximum(1e-9, service.load("servers"))


_OF_SLOTS: tuple[tuple[str, Callable[[Observed], Array]], ...] = (
    ("servers", lambda service: service.load("servers")),
    ("utilisation", _busy),
    ("queue", lambda service: service.queue),
)
_LOST = ("failed", "shed", "timed_out", "orphaned")
"""How attempts end that get no good answer; a target counts some of them."""


def _hits(seen: Observed, part: slice) -> Iterator[tuple[str, float]]:
    """Yield the share of lookups that the cache answered; nothing where there were few."""
    lookups, hits = (float(np.nansum(seen.load(name)[part])) for name in ("lookups", "hits"))
    if lookups >= _LEAST_VISITS / 2:
        yield "hits", hits / lookups


def _share(counts: Array, seen: Observed, part: slice) -> float:
    """Return a share of the attempts in part of the window; NaN of few."""
    known = ~np.isnan(counts[part]) & ~np.isnan(seen.arrived[part])
    arrived = float(seen.arrived[part][known].sum())
    lost = float(counts[part][known].sum())
    return lost / arrived if arrived >= _LEAST_VISITS / 2 else float("nan")


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _parts(slots: int) -> list[slice]:
    edges = np.linspace(0, slots, _PARTS + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(edges) if b > a]


def distance(seen: StackObserved, runs: Sequence[StackObserved]) -> float:
    """Return how far replications of a model are from a measured run: in numbers, and in the laws of visits."""
    laws = (
        law_distance(service.histogram, np.sum([r.services[name].histogram for r in runs], axis=0))
        for name, service in seen.services.items()
    )
    return discrepancy(rows_of(seen, runs)) + sum(laws)


def law_distance(seen: Array, model: Array) -> float:
    """Return how far two histograms are apart: squared standard deviations of counts between quantiles."""
    if not model.sum() or seen.sum() < _LEAST_VISITS:
        return 0.0
    edges = np.searchsorted(np.cumsum(model) / model.sum(), _LEVELS)
    shares, expected = (_shares_between(row, edges) for row in (seen, model))
    expected = np.maximum(expected, 1e-4)
    n = min(_MOST_VISITS, float(seen.sum()))
    variance = expected / n + (_BIN_TOLERANCE * expected) ** 2
    return float(np.minimum(_MOST_OF_BIN, (shares - expected) ** 2 / variance).sum())


def _shares_between(histogram: Array, edges: Array) -> Array:
    """Return the share of counts up to the first of some bins, between each two, and beyond the last."""
    upto = np.cumsum(histogram)[edges] / histogram.sum()
    return np.diff(np.concatenate([[0.0], upto, [1.0]]))
