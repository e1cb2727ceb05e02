"""Goodness of fit: how well fitted journeys predict the sessions held out, overall and by product type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.history.importers import Sessions
from gameday.scenario.blocks import Journey
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
"""95 % point of the Kolmogorov distribution: the distance of a sample is below this over the root of its size."""


def goodness_of_fit(
    journeys: tuple[FittedJourney, ...], test: Sessions, order: str
) -> GoodnessByType:
    """Return how well the journeys predict the sessions held out; `order` is the step of an order."""
    expected = [_expect(journey.journey(), test.steps) for journey in journeys]
    fitted_to = sum(journey.sessions for journey in journeys)
    whole = _compare(_mix(expected, [journey.share for journey in journeys]), test, fitted_to)
    about, types = test.about(order), {}
    for k in _largest_types(about, len(test.types)):
        name = test.types[k]
        weights = np.array([j.share * j.products.get(name, 0.0) for j in journeys])
        if weights.any():
            mixed = _mix(expected, (weights / weights.sum()).tolist())
            of_type = fitted_to * weights.sum() / sum(j.share for j in journeys)
            types[name] = _compare(mixed, test.only(about == k), of_type)
    return GoodnessByType(whole.sessions, whole.steps, whole.length, types)


def _largest_types(about: Array, types: int) -> list[int]:
    """Return the product types with enough sessions to compare, most first; type 0 stands for none."""
    counts = np.bincount(about, minlength=types)
    largest = sorted(range(1, types), key=lambda k: -counts[k])[:_MOST_TYPES]
    return [k for k in largest if counts[k] >= _LEAST_SESSIONS]


@dataclass(frozen=True, slots=True)
class _Expected:
    """What sessions come to by a model; replies take no time."""

    visits: Array
    """Expected visits of a session, shape (steps,)."""
    ever: Array
    """Chance that a session comes to a step, shape (steps,)."""
    lengths: Array
    """Chance of n steps, n = 0, 1, ..."""


def _expect(journey: Journey, steps: tuple[str, ...]) -> _Expected:
    """Return what sessions of one journey come to."""
    chain = chain_of(journey, steps, dict.fromkeys(steps, 0.0))
    return _Expected(chain.visits, chain.ever, length_law(journey, steps))


def _mix(journeys: list[_Expected], shares: list[float]) -> _Expected:
    """Return what sessions come to when these shares of them walk each journey."""
    longest = max(len(journey.lengths) for journey in journeys)
    lengths = np.zeros(longest)
    for share, journey in zip(shares, journeys, strict=True):
        lengths += share * np.pad(journey.lengths, (0, longest - len(journey.lengths)))
    weights = np.array(shares)
    return _Expected(
        visits=weights @ [journey.visits for journey in journeys],
        ever=weights @ [journey.ever for journey in journeys],
        lengths=lengths,
    )


def _compare(predicted: _Expected, test: Sessions, fitted_to: float) -> GoodnessOfFit:
    """Return step mix, conversion and length: of the mixed journeys, and of the sessions held out.

    `fitted_to`: how many sessions the journeys were fitted to.
    """
    steps = _compare_steps(predicted, test, fitted_to)
    return GoodnessOfFit(
        test.count, steps, _compare_lengths(predicted.lengths, np.diff(test.firsts))
    )


def _compare_steps(predicted: _Expected, test: Sessions, fitted_to: float) -> dict[str, StepFit]:
    """Return each step's share of all visits and the share of sessions that come to it."""
    mix = predicted.visits / predicted.visits.sum()
    seen = np.bincount(test.step, minlength=len(test.steps))
    having = np.array([test.having(step).sum() for step in test.steps])
    low, high = _intervals(having / max(1, test.count), test.count, fitted_to)
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


def _intervals(seen: Array, sessions: int, fitted_to: float) -> tuple[Array, Array]:
    """Return intervals of the shares that are seen of each step: 99 % for all steps together (Bonferroni).

    They allow for chance in the sessions that the journeys were fitted to, too.
    """
    worth = 1 / (1 / max(1, sessions) + 1 / max(1.0, fitted_to))
    return jeffreys(seen * worth, np.array(worth), 1 - 0.01 / max(1, len(seen)))


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
