"""N-1: which single zone, instance group or dependency can be lost at the peak with the objectives held.

Each loss is simulated by itself over the busiest minutes of its stack, from their first to their last; its
replications share customers and chance with those in which nothing is lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gameday.experiments.goodput import BACK, planned_goodput
from gameday.experiments.rehearsal import NOBODY
from gameday.experiments.replication import Look, Replication
from gameday.forecast import Demand
from gameday.queueing import least_scale, step_tier
from gameday.record.intervals import band_of, binomial_band, level_interval, p_above, t_interval
from gameday.scenario import METRICS, Scenario
from gameday.scenario.reading import parse_injections
from gameday.simulate import LEAD_IN, CoreBudget, RunControl, plan_at_real_speed, replicate_each
from gameday.traffic import LoadPlan
from gameday.vocabulary import SLOT_S, Array, Seed, TimeGrid

__all__ = [
    "LOSS_LEAD_IN",
    "PEAK_SLOTS",
    "Loss",
    "as_scheduled",
    "busiest_window",
    "losses",
    "n_minus_one",
]

PEAK_SLOTS = 10
"""Minutes of a peak in which something is lost. Ours: the length of an outage before people act."""
_GOODPUT = f"goodput >= {BACK:.0%} of that with nothing lost"
LOSS_LEAD_IN = 10
"""Minutes before, with nothing lost, that bring queues into their state; an hour where servers scale."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that may be lost."""

    kind: Literal["zone", "instances", "dependency"]
    what: str
    text: str
    """As it is injected."""


def _peak_window(plan: LoadPlan, scenario: Scenario, stack: str) -> str:
    """Return the busiest minutes of a stack within a plan's window by its forecast, as START/END."""
    regions = [plan.regions.index(region) for region in scenario.stack_regions(stack)]
    calm = (
        plan.forecast[regions] / plan.traffic_factor()
    )  # nothing is injected into what is asked here
    return busiest_window(plan.window, calm[:, :, plan.lead_in :].sum(axis=(0, 1)), PEAK_SLOTS)


def busiest_window(grid: TimeGrid, steps: Array, slots: int) -> str:
    """Return the first of the `slots` slots in a row with the most steps, shape (grid.slots,), as START/END."""
    width = min(slots, len(steps))
    upto = np.concatenate([[0.0], np.cumsum(steps)])
    first = int((upto[width:] - upto[:-width]).argmax())
    return f"{grid.instant(first).isoformat()}/{grid.instant(first + width).isoformat()}"


def losses(scenario: Scenario, stack: str) -> tuple[Loss, ...]:
    """Return what may be lost in a stack: a zone; of each service a zone's instances; each service.

    Zones are as large as each other and equally used, so one stands for all. Where a service is in one
    zone alone, losing the zone is losing the service.
    """
    out = []
    fleets = {
        name: scenario.services[name].stacks[stack] for name in scenario.stack_services(stack)
    }
    if all(fleet.zones > 1 for fleet in fleets.values()):
        zones = max(fleet.zones for fleet in fleets.values())
        text = f"zone {stack}-a lost at +0m"
        out.append(Loss("zone", f"any one of {zones} zones", text))
    for name, fleet in fleets.items():
        group = max(1, round(fleet.instances / fleet.zones))
        if group < fleet.instances:
            text = f"{group} instances of {name} in {stack} lost at +0m"
            out.append(Loss("instances", f"{group} of {fleet.instances} instances of {name}", text))
    out += [Loss("dependency", name, f"{name} in {stack} down at +0m") for name in fleets]
    return tuple(out)


def n_minus_one(
    scenario: Scenario,
    demand: Demand,
    plan: LoadPlan,
    *,
    seed: Seed,
    core_s: float,
    load_share: float = 1.0,
    progress: Callable[[str], None] = lambda said: None,
    control: RunControl | None = None,
) -> dict[str, dict[str, Any]]:
    """Return stack -> its peak in the plan's window, what holds there with nothing lost, and a row a loss.

    A loss is borne in a replication where every objective holds and goodput stays. `core_s` bounds the work,
    in seconds of a core, as far as a cell that can be judged allows; `load_share` is that of Evidence.
    """
    out: dict[str, dict[str, Any]] = {}
    scales = any(service.autoscale is not None for service in scenario.services.values())
    for stack in scenario.stack_names:
        lost = losses(scenario, stack)
        peak = plan_at_real_speed(
            scenario,
            demand,
            seed=seed,
            window=_peak_window(plan, scenario, stack),
            budget=CoreBudget(
                core_s / len(scenario.stack_names) / (1 + len(lost)),
                least_scale=least_scale(scenario),
            ),
            quantile=plan.quantile,
            lead_in=LEAD_IN if scales else LOSS_LEAD_IN,
        )
        window_s = peak.window.slots * SLOT_S
        struck = [peak.struck(parse_injections([one.text], scenario, window_s)) for one in lost]
        progress(f"{stack}: {len(lost)} losses at the peak")
        there = as_scheduled(scenario, (peak.window.start - plan.window.start).total_seconds())
        seen = replicate_each(
            there,
            [peak, *struck],
            Look.at(scenario, peak),
            seed=seed,
            stacks=(stack,),
            scale=peak.scale / load_share,
            new_customers=True,
            control=control,
        )
        runs = [[each[0] for each in replications] for replications in seen]
        if not all(len(one) > 1 for one in runs):
            return {}
        out[stack] = {
            "alone": [
                name
                for name in scenario.stack_services(stack)
                if scenario.services[name].stacks[stack].zones == 1
            ],
            "from_utc": peak.window.start.isoformat(),
            "minutes": peak.window.slots,
            "scale": peak.scale,
            "replications": len(runs[0]),
            "as_it_is": _answer(scenario, runs[0], runs[0]),
            "rows": [
                _row(scenario, one, runs[0], after)
                for one, after in zip(lost, runs[1:], strict=True)
            ],
        }
    return out


