"""What a journey comes to, exactly: visits, conversion, how many steps and how long a session is.

A journey is an absorbing Markov chain, so all of it follows from the fundamental matrix (Kemeny & Snell, 1960),
as in Menasce's analysis of customer behaviour model graphs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.scenario import steps_in_time, visits_in_time
from gameday.scenario.blocks import Journey, ObservedSessions, walked_visits
from gameday.vocabulary import LONGEST_WALK, Array

__all__ = ["Chain", "chain_of", "length_law"]

_REST = 1e-12
"""Chance of longer sessions below which their law is cut off."""


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
    if journey.sessions is not None:
        return _observed(journey.sessions, steps, response_s)
    if journey.ends_by_time:
        return _timed_chain(journey, steps, response_s)
    moves, start = journey.transition_matrix(steps), journey.entry_vector(steps)
    visits = journey.visits_per_session(steps)
    mean = float(visits.sum())
    responses_s = np.array([response_s[step] for step in steps])
    return Chain(
        steps,
        visits,
        _ever(journey, moves, start),
        mean,
        _deviation(length_law(journey, steps), mean),
        float(_goes_on(journey, moves, start) @ _pauses_s(journey, steps) + visits @ responses_s),
    )


def _observed(
    sessions: ObservedSessions, steps: tuple[str, ...], response_s: dict[str, float]
) -> Chain:
    """Return what observed sessions come to."""
    index, lengths = sessions.indices(steps), np.array(sessions.lengths)
    session = np.repeat(np.arange(sessions.count), lengths)
    ever = [len(np.unique(session[index == step])) / sessions.count for step in range(len(steps))]
    is_last = np.zeros(len(index), bool)
    is_last[sessions.firsts[1:] - 1] = True
    took_s = np.array([response_s[step] for step in steps])[index]
    took_s = took_s + np.where(is_last, 0.0, np.array(sessions.pauses))
    return Chain(
        steps,
        sessions.visits_per_session(steps),
        np.array(ever),
        mean_steps=float(lengths.mean()),
        spread_steps=float(lengths.std()),
        mean_s=float(took_s.sum() / sessions.count),
    )


def _timed_chain(journey: Journey, steps: tuple[str, ...], response_s: dict[str, float]) -> Chain:
    """Return what a journey comes to whose sessions end when their time is over."""
    found, law = visits_in_time(journey, steps, response_s), length_law(journey, steps)
    return Chain(
        steps,
        found.visits,
        found.ever,
        mean_steps=float(found.visits.sum()),
        spread_steps=_deviation(law, float((law * np.arange(len(law))).sum())),
        mean_s=found.mean_s,
    )


def _deviation(law: Array, mean: float) -> float:
    """Return the standard deviation of a law of numbers 0, 1, ... with this mean."""
    square = float((law * np.arange(len(law)) ** 2).sum())
    return float(np.sqrt(max(0.0, square - mean**2)))


def _pauses_s(journey: Journey, steps: tuple[str, ...]) -> Array:
    """Return the mean pause between each step and the next, over all visits to it, s, shape (steps,).

    A visit that ends the session counts with no pause.
    """
    pauses = []
    for step in steps:
        row = journey.next.get(step, {})
        laws = [(chance, journey.think_law(step, to)) for to, chance in row.items() if to in steps]
        pauses.append(sum(chance * law.mean for chance, law in laws if law is not None))
    return np.array(pauses)


def _ever(journey: Journey, moves: Array, start: Array) -> Array:
    """Return the chance that a session comes to each step: its visits if none led on from that step."""
    if journey.length is None:
        return np.array(
            [walked_visits(_without(moves, step), start)[step] for step in range(len(start))]
        )
    out = np.zeros(len(start))
    for step in range(len(start)):
        first_passage, standing = _without(moves, step), start
        for chance in journey.length.goes_on:
            out[step] += chance * standing[step]
            standing = standing @ first_passage
    return out


def _without(moves: Array, step: int) -> Array:
    """Return the transition probabilities with none that leads on from `step`: it is visited once at most."""
    absorbed = moves.copy()
    absorbed[step] = 0.0
    return absorbed


def _goes_on(journey: Journey, moves: Array, start: Array) -> Array:
    """Return the visits to each step after which the walk is not cut."""
    if journey.length is None:
        return walked_visits(moves, start, LONGEST_WALK - 1)
    out, standing = np.zeros(len(start)), start
    for chance in journey.length.goes_on[1:]:
        out, standing = out + chance * standing, standing @ moves
    return out


def length_law(journey: Journey, steps: tuple[str, ...]) -> Array:
    """Return the chance that a session has n steps, n = 0, 1, ... LONGEST_WALK at most.

    Chances of more steps are cut off where they sum to less than 1e-12.
    """
    if journey.sessions is not None:
        return np.bincount(journey.sessions.lengths) / journey.sessions.count
    if journey.ends_by_time:
        return steps_in_time(journey, steps)
    if journey.length is not None and journey.length.steps is not None:
        return np.array([0.0, *journey.length.steps])
    moves, standing = journey.transition_matrix(steps), journey.entry_vector(steps)
    leaves = 1 - moves.sum(axis=1)
    law = [0.0]
    while standing.sum() > _REST and len(law) < LONGEST_WALK:
        law.append(float(standing @ leaves))
        standing = standing @ moves
    if standing.sum() > _REST:  # sessions that are still walking take the last step
        law.append(float(standing.sum()))
    return np.array(law)
