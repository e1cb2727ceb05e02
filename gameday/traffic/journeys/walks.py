"""A session's walk through its journey: every choice keyed by the seed, so that all engines walk the same way."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import EXIT, Journey, ObservedSessions
from gameday.scenario.service_times import ServiceTime
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

_NOWHERE = -2
"""No step and not END: a walk that is cut has no pause after it."""
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
        index = bisect_left(self._upto, uniform * self._total)
        return self._names[min(index, len(self._names) - 1)]

    def many(self, uniforms: Array) -> Array:
        """Return the choice of each uniform number."""
        if self.only is not None:
            return np.full(len(uniforms), self.only)
        index = np.searchsorted(self.upto, uniforms * self._total)
        return np.asarray(self.names[np.minimum(index, len(self.names) - 1)])


class _Observed:
    """Observed sessions with steps as numbers: a session is one of them, by the draw of its entry."""

    def __init__(self, sessions: ObservedSessions, steps: tuple[str, ...]) -> None:
        self.count, self.firsts = sessions.count, sessions.firsts
        self.step, self.pause_s = sessions.indices(steps), np.array(sessions.pauses)
        self._firsts, self._step = self.firsts.tolist(), self.step.tolist()
        self._pause_s = sessions.pauses

    def step_at(self, key: int, position: int) -> int:
        """Return the step at a position of the session with this key, END behind its last."""
        number = min(int(draw_keyed(key, 0, 0, Draw.ENTRY) * self.count), self.count - 1)
        place = self._firsts[number] + position
        return int(self._step[place]) if place < self._firsts[number + 1] else END

    def pause_after_s(self, key: int, position: int) -> float:
        """Return the pause behind a position, s of event time."""
        number = min(int(draw_keyed(key, 0, 0, Draw.ENTRY) * self.count), self.count - 1)
        return float(self._pause_s[self._firsts[number] + position])

    def many(self, keys: Array, position: int) -> tuple[Array, Array]:
        """Return `step_at` and the pause before it, s of event time, of many sessions that come so far."""
        drawn = (draw_many(keys, 0, 0, Draw.ENTRY) * self.count).astype(int)
        number = np.minimum(drawn, self.count - 1)
        place = self.firsts[number] + position
        goes_on = place < self.firsts[number + 1]
        step = np.where(goes_on, self.step[np.minimum(place, len(self.step) - 1)], END)
        pause_s = self.pause_s[np.maximum(place - 1, 0)] if position else np.zeros(len(keys))
        return step, np.where(goes_on, pause_s, 0.0)


class Course:
    """A journey with steps as numbers and times in wall seconds: what a walk needs to know of it."""

    def __init__(self, journey: Journey, steps: tuple[str, ...], clock: Clock) -> None:
        self.clock = clock
        self.observed = None if journey.sessions is None else _Observed(journey.sessions, steps)
        """Sessions that are played whole; None: walks are those of the chain."""
        self.start = _step_choice(journey.start, steps)
        self.next = {
            steps.index(step): _step_choice(row, steps) for step, row in journey.next.items()
        }
        self.think = _think_laws(journey, steps)
        """Step -> next step -> law of the pause between them, s of event time; None: there is none."""
        self.length = _length_choice(journey)
        self.duration = _duration_law(journey)
        """Law of the time in which steps are begun, s of event time; None: sessions do not end by time."""

    def first(self, key: int) -> int:
        """Return the first step of the session with this key."""
        if self.observed is not None:
            return self.observed.step_at(key, 0)
        only = self.start.only
        return only if only is not None else self.start(draw_keyed(key, 0, 0, Draw.ENTRY))

    def first_many(self, keys: Array) -> Array:
        """Return `first` of many sessions."""
        if self.observed is not None:
            return self.observed.many(keys, 0)[0]
        return self.start.many(draw_many(keys, 0, 0, Draw.ENTRY))

    def after(self, key: int, position: int, step: int, spent_s: float = 0.0) -> tuple[float, int]:
        """Return the pause after a step, wall seconds, and the next step or END.

        `position`: how many steps the session has made before this one. `spent_s`: wall seconds from the session's
        start to this step's reply, as planned; it counts where sessions end by time.
        """
        if self.observed is not None:
            return self._after_observed(self.observed, key, position)
        row = self.next[step]
        following = row.only
        if following is None:
            following = row(draw_keyed(key, position, 0, Draw.NEXT_STEP))
        if following != END and position + 1 >= self._most_steps(key):
            return 0.0, END
        law = self.think[step][following]
        think_s = 0.0
        if law is not None:
            think_s = self.clock.wall_s(law.seconds(draw_keyed(key, position, 0, Draw.THINK)))
        if self.duration is not None and spent_s + think_s > self._time_s(key):
            return 0.0, END
        return think_s, following

    def _after_observed(self, observed: _Observed, key: int, position: int) -> tuple[float, int]:
        following = observed.step_at(key, position + 1)
        if following == END:
            return 0.0, END
        return self.clock.wall_s(observed.pause_after_s(key, position)), following

    def _time_s(self, key: int) -> float:
        """Return the wall seconds in which the session with this key begins steps."""
        assert self.duration is not None
        return self.clock.wall_s(self.duration.seconds(draw_keyed(key, 0, _LENGTH, Draw.ENTRY)))

    def _most_steps(self, key: int) -> int:
        """Return how many steps the session with this key has at most."""
        if self.length is None:
            return LONGEST_WALK
        if self.length.only is not None:
            return self.length.only
        return self.length(draw_keyed(key, 0, _LENGTH, Draw.ENTRY))

    def after_many(
        self, keys: Array, position: int, step: int, spent_s: Array | None = None
    ) -> tuple[Array, Array]:
        """Return `after` of many sessions that are at `step`, bit for bit the same."""
        if self.observed is not None:
            following, pause_s = self.observed.many(keys, position + 1)
            return np.array([self.clock.wall_s(pause) for pause in pause_s.tolist()]), following
        following = self.next[step].many(draw_many(keys, position, 0, Draw.NEXT_STEP))
        goes_on = following != END
        is_over = goes_on & (position + 1 >= self._most_steps_many(keys))
        think_s = self._think_many(keys, position, step, np.where(is_over, _NOWHERE, following))
        if self.duration is not None and spent_s is not None:
            time_s = np.array([self._time_s(key) for key in keys.tolist()])
            late = goes_on & (spent_s + think_s > time_s)
            is_over, think_s = is_over | late, np.where(late, 0.0, think_s)
        return think_s, np.where(is_over, END, following)

    def _most_steps_many(self, keys: Array) -> Array | int:
        """Return `_most_steps` of many sessions, or of all where it is one number."""
        if self.length is None:
            return LONGEST_WALK
        return self.length.many(draw_many(keys, 0, _LENGTH, Draw.ENTRY))

    def _think_many(self, keys: Array, position: int, step: int, following: Array) -> Array:
        """Return the pauses between a step and the ones that follow it, wall seconds; 0 to a step of no law."""
        think_s = np.zeros(len(keys))
        for to, law in self.think[step].items():
            here = np.flatnonzero(following == to)
            if law is not None and len(here):
                # numpy's logarithm differs from math's in the last bit
                uniforms = draw_many(keys[here], position, 0, Draw.THINK).tolist()
                think_s[here] = [self.clock.wall_s(law.seconds(uniform)) for uniform in uniforms]
        return think_s


def _step_choice(chances: dict[str, float], steps: tuple[str, ...]) -> _Choice:
    """Return the choice among next steps, by index; END for the exit."""
    return _Choice([_index(name, steps) for name in chances], list(chances.values()))


def _think_laws(
    journey: Journey, steps: tuple[str, ...]
) -> dict[int, dict[int, ServiceTime | None]]:
    """Return step -> next step -> law of the pause between them; None where there is none."""
    return {
        steps.index(step): {_index(to, steps): journey.think_law(step, to) for to in row}
        for step, row in journey.next.items()
    }


def _length_choice(journey: Journey) -> _Choice | None:
    """Return the choice of a session's number of steps; None where the journey does not give its law."""
    if journey.length is None or journey.length.steps is None:
        return None
    lengths = journey.length.steps
    return _Choice(list(range(1, 1 + len(lengths))), lengths)


