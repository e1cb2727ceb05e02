"""Journeys as tables of the compiled engine: first steps, next steps, lengths, think times, reactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import Journey
from gameday.scenario.service_times import ServiceTime
from gameday.simulate.compiled.laws import LawRows
from gameday.simulate.compiled.layout import (
    CHOICE,
    JOURNEY,
    NEXT,
    PAUSE,
    WALK,
    WALK_STEP,
    Row,
    table,
)
from gameday.traffic import Course, LoadPlan
from gameday.vocabulary import Array, Clock

__all__ = ["journey_tables"]


def journey_tables(scenario: Scenario, plan: LoadPlan, laws: LawRows) -> dict[str, Array]:
    """Return the tables of a plan's journeys under their names in SPEC."""
    rows, journeys, nexts = _Rows(laws), list[Row](), list[Row]()
    for name in plan.journeys:
        journey = scenario.journeys[name]
        course = Course(journey, plan.steps, plan.clock)
        journeys.append(
            rows.add_walks(course)
            | _patience_and_reactions(journey, plan.clock)
            | rows.add_choice("start", course.start, {})
            | rows.add_choice("length", course.length, {})
            | {"time": rows.add_pause(course.duration)}
        )
        nexts += [
            rows.add_choice("choice", course.next.get(step), course.think.get(step, {}))
            for step in range(len(plan.steps))
        ]
    return {
        "journeys": table(JOURNEY, journeys),
        "nexts": table(NEXT, nexts),
        "choices": table(CHOICE, rows.choices),
        "pauses": table(PAUSE, rows.pauses),
        "walks": rows.walk_table(),
        "walk_steps": rows.walk_step_table(),
    }


class _Rows:
    """The rows that journeys have in common: choices, and laws of pauses."""

    def __init__(self, laws: LawRows) -> None:
        self._laws = laws
        self.choices: list[Row] = []
        self.pauses: list[Row] = [dict.fromkeys(PAUSE.names or (), 0)]
        """The first has no length."""
        self._walk_from = [np.zeros(0, np.int64)]
        self._walk_steps = [np.zeros(0, WALK_STEP)]
        self._walks = self._steps_of_walks = 0

    def add_choice(
        self, name: str, choice: Any, pause_before: Mapping[int, ServiceTime | None]
    ) -> Row:
        """Add a choice of `Course`, with the pause before each step; return where its rows begin and end."""
        first = len(self.choices)
        if choice is None:
            rows: list[tuple[float, int]] = []
        elif choice.only is not None:
            rows = [(1.0, choice.only)]
        else:
            rows = list(zip(choice.upto.tolist(), choice.names.tolist(), strict=True))
        for upto, step in rows:
            pause = self.add_pause(pause_before.get(step))
            self.choices.append({"upto": upto, "step": step, "pause": pause})
        return {f"{name}_from": first, f"{name}_to": len(self.choices)}

    def add_walks(self, course: Course) -> Row:
        """Add the observed sessions that a journey plays, and one behind them; return where they begin."""
        observed = course.observed
        if observed is None:
            return {"walk_from": 0, "walks": 0}
        first, steps = self._walks, np.zeros(len(observed.step), WALK_STEP)
        steps["step"], steps["pause_s"] = observed.step, observed.pause_s
        self._walk_from.append(observed.firsts + self._steps_of_walks)
        self._walk_steps.append(steps)
        self._walks += observed.count + 1
        self._steps_of_walks += len(steps)
        return {"walk_from": first, "walks": observed.count}

    def walk_table(self) -> Array:
        """Return where each observed session begins."""
        begins = np.concatenate(self._walk_from)
        out = np.zeros(max(1, len(begins)), WALK)
        out["step_from"][: len(begins)] = begins
        return out

    def walk_step_table(self) -> Array:
        """Return the steps of all observed sessions."""
        return np.concatenate([*self._walk_steps, np.zeros(1, WALK_STEP)])

    def add_pause(self, law: ServiceTime | None) -> int:
        """Add a law of pauses; return its index, 0 for none."""
        if law is None:
            return 0
        self.pauses.append(self._laws.add(law))
        return len(self.pauses) - 1


def _patience_and_reactions(journey: Journey, clock: Clock) -> Row:
    row: Row = {"patience_s": journey.patience}
    for outcome, reaction in (
        ("failed", journey.on_failure),
        ("sold_out", journey.on_sold_out),
        ("waiting", journey.on_waiting),
    ):
        again, pause_s, most = 0.0, 0.0, 0
        if reaction is not None:
            again, pause_s, most = reaction.again, clock.wall_s(reaction.after), reaction.most
        row |= {f"{outcome}_again": again, f"{outcome}_pause_s": pause_s, f"{outcome}_most": most}
    return row
