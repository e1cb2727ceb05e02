"""What events of a kind do, pooled over regions and steps: where one has seen none, or little, the others tell."""

from __future__ import annotations

import numpy as np

from gameday.forecast.model.solve import Fit
from gameday.vocabulary import Array

__all__ = ["event_priors"]

_EVENT = "event: "


def event_priors(fits: list[Fit]) -> list[Array]:
    """Return what each region's calendar columns are held to, shape (columns, series): its kind's mean, or 0.

    The mean of an effect is over every region and series whose past has seen that kind; one region is enough.
    """
    seen: dict[tuple[str, int], list[Array]] = {}
    for fit in fits:
        for name, at in _effects(fit).items():
            if fit.supported[at].all():
                seen.setdefault((name, len(at)), []).append(fit.coefficients[at])
    priors = []
    for fit in fits:
        prior = np.zeros_like(fit.coefficients)
        for name, at in _effects(fit).items():
            if found := seen.get((name, len(at))):
                prior[at] = np.concatenate(found, axis=1).mean(axis=1, keepdims=True)
        priors.append(prior[len(fit.blocks) - fit.calendar_columns :])
    return priors


def _effects(fit: Fit) -> dict[str, Array]:
    """Return event ingredient -> the places of its columns."""
    names = [name for name in dict.fromkeys(fit.blocks) if name.startswith(_EVENT)]
    return {name: np.flatnonzero(np.array(fit.blocks) == name) for name in names}
