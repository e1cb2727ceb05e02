"""How good orders are: enough by chance nobody saw, hardly more than the least, and what becomes of them.

python -m tests.bench.capacity orders      the four bundled events' orders, judged by unused seeds
python -m tests.bench.capacity least       shops of three services, beside exhaustive search
python -m tests.bench.capacity severity    20 faults: severity told at half of the load, and at all of it
python -m tests.bench.capacity ledger      200 kills of 8 writers
python -m tests.bench.capacity loops       primeday until it passes: as declared, and not
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gameday.calibrate import calibrate_model
from gameday.calibrate.compared import Target
from gameday.capacity import (
    Budget,
    CapacityRequest,
    SizedStack,
    request_capacity,
    size_stack,
    verify,
    with_order,
)
from gameday.capacity.joint_sizing import size_together, with_fleets
from gameday.experiments.failures import PeakCase, peak_cases, played_with
from gameday.experiments.rehearsal import said_of
from gameday.experiments.replications import Look, Replication
from gameday.findings import RULES, Evidence, Standing, find
from gameday.forecast import Demand, forecast_demand
from gameday.history import read_history
from gameday.record.intervals import level_interval
from gameday.scenario import METRICS, Scenario, load_scenario, parse_criterion
from gameday.simulate import RunControl, replicate_each, simulate
from gameday.traffic import LoadPlan, ReplayOptions, plan_load
from gameday.vocabulary import Seed
from tests.capacity.test_verify import demand_of, three_zones
from tests.support.ledger_writers import killed_writers
from tests.support.random_systems import KINDS, faulty_system
from tests.support.small_runs import busy_shop, played

SEED, UNUSED = Seed(1), Seed(987)
EVENTS = ("primeday", "console-launch", "diwali", "black-friday")
SEARCH_S, PROOF_TIMES = 90.0, 2.5
"""As a replay has them."""
NOW = datetime(2027, 1, 1, tzinfo=UTC)


# --- the bundled events' orders --------------------------------------------------------------------


def _cases(scenario: Scenario, search_s: float) -> tuple[Demand, tuple[PeakCase, ...]]:
    demand = forecast_demand(scenario, read_history(scenario, file=None, seed=SEED))
    plan = plan_load(scenario, demand, seed=SEED, options=ReplayOptions("peak"))
    core_s = search_s * 10 / 160 * (os.cpu_count() or 1)  # as a replay chooses the cell
    return demand, peak_cases(lambda _: scenario, demand, plan, seed=SEED, core_s=core_s)


def not_held(scenario: Scenario, runs: tuple[Replication, ...]) -> list[str]:
    """Return the objectives that do not hold with their whole interval."""
    out = []
    for number, criterion in enumerate(scenario.objectives):
        values = [run.number_of(number)[0] for run in runs]
        if not all(np.isnan(values)):
            said = said_of(level_interval(values, METRICS[criterion.metric]), criterion.holds)
            out += [] if said == "holds" else [f"{criterion.text}: {said}"]
    return out


def orders_of(event: str, search_s: float) -> dict[str, Any]:
    """Return how an event's orders come out: by unused chance, in instance-hours, beside the need by the hour."""
    scenario = load_scenario(event)
    demand, cases = _cases(scenario, search_s)
    began = time.monotonic()
    budget = Budget(search_s / len(cases), PROOF_TIMES * search_s / len(cases), time.monotonic)
    sized = tuple(size_stack(scenario, demand, c, seed=SEED, budget=budget) for c in cases)
    took_s = time.monotonic() - began
    requests = request_capacity(scenario, demand, (), run="bench", now=NOW, sized=sized)
    requests = verify(scenario, cases, requests, Standing(frozenset(), {}), seed=SEED, sized=sized)
    unheld = {}
    for case in cases:
        ordered = with_order(scenario, requests, case.plan.window)
        name = f"{case.stack} {case.phase.name if case.phase else 'event'}"
        unheld[name] = not_held(scenario, played_with(case, ordered, seed=UNUSED))
    return {
        "sizing and proof, s": round(took_s, 1),
        "requests": len(requests),
        "usd": round(sum(r.total_usd for r in requests)),
        "by unused chance not held": unheld,
        "doubts": sorted({s.why for s in sized if s.why}),
        "can be lowered by an instance a zone": _lowerable(scenario, cases, sized),
        "instance-hours": {
            f"{r.stack} {r.service}": f"{r.instances_from} -> {r.instances_to}, {r.instance_hours:.0f}"
            for r in requests
            if r.service == "checkout"
        },
        "beyond the need by the hour": _beyond_need(scenario, demand, sized, requests),
    }


def _lowerable(
    scenario: Scenario, cases: tuple[PeakCase, ...], sized: tuple[SizedStack, ...]
) -> list[str]:
    """Return the ordered fleets that could be lowered by an instance a zone with all still proven."""
    out = []
    for case, found in zip(cases, sized, strict=True):
        now = {n: f.instances for n, f in scenario.stack_fleets(case.stack).items()}
        for name, instances in found.fleets.items():
            fewer = instances - scenario.services[name].stacks[case.stack].zones
            if instances > now[name] and fewer >= now[name]:
                less = with_fleets(scenario, case.stack, {**found.fleets, name: fewer})
                if not not_held(scenario, played_with(case, less, seed=SEED)):
                    out.append(
                        f"{case.stack} {name} {instances} ({case.phase and case.phase.name})"
                    )
    return out


