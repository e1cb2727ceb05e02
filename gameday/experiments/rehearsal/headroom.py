"""Headroom: the multiple of the forecast at which each objective first fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from gameday.experiments.rehearsal.stack_answers import said_of
from gameday.experiments.replications.replication import NOBODY, Replications
from gameday.record.intervals import t_interval
from gameday.scenario import Scenario

__all__ = ["Headroom", "find_headroom"]

_MOST, _LEAST = 8.0, 1 / 16
_WIDTH = 1.06
"""A bracket this narrow is an answer."""
_MOST_RUNS = 16


@dataclass(frozen=True, slots=True)
class Headroom:
    """The multiples of the forecast between which an objective of a stack first fails."""

    text: str
    """The objective."""
    said: str
    """The answer in words."""
    holds: float | None
    """The largest multiple below `fails` at which the mean held; None where none did."""
    fails: float | None
    """The least multiple at which the mean failed; None where none did."""
    surely_holds: float | None
    """The largest multiple up to there at which the whole interval held."""
    surely_fails: float | None
    """The least multiple at which the whole interval failed."""


@dataclass
class _Bracket:
    """What was seen of an objective of a stack, by multiple; where it first begins to fail.

    Beyond that it may seem to hold again: who was turned away at once was answered fast.
    """

    seen: dict[float, tuple[bool, str]] = field(default_factory=dict)
    """Multiple -> whether the mean holds, and what the whole interval says."""

    @property
    def fails(self) -> float:
        """The least multiple at which it failed."""
        return min((f for f, (is_good, _) in self.seen.items() if not is_good), default=math.inf)

    @property
    def holds(self) -> float:
        """The largest multiple below that at which it held."""
        return max(
            (f for f, (good, _) in self.seen.items() if good and f < self.fails), default=0.0
        )

    @property
    def surely_holds(self) -> float:
        """The largest multiple up to there at which its whole interval held."""
        sure = (f for f, (_, answer) in self.seen.items() if answer == "holds" and f <= self.holds)
        return max(sure, default=0.0)

    @property
    def surely_fails(self) -> float:
        """The least multiple at which its whole interval failed."""
        return min(
            (f for f, (_, answer) in self.seen.items() if answer == "fails"), default=math.inf
        )

    @property
    def said(self) -> str:
        """The answer in words."""
        if not self.seen:
            return NOBODY
        if self.fails == math.inf:
            return f"{self.holds:g}x and more"
        if self.holds == 0.0:
            return f"fails at {self.fails:.4g}x already"
        sure = f", surely {self.surely_holds:.4g}x" if self.surely_holds else ""
        return f"{self.holds:.4g}x to {self.fails:.4g}x{sure}"

    @property
    def next(self) -> float | None:
        """The multiple to look at next; None when it is known well enough."""
        if not self.seen:
            return None  # nobody came at the forecast: a multiple of it is no answer either
        if self.fails == math.inf:
            return None if self.holds >= _MOST else min(_MOST, 2 * (self.holds or 1.0))
        if self.holds == 0.0:
            return None if self.fails <= _LEAST else self.fails / 2
        if self.fails <= self.holds * _WIDTH:
            return None
        return math.sqrt(self.holds * self.fails)


def find_headroom(
    scenario: Scenario, base: Replications, play: Callable[[float], Replications]
) -> dict[str, tuple[Headroom, ...]]:
    """Return stack -> objectives with the multiples between which each first fails.

    `base` are replications at the forecast itself; `play` gives those of a multiple of it, the
    servers as they are. Between two multiples that were played an objective is taken to fail from
    some point on.
    """
    brackets = {
        (run.stack, number): _Bracket()
        for run in base[0]
        for number in range(len(scenario.objectives))
    }
    _look(scenario, brackets, 1.0, base)
    for _ in range(_MOST_RUNS):
        wanted = [
            (bracket.fails / max(bracket.holds, 1e-9), bracket.next)
            for bracket in brackets.values()
        ]
        open_ = [(width, factor) for width, factor in wanted if factor is not None]
        if not open_:
            break
        factor = max(open_)[1]
        _look(scenario, brackets, factor, play(factor))
    return {
        stack: tuple(
            _answer(scenario.objectives[number].text, bracket)
            for (of_stack, number), bracket in brackets.items()
            if of_stack == stack
        )
        for stack in dict.fromkeys(stack for stack, _ in brackets)
    }


def _answer(text: str, bracket: _Bracket) -> Headroom:
    return Headroom(
        text,
        bracket.said,
        _finite(bracket.holds),
        _finite(bracket.fails),
        _finite(bracket.surely_holds),
        _finite(bracket.surely_fails),
    )


def _finite(factor: float) -> float | None:
    return round(factor, 4) if 0 < factor < math.inf else None


def _look(
    scenario: Scenario,
    brackets: dict[tuple[str, int], _Bracket],
    factor: float,
    replications: Replications,
) -> None:
    for runs in zip(*replications, strict=True):
        for number, criterion in enumerate(scenario.objectives):
            band = t_interval([run.number_of(number)[0] for run in runs])
            if band.mid == band.mid:  # what was not observed says nothing
                seen = (criterion.holds(band.mid), said_of(band, criterion.holds))
                brackets[runs[0].stack, number].seen[factor] = seen
