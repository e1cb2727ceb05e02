"""Random shops for diagnosis and calibration: graphs of services, loads that rise and fall, and hidden faults."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gameday.experiments.diagnosis import KINDS, Fault, Kind, is_felt, plant
from gameday.queueing import build_cell
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan
from gameday.traffic.plan.nominal import nominal_response
from gameday.vocabulary import SLOT_S, Seed, TimeGrid
from tests.support.small_shop import load_small, merged, small_shop

__all__ = ["KINDS", "Fault", "RandomSystem", "faulty_system", "random_system", "rising_plan"]

SPEED = 20.0
SLOTS = 40


@dataclass(frozen=True)
class RandomSystem:
    """A random shop, what is said of it in plain data, and the load it meets."""

    data: dict[str, Any]
    scenario: Scenario
    plan: LoadPlan
    folder: Path
    sessions_per_s: float
    """Session starts at the peak."""
    load: dict[str, float]
    """Service -> servers busy at the peak, if nothing waits."""

    def changed(self, changes: dict[str, Any]) -> Scenario:
        """Return the shop with changes written over it."""
        return load_small(self.folder, self.data, changes)


def _tree(rng: np.random.Generator, below: list[str], depth: int) -> list[Any]:
    """Return a random list of calls to the services `below`, each of which calls only later ones."""
    calls: list[Any] = []
    for _ in range(int(rng.integers(1, 3))):
        if not below:
            break
        index = int(rng.integers(0, min(3, len(below))))
        name, rest = below[index], below[index + 1 :]
        deeper = _tree(rng, rest, depth - 1) if depth > 0 and rng.random() < 0.6 else []
        calls.append({name: deeper} if deeper else name)
        below = rest
    if len(calls) > 1 and rng.random() < 0.4:
        return [calls]  # at once
    return calls


def _visits(calls: list[Any], share: float = 1.0) -> dict[str, float]:
    found: dict[str, float] = {}

    def go(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                go(item)
        elif isinstance(node, dict):
            for name, below in node.items():
                found[name] = found.get(name, 0.0) + share
                go(below)
        else:
            found[node] = found.get(node, 0.0) + share

    go(calls)
    return found


def random_system(folder: Path, number: int) -> RandomSystem:
    """Return the random shop with this number: 4 to 11 services, 3 to 5 steps."""
    rng = Seed(number).stream("random system")
    order = rng.permutation(26)
    services = [f"{chr(97 + int(k))}-svc" for k in order[: int(rng.integers(4, 12))]]
    steps = [f"step-{chr(97 + int(k))}" for k in rng.permutation(26)[: int(rng.integers(3, 6))]]
    shop = small_shop()
    entry, *others = services
    trees = {step: _tree(rng, others, 2) for step in steps}
    for missing in set(others) - {name for tree in trees.values() for name in _visits(tree)}:
        trees[steps[int(rng.integers(0, len(steps)))]].append(missing)
    shop["steps"] = {
        step: {"entry": entry, "exchanges": [{"path": f"/{step}", "calls": tree}]}
        for step, tree in trees.items()
    }
    rows = {}
    for step in steps:
        weights = rng.dirichlet(np.ones(len(steps))) * rng.uniform(0.4, 0.8)
        rows[step] = {to: round(float(w), 4) for to, w in zip(steps, weights, strict=True)}
        rows[step]["exit"] = round(1 - sum(rows[step].values()), 4)
    shop["journeys"] = {
        "shopper": {
            "start": {steps[0]: 1.0},
            "next": rows,
            "think": {"other": "20s"},
            "patience": "15s",
        }
    }
    matrix = np.array([[rows[a][b] for b in steps] for a in steps])
    visits = np.linalg.solve(np.eye(len(steps)) - matrix.T, np.eye(len(steps))[0])
    sessions_per_s = float(rng.uniform(15, 40))
    demand = dict.fromkeys(services, 0.0)
    for step, per_session in zip(steps, visits, strict=True):
        demand[entry] += per_session
        for name, n in _visits(trees[step]).items():
            demand[name] += per_session * n
    shop["services"] = {
        name: _service(rng, sessions_per_s * per_session, is_entry=name == entry)
        for name, per_session in demand.items()
    }
    shop["history"]["synthetic"]["journeys"] = {"shopper": 1.0}
    scenario = load_small(folder, shop)
    load = _size(shop, scenario, trees, visits, sessions_per_s, rng)
    scenario = load_small(folder, shop)
    return RandomSystem(
        shop, scenario, rising_plan(scenario, sessions_per_s, number), folder, sessions_per_s, load
    )


def _service(rng: np.random.Generator, per_s: float, *, is_entry: bool) -> dict[str, Any]:
    mean_ms = float(np.exp(rng.uniform(np.log(4), np.log(60)))) if not is_entry else 3.0
    law: dict[str, Any] = {"law": "exponential", "mean": f"{mean_ms:.3f}ms"}
    if rng.random() < 0.7:
        law = {
            "law": "lognormal",
            "mean": f"{mean_ms:.3f}ms",
            "cv": round(float(rng.uniform(0.3, 1)), 2),
        }
    block: dict[str, Any] = {
        "stacks": {"main": {"instances": 1, "zones": 1, "instance": "box"}},
        "servers_per_instance": 1,
        "queue_per_server": int(rng.integers(6, 20)),
        "time": law,
        "timeout": f"{max(800, 40 * mean_ms):.0f}ms",
    }
    if rng.random() < 0.3:
        block["retry"] = {"attempts": 1, "backoff": "50ms"}
    return block


def _size(
    shop: dict[str, Any],
    scenario: Scenario,
    trees: dict[str, list[Any]],
    visits: Any,
    sessions_per_s: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Give each service the servers that are 35 to 70 % busy at the peak; return how many are."""
    cell = build_cell(scenario, "main", scale=1.0)
    load = dict.fromkeys(scenario.services, 0.0)
    for step, per_session in zip(trees, visits, strict=True):
        for group in cell.exchanges(step, None):
            for entry in group:
                for visit in entry.walk():
                    load[visit.service] += sessions_per_s * per_session * visit.mean_hold_s
    for name, erlangs in load.items():
        servers = max(2, math.ceil(erlangs / rng.uniform(0.35, 0.7)))
        block = shop["services"][name]
        block["stacks"]["main"]["instances"] = servers
        block["stacks"]["main"]["zones"] = min(3, servers)
    return load


