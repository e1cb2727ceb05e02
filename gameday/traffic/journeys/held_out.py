"""Goodness of fit: how well fitted journeys predict the sessions held out, overall and by product type."""

from __future__ import annotations

import numpy as np

from gameday.history.importers import Sessions
from gameday.traffic.journeys.chains import chain_of, length_law
from gameday.traffic.journeys.fitted import (
    FittedJourney,
    GoodnessByType,
    GoodnessOfFit,
    LengthFit,
    StepFit,
    jeffreys,
)
from gameday.vocabulary import Array

__all__ = ["goodness_of_fit"]

_MOST_TYPES = 8
"""Product types that are compared one by one."""
_LEAST_SESSIONS = 20
"""Held-out sessions about a type below which it is left out."""
_DRAWN = 30
"""Lengths whose distribution is drawn."""
_KOLMOGOROV_95 = 1.36
"""95 % point of the Kolmogorov distribution: a gap of this over the root of the sample size is chance."""


def goodness_of_fit(
    journeys: tuple[FittedJourney, ...], test: Sessions, order: str
) -> GoodnessByType:
    """Return how well the journeys predict the sessions held out; `order` is the step of an order."""
    mixed = _Mixed(journeys, np.array([journey.share for journey in journeys]), test.steps)
    whole = _compare(mixed, test)
    types = _by_type(journeys, test, order)
    return GoodnessByType(whole.sessions, whole.steps, whole.length, types)


def _by_type(
    journeys: tuple[FittedJourney, ...], test: Sessions, order: str
) -> dict[str, GoodnessOfFit]:
    """Return the goodness of fit to the sessions about each product type, largest first.

    The journeys are mixed by their own shares of the type.
    """
    about, out = test.about(order), {}
    counts = np.bincount(about, minlength=len(test.types))
    for k in sorted(range(1, len(test.types)), key=lambda k: -counts[k])[:_MOST_TYPES]:
        name = test.types[k]
        weights = np.array([j.share * j.products.get(name, 0.0) for j in journeys])
        if counts[k] < _LEAST_SESSIONS or not weights.any():
            continue
        mixed = _Mixed(journeys, weights / weights.sum(), test.steps)
        out[name] = _compare(mixed, test.only(about == k))
    return out


class _Mixed:
    """What journeys come to when so many sessions walk each of them; replies take no time."""

    def __init__(
        self, fitted: tuple[FittedJourney, ...], shares: Array, steps: tuple[str, ...]
    ) -> None:
        journeys = [journey.journey() for journey in fitted]
        chains = [chain_of(journey, steps, dict.fromkeys(steps, 0.0)) for journey in journeys]
        self.visits: Array = shares @ [chain.visits for chain in chains]
        self.ever: Array = shares @ [chain.ever for chain in chains]
        self.lengths = _mixed_law([length_law(journey, steps) for journey in journeys], shares)
        """Chance of n steps, n = 0, 1, ..."""


def _mixed_law(laws: list[Array], shares: Array) -> Array:
    """Return the mixture of laws of numbers 0, 1, ... of any lengths."""
    longest = max(len(law) for law in laws)
    mixed = np.zeros(longest)
    for share, law in zip(shares.tolist(), laws, strict=True):
        mixed += share * np.pad(law, (0, longest - len(law)))
    return mixed


def _compare(predicted: _Mixed, test: Sessions) -> GoodnessOfFit:
    """Return step mix, conversion and length: of the mixed journeys, and of the sessions held out."""
    steps = _compare_steps(predicted, test)
    return GoodnessOfFit(
        test.count, steps, _compare_lengths(predicted.lengths, np.diff(test.firsts))
    )


def _compare_steps(predicted: _Mixed, test: Sessions) -> dict[str, StepFit]:
    """Return each step's share of all visits and the share of sessions that come to it."""
    mix = predicted.visits / predicted.visits.sum()
    seen = np.bincount(test.step, minlength=len(test.steps))
    having = np.array([test.having(step).sum() for step in test.steps])
    low, high = jeffreys(having, np.array(test.count))
    return {
        step: StepFit(
            mix_told=float(mix[s]),
            mix_seen=float(seen[s] / seen.sum()),
            ever_told=float(predicted.ever[s]),
            ever_seen=float(having[s] / test.count),
            ever_low=float(low[s]),
            ever_high=float(high[s]),
        )
        for s, step in enumerate(test.steps)
    }


def _compare_lengths(law: Array, lengths: Array) -> LengthFit:
    """Return steps a session: by their law, and of the sessions held out."""
    upto = np.cumsum(np.bincount(lengths, minlength=len(law))) / len(lengths)
    upto_law = np.append(np.cumsum(law), np.ones(max(0, len(upto) - len(law))))
    return LengthFit(
        mean_told=float((law * np.arange(len(law))).sum()),
        mean_seen=float(lengths.mean()),
        distance=float(np.abs(upto_law - upto).max()),
        chance=float(_KOLMOGOROV_95 / np.sqrt(len(lengths))),
        upto_told=_drawn(upto_law),
        upto_seen=_drawn(upto),
    )


def _drawn(upto: Array) -> list[float]:
    """Return the part of a distribution of lengths that is drawn, from one step on."""
    drawn: list[float] = upto[1 : _DRAWN + 1].round(5).tolist()
    return drawn
