"""Priors of events' effects, pooled over regions and steps: for those that have seen few events of a kind."""

from __future__ import annotations

import numpy as np

from gameday.forecast.model.solve import Fit
from gameday.vocabulary import Array

__all__ = ["event_priors"]

_EVENT = "event: "


def event_priors(fits: list[Fit]) -> list[Array]:
    """Return what each region's calendar columns are shrunk to, shape (columns, series): its kind's mean, or 0.

    The mean of an effect is over every region and series whose past has seen that kind; one region is enough.
    """
    means = _mean_effects(fits)
    priors = []
    for fit in fits:
        prior = np.zeros_like(fit.coefficients)
        for name, columns in _effects(fit).items():
            if (name, len(columns)) in means:
                prior[columns] = means[name, len(columns)]
        priors.append(prior[len(fit.blocks) - fit.calendar_columns :])
    return priors


def _mean_effects(fits: list[Fit]) -> dict[tuple[str, int], Array]:
    """Return (event ingredient, number of columns) -> mean coefficients where seen, shape (columns, 1)."""
    seen: dict[tuple[str, int], list[Array]] = {}
    for fit in fits:
        for name, columns in _effects(fit).items():
            if fit.supported[columns].all():
                seen.setdefault((name, len(columns)), []).append(fit.coefficients[columns])
    return {
        key: np.concatenate(found, axis=1).mean(axis=1, keepdims=True)
        for key, found in seen.items()
    }


def _effects(fit: Fit) -> dict[str, Array]:
    """Return event ingredient -> the numbers of its columns."""
    names = [name for name in dict.fromkeys(fit.blocks) if name.startswith(_EVENT)]
    return {name: np.flatnonzero(np.array(fit.blocks) == name) for name in names}
