"""What becomes of the objectives when one thing is lost, told from replications with it and without it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gameday.experiments.failures.goodput import BACK, planned_goodput
from gameday.experiments.replications.replication import NOBODY, Replication
from gameday.queueing import step_tier
from gameday.record.intervals import (
    Interval,
    binomial_band,
    interval_of,
    level_interval,
    p_above,
    t_interval,
)
from gameday.scenario import METRICS, Scenario
from gameday.traffic import LoadPlan

__all__ = [
    "Held",
    "Loss",
    "LossAnswer",
    "ObjectiveTest",
    "StackLosses",
    "loss_answer",
    "stack_losses",
]

_GOODPUT = f"goodput >= {BACK:.0%} of that with nothing lost"


@dataclass(frozen=True, slots=True)
class ObjectiveTest:
    """An objective that holds with nothing lost, tested with something lost."""

    text: str
    bound: float
    unit: str
    """s, share or count, of value and bound."""
    value: Interval
    p_value: float
    """Chance of so high a number if the bound just held (one-sided t-test over replications)."""
    samples: int
    """Replies of all replications."""
    tier: int
    """Criticality of the step: 0 = orders are lost without it."""


@dataclass(frozen=True, slots=True)
class Held:
    """How surely the objectives hold in the peak's minutes."""

    held: Interval
    """Share of replications, of those in which somebody came, in which all hold."""
    unmet: tuple[str, ...]
    """Objectives on what nobody came to in any replication."""
    misses: dict[str, float]
    """Objective -> share of replications that miss it; those that none misses are left out."""
    goodput: Interval
    """Share of the steps that ended well."""

    def mostly_misses(self, objective: str) -> bool:
        """Return whether half of the replications or more miss an objective."""
        return self.misses.get(objective, 0.0) >= 0.5


@dataclass(frozen=True, slots=True)
class LossAnswer:
    """What becomes of the objectives when one thing is lost."""

    kind: str
    """zone, instances or dependency."""
    what: str
    text: str
    """As it is injected."""
    said: str
    misses_more: tuple[str, ...]
    """Objectives that are missed with it and not without."""
    goodput_change: Interval
    """Against the same customers with nothing lost."""
    tests: tuple[ObjectiveTest, ...]
    held: Interval
    unmet: tuple[str, ...]
    misses: dict[str, float]
    goodput: Interval
    scale: float | None = None
    """Of the cell it was asked of, where it is another than its stack's."""


@dataclass(frozen=True, slots=True)
class StackLosses:
    """What can be lost in a stack at its peak."""

    alone: tuple[str, ...]
    """Services in one zone alone: no zone of theirs is asked for."""
    from_utc: str
    minutes: int
    scale: float
    """Of the scaled-down system it was asked of."""
    replications: int
    as_it_is: Held
    """With nothing lost."""
    rows: tuple[LossAnswer, ...]
    not_asked: tuple[str, ...] = ()
    """What may be lost besides, for which the time did not suffice."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that may be lost."""

    kind: Literal["zone", "instances", "dependency"]
    what: str
    text: str
    """As it is injected."""


def stack_losses(
    scenario: Scenario,
    stack: str,
    peak: LoadPlan,
    lost: tuple[Loss, ...],
    runs: list[list[Replication]],
) -> StackLosses:
    """Return the answers of a stack; `runs` are those with nothing lost, then those of each loss."""
    fleets = scenario.stack_fleets(stack)
    as_it_is, *struck = runs
    return StackLosses(
        alone=tuple(name for name, fleet in fleets.items() if fleet.zones == 1),
        from_utc=peak.window.start.isoformat(),
        minutes=peak.window.slots,
        scale=peak.scale,
        replications=len(as_it_is),
        as_it_is=_held(scenario, as_it_is, as_it_is),
        rows=tuple(
            loss_answer(scenario, loss, as_it_is, after)
            for loss, after in zip(lost, struck, strict=True)
        ),
    )