def _duration_law(journey: Journey) -> ServiceTime | None:
    """Return the law of the time in which a session begins steps; None where it does not end by time."""
    if journey.length is None or journey.length.duration is None:
        return None
    from gameday.scenario import length_law  # scipy: only where it is needed

    return length_law(journey.length.duration)


def _index(name: str, steps: tuple[str, ...]) -> int:
    return END if name == EXIT else steps.index(name)


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
        """Mean response of each step with no queue, by region, wall seconds."""
        self._types = list(scenario.products)
        self._shares: dict[tuple[int, int], Array] = {}

    def journey(self, arrivals: Arrivals, session: int) -> Journey:
        """Return the graph that `session` walks."""
        return self.scenario.journeys[self.plan.journeys[arrivals.journey[session]]]

    def planned(self, arrivals: Arrivals, session: int) -> list[PlannedStep]:
        """Return the steps of `session` at nominal response, the first at its arrival."""
        course = self.courses[arrivals.journey[session]]
        nominal_s = self.nominal_s[arrivals.region[session]]
        key, at_s = session_key(self.plan.seed.root, session), float(arrivals.at_s[session])
        walk: list[PlannedStep] = []
        step, began_s = course.first(key), at_s
        while step != END:
            spent_s = at_s + nominal_s[step] - began_s
            think_s, following = course.after(key, len(walk), step, spent_s)
            walk.append(PlannedStep(step, at_s, think_s))
            at_s += nominal_s[step] + think_s
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
        """Return `product` of many sessions as indices into `scenario.products`; its length for None.

        `numbers` are the sessions' own, of the same shape as the part's arrays.
        """
        out = np.full(len(numbers), len(self._types))
        if not self._types:
            return out
        clock = self.plan.clock
        slots = (clock.event_s(part.at_s + clock.lead_in_s) // SLOT_S).astype(int)
        for r, j in np.ndindex(len(self.plan.regions), len(self.plan.journeys)):
            here = np.flatnonzero((part.region == r) & (part.journey == j))
            upto = self._upto(r, j)[self._minute(r, slots[here])]
            out[here] = self._draw_products(upto, numbers[here])
        return out

    def _draw_products(self, upto: Array, numbers: Array) -> Array:
        """Return the product type of sessions by their cumulative shares of types, shape (sessions, types)."""
        keys = session_keys(self.plan.seed.root, numbers)
        uniform = draw_many(keys, 0, 0, Draw.PRODUCT) * upto[:, -1]
        index = (uniform[:, None] > upto).sum(axis=1)
        return np.asarray(np.minimum(index, upto.shape[1] - 1))

    def _upto(self, region: int, journey: int) -> Array:
        """Return the cumulative shares of product types by minute of the day, shape (1440, types)."""
        known = self._shares.get((region, journey))
        if known is None:
            graph = self.scenario.journeys[self.plan.journeys[journey]]
            shares = type_shares(self.scenario, self.plan.regions[region], graph)
            known = self._shares[region, journey] = np.cumsum(shares, axis=0).T.copy()
        return known

    def _minute(self, region: int, slots: Any) -> Any:
        """Return the local minute of the day of slots of the grid."""
        zone = self.scenario.regions[self.plan.regions[region]].zone
        return minutes_of_day(zone, self.plan.grid)[np.minimum(slots, self.plan.grid.slots - 1)]

    def planned_steps(self, arrivals: Arrivals) -> Array:
        """Return planned steps by intended slot of the grid, (regions, steps, grid.slots)."""
        out = np.zeros((len(self.plan.regions), len(self.plan.steps), self.plan.grid.slots), int)
        for r, j in np.ndindex(len(self.plan.regions), len(self.plan.journeys)):
            sessions = np.flatnonzero((arrivals.region == r) & (arrivals.journey == j))
            keys = session_keys(self.plan.seed.root, sessions)
            front = _Front(self.courses[j], self.nominal_s[r], keys, arrivals.at_s[sessions])
            self._count(front, out[r])
        return out

    def _count(self, front: _Front, out: Array) -> None:
        """Add the steps of sessions of one region and journey, all their first ones, then all their second ..."""
        for position in range(LONGEST_WALK):
            front.keep(front.steps != END)
            if not len(front.keys):
                return
            slots = np.floor(front.at_s / self.plan.slot_wall_s).astype(int) + self.plan.lead_in
            played = slots < out.shape[1]
            np.add.at(out, (front.steps[played], slots[played]), 1)
            front.keep(played)
            front.advance(position)


class _Front:
    """Sessions of one region and journey that have all made as many steps; arrays of shape (sessions,)."""

    def __init__(self, course: Course, nominal_s: list[float], keys: Array, at_s: Array) -> None:
        self._course, self._nominal_s = course, nominal_s
        self.keys, self.at_s, self._began_s = keys, at_s, at_s
        self.steps = course.first_many(keys)

    def keep(self, kept: Array) -> None:
        """Go on with these sessions alone."""
        self.keys, self.at_s = self.keys[kept], self.at_s[kept]
        self.steps, self._began_s = self.steps[kept], self._began_s[kept]

    def advance(self, position: int) -> None:
        """Take every session to its next step; `position`: how many it has made before this one."""
        following = np.full(len(self.keys), END)
        for step in np.unique(self.steps).tolist():
            here = self.steps == step
            response_s = self._nominal_s[step]
            spent_s = self.at_s[here] + response_s - self._began_s[here]
            think_s, following[here] = self._course.after_many(
                self.keys[here], position, step, spent_s
            )
            self.at_s[here] += response_s + think_s
        self.steps = following
