"""N-1: which single zone, instance group or dependency can be lost at the peak with the objectives held.

Each loss is simulated by itself over the busiest minutes of its stack, from their first to their last; its
replications share customers and chance with those in which nothing is lost.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gameday.experiments.failures.loss_answers import (
    Loss,
    LossAnswer,
    StackLosses,
    loss_answer,
    stack_losses,
)
from gameday.experiments.replications.replication import Look, Replication
from gameday.forecast import Demand
from gameday.queueing import least_scale
from gameday.scenario import Scenario
from gameday.scenario.reading import parse_injections
from gameday.simulate import LEAD_IN, CoreBudget, RunControl, plan_at_real_speed, replicate_each
from gameday.traffic import LoadPlan
from gameday.vocabulary import SLOT_S, Array, Seed, TimeGrid

__all__ = [
    "LOSS_LEAD_IN",
    "PEAK_SLOTS",
    "LossBudget",
    "as_scheduled",
    "busiest_window",
    "losses",
    "n_minus_one",
    "peak_plan",
]

PEAK_SLOTS = 10
"""Minutes of a peak in which something is lost. Ours: the length of an outage before people act."""
_LARGER = 8
"""Times as large a cell in which a loss is asked again, where it costs latency alone. Ours: of one server it
makes eight, who wait a tenth as long at the same utilisation."""
_TOGETHER = 6
"""Losses that are asked before the time is looked at again."""
LOSS_LEAD_IN = 10
"""Minutes before, with nothing lost, that bring queues into their state; an hour where servers scale."""


def _peak_window(plan: LoadPlan, scenario: Scenario, stack: str) -> str:
    """Return the busiest minutes of a stack within a plan's window by its forecast, as START/END."""
    regions = [plan.regions.index(region) for region in scenario.stack_regions(stack)]
    calm = plan.forecast[regions] / plan.traffic_factor()  # without what the run injects
    return busiest_window(plan.window, calm[:, :, plan.lead_in :].sum(axis=(0, 1)), PEAK_SLOTS)


def busiest_window(grid: TimeGrid, steps: Array, slots: int) -> str:
    """Return the first of the `slots` slots in a row with the most steps, shape (grid.slots,), as START/END."""
    width = min(slots, len(steps))
    upto = np.concatenate([[0.0], np.cumsum(steps)])
    first = int((upto[width:] - upto[:-width]).argmax())
    return f"{grid.instant(first).isoformat()}/{grid.instant(first + width).isoformat()}"


def losses(scenario: Scenario, stack: str) -> tuple[Loss, ...]:
    """Return what may be lost in a stack, likeliest first: a zone, of each service a zone's instances, or all.

    Zones are as large as each other and equally used, so one stands for all. Where a service is in one
    zone alone, losing the zone is losing the service. Of more instances some are lost sooner, of fewer all.
    """
    found = []
    fleets = scenario.stack_fleets(stack)
    most = sorted(fleets.items(), key=lambda item: -item[1].instances)
    if all(fleet.zones > 1 for fleet in fleets.values()):
        zones = max(fleet.zones for fleet in fleets.values())
        text = f"zone {stack}-a lost at +0m"
        found.append(Loss("zone", f"any one of {zones} zones", text))
    for name, fleet in most:
        group = max(1, round(fleet.instances / fleet.zones))
        if group < fleet.instances:
            text = f"{group} instances of {name} in {stack} lost at +0m"
            found.append(
                Loss("instances", f"{group} of {fleet.instances} instances of {name}", text)
            )
    found += [
        Loss("dependency", name, f"{name} in {stack} down at +0m") for name, _ in reversed(most)
    ]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class LossBudget:
    """How long it may be asked what can be lost."""

    core_s: float
    """Seconds of a core for all of it: decides the cell, as far as one that can be judged allows."""
    wall_s: float = math.inf
    """After which no more is asked."""


def n_minus_one(
    scenario: Scenario,
    demand: Demand,
    plan: LoadPlan,
    *,
    seed: Seed,
    budget: LossBudget,
    load_share: float = 1.0,
    progress: Callable[[str], None] = lambda phase: None,
    control: RunControl | None = None,
) -> dict[str, StackLosses]:
    """Return stack -> what can be lost at its peak in the plan's window; empty where it was cut short.

    A loss is borne in a replication where every objective holds and goodput stays. `load_share` is
    that of Evidence. Losses are asked in their order until the budget is over, the first few of each stack always.
    """
    asking = _Asking(scenario, demand, plan, seed, load_share, control)
    wall_s = budget.wall_s / len(scenario.stack_names)
    answers = {}
    for stack in scenario.stack_names:
        lost, ends_s = losses(scenario, stack), time.monotonic() + wall_s
        within_s = budget.core_s / len(scenario.stack_names) / (1 + len(lost))
        peak, runs = asking.peak(stack, within_s), list[list[Replication]]()
        while len(runs) < 1 + len(lost) and (not runs or time.monotonic() < ends_s):
            progress(f"{stack}: {max(0, len(runs) - 1)} of {len(lost)} losses at the peak")
            few: tuple[Loss | None, ...] = (None, *lost)[len(runs) : len(runs) + _TOGETHER]
            runs += asking.played(stack, peak, few)
            if not all(len(replications) > 1 for replications in runs):
                return {}
        asked, left = lost[: len(runs) - 1], lost[len(runs) - 1 :]
        answer = asking.sure(stack_losses(scenario, stack, peak, asked, runs), stack, peak)
        answers[stack] = replace(answer, not_asked=tuple(loss.what for loss in left))
    return answers


