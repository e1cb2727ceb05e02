"""Small scenarios for tests: a shop in plain data, changed where a test needs it, and its plans."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gameday.forecast import Demand
from gameday.forecast.data.crowds import crowds_of
from gameday.forecast.forecast import event_spans
from gameday.forecast.uncertainty.error_correlation import ErrorCorrelation
from gameday.queueing import build_cell
from gameday.scenario import Scenario, load_scenario
from gameday.traffic import LoadPlan
from gameday.traffic.plan.nominal import nominal_response
from gameday.vocabulary import SLOT_S, Array, Seed, TimeGrid

__all__ = [
    "black_box",
    "desk",
    "flat_demand",
    "flat_plan",
    "load_small",
    "merged",
    "service",
    "small_shop",
]


def service(mean: str, **changes: Any) -> dict[str, Any]:
    """Return a service with exponential work; `servers` of them in stack `main`."""
    servers = changes.pop("servers", 8)
    return {
        "stacks": {"main": {"instances": servers, "zones": 1, "instance": "box"}},
        "servers_per_instance": 1,
        "queue_per_server": 50,
        "time": {"law": "exponential", "mean": mean},
        "timeout": "30s",
    } | changes


def small_shop() -> dict[str, Any]:
    """Return one region, three steps and three services, with a past of 75 days."""
    return {
        "event": {"name": "small", "kind": "sale", "start": "2026-03-10T00:00", "duration": "48h"},
        "regions": {"eu": {"zone": "Europe/Berlin", "stack": "main"}},
        "history": {
            "until": "2026-03-01T00:00Z",
            "synthetic": {
                "days": 75,
                "sessions_per_day": {"eu": 400_000},
                "journeys": {"shopper": 1.0},
            },
        },
        "journeys": {
            "shopper": {
                "start": {"home": 1.0},
                "next": {
                    "home": {"product": 0.7, "exit": 0.3},
                    "product": {"product": 0.3, "checkout": 0.2, "exit": 0.5},
                    "checkout": {"exit": 1.0},
                },
                "think": {"other": "15s"},
                "patience": "8s",
            },
        },
        "steps": {
            "home": {"exchanges": [{"path": "/"}]},
            "product": {
                "exchanges": [
                    {"path": "/product/{product}", "calls": ["stock"], "action": "product"}
                ],
            },
            "checkout": {
                "exchanges": [
                    {
                        "method": "POST",
                        "path": "/checkout",
                        "calls": ["stock", "pay"],
                        "check": {"status": [201], "sold_out": 409},
                        "action": "place_order",
                    }
                ],
            },
        },
        "services": {
            "edge": service("3ms", servers=200),
            "stock": service("10ms", servers=100),
            "pay": service("40ms", servers=100),
        },
        "observe": {"series": {"in_use": "shop_in_use"}},
        "objectives": [],
        "capacity": {"instances": {"box": {"hourly_usd": 0.1, "vcpu": 1}}},
    }


def desk(**changes: Any) -> dict[str, Any]:
    """Return a shop of one step at one service `desk`: a queue as in a book."""
    shop = small_shop()
    shop["journeys"] = {
        "visitor": {
            "start": {"hit": 1.0},
            "next": {"hit": {"exit": 1.0}},
            "think": {"other": "1s"},
            "patience": "100s",
        },
    }
    shop["history"]["synthetic"]["journeys"] = {"visitor": 1.0}
    shop["steps"] = {"hit": {"entry": "desk", "exchanges": [{"path": "/"}]}}
    shop["services"] = {"desk": service(changes.pop("mean", "100ms"), **changes)}
    return shop


def merged(shop: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `shop` with `changes` written over it, mappings merged, laws of time apart."""
    out = deepcopy(shop)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict) and "law" not in value
        out[key] = merged(out[key], value) if both else value
    return out


def load_small(
    folder: Path, shop: dict[str, Any], changes: dict[str, Any] | None = None
) -> Scenario:
    """Return the scenario, read by the front door from a file in `folder`.

    A change leaves rows behind that its journey no longer comes to: they go.
    """
    file, data = folder / "small.yaml", merged(shop, changes or {})
    for journey in data["journeys"].values():
        seen, fresh = set[str](), {step for step, chance in journey["start"].items() if chance > 0}
        while fresh:
            seen |= fresh
            rows = (journey["next"].get(step, {}) for step in fresh)
            fresh = {to for row in rows for to, chance in row.items() if chance > 0} - seen
        journey["next"] = {step: row for step, row in journey["next"].items() if step in seen}
    file.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return load_scenario(str(file))


def flat_demand(scenario: Scenario, per_minute: Array, **changes: Any) -> Demand:
    """Return a demand by hand: `per_minute` steps, shape (regions, steps, slots); where its minutes do not
    hold the scenario's event, all of them are the event."""
    grid = TimeGrid(datetime(2026, 3, 9, 20, tzinfo=UTC), per_minute.shape[2])
    spans = event_spans(scenario, grid)
    if not all(0 <= first < last <= grid.slots for first, last in spans):
        spans = ((0, grid.slots),) * len(spans)
    fields: dict[str, Any] = {
        "grid": grid,
        "regions": scenario.region_names,
        "steps": scenario.step_names,
        "median": per_minute,
        "mean": per_minute,
        "marginal": {0.5: per_minute},
        "error_correlation": ErrorCorrelation((), np.zeros(per_minute.shape[:2])),
        "event_log_effect": np.zeros_like(per_minute),
        "strength_sigma": 0.15,
        "past_events": 1,
        "launches": crowds_of(scenario, grid, []),
        "backtest_wape": 0.1,
        "benchmark": (),
        "notes": (),
        "smooth": per_minute,
        "peaks": {},
        "spans": spans,
    }
    return Demand(**(fields | changes))


def flat_plan(
    scenario: Scenario,
    per_s: float,
    *,
    slots: int = 4,
    seed: int = 1,
    speed: float = 1.0,
    scale: float = 1.0,
    lead_in: int = 0,
) -> LoadPlan:
    """Return a plan by hand: Poisson session starts at `per_s` a wall second in every journey."""
    shape = (len(scenario.regions), len(scenario.journeys), slots)
    mean = np.full(shape, per_s * SLOT_S / speed)
    steps = np.zeros((shape[0], len(scenario.steps), slots))
    return LoadPlan(
        grid=TimeGrid(datetime(2026, 3, 10, tzinfo=UTC), slots),
        lead_in=lead_in,
        regions=scenario.region_names,
        steps=scenario.step_names,
        journeys=tuple(scenario.journeys),
        starts=mean * speed / scale,
        forecast=steps,
        caused=steps,
        played=Seed(seed).stream("test").poisson(mean),
        half_life_slots={
            name: (scenario.launches[journey.launch].half_life or 0) / SLOT_S
            for name, journey in scenario.journeys.items()
            if journey.launch
        },
        speed=speed,
        scale=scale,
        quantile=0.5,
        seed=Seed(seed),
        nominal={
            stack: nominal_response(scenario, build_cell(scenario, stack, scale=scale))
            for stack in scenario.stack_names
        },
    )


def black_box(shop: dict[str, Any]) -> dict[str, Any]:
    """Return a shop without its services: nothing is known but its pages."""
    box = {
        key: value for key, value in shop.items() if key not in ("services", "observe", "capacity")
    }
    for step in box["steps"].values():
        for exchange in step["exchanges"]:
            exchange.pop("calls", None)
    return box