def _holds(scenario: Scenario, run: Replication, base: Replication) -> dict[str, bool]:
    """Return of each objective whether it holds in a replication, and of goodput whether it stays.

    What nobody meets though somebody met it with nothing lost does not hold; what nobody met in either is left
    out: it neither holds nor fails. A step that fails at once is quick: so goodput
    must stay at BACK of what it is in `base`, the same customers with nothing lost.
    """
    holds = {}
    for number, criterion in enumerate(scenario.objectives):
        value, before = run.number_of(number)[0], base.number_of(number)[0]
        if not math.isnan(value):
            holds[criterion.text] = criterion.holds(value)
        elif not math.isnan(before):
            holds[criterion.text] = False
    if not math.isnan(calm := planned_goodput(base)):
        holds[_GOODPUT] = planned_goodput(run) >= BACK * calm
    return holds


def _tests(scenario: Scenario, before: Held, runs: list[Replication]) -> Iterator[ObjectiveTest]:
    """Yield a test of each objective that holds with nothing lost and was met in every replication."""
    for number, criterion in enumerate(scenario.objectives):
        values = [run.number_of(number)[0] for run in runs]
        if before.mostly_misses(criterion.text) or any(map(math.isnan, values)):
            continue
        unit = METRICS[criterion.metric]
        yield ObjectiveTest(
            text=criterion.text,
            bound=criterion.value,
            unit=unit,
            value=interval_of(level_interval(values, unit)),
            p_value=p_above(values, criterion.value),
            samples=sum(run.number_of(number)[1] for run in runs),
            tier=step_tier(scenario, criterion.subject),
        )


def _held(scenario: Scenario, runs: list[Replication], base: list[Replication]) -> Held:
    """Return how surely every objective holds, over the replications in which somebody came."""
    holds = [_holds(scenario, run, calm) for run, calm in zip(runs, base, strict=True)]
    holds = [of_run for of_run in holds if of_run]
    good = sum(all(of_run.values()) for of_run in holds)
    texts = list(dict.fromkeys(text for of_run in holds for text in of_run))
    met = {text: [of_run[text] for of_run in holds if text in of_run] for text in texts}
    missed = {text: 1 - sum(of_runs) / len(of_runs) for text, of_runs in met.items()}
    return Held(
        held=interval_of(binomial_band(good, len(holds))),
        unmet=tuple(c.text for c in scenario.objectives if c.text not in met),
        misses={text: share for text, share in missed.items() if share > 0},
        goodput=interval_of(level_interval([planned_goodput(run) for run in runs], "share")),
    )


def loss_answer(
    scenario: Scenario, loss: Loss, base: list[Replication], runs: list[Replication]
) -> LossAnswer:
    """Return the answer of one loss, from replications with it (`runs`) and without (`base`)."""
    before, after = _held(scenario, base, base), _held(scenario, runs, base)
    more = tuple(
        text
        for text in after.misses
        if after.mostly_misses(text) and not before.mostly_misses(text)
    )
    change = t_interval(
        [planned_goodput(b) - planned_goodput(a) for a, b in zip(base, runs, strict=True)]
    )
    return LossAnswer(
        kind=loss.kind,
        what=loss.what,
        text=loss.text,
        said=_in_words(scenario, before, after, more),
        misses_more=more,
        goodput_change=interval_of(change),
        tests=tuple(_tests(scenario, before, runs)),
        held=after.held,
        unmet=after.unmet,
        misses=after.misses,
        goodput=after.goodput,
    )


def _in_words(scenario: Scenario, before: Held, after: Held, more: tuple[str, ...]) -> str:
    if not scenario.objectives:
        return "no objective to hold"
    if before.held.mid is None:
        return NOBODY
    if before.held.mid < 0.5:
        return "missed with nothing lost" + (", and more with it" if more else "")
    if after.held.mid == 1.0:
        return "can be lost"
    return "cannot be lost" if after.held.mid == 0.0 else "in some"
