"""How well fitted journeys tell the sessions they were not fitted to: overall, and by product type."""

from __future__ import annotations

from typing import Any

import numpy as np

from gameday.history.importers import Sessions
from gameday.traffic.journeys.chains import chain_of, length_law
from gameday.traffic.journeys.fitted import FittedJourney, jeffreys

__all__ = ["against", "by_type"]

_MOST_TYPES = 8
"""Product types told one by one."""
_LEAST_SESSIONS = 20
_DRAWN = 30
"""Lengths whose distribution is drawn."""


def by_type(journeys: tuple[FittedJourney, ...], test: Sessions, order: str) -> dict[str, Any]:
    """Return how well the journeys tell the held-out sessions about each product type, largest first.

    Told: the classes are mixed as their own shares of the type say.
    """
    about, out = test.about(order), {}
    counts = np.bincount(about, minlength=len(test.types))
    for k in sorted(range(1, len(test.types)), key=lambda k: -counts[k])[:_MOST_TYPES]:
        name = test.types[k]
        weights = np.array([one.share * one.products.get(name, 0.0) for one in journeys])
        if counts[k] < _LEAST_SESSIONS or not weights.any():
            continue
        out[name] = against(journeys, (weights / weights.sum()).tolist(), test.only(about == k))
    return out


def against(
    journeys: tuple[FittedJourney, ...], shares: list[float], test: Sessions
) -> dict[str, Any]:
    """Return step mix, conversion and length: told by the journeys so mixed, and of the sessions held out."""
    steps = test.steps
    chains = [chain_of(one.journey(), steps, dict.fromkeys(steps, 0.0)) for one in journeys]
    mix_of = np.array(shares)
    visits, ever = mix_of @ [chain.visits for chain in chains], mix_of @ [c.ever for c in chains]
    laws = [length_law(one.journey(), steps) for one in journeys]
    longest = max(len(law) for law in laws)
    law = sum(
        share * np.pad(row, (0, longest - len(row)))
        for share, row in zip(shares, laws, strict=True)
    )
    lengths = np.diff(test.firsts)
    upto = np.cumsum(np.bincount(lengths, minlength=longest)) / test.count
    told = np.append(np.cumsum(law), np.ones(max(0, len(upto) - longest)))
    mix = np.bincount(test.step, minlength=len(steps))
    has = np.array([test.having(step).sum() for step in steps])
    low, high = jeffreys(has, np.array(test.count))
    return {
        "sessions": test.count,
        "steps": {
            step: {
                "mix_told": float(visits[s] / visits.sum()),
                "mix_seen": float(mix[s] / mix.sum()),
                "ever_told": float(ever[s]),
                "ever_seen": float(has[s] / test.count),
                "ever_low": float(low[s]),
                "ever_high": float(high[s]),
            }
            for s, step in enumerate(steps)
        },
        "length": {
            "mean_told": float((law * np.arange(longest)).sum()),
            "mean_seen": float(lengths.mean()),
            "distance": float(np.abs(told - upto).max()),
            "chance": float(1.36 / np.sqrt(test.count)),
            "upto_told": told[1 : _DRAWN + 1].round(5).tolist(),
            "upto_seen": upto[1 : _DRAWN + 1].round(5).tolist(),
        },
    }
