"""How series are off together: by the hour, over steps and regions, and from one hour to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.bands import LEAST_POOL
from gameday.vocabulary import Array

__all__ = ["Together", "together_of"]

_LEAST_SCORES = 4
"""Errors that one hour's mean rests on: where fewer are scored, hours beside it are drawn on."""


@dataclass(frozen=True, slots=True)
class Together:
    """What earlier origins' errors were, as normal scores of each series' own, by UTC hour."""

    hours: tuple[Array, ...]
    """Per origin, shape (days, 24, regions, steps); NaN where nothing was known. Their variance is `share`."""
    share: Array
    """Of a minute's variance what its hour accounts for, 0 to 1, shape (regions, steps)."""


def together_of(models: Sequence[Model]) -> Together:
    """Return how the models' series were off together on earlier origins; all models have the same origins."""
    folds = models[0].folds
    slot, days = _hours_of(folds)
    shape = (len(models), len(models[0].past.counts))
    hours, share = np.full((24 * sum(days), *shape), np.nan), np.zeros(shape)
    for region, model in enumerate(models):
        for step in range(shape[1]):
            hours[:, region, step], share[region, step] = _hourly(
                model.errors(step).log_ratio if folds else np.empty(0), slot, len(hours)
            )
    ends = np.cumsum([24 * number for number in days])[:-1]
    return Together(
        tuple(part.reshape(-1, 24, *shape) for part in np.split(hours, ends) if len(part)), share
    )


def _hours_of(folds: list[Fold]) -> tuple[Array, list[int]]:
    """Return each scored minute's hour, numbered through all folds' days, and each fold's days."""
    slots, days = [np.empty(0, int)], list[int]()
    for fold in folds:
        day = (fold.minute // 1440 - fold.minute[0] // 1440).astype(int)
        slots.append(24 * (sum(days) + day) + (fold.minute % 1440 // 60).astype(int))
        days.append(int(day[-1]) + 1)
    return np.concatenate(slots), days


def _hourly(errors: Array, slot: Array, slots: int) -> tuple[Array, float]:
    """Return one series' hourly mean scores, shape (slots,), scaled to the share of the variance that they are."""
    known = ~np.isnan(errors)
    if known.sum() < LEAST_POOL:
        return np.full(slots, np.nan), 0.0
    score = _normal_scores(errors[known])
    here = slot[known]
    # What minutes beside each other share; where few are scored, hours beside each other.
    near = np.diff(here) <= 2
    share = float(np.clip(np.mean((score[1:] * score[:-1])[near]), 0.0, 1.0)) if near.any() else 0.0
    number = np.bincount(here, minlength=slots).astype(float)
    width = np.ones(2 * int(_LEAST_SCORES / number[number > 0].mean() / 2) + 1)
    total = np.convolve(np.bincount(here, score, minlength=slots), width, "same")
    mean = total / np.maximum(np.convolve(number, width, "same"), 1)
    spread = float(np.mean(mean[number > 0] ** 2))
    scaled = mean * np.sqrt(share / max(spread, 1e-12))
    return np.where(number > 0, scaled, np.nan), share


def _normal_scores(values: Array) -> Array:
    """Return what each value would be were they normal: the quantile of its rank, equal ones alike."""
    order = np.sort(values)
    rank = (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")) / 2
    return np.asarray(ndtri(rank / len(values)))
