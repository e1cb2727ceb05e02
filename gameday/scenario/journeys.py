"""Journeys: customer behaviour model graphs (Menascé), one a class of customer."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from gameday.scenario.steps import PythonName
from gameday.scenario.units import Block, Duration, Name, Share
from gameday.vocabulary import Array

__all__ = ["EXIT", "Journey", "Reaction"]

EXIT = "exit"
"""The transition that ends a session."""

_SUM_TOLERANCE = 1e-6


class Reaction(Block):
    """What a customer does after a bad reply: tries the step again, or goes."""

    again: Share
    """Chance of trying the same step once more."""
    after: Duration
    """Pause before that, s of event time."""
    most: int = Field(default=2, ge=1, le=20)
    """Tries again in a row before giving up. Default: ours; no measured source."""


class Journey(Block):
    """A first-order chain over steps. A session is one walk through it."""

    start: dict[Name, Share]
    """Chance of each first step; sums to 1."""
    next: dict[Name, dict[Name, Share]]
    """From a step to the next, `exit` included; each row sums to 1."""
    think: dict[Name, Duration]
    """Mean pause after a step, s, exponential; `other` covers steps not named."""
    patience: Duration = Field(gt=0)
    """Leaves when a step takes longer than this, s."""
    on_failure: Reaction | None = None
    on_sold_out: Reaction | None = None
    python: PythonName | None = None
    """`module:Class`, a Locust HttpUser or FastHttpUser: at each step of the walk its task of the
    step's name is played (`-` as `_`); the steps' exchanges then say what the model takes them for."""
    launch: Name | None = None
    """The launch whose crowd walks this journey; absent: walked all day."""

    @model_validator(mode="after")
    def _rows_sum_to_one(self) -> Journey:
        rows = {"start": self.start} | {f"next.{step}": row for step, row in self.next.items()}
        for where, row in rows.items():
            total = sum(row.values())
            if abs(total - 1) > _SUM_TOLERANCE:
                raise ValueError(f"{where} sums to {total:g}; its chances must sum to 1")
        if stuck := self._never_ends():
            raise ValueError(f"a session at {', '.join(stuck)} could never reach exit")
        return self

    def _never_ends(self) -> list[str]:
        ends = {EXIT}
        while True:
            more = {s for s, row in self.next.items() if any(row.get(e, 0) > 0 for e in ends)}
            if more <= ends:
                return [s for s in self.next if s not in ends]
            ends |= more

    def think_s(self, step: str) -> float:
        """Return the mean pause after `step`, s of event time."""
        return self.think[step] if step in self.think else self.think["other"]

    def transition_matrix(self, steps: tuple[str, ...]) -> Array:
        """Return P, shape (len(steps), len(steps)): chance of step j after step i, exit left out."""
        matrix = np.zeros((len(steps), len(steps)))
        for step, row in self.next.items():
            for to, chance in row.items():
                if to != EXIT:
                    matrix[steps.index(step), steps.index(to)] = chance
        return matrix

    def entry_vector(self, steps: tuple[str, ...]) -> Array:
        """Return the chance of each first step, shape (len(steps),)."""
        return np.array([self.start.get(step, 0.0) for step in steps])

    def visits_per_session(self, steps: tuple[str, ...]) -> Array:
        """Return the expected visits to each step in a session, shape (len(steps),).

        Source: the chain's fundamental matrix, start (I - P)^-1 (Kemeny & Snell, 1960).
        """
        matrix = np.eye(len(steps)) - self.transition_matrix(steps)
        solved: Array = np.linalg.solve(matrix.T, self.entry_vector(steps))
        return solved
