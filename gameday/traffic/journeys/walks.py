"""A session's walk: every choice keyed by the seed, so that all engines walk the same way."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import EXIT, Journey
from gameday.traffic.plan.load_plan import Arrivals, LoadPlan
from gameday.traffic.plan.products import minutes_of_day, type_shares
from gameday.vocabulary import (
    LONGEST_WALK,
    SLOT_S,
    Array,
    Clock,
    Draw,
    draw,
    draw_keyed,
    draw_many,
    session_key,
    session_keys,
)

__all__ = ["END", "Course", "PlannedStep", "Walks"]

END = -1
"""Where a walk goes after its last step."""

_LENGTH = 1
"""The attempt that an entry's draw is keyed by when it is for the session's length."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a session as planned."""

    step: int
    """Index of the step."""
    at_s: float
    """Intended wall second if every reply takes its nominal response."""
    think_s: float
    """Wall seconds between the end of this step and the next one."""


class _Choice:
    """A draw from named chances by inverse transform."""

    def __init__(self, names: list[int], chances: list[float]) -> None:
        self.names = np.array(names)
        self.upto = np.cumsum(chances)
        self._names, self._upto, self._total = names, self.upto.tolist(), float(self.upto[-1])
        certain = [
            name for name, chance in zip(names, chances, strict=True) if chance == self._total
        ]
        self.only = certain[0] if certain else None
        """The one name that can come, which then needs no draw."""

    def __call__(self, uniform: float) -> int:
        place = bisect_left(self._upto, uniform * self._total)
        return self._names[min(place, len(self._names) - 1)]

    def many(self, uniforms: Array) -> Array:
        """Return the choice of each uniform number."""
        if self.only is not None:
            return np.full(len(uniforms), self.only)
        place = np.searchsorted(self.upto, uniforms * self._total)
        return np.asarray(self.names[np.minimum(place, len(self.names) - 1)])


class Course:
    """A journey with steps as numbers and times in wall seconds: what a walk asks of it."""

    def __init__(self, journey: Journey, steps: tuple[str, ...], clock: Clock) -> None:
        def choice(chances: dict[str, float]) -> _Choice:
            names = [END if name == EXIT else steps.index(name) for name in chances]
            return _Choice(names, list(chances.values()))

        self.start = choice(journey.start)
        self.next = {steps.index(step): choice(row) for step, row in journey.next.items()}
        self.think = {
            steps.index(step): {
                END if to == EXIT else steps.index(to): journey.think_law(step, to) for to in row
            }
            for step, row in journey.next.items()
        }
        """Step -> next step -> law of the pause between them, s of event time; None: there is none."""
        self.clock = clock
        self.length, self.duration = None, None
        if journey.length is not None and journey.length.steps is not None:
            lengths = journey.length.steps
            self.length = _Choice(list(range(1, 1 + len(lengths))), lengths)
        if journey.length is not None and journey.length.duration is not None:
            from gameday.scenario import length_law  # scipy: only where it is asked

            self.duration = length_law(journey.length.duration)
            """Law of the time in which steps are begun, s of event time."""

    def first(self, key: int) -> int:
        """Return the first step of the session with this key."""
        only = self.start.only
        return only if only is not None else self.start(draw_keyed(key, 0, 0, Draw.ENTRY))

    def after(self, key: int, place: int, step: int, spent_s: float = 0.0) -> tuple[float, int]:
        """Return the pause after the step at `place`, wall seconds, and the next step or END.

        `spent_s`: wall seconds from the session's start to that step's reply, as planned; it counts where sessions
        end by time.
        """
        row = self.next[step]
        following = row.only
        if following is None:
            following = row(draw_keyed(key, place, 0, Draw.NEXT_STEP))
        if following != END and place + 1 >= self._most(key):
            return 0.0, END
        law = self.think[step][following]
        think_s = 0.0
        if law is not None:
            think_s = self.clock.wall_s(law.seconds(draw_keyed(key, place, 0, Draw.THINK)))
        if self.duration is not None and spent_s + think_s > self._time_s(key):
            return 0.0, END
        return think_s, following

    def _time_s(self, key: int) -> float:
        """Return the wall seconds in which the session with this key begins steps."""
        assert self.duration is not None
        return self.clock.wall_s(self.duration.seconds(draw_keyed(key, 0, _LENGTH, Draw.ENTRY)))

    def _most(self, key: int) -> int:
        """Return how many steps the session with this key has at most."""
        if self.length is None:
            return LONGEST_WALK
        if self.length.only is not None:
            return self.length.only
        return self.length(draw_keyed(key, 0, _LENGTH, Draw.ENTRY))

    def after_many(
        self, keys: Array, place: int, step: int, spent_s: Array | None = None
    ) -> tuple[Array, Array]:
        """Return `after` of many sessions that are at `step`, bit for bit the same."""
        following = self.next[step].many(draw_many(keys, place, 0, Draw.NEXT_STEP))
        most = np.full(len(keys), LONGEST_WALK)
        if self.length is not None:
            most = self.length.many(draw_many(keys, 0, _LENGTH, Draw.ENTRY))
        is_over = (following != END) & (place + 1 >= most)
        think = np.zeros(len(keys))
        for to, law in self.think[step].items():
            here = np.flatnonzero((following == to) & ~is_over)
            if law is not None and len(here):
                # numpy's logarithm differs from math's in the last bit
                uniforms = draw_many(keys[here], place, 0, Draw.THINK).tolist()
                think[here] = [self.clock.wall_s(law.seconds(uniform)) for uniform in uniforms]
        if self.duration is not None and spent_s is not None:
            time_s = [self._time_s(key) for key in keys.tolist()]
            late = (following != END) & (spent_s + think > np.array(time_s))
            is_over, think = is_over | late, np.where(late, 0.0, think)
        return think, np.where(is_over, END, following)