def _held(scenario: Scenario, run: Replication, base: Replication) -> dict[str, bool]:
    """Return of each objective whether it holds in a replication, and of goodput whether it stays.

    What nobody meets though somebody met it with nothing lost does not hold; what nobody met in either is left
    out: it neither holds nor fails. A step that fails at once is quick: so goodput
    must stay at BACK of what it is in `base`, the same customers with nothing lost.
    """
    held = {}
    for n, criterion in enumerate(scenario.objectives):
        number, before = run.number_of(n)[0], base.number_of(n)[0]
        if not math.isnan(number):
            held[criterion.text] = criterion.holds(number)
        elif not math.isnan(before):
            held[criterion.text] = False
    if not math.isnan(calm := planned_goodput(base)):
        held[_GOODPUT] = planned_goodput(run) >= BACK * calm
    return held


def _tests(
    scenario: Scenario, before: dict[str, Any], runs: list[Replication]
) -> list[dict[str, Any]]:
    """Return of each objective that holds with nothing lost the chance of its number if its bound just held."""
    out = []
    for n, criterion in enumerate(scenario.objectives):
        values = [run.number_of(n)[0] for run in runs]
        if before["misses"].get(criterion.text, 0.0) >= 0.5 or any(v != v for v in values):
            continue
        out.append(
            {
                "text": criterion.text,
                "bound": criterion.value,
                "unit": METRICS[criterion.metric],
                "value": band_of(level_interval(values, METRICS[criterion.metric])),
                "p_value": p_above(values, criterion.value),
                "samples": sum(run.number_of(n)[1] for run in runs),
                "tier": step_tier(scenario, criterion.subject),
            }
        )
    return out


def as_scheduled(scenario: Scenario, later_s: float) -> Scenario:
    """Return the scenario whose schedules count from a window that begins so much later."""
    services = {}
    for name, service in scenario.services.items():
        policy = service.autoscale
        if policy is not None and policy.schedule:
            moved = [one.model_copy(update={"at": one.at - later_s}) for one in policy.schedule]
            policy = policy.model_copy(update={"schedule": moved})
        services[name] = service.model_copy(update={"autoscale": policy})
    return scenario.model_copy(update={"services": services})


def _answer(scenario: Scenario, runs: list[Replication], base: list[Replication]) -> dict[str, Any]:
    """Return how surely every objective holds, the share of replications that miss each, and goodput.

    Of the replications in which somebody came; `unmet` are objectives on what nobody came to in any.
    """
    every = [_held(scenario, run, calm) for run, calm in zip(runs, base, strict=True)]
    held = [one for one in every if one]
    good = sum(all(one.values()) for one in held)
    texts = list(dict.fromkeys(text for one in held for text in one))
    met = {text: [one[text] for one in held if text in one] for text in texts}
    missed = {text: 1 - sum(seen) / len(seen) for text, seen in met.items()}
    return {
        "held": band_of(binomial_band(good, len(held))),
        "unmet": [c.text for c in scenario.objectives if c.text not in met],
        "misses": {text: share for text, share in missed.items() if share > 0},
        "goodput": band_of(level_interval([planned_goodput(run) for run in runs], "share")),
    }


def _row(
    scenario: Scenario, loss: Loss, base: list[Replication], runs: list[Replication]
) -> dict[str, Any]:
    before, after = _answer(scenario, base, base), _answer(scenario, runs, base)
    more = [
        text
        for text, share in after["misses"].items()
        if share >= 0.5 > before["misses"].get(text, 0.0)
    ]
    change = t_interval(
        [planned_goodput(b) - planned_goodput(a) for a, b in zip(base, runs, strict=True)]
    )
    if not scenario.objectives:
        said = "no objective to hold"
    elif before["held"]["mid"] is None:
        said = NOBODY
    elif before["held"]["mid"] < 0.5:
        said = "missed with nothing lost" + (", and more with it" if more else "")
    else:
        said = {1.0: "can be lost", 0.0: "cannot be lost"}.get(after["held"]["mid"], "in some")
    return {
        "kind": loss.kind,
        "what": loss.what,
        "text": loss.text,
        "said": said,
        "misses_more": more,
        "goodput_change": band_of(change),
        "tests": _tests(scenario, before, runs),
        **after,
    }
