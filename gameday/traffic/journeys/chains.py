"""What a journey comes to, exactly: visits, conversion, how many steps and how long a session is.

The chain is absorbing: everything follows from its fundamental matrix (Kemeny & Snell, 1960), as in
Menasce's analysis of customer behaviour model graphs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.scenario import steps_in_time, visits_in_time
from gameday.scenario.blocks import Journey, walked_visits
from gameday.vocabulary import LONGEST_WALK, Array

__all__ = ["Chain", "chain_of", "length_law"]

_REST = 1e-12
"""Chance of longer sessions at which their law is cut off."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A journey's expectations; arrays by step of the scenario."""

    steps: tuple[str, ...]
    visits: Array
    """Expected visits of a session, shape (steps,)."""
    ever: Array
    """Chance that a session comes to a step at all: its conversion, same shape."""
    mean_steps: float
    spread_steps: float
    """Standard deviation of a session's number of steps."""
    mean_s: float
    """Expected length of a session, first step sent to last reply, s of event time."""

    @property
    def ratios(self) -> Array:
        """Each step's share of all visits, shape (steps,)."""
        return np.asarray(self.visits / self.visits.sum())


def chain_of(journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]) -> Chain:
    """Return what a journey comes to; `response_s` is each step's response in event time."""
    law = length_law(journey, steps)
    numbers = np.arange(len(law))
    if journey.ends_by_time:
        found = visits_in_time(journey, steps, response_s)
        mean = float((law * numbers).sum())
        spread = float(np.sqrt(max(0.0, float((law * numbers**2).sum()) - mean**2)))
        return Chain(
            steps, found.visits, found.ever, float(found.visits.sum()), spread, found.mean_s
        )
    moves, start = journey.transition_matrix(steps), journey.entry_vector(steps)
    visits, ever = journey.visits_per_session(steps), _ever(journey, moves, start)
    mean = float(visits.sum())
    square = float((law * numbers**2).sum())
    pauses = np.array([_pause_s(journey, step, steps) for step in steps])
    responses = np.array([response_s[step] for step in steps])
    goes_on = _goes_on(journey, moves, start)
    return Chain(
        steps,
        visits,
        ever,
        mean,
        float(np.sqrt(max(0.0, square - mean**2))),
        float(goes_on @ pauses + visits @ responses),
    )


def _pause_s(journey: Journey, step: str, steps: tuple[str, ...]) -> float:
    """Return the mean pause after a step that another follows, as a share of its visits, s."""
    row = journey.next.get(step, {})
    laws = [(chance, journey.think_law(step, to)) for to, chance in row.items() if to in steps]
    return sum(chance * law.mean for chance, law in laws if law is not None)


def _ever(journey: Journey, moves: Array, start: Array) -> Array:
    """Return the chance that a session comes to each step: visits that do not go on from it."""
    if journey.length is None:
        return np.array(
            [walked_visits(_without(moves, step), start)[step] for step in range(len(start))]
        )
    out = np.zeros(len(start))
    for step in range(len(start)):
        past, at = _without(moves, step), start
        for chance in journey.length.goes_on:
            out[step] += chance * at[step]
            at = at @ past
    return out


def _without(moves: Array, step: int) -> Array:
    """Return the chances with none that leads on from `step`: it is then visited once at most."""
    past = moves.copy()
    past[step] = 0.0
    return past


def _goes_on(journey: Journey, moves: Array, start: Array) -> Array:
    """Return the visits to each step after which the walk is not cut."""
    if journey.length is None:
        return walked_visits(moves, start, LONGEST_WALK - 1)
    out, at = np.zeros(len(start)), start
    for chance in journey.length.goes_on[1:]:
        out, at = out + chance * at, at @ moves
    return out


def length_law(journey: Journey, steps: tuple[str, ...]) -> Array:
    """Return the chance that a session has n steps, n = 0, 1, ... LONGEST_WALK at most.

    What is left out of a chain that ends sooner is below 1e-12.
    """
    if journey.ends_by_time:
        return steps_in_time(journey, steps)
    if journey.length is not None and journey.length.steps is not None:
        return np.array([0.0, *journey.length.steps])
    moves, at = journey.transition_matrix(steps), journey.entry_vector(steps)
    leaves = 1 - moves.sum(axis=1)
    law = [0.0]
    while at.sum() > _REST and len(law) < LONGEST_WALK:
        law.append(float(at @ leaves))
        at = at @ moves
    if at.sum() > _REST:  # whoever is still there takes the last step
        law.append(float(at.sum()))
    return np.array(law)
