"""The forecast benchmarked, as published: beside the level models it blends, and what people would use instead.

All on the same origins before the end of the past, over the same minutes, by one WAPE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import numpy as np

from gameday.forecast.evaluation.accuracy import AbsoluteErrors, absolute_errors, pooled_wape
from gameday.forecast.model.patterns import PATTERNS
from gameday.forecast.model.regional import Model
from gameday.forecast.rivals import RIVALS, Rival

__all__ = [
    "OURS",
    "PLAIN",
    "backtest_wape",
    "beaten_by",
    "benchmark_model",
    "benchmark_notes",
    "benchmark_words",
    "pooled_benchmark",
    "wape_words",
]

OURS = "gameday"
PLAIN = tuple(RIVALS[name] for name in ("last week", "median of weeks"))
"""Rivals that need nothing and take no time: benchmarked with every forecast."""


def benchmark_model(model: Model, rivals: Iterable[Rival] = PLAIN) -> dict[str, AbsoluteErrors]:
    """Return name -> absolute errors by series, over all minutes of the earlier origins.

    First the forecast itself, then the members it is blended from, then the rivals: over the same minutes.
    """
    folds = model.folds
    if not folds:
        return {}
    weights = model.blend.weights
    errors = {OURS: model.absolute_errors(weights)}
    for index, name in enumerate(model.members):
        alone = np.zeros_like(weights)
        alone[index] = 1.0
        spoke = np.all([fold.said[index] for fold in folds], axis=0)
        errors[name] = model.absolute_errors(alone).where(spoke)
    past = model.past.unmasked()
    for rival in rivals:
        parts = [
            absolute_errors(fold.actual, rival(past.until(fold.origin), fold.minute))
            for fold in folds
        ]
        errors[rival.name] = reduce(AbsoluteErrors.__add__, parts)
    return errors


def pooled_benchmark(
    benchmarks: Sequence[Mapping[str, AbsoluteErrors]],
) -> tuple[tuple[str, float], ...]:
    """Return name -> its WAPE over all minutes of all regions and series, in the benchmarks' order.

    Without those who did not forecast some minute: nobody is scored on fewer than another.
    """
    names = list(dict.fromkeys(name for each in benchmarks for name in each))
    wapes = {name: pooled_wape(each[name] for each in benchmarks if name in each) for name in names}
    return tuple((name, round(wape, 4)) for name, wape in wapes.items() if np.isfinite(wape))


def backtest_wape(benchmark: Sequence[tuple[str, float]]) -> float | None:
    """Return the forecast's own WAPE of a benchmark, as printed everywhere; None where it cannot be told."""
    return dict(benchmark).get(OURS)


def wape_words(benchmark: Sequence[tuple[str, float]]) -> str:
    """Return the forecast's own WAPE in words."""
    own = backtest_wape(benchmark)
    if own is None:
        return "backtest WAPE cannot be told: no earlier origin, or nothing counted after one"
    return f"backtest WAPE {100 * own:.1f} % a minute"


def benchmark_words(benchmark: Sequence[tuple[str, float]]) -> str:
    """Return a benchmark in words: the forecast's WAPE, and all WAPEs over the same minutes."""
    rows = "; ".join(f"{name} {100 * wape:.1f} %" for name, wape in benchmark)
    return wape_words(benchmark) + (f"; raced over the same minutes: {rows}" if rows else "")


def benchmark_notes(
    regions: Sequence[str], benchmarks: Sequence[Mapping[str, AbsoluteErrors]]
) -> list[str]:
    """Return a note for every region where a rival was nearer than the forecast."""
    notes = []
    for region, errors in zip(regions, benchmarks, strict=True):
        wapes = dict(pooled_benchmark([errors]))
        if OURS in wapes and (
            silent := [name for name in errors if name not in {*wapes, *PATTERNS}]
        ):
            notes.append(
                f"{region}: {', '.join(silent)} said nothing of some minutes, and is not scored on fewer"
            )
        if (name := beaten_by(wapes)) is not None:
            notes.append(
                f"{region}: on earlier origins '{name}' was nearer, {100 * wapes[name]:.1f} % off against "
                f"{100 * wapes[OURS]:.1f} %: hold this forecast against it"
            )
    return notes


def beaten_by(wapes: Mapping[str, float]) -> str | None:
    """Return the rival that was nearer than the forecast, the nearest; None: none was."""
    rivals = {name: wapes[name] for name in RIVALS if name in wapes}
    best = min(rivals, key=lambda name: rivals[name], default=None)
    return best if best is not None and rivals[best] < wapes.get(OURS, -np.inf) else None
