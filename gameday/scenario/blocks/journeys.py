"""Journeys: customer behaviour model graphs (Menascé), one for each class of customer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Discriminator, Field, NonNegativeFloat, Tag, field_validator, model_validator

from gameday.scenario.blocks.observed_sessions import ObservedSessions
from gameday.scenario.blocks.steps import PythonName
from gameday.scenario.service_times import Exponential, ServiceTime
from gameday.scenario.units import Block, Duration, Name, Share, sums_to_one
from gameday.vocabulary import LONGEST_WALK, Array

__all__ = ["COUNTDOWN", "EXIT", "Journey", "Length", "Reaction", "walked_visits"]

EXIT = "exit"
"""The transition that ends a session."""
COUNTDOWN = 1 << 12
"""Added to a try's number in the key of the draw of its instant after a countdown: a draw of its own."""


class Reaction(Block):
    """What a customer does after a bad reply: tries the step again, or goes."""

    again: Share
    """Chance of trying the same step once more."""
    after: Duration
    """Pause before that, s of event time."""
    most: int = Field(default=2, ge=1, le=1000)
    """Tries in a row, for this reason, before giving up. Default: ours; no measured source."""


def _form(pause: Any) -> str:
    """Return the form in which a pause is written: the tag of its union."""
    if isinstance(pause, dict):
        return "law" if "law" in pause else "by next step"
    return "law" if isinstance(pause, Block) else "mean"


Pause = Annotated[
    Annotated[Duration, Tag("mean")] | Annotated[ServiceTime, Tag("law")], Discriminator(_form)
]
"""A mean, s, of an exponential law, or a law of its own."""
Pauses = Annotated[
    Annotated[Duration, Tag("mean")]
    | Annotated[ServiceTime, Tag("law")]
    | Annotated[dict[Name, Pause], Tag("by next step")],
    Discriminator(_form),
]


class Length(Block):
    """How long a session is, where its chain has no exit of its own: in steps, or in time."""

    steps: list[Share] | None = Field(default=None, min_length=1, max_length=LONGEST_WALK)
    """Chance of one step, of two, of three ...; sums to 1."""
    duration: Pause | None = None
    """Event time within which steps begin, as if replies took none: a mean (exponential) or a law."""

    @field_validator("steps")
    @classmethod
    def _sums_to_one(cls, steps: list[float] | None) -> list[float] | None:
        if steps is not None and not sums_to_one(sum(steps)):
            raise ValueError(f"the chances of lengths sum to {sum(steps):g}; they must sum to 1")
        return steps

    @model_validator(mode="after")
    def _one_of_both(self) -> Length:
        if (self.steps is None) == (self.duration is None):
            raise ValueError("give `steps` or `duration`, one of them")
        if self.duration == 0.0:
            raise ValueError("duration: must be longer than nothing")
        return self

    @property
    def goes_on(self) -> Array:
        """Chance of more than n steps, n = 0, 1, ..., shape (most steps,)."""
        return 1 - np.cumsum([0.0, *(self.steps or [])[:-1]])