def _may_be_the_cells(row: LossAnswer, scale: float) -> bool:
    """Return whether something cannot be lost for latencies alone, in a cell so small that they may be its own."""
    units = {test.text: test.unit for test in row.tests}
    late = [units.get(text) == "s" for text in row.misses_more]
    return row.kind != "dependency" and scale < 1.0 and bool(late) and all(late)


@dataclass(frozen=True, slots=True)
class _Asking:
    """What is lost, of whose peak, by which chance."""

    scenario: Scenario
    demand: Demand
    plan: LoadPlan
    """The run's own."""
    seed: Seed
    load_share: float
    control: RunControl | None

    def peak(self, stack: str, within_s: float, least: float = 0.0) -> LoadPlan:
        """Return the busiest minutes of a stack, in a cell of `least` or more."""
        return peak_plan(
            self.scenario,
            self.demand,
            _peak_window(self.plan, self.scenario, stack),
            seed=self.seed,
            quantile=self.plan.quantile,
            core_s=within_s,
            least=least,
        )

    def played(
        self, stack: str, peak: LoadPlan, lost: tuple[Loss | None, ...]
    ) -> list[list[Replication]]:
        """Return the peak's replications with each of these lost; None: nothing."""
        later_s = (peak.window.start - self.plan.window.start).total_seconds()
        seen = replicate_each(
            as_scheduled(self.scenario, later_s),
            [self._struck(peak, loss) for loss in lost],
            Look.at(self.scenario, peak),
            seed=self.seed,
            stacks=(stack,),
            scale=peak.scale / self.load_share,
            new_customers=True,
            control=self.control,
        )
        return [[replication[0] for replication in replications] for replications in seen]

    def _struck(self, peak: LoadPlan, loss: Loss | None) -> LoadPlan:
        if loss is None:
            return peak
        window_s = peak.window.slots * SLOT_S
        return peak.with_injections(parse_injections([loss.text], self.scenario, window_s))

    def sure(self, answer: StackLosses, stack: str, peak: LoadPlan) -> StackLosses:
        """Return the answers; those that may be the small cell's own are asked again of a larger one."""
        lost = {loss.text: loss for loss in losses(self.scenario, stack)}
        doubted = [row.text for row in answer.rows if _may_be_the_cells(row, peak.scale)]
        if not doubted:
            return answer
        larger = self.peak(stack, 0.0, min(1.0, _LARGER * peak.scale))
        base, *struck = self.played(stack, larger, (None, *(lost[text] for text in doubted)))
        again = {
            text: replace(loss_answer(self.scenario, lost[text], base, runs), scale=larger.scale)
            for text, runs in zip(doubted, struck, strict=True)
            if len(runs) > 1
        }
        return replace(answer, rows=tuple(again.get(row.text, row) for row in answer.rows))


def peak_plan(
    scenario: Scenario,
    demand: Demand,
    window: str,
    *,
    seed: Seed,
    quantile: float,
    core_s: float,
    least: float = 0.0,
) -> LoadPlan:
    """Return the minutes of a peak at real speed, in the largest cell that `core_s` core seconds carry; in one of
    `least`, or one that can be judged, where they carry none so large.

    Queues get into their state before it: longer where services scale.
    """
    scales = any(service.autoscale is not None for service in scenario.services.values())
    return plan_at_real_speed(
        scenario,
        demand,
        seed=seed,
        window=window,
        budget=CoreBudget(core_s, least_scale=max(least, least_scale(scenario))),
        quantile=quantile,
        lead_in=LEAD_IN if scales else LOSS_LEAD_IN,
    )


def as_scheduled(scenario: Scenario, later_s: float) -> Scenario:
    """Return the scenario whose schedules count from a window that begins so much later."""
    services = {}
    for name, service in scenario.services.items():
        policy = service.autoscale
        if policy is not None and policy.schedule:
            moved = [step.model_copy(update={"at": step.at - later_s}) for step in policy.schedule]
            policy = policy.model_copy(update={"schedule": moved})
        services[name] = service.model_copy(update={"autoscale": policy})
    return scenario.model_copy(update={"services": services})