def rising_plan(scenario: Scenario, per_s: float, seed: int, *, slots: int = SLOTS) -> LoadPlan:
    """Return a plan whose load rises to `per_s` session starts a wall second and falls again."""
    lead_in = 3
    slots += lead_in
    shape = 0.35 + 0.65 * np.sin(np.pi * np.arange(slots) / slots) ** 2
    mean = np.broadcast_to(shape * per_s * SLOT_S / SPEED, (1, len(scenario.journeys), slots))
    steps = np.zeros((1, len(scenario.steps), slots))
    return LoadPlan(
        grid=TimeGrid(scenario.history.until, slots),
        lead_in=lead_in,
        regions=scenario.region_names,
        steps=scenario.step_names,
        journeys=tuple(scenario.journeys),
        starts=mean * SPEED,
        forecast=steps,
        caused=steps,
        played=Seed(seed).stream("counts").poisson(mean),
        half_life_slots={},
        speed=SPEED,
        scale=1.0,
        quantile=0.5,
        seed=Seed(seed),
        nominal={"main": nominal_response(scenario, build_cell(scenario, "main", scale=1.0))},
    )


def _of(service: str, **fields: Any) -> dict[str, Any]:
    return {"services": {service: fields}}


def _servers(service: str, number: int) -> dict[str, Any]:
    return _of(service, stacks={"main": {"instances": number, "zones": min(3, number)}})


def _needed(kind: Kind, system: RandomSystem, name: str) -> dict[str, Any] | None:
    """Return what a service must be declared to have for a fault of a kind to be felt; None: it cannot be."""
    too_few = int(0.9 * system.load[name])
    servers = system.data["services"][name]["stacks"]["main"]["instances"]
    if kind in ("unbounded_queue", "more_retries") and too_few < 1:
        return None
    if kind == "unbounded_queue":
        return merged(_servers(name, too_few), _of(name, queue_per_server=5, timeout="10s"))
    if kind == "more_retries":
        return merged(_servers(name, too_few), _of(name, retry={"attempts": 1, "backoff": "50ms"}))
    if kind == "contention":
        return merged(_servers(name, math.ceil(servers / 4)), _of(name, servers_per_instance=4))
    if kind == "cache_cold":
        return _of(name, cache={"keys": 20000, "entries": 8000, "skew": 0.9})
    if kind == "pool_too_small":
        return _of(name, pool={"connections": 2 * servers})
    if kind == "autoscaling_late":
        begins = round(0.8 * system.load[name])
        scale = {"target": 0.5, "interval": "3s", "delay": "4s", "max_factor": 6}
        return merged(_servers(name, begins), _of(name, autoscale=scale)) if begins >= 2 else None
    return {}


def faulty_system(folder: Path, number: int, kind: Kind) -> tuple[RandomSystem, Fault, Scenario]:
    """Return a random system as declared, a fault of a kind in it that is felt, and the system as it really is."""
    for attempt in range(200):
        system = random_system(folder, number + 10_000 * attempt)
        rng = Seed(number).stream("fault", kind, str(attempt))
        names = list(system.data["services"])
        name = names[int(rng.integers(0, len(names)))]
        needed = _needed(kind, system, name)
        if needed is None:
            continue
        scenario = system.changed(needed)
        fault = plant(scenario, "main", name, kind, rng)
        if fault is not None and is_felt(scenario, system.plan, fault, Seed(77)):
            declared = replace(system, data=merged(system.data, needed), scenario=scenario)
            return declared, fault, fault.planted(scenario)
    raise AssertionError(f"no system can have {kind}")
