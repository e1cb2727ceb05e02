"""The race as it is published: the forecast, the levels it blends, and what people would use instead.

All on the same origins before the end of the past, scored alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gameday.forecast.past import Past
from gameday.forecast.race import Fold, raced_folds, scores_of
from gameday.forecast.regional import Model
from gameday.forecast.rivals import RIVALS, Rival
from gameday.vocabulary import Array

__all__ = ["OURS", "PLAIN", "beaten_by", "compared", "mean_race", "race_notes"]

OURS = "gameday"
PLAIN = tuple(RIVALS[name] for name in ("last week", "median of weeks"))
"""Rivals that need nothing and take no time: raced with every forecast."""


def compared(model: Model, rivals: Iterable[Rival] = PLAIN) -> dict[str, Array]:
    """Return name -> its score, shape (series,): a WAPE, geometric mean over the raced origins; NaN if untold.

    First the forecast itself, then the levels it is blended from, then the rivals.
    """
    folds = raced_folds(model.folds)
    if not folds:
        return {}
    said = [np.einsum("cs,cns->ns", model.blend.weights, fold.log_mean) for fold in folds]
    out = {OURS: _score(folds, said)}
    out |= {s.name: score for s, score in zip(model.shapes, model.scores, strict=True)}
    for rival in rivals:
        out[rival.name] = _score(folds, [_foretold(rival, model.past, fold) for fold in folds])
    return out


def _foretold(rival: Rival, past: Past, fold: Fold) -> Array:
    """Return log(1 + count) of what a rival would have said of a fold's minutes, (n, series)."""
    return np.asarray(np.log1p(rival(past.until(fold.origin), fold.minute)))


def _score(folds: Sequence[Fold], said: Sequence[Array]) -> Array:
    alone = [
        # Where one says nothing, as in a gap of the week before, nothing is scored.
        replace(f, log_mean=np.nan_to_num(s)[None], actual=np.where(np.isnan(s), np.nan, f.actual))
        for f, s in zip(folds, said, strict=True)
    ]
    return np.asarray(scores_of(alone)[0])


def mean_race(races: Sequence[Mapping[str, Array]]) -> tuple[tuple[str, float], ...]:
    """Return name -> mean score over regions and series, in the races' order."""
    names = list(dict.fromkeys(name for race in races for name in race))
    pools = {name: np.concatenate([race[name] for race in races]) for name in names}
    return tuple(
        (name, round(float(np.nanmean(pool)), 4))
        for name, pool in pools.items()
        if np.isfinite(pool).any()
    )


def race_notes(regions: Sequence[str], races: Sequence[Mapping[str, Array]]) -> list[str]:
    """Return a note for every region where a rival was nearer than the forecast."""
    notes = []
    for region, race in zip(regions, races, strict=True):
        told = dict(mean_race([race]))
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
    return best if best is not None and rivals[best] < race[OURS] else None
