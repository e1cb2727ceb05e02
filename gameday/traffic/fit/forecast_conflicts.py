"""Where forecasts contradict the journeys: more of a step than its customers could cause, or fewer.

The fit leaves a residual of every step and slot. Chance explains one within its Poisson band; what lies beyond
it, quarter of an hour after quarter of an hour, no starts could cause: a chance of the journeys would have to
be another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import EXIT
from gameday.traffic.plan.load_plan import LoadPlan
from gameday.vocabulary import Array

__all__ = ["Contradiction", "Residual", "contradictions", "residuals"]

_SLOTS = 15
"""Looked at together: a quarter of an hour. Ours."""
_DEVIATIONS = 3.0
"""Poisson deviations of a quarter of an hour beyond which chance does not explain it."""
_LEAST = 0.02
"""Of the forecast: less than that is no contradiction, however sure. Ours."""


@dataclass(frozen=True, slots=True)
class Residual:
    """How well a step's forecast is met."""

    region: str
    step: str
    in_band: float
    """Share of slots within two Poisson deviations."""
    bias: float
    """What the starts cause beyond the forecast, as a share of it, over all slots."""
    worst_hour: float
    """The same of the hour with the largest."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A stretch of time in which a step's forecast is not what the journeys could cause."""

    region: str
    step: str
    first: datetime
    last: datetime
    """Its end, exclusive."""
    forecast: float
    """Steps a minute, full scale, in the mean of the stretch."""
    caused: float
    journey: str
    before: str
    """The step, or `start`, from which most of that step's visits come."""
    chance: float
    needed: float
    """What that chance would have to be, all else equal; above 1 it could not be."""

    @property
    def text(self) -> str:
        """One line in words."""
        word = "more" if self.forecast > self.caused else "fewer"
        share = abs(self.forecast / max(self.caused, 1e-9) - 1)
        could = "" if self.needed <= 1 else ", which no chance is"
        return (
            f"{self.region}, {self.first:%Y-%m-%dT%H:%MZ} to {self.last:%H:%MZ}: the forecast has {share:.0%} "
            f"{word} {self.step} than the journeys give; {self.before} -> {self.step} of {self.journey} would "
            f"have to be {self.needed:.3g} in place of {self.chance:.3g}{could}"
        )


def residuals(plan: LoadPlan) -> tuple[Residual, ...]:
    """Return how well each region's and step's forecast is met, over the plan's slots."""
    out = []
    for r, region in enumerate(plan.regions):
        for s, step in enumerate(plan.steps):
            wanted, caused = plan.forecast[r, s], plan.caused[r, s]
            if wanted.sum() <= 0:
                continue
            deviation = np.sqrt(np.maximum(wanted, 1.0))
            width = min(60, len(wanted))
            hour = np.ones(width)
            missed, asked = (np.convolve(row, hour, "valid") for row in (caused - wanted, wanted))
            away = np.divide(missed, asked, out=np.zeros(len(asked)), where=asked > 0)
            out.append(
                Residual(
                    region,
                    step,
                    float((np.abs(caused - wanted) <= 2 * deviation).mean()),
                    float((caused - wanted).sum() / wanted.sum()),
                    float(away[np.abs(away).argmax()]),
                )
            )
    return tuple(out)


def contradictions(scenario: Scenario, plan: LoadPlan) -> tuple[Contradiction, ...]:
    """Return where the plan's forecast is not what its journeys could cause, the largest first."""
    out = []
    for r, region in enumerate(plan.regions):
        for s, step in enumerate(plan.steps):
            for first, last in _stretches(plan.forecast[r, s], plan.caused[r, s]):
                part = slice(first, last)
                wanted, caused = (float(a[r, s, part].mean()) for a in (plan.forecast, plan.caused))
                journey, before, chance = _inflow(scenario, plan, r, step, part)
                needed = chance * wanted / max(caused, 1e-9)
                out.append(
                    Contradiction(
                        region,
                        step,
                        plan.grid.instant(first),
                        plan.grid.instant(last),
                        wanted,
                        caused,
                        journey,
                        before,
                        chance,
                        needed,
                    )
                )
    return tuple(sorted(out, key=lambda c: -abs(c.forecast - c.caused)))


def _stretches(wanted: Array, caused: Array) -> list[tuple[int, int]]:
    """Return runs of quarters of an hour, as slots, whose residual has one sign and is no chance."""
    found: list[tuple[int, int, bool]] = []
    for first in range(0, len(wanted), _SLOTS):
        part = slice(first, min(first + _SLOTS, len(wanted)))
        total, away = float(wanted[part].sum()), float((wanted - caused)[part].sum())
        if abs(away) <= max(_DEVIATIONS * np.sqrt(max(total, 1.0)), _LEAST * total):
            continue
        if found and found[-1][1] == part.start and found[-1][2] == (away > 0):
            found[-1] = (found[-1][0], part.stop, away > 0)
        else:
            found.append((part.start, part.stop, away > 0))
    return [(first, last) for first, last, _ in found]


def _inflow(
    scenario: Scenario, plan: LoadPlan, region: int, step: str, part: slice
) -> tuple[str, str, float]:
    """Return journey, step before (or `start`) and chance through which most visits of a step come."""
    most = (-1.0, plan.journeys[0], "start", 0.0)
    for j, name in enumerate(plan.journeys):
        journey = scenario.journeys[name]
        starts = float(plan.starts[region, j, part].mean())
        visits = dict(zip(plan.steps, journey.visits_per_session(plan.steps), strict=True))
        ways = [
            (starts * journey.start.get(step, 0.0), name, "start", journey.start.get(step, 0.0))
        ]
        ways += [
            (starts * visits[before] * row[step], name, before, row[step])
            for before, row in journey.next.items()
            if step != EXIT and step in row
        ]
        most = max(most, *ways)
    return most[1:]