class Walks:
    """The walks of a plan's sessions."""

    def __init__(self, scenario: Scenario, plan: LoadPlan) -> None:
        self.scenario, self.plan = scenario, plan
        self.courses = tuple(
            Course(scenario.journeys[name], plan.steps, plan.clock) for name in plan.journeys
        )
        """In the plan's order of journeys."""
        self.nominal_s = tuple(
            [plan.nominal[scenario.regions[region].stack][step].mean_s for step in plan.steps]
            for region in plan.regions
        )
        """Mean response of each step with no queue, by region."""
        self._types = list(scenario.products)
        self._shares: dict[tuple[int, int], Array] = {}

    def journey(self, arrivals: Arrivals, session: int) -> Journey:
        """Return the graph that `session` walks."""
        return self.scenario.journeys[self.plan.journeys[arrivals.journey[session]]]

    def planned(self, arrivals: Arrivals, session: int) -> list[PlannedStep]:
        """Return the steps of `session` at nominal response, the first at its arrival."""
        course = self.courses[arrivals.journey[session]]
        nominal = self.nominal_s[arrivals.region[session]]
        key, at = session_key(self.plan.seed.root, session), float(arrivals.at_s[session])
        walk: list[PlannedStep] = []
        step, began = course.first(key), at
        while step != END:
            spent_s = at + nominal[step] - began
            think_s, following = course.after(key, len(walk), step, spent_s)
            walk.append(PlannedStep(step, at, think_s))
            at += nominal[step] + think_s
            step = following
        return walk

    def product(self, arrivals: Arrivals, session: int) -> str | None:
        """Return the product type a session is about; None where the scenario has none."""
        if not self._types:
            return None
        region, journey = int(arrivals.region[session]), int(arrivals.journey[session])
        clock = self.plan.clock
        event_s = clock.event_s(float(arrivals.at_s[session]) + clock.lead_in_s)
        upto = self._upto(region, journey)[self._minute(region, int(event_s // SLOT_S))]
        uniform = draw(self.plan.seed.root, session, 0, 0, Draw.PRODUCT)
        return self._types[min(bisect_left(upto, uniform * upto[-1]), len(upto) - 1)]

    def products(self, part: Arrivals, numbers: Array) -> Array:
        """Return `product` of many sessions as places in `scenario.products`; its length for None.

        `numbers` are the sessions' own, of the same shape as the part's arrays.
        """
        out = np.full(len(numbers), len(self._types))
        if not self._types:
            return out
        clock = self.plan.clock
        slots = (clock.event_s(part.at_s + clock.lead_in_s) // SLOT_S).astype(int)
        for r in range(len(self.plan.regions)):
            for j in range(len(self.plan.journeys)):
                here = np.flatnonzero((part.region == r) & (part.journey == j))
                upto = self._upto(r, j)[self._minute(r, slots[here])]
                keys = session_keys(self.plan.seed.root, numbers[here])
                uniform = draw_many(keys, 0, 0, Draw.PRODUCT) * upto[:, -1]
                out[here] = np.minimum((uniform[:, None] > upto).sum(axis=1), upto.shape[1] - 1)
        return out

    def _upto(self, region: int, journey: int) -> Array:
        """Return the shares of product types added up, by minute of the day, shape (1440, types)."""
        known = self._shares.get((region, journey))
        if known is None:
            of = self.scenario.journeys[self.plan.journeys[journey]]
            shares = type_shares(self.scenario, self.plan.regions[region], of)
            known = self._shares[region, journey] = np.cumsum(shares, axis=0).T.copy()
        return known

    def _minute(self, region: int, slots: Any) -> Any:
        """Return the local minute of the day of slots of the grid."""
        zone = self.scenario.regions[self.plan.regions[region]].zone
        return minutes_of_day(zone, self.plan.grid)[np.minimum(slots, self.plan.grid.slots - 1)]

    def planned_steps(self, arrivals: Arrivals) -> Array:
        """Return planned steps by intended slot of the grid, (regions, steps, grid.slots)."""
        out = np.zeros((len(self.plan.regions), len(self.plan.steps), self.plan.grid.slots), int)
        for region in range(len(self.plan.regions)):
            for journey, course in enumerate(self.courses):
                mine = (arrivals.region == region) & (arrivals.journey == journey)
                self._count(
                    course, np.flatnonzero(mine), arrivals, self.nominal_s[region], out[region]
                )
        return out

    def _count(
        self,
        course: Course,
        sessions: Array,
        arrivals: Arrivals,
        nominal_s: list[float],
        out: Array,
    ) -> None:
        """Add the steps of `sessions`, all of one region and journey, place by place."""
        keys, at = session_keys(self.plan.seed.root, sessions), arrivals.at_s[sessions]
        began = at
        steps = course.start.many(draw_many(keys, 0, 0, Draw.ENTRY))
        for place in range(LONGEST_WALK):
            inside = steps != END
            keys, at, steps, began = keys[inside], at[inside], steps[inside], began[inside]
            if not len(keys):
                return
            slots = np.floor(at / self.plan.slot_wall_s).astype(int) + self.plan.lead_in
            played = slots < out.shape[1]
            np.add.at(out, (steps[played], slots[played]), 1)
            keys, at, steps, began = keys[played], at[played], steps[played], began[played]
            following = np.full(len(keys), END)
            for step in np.unique(steps).tolist():
                here = steps == step
                spent = at[here] + nominal_s[step] - began[here]
                think, following[here] = course.after_many(keys[here], place, step, spent)
                at[here] += nominal_s[step] + think
            steps = following
