"""A session's walk: every choice keyed by the seed, so that all engines walk the same way."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.journeys import EXIT, Journey
from gameday.traffic.plan import Arrivals, LoadPlan
from gameday.vocabulary import Array, Draw, draw

__all__ = ["PlannedStep", "Walks"]

_MOST_STEPS = 500
"""A walk longer than this is cut; with the chances a scenario may hold it never happens."""


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

    def __init__(self, chances: dict[str, float]) -> None:
        self.names = list(chances)
        self.upto = np.cumsum(list(chances.values())).tolist()

    def __call__(self, uniform: float) -> str:
        place = bisect_left(self.upto, uniform * self.upto[-1])
        return self.names[min(place, len(self.names) - 1)]


class Walks:
    """The walks of a plan's sessions."""

    def __init__(self, scenario: Scenario, plan: LoadPlan) -> None:
        self.scenario, self.plan = scenario, plan
        self._starts = {n: _Choice(j.start) for n, j in scenario.journeys.items()}
        self._next = {
            (name, step): _Choice(row)
            for name, journey in scenario.journeys.items()
            for step, row in journey.next.items()
        }
        self._index = {step: i for i, step in enumerate(plan.steps)}
        self._products = _product_choices(scenario)

    def journey(self, arrivals: Arrivals, session: int) -> Journey:
        """Return the graph that `session` walks."""
        return self.scenario.journeys[self.plan.journeys[arrivals.journey[session]]]

    def planned(self, arrivals: Arrivals, session: int) -> list[PlannedStep]:
        """Return the steps of `session` at nominal response, the first at its arrival."""
        name = self.plan.journeys[arrivals.journey[session]]
        journey = self.scenario.journeys[name]
        stack = self.scenario.regions[self.plan.regions[arrivals.region[session]]].stack
        root, at = self.plan.seed.root, float(arrivals.at_s[session])
        step = self._starts[name](draw(root, session, 0, 0, Draw.ENTRY))
        walk: list[PlannedStep] = []
        while step != EXIT and len(walk) < _MOST_STEPS:
            place = len(walk)
            uniform = draw(root, session, place, 0, Draw.THINK)
            think_s = -math.log(uniform) * journey.think_s(step) / self.plan.speed
            walk.append(PlannedStep(self._index[step], at, think_s))
            at += self.plan.nominal[stack][step].mean_s + think_s
            step = self._next[name, step](draw(root, session, place, 0, Draw.NEXT_STEP))
        return walk

    def product(self, arrivals: Arrivals, session: int) -> str | None:
        """Return the product type a session is about; None where the scenario has none."""
        name = self.plan.journeys[arrivals.journey[session]]
        launch = self.scenario.journeys[name].launch
        if launch is not None:
            return self.scenario.launches[launch].product
        region = self.plan.regions[arrivals.region[session]]
        if not self._products:
            return None
        event_s = (float(arrivals.at_s[session]) + self.plan.lead_in_s) * self.plan.speed
        instant = self.plan.grid.start + timedelta(seconds=event_s)
        hour = instant.astimezone(ZoneInfo(self.scenario.regions[region].zone)).hour
        uniform = draw(self.plan.seed.root, session, 0, 0, Draw.PRODUCT)
        return self._products[region, hour](uniform)

    def planned_steps(self, arrivals: Arrivals) -> Array:
        """Return planned steps by intended slot of the grid, (regions, steps, grid.slots)."""
        out = np.zeros((len(self.plan.regions), len(self.plan.steps), self.plan.grid.slots), int)
        for session in range(len(arrivals.at_s)):
            for planned in self.planned(arrivals, session):
                slot = self.plan.slot_of(planned.at_s) + self.plan.lead_in
                if slot < out.shape[2]:
                    out[arrivals.region[session], planned.step, slot] += 1
        return out


def _product_choices(scenario: Scenario) -> dict[tuple[str, int], _Choice]:
    choices = {}
    for region in scenario.regions if scenario.products else ():
        for hour in range(24):
            choices[region, hour] = _Choice(
                {
                    name: product.share.get(region, 0.0)
                    * (product.hours[hour] if product.hours else 1.0)
                    for name, product in scenario.products.items()
                }
            )
    return choices