def _beyond_need(
    scenario: Scenario,
    demand: Demand,
    sized: tuple[SizedStack, ...],
    requests: tuple[CapacityRequest, ...],
) -> float:
    """Return ordered instance-hours as a multiple of the need by the hour, from the fleets sized for each phase.

    The need of an hour is the highest of its minutes, and of those of the two hours of warm-up after it.
    """
    from gameday.capacity.order import _needs

    ordered = needed = 0.0
    for need in _needs(scenario, demand, sized):
        own = [r for r in requests if (r.stack, r.service) == (need.stack, need.service)]
        on = demand.during(scenario.stack_regions(need.stack))
        fleet = np.where(on, np.maximum(need.in_each_slot, need.instances), 0)
        hours = -(-len(fleet) // 60)
        most = [fleet[60 * h : 60 * h + 60].max() for h in range(hours)]
        ahead = [max(most[max(0, h) : h + 3]) for h in range(-2, hours)]
        needed += sum(max(0.0, x - need.instances) for x in ahead)
        ordered += sum(r.instance_hours for r in own)
    return round(ordered / needed, 3) if needed else 1.0


def orders(size: float) -> dict[str, Any]:
    """Return how the bundled events' orders come out; a small size judges one event in little time."""
    events = EVENTS if size >= 1 else ("console-launch",)
    return {event: orders_of(event, SEARCH_S * min(1.0, max(size, 0.02))) for event in events}


# --- beside exhaustive search ----------------------------------------------------------------------


def least(shops: int) -> dict[str, Any]:
    """Return instances found, as a multiple of the fewest that exhaustive search proves, over shops of a seed."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(shops):
            shop, case = _small_case(Path(folder), number)
            budget = Budget(120.0, 240.0, time.monotonic)
            found = size_together(shop, case, {}, seed=SEED, budget=budget)
            assert not found.unmet, found
            best = _fewest(shop, case, found.fleets)
            ratios.append(sum(found.fleets.values()) / best)
    return {
        "shops": shops,
        "worst": round(max(ratios), 3),
        "mean": round(float(np.mean(ratios)), 3),
    }


def _small_case(folder: Path, number: int) -> tuple[Scenario, PeakCase]:
    """Return a shop of three services in three zones, too small for its load in some of them."""
    rng = Seed(number).stream("shop")
    few = {name: 3 * int(rng.integers(1, 4)) for name in ("edge", "stock", "pay")}
    services: dict[str, Any] = {name: three_zones(count) for name, count in few.items()}
    for name in services:
        services[name] |= {"queue_per_server": 10}
    objectives = ["error rate of all steps < 1%", "p99 of checkout < 1s"]
    shop = busy_shop(folder, {"services": services, "objectives": objectives})
    block = shop.capacity.model_copy(update={"scale_down": True})
    shop = shop.model_copy(update={"capacity": block})
    plan = played(shop, float(rng.uniform(20, 60)))
    [case] = peak_cases(lambda _: shop, demand_of(shop), plan, seed=SEED, core_s=2.0)
    return shop, case


def _fewest(shop: Scenario, case: PeakCase, found: Mapping[str, int]) -> int:
    """Return the fewest instances of all fleets that hold, of every choice up to two a zone above `found`."""
    search = [range(3, count + 7, 3) for count in found.values()]
    choices = sorted(itertools.product(*search), key=sum)
    for counts in choices:
        if sum(counts) >= sum(found.values()):
            break
        fleets = dict(zip(found, counts, strict=True))
        runs = played_with(case, with_fleets(shop, "main", fleets), seed=SEED)
        turned = max(float(np.nan_to_num(run.spans[0, 3]).max()) for run in runs)
        if not not_held(shop, runs) and turned <= 0.005:
            return sum(counts)
    return sum(found.values())


# --- severity at half of the load ------------------------------------------------------------------


def severity(faults: int) -> dict[str, Any]:
    """Return how often half of the load tells the severity that all of it tells, or says that it cannot."""
    same, cannot, wrong, told = 0, 0, [], dict[str, int]()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(faults):
            kind = KINDS[number % len(KINDS)]
            system, fault, real = faulty_system(Path(folder), 70_000 + number, kind)
            declared, plan = _judged(system.scenario, system.plan)
            real = real.model_copy(update={"objectives": declared.objectives})
            whole, _ = _told(declared, real, plan, 1.0)
            half, doubts = _told(declared, real, plan, 0.5)
            told[whole] = told.get(whole, 0) + 1
            same += whole == half
            cannot += whole != half and doubts
            if whole != half:
                wrong.append(f"{fault.kind} {fault.service}: {whole}, at half of the load {half}")
    return {
        "faults": faults,
        "at all of the load": told,
        "same at half of it": same,
        "differs, and is marked as extrapolated": cannot,
        "differing": wrong,
    }


def _judged(scenario: Scenario, plan: LoadPlan) -> tuple[Scenario, LoadPlan]:
    """Return a random system with objectives that it just holds as declared, and its plan with a forecast."""
    visits = np.stack(
        [j.visits_per_session(scenario.step_names) for j in scenario.journeys.values()]
    )
    steps = np.einsum("rjt,js->rst", plan.starts, visits)
    plan = replace(plan, forecast=steps, caused=steps)
    texts = ("error rate of all steps < 1%", "p99 of all steps < 10s")
    asked = scenario.model_copy(update={"objectives": [parse_criterion(t) for t in texts]})
    p99_s = float(np.mean([run[0].number_of(1)[0] for run in _played(asked, plan)]))
    bound = parse_criterion(f"p99 of all steps < {1300 * p99_s:.0f}ms")
    return asked.model_copy(update={"objectives": [asked.objectives[0], bound]}), plan


def _played(scenario: Scenario, plan: LoadPlan) -> tuple[tuple[Replication, ...], ...]:
    """Return the plan in the model, six replications."""
    [seen] = replicate_each(
        scenario,
        [plan],
        Look.at(scenario, plan),
        seed=Seed(5),
        stacks=("main",),
        scale=plan.scale,
        new_customers=True,
        control=RunControl(replications=6, workers=1),
    )
    return tuple(seen)


def _told(declared: Scenario, real: Scenario, plan: LoadPlan, share: float) -> tuple[str, bool]:
    """Return the worst severity that a run at a share of the load tells of all of it, and whether it doubts it."""
    once = RunControl(replications=1, workers=1)
    part = plan.times(share)
    [record] = simulate(real, part, seed=Seed(11), control=once)
    target = Target.of(part, record, seed=Seed(3), control=once)
    model = calibrate_model(declared, target).over(declared)
    evidence = Evidence(
        scenario=model,
        plan=plan,
        measured=record,
        predicted=(),
        event=_played(model, plan),
        event_scale=1.0,
        load_share=share,
    )
    found = [f for f in find(evidence) if RULES[f.rule].fails_run]
    return min((f.severity for f in found), default="none"), share < 1 and evidence.is_extrapolated


# --- what becomes of them --------------------------------------------------------------------------


def ledger(kills: int, writers: int) -> dict[str, Any]:
    """Return what is left of a ledger whose writers were killed."""
    with tempfile.TemporaryDirectory() as folder:
        done = killed_writers(Path(folder) / "reports", kills=kills, writers=writers, seed=1)
    assert not done.faults, done.faults
    return {"kills": kills, "writers": writers, "moves kept": done.entries, "faults": 0}


_LYING = """\
include: [{primeday}]
services:
  payment: {{time: {{law: lognormal, mean: 120ms, cv: 0.35}}}}
  cart: {{stacks: {{us: {{instances: 20}}, in: {{instances: 10}}}}}}
"""
"""Payment works 1.5 times as long as declared, and of cart one zone of three is missing."""


def loops(size: float) -> dict[str, Any]:
    """Return how primeday's loop goes: with a shop as declared, and with one that is not."""
    out = {}
    with tempfile.TemporaryDirectory() as name:
        lying = Path(name) / "lying.yaml"
        primeday = Path(__file__).parents[2] / "scenarios" / "primeday.yaml"
        lying.write_text(_LYING.format(primeday=primeday))
        for what, more in (("as declared", ()), ("not as declared", ("--shop", str(lying)))):
            out[what] = _loop(Path(name) / what.replace(" ", "-"), size, *more)
    return out


def _loop(out: Path, size: float, *more: str) -> dict[str, Any]:
    rounds = ("--max-rounds", "5") if size >= 1 else ("--max-rounds", "1", "--duration", "20s")
    words = (
        "loop",
        "--event",
        "primeday",
        "--budget-usd",
        "20000",
        *rounds,
        *more,
        "--out",
        str(out),
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "gameday.cli", *words, "--json", "--quiet"],
        capture_output=True,
        text=True,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    rows = [
        f"{r['verdict']}: {r['lives']}; approved {len(r['approved'])}, USD {r['usd']:,.0f}"
        for r in told["rounds"]
    ]
    took_min = round((time.monotonic() - began) / 60, 1)
    return {"end": told["end"], "minutes": took_min, "rounds": rows}


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "orders": lambda *, size=1.0: orders(size),
    "least": lambda *, size=1.0: least(max(1, round(12 * size))),
    "severity": lambda *, size=1.0: severity(max(1, round(20 * size))),
    "ledger": lambda *, size=1.0: ledger(max(2, round(200 * size)), max(2, round(8 * size))),
    "loops": lambda *, size=1.0: loops(size),
}
"""Name -> what measures it; size 1.0 is the whole."""


def main() -> None:
    """Measure what is named on the command line, or everything, and print it."""
    for part in sys.argv[1:] or list(PARTS):
        print(json.dumps({part: PARTS[part]()}, indent=1), flush=True)


if __name__ == "__main__":
    main()
