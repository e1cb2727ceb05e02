"""Where forecasts contradict the journeys: more visits to a step than their customers can cause, or fewer.

The fit of session starts leaves a residual of every step and slot. Chance explains one within its Poisson band.
Where the residual lies beyond it, quarter of an hour after quarter of an hour, no session starts can cause the
forecast: one of the journeys' transition probabilities would have to be another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import EXIT, Journey
from gameday.traffic.plan.load_plan import LoadPlan
from gameday.vocabulary import Array

__all__ = ["Contradiction", "Residual", "find_contradictions", "measure_residuals"]

_QUARTER_SLOTS = 15
"""Slots that are judged together: a quarter of an hour. Ours."""
_DEVIATIONS = 3.0
"""Poisson deviations of a quarter of an hour beyond which chance does not explain it."""
_LEAST = 0.02
"""Share of the forecast below which a residual is no contradiction, however certain it is. Ours."""


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


def measure_residuals(plan: LoadPlan) -> tuple[Residual, ...]:
    """Return how well each region's and step's forecast is met, over the plan's slots."""
    return tuple(
        _residual(region, step, plan.forecast[r, s], plan.caused[r, s])
        for r, region in enumerate(plan.regions)
        for s, step in enumerate(plan.steps)
        if plan.forecast[r, s].sum() > 0
    )


def _residual(region: str, step: str, forecast: Array, caused: Array) -> Residual:
    """Return how well a forecast is met; both are steps a minute, shape (slots,)."""
    excess = caused - forecast
    deviation = np.sqrt(np.maximum(forecast, 1.0))
    return Residual(
        region,
        step,
        in_band=float((np.abs(excess) <= 2 * deviation).mean()),
        bias=float(excess.sum() / forecast.sum()),
        worst_hour=_worst_hour(excess, forecast),
    )


def _worst_hour(excess: Array, forecast: Array) -> float:
    """Return the excess as a share of the forecast, of the sixty slots in a row where it is furthest from 0."""
    hour = np.ones(min(60, len(forecast)))
    beyond, expected = (np.convolve(row, hour, "valid") for row in (excess, forecast))
    share = np.divide(beyond, expected, out=np.zeros(len(expected)), where=expected > 0)
    return float(share[np.abs(share).argmax()])


def find_contradictions(scenario: Scenario, plan: LoadPlan) -> tuple[Contradiction, ...]:
    """Return where the plan's forecast is not what its journeys could cause, the largest first."""
    found = [
        _contradiction(scenario, plan, r, s, slots)
        for r in range(len(plan.regions))
        for s in range(len(plan.steps))
        for slots in _stretches(plan.forecast[r, s], plan.caused[r, s])
    ]
    return tuple(sorted(found, key=lambda c: -abs(c.forecast - c.caused)))


def _contradiction(
    scenario: Scenario, plan: LoadPlan, r: int, s: int, slots: slice
) -> Contradiction:
    """Return the contradiction of region `r` and step `s` in a stretch of slots."""
    forecast, caused = (float(a[r, s, slots].mean()) for a in (plan.forecast, plan.caused))
    inflow = _largest_inflow(scenario, plan, r, plan.steps[s], slots)
    return Contradiction(
        region=plan.regions[r],
        step=plan.steps[s],
        first=plan.grid.instant(slots.start),
        last=plan.grid.instant(slots.stop),
        forecast=forecast,
        caused=caused,
        journey=inflow.journey,
        before=inflow.before,
        chance=inflow.chance,
        needed=inflow.chance * forecast / max(caused, 1e-9),
    )


def _stretches(forecast: Array, caused: Array) -> list[slice]:
    """Return the slots of each run of quarters of an hour whose residual has one sign and is not chance."""
    found: list[tuple[slice, bool]] = []
    for first in range(0, len(forecast), _QUARTER_SLOTS):
        slots = slice(first, min(first + _QUARTER_SLOTS, len(forecast)))
        total, missing = float(forecast[slots].sum()), float((forecast - caused)[slots].sum())
        if _may_be_chance(missing, total):
            continue
        if found and (found[-1][0].stop, found[-1][1]) == (first, missing > 0):
            slots = slice(found.pop()[0].start, slots.stop)
        found.append((slots, missing > 0))
    return [slots for slots, _ in found]


def _may_be_chance(missing: float, total: float) -> bool:
    """Return whether so many missing steps of a total are within its Poisson band, or too few to matter."""
    return abs(missing) <= max(_DEVIATIONS * float(np.sqrt(max(total, 1.0))), _LEAST * total)


@dataclass(frozen=True, slots=True, order=True)
class _Inflow:
    """A way by which sessions come to a step."""

    visits: float
    """Visits a minute that come this way."""
    journey: str
    before: str
    """The step before, or `start`."""
    chance: float


def _largest_inflow(scenario: Scenario, plan: LoadPlan, r: int, step: str, slots: slice) -> _Inflow:
    """Return the way by which most visits to a step come in region `r` in these slots."""
    nothing = _Inflow(-1.0, plan.journeys[0], "start", 0.0)
    inflows = (
        inflow
        for j, name in enumerate(plan.journeys)
        for inflow in _inflows(
            name, scenario.journeys[name], float(plan.starts[r, j, slots].mean()), plan.steps, step
        )
    )
    return max(nothing, *inflows)


def _inflows(
    name: str, journey: Journey, starts: float, steps: tuple[str, ...], step: str
) -> Iterator[_Inflow]:
    """Yield every way by which a journey with so many session starts a minute comes to a step."""
    first = journey.start.get(step, 0.0)
    yield _Inflow(starts * first, name, "start", first)
    visits = dict(zip(steps, journey.visits_per_session(steps), strict=True))
    for before, row in journey.next.items():
        if step != EXIT and step in row:
            yield _Inflow(starts * visits[before] * row[step], name, before, row[step])
