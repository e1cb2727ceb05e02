"""The race as it is published: the forecast, the levels it blends, and what people would use instead.

All on the same origins before the end of the past, over the same minutes, by one WAPE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import numpy as np

from gameday.forecast.evaluation.accuracy import Missed, missed, pooled_wape
from gameday.forecast.evaluation.rolling_origin import raced_folds
from gameday.forecast.model.regional import Model
from gameday.forecast.rivals import RIVALS, Rival

__all__ = [
    "OURS",
    "PLAIN",
    "backtest_wape",
    "beaten_by",
    "compared",
    "mean_race",
    "race_notes",
    "race_words",
    "wape_words",
]

OURS = "gameday"
PLAIN = tuple(RIVALS[name] for name in ("last week", "median of weeks"))
"""Rivals that need nothing and take no time: raced with every forecast."""


def compared(model: Model, rivals: Iterable[Rival] = PLAIN) -> dict[str, Missed]:
    """Return name -> by how much it missed, by series, over all minutes of the raced origins.

    First the forecast itself, then the levels it is blended from, then the rivals: all over the same minutes.
    """
    folds = raced_folds(model.folds)
    if not folds:
        return {}
    weights = model.blend.weights
    out = {OURS: model.missed(weights)}
    for index, shape in enumerate(model.shapes):
        alone = np.zeros_like(weights)
        alone[index] = 1.0
        out[shape.name] = model.missed(alone)
    for rival in rivals:
        parts = [
            missed(fold.actual, rival(model.past.until(fold.origin), fold.minute)) for fold in folds
        ]
        out[rival.name] = reduce(Missed.__add__, parts)
    return out


def mean_race(races: Sequence[Mapping[str, Missed]]) -> tuple[tuple[str, float], ...]:
    """Return name -> its WAPE over all minutes of all regions and series, in the races' order.

    Without those who said nothing of some minute: nobody is scored on fewer than another.
    """
    names = list(dict.fromkeys(name for race in races for name in race))
    told = {name: pooled_wape(race[name] for race in races if name in race) for name in names}
    return tuple((name, round(wape, 4)) for name, wape in told.items() if np.isfinite(wape))


def backtest_wape(race: Sequence[tuple[str, float]]) -> float | None:
    """Return the forecast's own WAPE of a race, as printed everywhere; None where it cannot be told."""
    return dict(race).get(OURS)


def wape_words(race: Sequence[tuple[str, float]]) -> str:
    """Return the forecast's own WAPE in words."""
    own = backtest_wape(race)
    if own is None:
        return "backtest WAPE cannot be told: no earlier origin, or nothing counted after one"
    return f"backtest WAPE {100 * own:.1f} % a minute"


def race_words(race: Sequence[tuple[str, float]]) -> str:
    """Return a race in words: the forecast's WAPE, and all that were raced over the same minutes."""
    rows = "; ".join(f"{name} {100 * wape:.1f} %" for name, wape in race)
    return wape_words(race) + (f"; raced over the same minutes: {rows}" if rows else "")


def race_notes(regions: Sequence[str], races: Sequence[Mapping[str, Missed]]) -> list[str]:
    """Return a note for every region where a rival was nearer than the forecast."""
    notes = []
    for region, race in zip(regions, races, strict=True):
        told = dict(mean_race([race]))
        if OURS in told and (silent := [name for name in race if name not in told]):
            notes.append(
                f"{region}: {', '.join(silent)} said nothing of some minutes, and is not scored on fewer"
            )
        if (name := beaten_by(told)) is not None:
            notes.append(
                f"{region}: on earlier origins '{name}' was nearer, {100 * told[name]:.1f} % off against "
                f"{100 * told[OURS]:.1f} %: hold this forecast against it"
            )
    return notes


def beaten_by(race: Mapping[str, float]) -> str | None:
    """Return the rival that was nearer than the forecast, the nearest; None: none was."""
    rivals = {name: race[name] for name in RIVALS if name in race}
    best = min(rivals, key=lambda name: rivals[name], default=None)
    return best if best is not None and rivals[best] < race.get(OURS, -np.inf) else None
