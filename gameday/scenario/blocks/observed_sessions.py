"""Sessions as they were observed: a journey that plays them whole, in place of a chain fitted to them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from gameday.scenario.units import Block, Name
from gameday.vocabulary import LONGEST_WALK, Array

__all__ = ["ObservedSessions"]

_EXIT = "exit"
_MOST = 200_000
"""Sessions of a journey; every worker holds them."""
_Pause = Annotated[float, Field(ge=0, le=30 * 86400)]


@dataclass(frozen=True, slots=True)
class NearestChain:
    """A first-order chain, by names of steps."""

    start: dict[str, float]
    next: dict[str, dict[str, float]]
    think_s: dict[str, float]
    """Step -> mean pause behind it, s."""


class ObservedSessions(Block):
    """What customers did, session by session. Each is as likely as another to be the one that is played."""

    steps: list[Name] = Field(min_length=1)
    """Names of steps."""
    lengths: list[Annotated[int, Field(ge=1, le=LONGEST_WALK)]] = Field(
        min_length=1, max_length=_MOST
    )
    """Steps of each session."""
    step: list[Annotated[int, Field(ge=0)]]
    """Index of each step in `steps`, session after session."""
    pauses: list[_Pause]
    """Pause behind each step, s of event time; behind a session's last one it is no matter."""

    @model_validator(mode="after")
    def _are_whole(self) -> ObservedSessions:
        total = sum(self.lengths)
        if not total == len(self.step) == len(self.pauses):
            raise ValueError(
                f"sessions have {total} steps by `lengths`, {len(self.step)} by `step`, "
                f"{len(self.pauses)} by `pauses`"
            )
        if max(self.step) >= len(self.steps):
            raise ValueError(f"step {max(self.step)} is none of the {len(self.steps)} in `steps`")
        return self

    @property
    def count(self) -> int:
        """How many sessions there are."""
        return len(self.lengths)

    @cached_property
    def firsts(self) -> Array:
        """Index of each session's first step, and behind the last one the number of steps, shape (count + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def indices(self, steps: tuple[str, ...]) -> Array:
        """Return each step's index in other names of steps."""
        names = np.array([steps.index(name) for name in self.steps])
        return np.asarray(names[np.array(self.step)])

    def visits_per_session(self, steps: tuple[str, ...]) -> Array:
        """Return the mean visits to each of these steps in a session, shape (len(steps),)."""
        return np.asarray(np.bincount(self.indices(steps), minlength=len(steps)) / self.count)

    def first_order_chain(self) -> NearestChain:
        """Return the chain that is nearest to the sessions."""
        names = [self.steps[index] for index in self.step]
        starts = Counter(names[first] for first in self.firsts[:-1].tolist())
        is_last = np.zeros(len(names), bool)
        is_last[self.firsts[1:] - 1] = True
        rows: dict[str, Counter[str]] = {}
        pauses: dict[str, list[float]] = {}
        for place, name in enumerate(names):
            following = _EXIT if is_last[place] else names[place + 1]
            rows.setdefault(name, Counter())[following] += 1
            if not is_last[place]:
                pauses.setdefault(name, []).append(self.pauses[place])
        return NearestChain(
            _shares(starts),
            {name: _shares(row) for name, row in rows.items()},
            {name: float(np.mean(found)) for name, found in pauses.items()},
        )


def _shares(counts: Counter[str]) -> dict[str, float]:
    """Return names with their shares, which sum to 1."""
    total = counts.total()
    return {name: count / total for name, count in counts.items()}
