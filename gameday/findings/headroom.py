"""Headroom: the multiple of the forecast at which each objective first fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gameday.findings.rehearsal import Replications, said_of
from gameday.scenario import Scenario
from gameday.simulate import t_interval

__all__ = ["headroom"]

_MOST, _LEAST = 8.0, 1 / 16
_WIDTH = 1.06
"""A bracket this narrow is an answer."""
_MOST_RUNS = 16


@dataclass
class _Bracket:
    """Between which multiples an objective of a stack begins to fail, and where that is sure."""

    holds: float = 0.0
    fails: float = math.inf
    surely_holds: float = 0.0
    surely_fails: float = math.inf

    def add(self, factor: float, said: str, *, is_good: bool) -> None:
        """Take what was seen at a multiple."""
        if is_good:
            self.holds = max(self.holds, factor)
        else:
            self.fails = min(self.fails, factor)
        if said == "holds":
            self.surely_holds = max(self.surely_holds, factor)
        elif said == "fails":
            self.surely_fails = min(self.surely_fails, factor)

    @property
    def next(self) -> float | None:
        """The multiple to look at next; None when it is known well enough."""
        if self.fails == math.inf:
            return None if self.holds >= _MOST else min(_MOST, 2 * (self.holds or 1.0))
        if self.holds == 0.0:
            return None if self.fails <= _LEAST else self.fails / 2
        if self.fails <= self.holds * _WIDTH:
            return None
        return math.sqrt(self.holds * self.fails)


def headroom(
    scenario: Scenario, base: Replications, play: Callable[[float], Replications]
) -> dict[str, list[dict[str, Any]]]:
    """Return stack -> objectives with the multiples between which each first fails.

    `base` are replications at the forecast itself; `play` gives those of a multiple of it, the
    servers as they are. Between two multiples that were played an objective is taken to fail
    once, from some point on.
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
    rows: dict[str, list[dict[str, Any]]] = {}
    for (stack, number), bracket in brackets.items():
        rows.setdefault(stack, []).append(
            {"text": scenario.objectives[number].text} | {
                name: _finite(getattr(bracket, name))
                for name in ("holds", "fails", "surely_holds", "surely_fails")
            }
        )  # fmt: skip
    return rows


def _finite(factor: float) -> float | None:
    return round(factor, 4) if 0 < factor < math.inf else None


def _look(
    scenario: Scenario, brackets: dict[tuple[str, int], _Bracket], factor: float,
    replications: Replications,
) -> None:  # fmt: skip
    for runs in zip(*replications, strict=True):
        for number, criterion in enumerate(scenario.objectives):
            band = t_interval([run.number_of(number)[0] for run in runs])
            if band.mid == band.mid:  # what was not observed says nothing
                brackets[runs[0].stack, number].add(
                    factor, said_of(band, criterion.holds), is_good=criterion.holds(band.mid)
                )