class Journey(Block):
    """A first-order chain over steps, or sessions as they were observed. A session is one walk through it."""

    walks: Literal["chain", "sessions"] = "chain"
    """`sessions`: a session is one of those observed, played whole, with its pauses."""
    sessions: ObservedSessions | None = None
    """In a file, the name of a table beside the scenario: columns session, step, pause_s, and journey where it
    has those of several. They tell `start`, `next` and `think`."""

    start: dict[Name, Share]
    """Chance of each first step; sums to 1."""
    next: dict[Name, dict[Name, Share]]
    """From a step to the next, `exit` included; each row sums to 1."""
    think: dict[Name, Pauses]
    """Pause after a step, of event time: a mean (exponential), a law, or one of these for each next step
    (`other` for those not named). `other` covers steps not named."""
    length: Length | None = None
    """Absent: a session ends where its chain leads to `exit`."""
    patience: Duration = Field(gt=0)
    """Leaves when a step takes longer than this, s."""
    on_failure: Reaction | None = None
    on_sold_out: Reaction | None = None
    on_waiting: Reaction | None = None
    """After "not yet" or a queue page; a launch's `countdown` brings those told "not yet" back at the release."""
    python: PythonName | None = None
    """`module:Class`, a Locust HttpUser or FastHttpUser: at each step of the walk its task of the
    step's name is played (`-` as `_`); the steps' exchanges then say what the model takes them for."""
    launch: Name | None = None
    """The launch whose crowd walks this journey; absent: a journey of the day."""
    share: dict[Name, Share] | None = None
    """Region -> share of the day's sessions that walk it; sums to 1 over the day's journeys. It decides what
    the forecast of steps does not determine. Absent: the same for every journey."""
    hours: list[NonNegativeFloat] | None = Field(default=None, min_length=24, max_length=24)
    """Weight of the share by local hour; absent: even."""
    products: dict[Name, Share] | None = None
    """Product type -> share of its sessions, in place of the products' own; sums to 1. Their `hours` weigh it."""

    @model_validator(mode="after")
    def _sessions_belong_to_walks(self) -> Journey:
        if (self.walks == "sessions") != (self.sessions is not None):
            raise ValueError("`walks: sessions` and `sessions: FILE` belong together")
        if self.sessions is not None and self.length is not None:
            raise ValueError("observed sessions have a length of their own; leave `length` out")
        return self

    @model_validator(mode="after")
    def _chances_sum_to_one(self) -> Journey:
        rows = {"start": self.start} | {f"next.{step}": row for step, row in self.next.items()}
        rows |= {} if self.products is None else {"products": self.products}
        for where, row in rows.items():
            total = sum(row.values())
            if not sums_to_one(total):
                off = f"{abs(total - 1):.3g} too {'much' if total > 1 else 'little'}"
                raise ValueError(f"{where} sums to {total:g}, {off}; its chances must sum to 1")
        return self

    @model_validator(mode="after")
    def _weights_belong_to_the_day(self) -> Journey:
        if self.launch is not None and (self.share or self.hours or self.products):
            raise ValueError(
                "a launch's crowd has no `share` of the day, nor `hours` or `products`"
            )
        if self.hours is not None and sum(self.hours) <= 0:
            raise ValueError("at least one of the `hours` must have a weight above 0")
        return self

    @model_validator(mode="after")
    def _sessions_end(self) -> Journey:
        if self.length is not None:
            if leaves := [step for step, row in self.next.items() if EXIT in row]:
                raise ValueError(
                    f"with a `length` no row may lead to exit; {', '.join(leaves)} does"
                )
            if self.ends_by_time and (still := self._without_pause()):
                raise ValueError(
                    f"with a `duration` every pause must take time; after {still} none does"
                )
        elif stuck := self._never_ends():
            raise ValueError(
                f"a session at {', '.join(stuck)} could never reach exit: lead there, or give a `length`"
            )
        return self

    @property
    def ends_by_time(self) -> bool:
        """Whether a session ends when its time is over."""
        return self.length is not None and self.length.duration is not None

    def _without_pause(self) -> str | None:
        """Return a step that some step follows without a pause; None: every pause takes time."""
        if not (set(self.next) <= set(self.think) or "other" in self.think):
            return None  # the missing pause is a fault of its own, found when blocks are checked together
        for step, row in self.next.items():
            after = self.think[step] if step in self.think else self.think["other"]
            known = not isinstance(after, dict) or "other" in after or set(row) <= set(after)
            if known and any(self.think_law(step, to) is None for to in row):
                return step
        return None

    def _never_ends(self) -> list[str]:
        """Return the steps from which no path leads to the exit."""
        ends = {EXIT}
        while True:
            more = {s for s, row in self.next.items() if any(row.get(e, 0) > 0 for e in ends)}
            if more <= ends:
                return [s for s in self.next if s not in ends]
            ends |= more

    def reaction(self, outcome: str) -> Reaction | None:
        """Return what a customer does after a step with this outcome; None: leaves."""
        if outcome == "failed":
            return self.on_failure
        return {"sold_out": self.on_sold_out, "waiting": self.on_waiting}.get(outcome)

    def reached(self) -> set[str]:
        """Return the steps that a session may come to, and `exit` where it may end there."""
        seen, fresh = set[str](), {step for step, chance in self.start.items() if chance > 0}
        while fresh:
            seen |= fresh
            to = {t for s in fresh for t, chance in self.next.get(s, {}).items() if chance > 0}
            fresh = to - seen
        return seen

    def think_law(self, step: str, following: str) -> ServiceTime | None:
        """Return the law of the pause between two steps (the second may be `exit`); None: there is none."""
        pause = self.think[step] if step in self.think else self.think["other"]
        if isinstance(pause, dict):
            pause = pause[following] if following in pause else pause["other"]
        if isinstance(pause, float):
            return Exponential.model_construct(law="exponential", mean=pause) if pause else None
        return pause

    def think_s(self, step: str) -> float:
        """Return the mean pause after `step`, s of event time."""
        laws = [
            (chance, self.think_law(step, to))
            for to, chance in self.next.get(step, {EXIT: 1.0}).items()
        ]
        return sum(chance * law.mean for chance, law in laws if law is not None)

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

        Source: the chain's fundamental matrix, start (I - P)^-1 (Kemeny & Snell, 1960), over the steps that a
        walk may have; with a `length`, the sum over the steps it has, or over its time if replies took none. Of
        observed sessions, their mean.
        """
        if self.sessions is not None:
            return self.sessions.visits_per_session(steps)
        if self.ends_by_time:
            from gameday.scenario.renewal import (
                visits_in_time,
            )  # imports scipy, which few journeys need

            return visits_in_time(self, steps, dict.fromkeys(steps, 0.0)).visits
        if self.length is not None:
            moves, nth_step, total = self.transition_matrix(steps), self.entry_vector(steps), 0.0
            for chance in self.length.goes_on:
                total, nth_step = total + chance * nth_step, nth_step @ moves
            return np.asarray(total)
        return walked_visits(self.transition_matrix(steps), self.entry_vector(steps))


def walked_visits(moves: Array, start: Array, most: int = LONGEST_WALK) -> Array:
    """Return the expected visits to each step in the first `most` steps of a chain, shape (steps,).

    `moves` is the matrix of chances from step to step, the exit left out; `start` the chance of each first step.
    """
    beyond = start @ np.linalg.matrix_power(moves, most)
    solved: Array = np.linalg.solve((np.eye(len(start)) - moves).T, start - beyond)
    return solved
