"""A launch played by swarm and model: the same customers wait, come at the minute, are turned away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.queueing.limited_sales import DONE, WAITING, Sale, build_sales
from gameday.record.run_record import STEPS, RunRecord
from gameday.scenario import Scenario
from gameday.simulate.reference.engine import run_reference
from gameday.traffic import LoadPlan
from gameday.vocabulary import Clock, Seed
from tests.support.small_shop import flat_plan, load_small, service, small_shop
from tests.support.small_stage import recorded
from tests.support.virtual_customers import Answer, Asked, Target, play

SLOTS, SPEED = 12, 20.0
TOLD = {DONE: 200, WAITING: 425, "sold_out": 409}


def fair(folder: Path, **launch: Any) -> Scenario:
    """Return a shop with a launch at the fifth minute; nothing in it takes a random time."""
    told = {"sold_out": 409, "wait": {"status": [425]}}
    look = {
        "path": "/look/{product}",
        "action": "product",
        "check": {"wait": {"body_contains": "not yet"}},
    }
    shop: dict[str, Any] = small_shop()
    shop["services"] = {
        "edge": service("20ms", servers=4000, time={"law": "deterministic", "mean": "20ms"})
    }
    shop["steps"] = {
        "look": {"exchanges": [{"path": "/any/{product}", "action": "product"}]},
        "cart": {
            "exchanges": [
                {"path": "/cart", "method": "POST", "action": "add_to_cart", "check": told}
            ]
        },
        "buy": {
            "exchanges": [
                {"path": "/buy", "method": "POST", "action": "place_order", "check": told}
            ]
        },
    }
    refresh = {"again": 0.9, "after": "8s", "most": 200}
    walk = {
        "start": {"look": 1.0},
        "think": {"other": "6s"},
        "patience": "9s",
        "next": {
            "look": {"cart": 0.8, "exit": 0.2},
            "cart": {"cart": 0.3, "buy": 0.7},
            "buy": {"exit": 1.0},
        },
    }
    shop["journeys"] = {
        "fan": walk
        | {"launch": "drop", "on_waiting": refresh, "on_sold_out": {"again": 0.3, "after": "5s"}},
        "shopper": walk,
    }
    shop["products"] = {
        "box": {"share": {"eu": 0.1}, "exchanges": {"look": [look]}},
        "book": {"share": {"eu": 0.9}},
    }
    shop["launches"] = {
        "drop": {
            "product": "box",
            "at": {"eu": "2026-03-10T01:05"},
            "crowd": {"eu": 10},
            "half_life": "2m",
            "stock": {"eu": 2000},
        }
        | launch
    }
    return load_small(folder, shop)


def crowd(scenario: Scenario) -> LoadPlan:
    """Return a plan in which as many fans come each minute, from the first on."""
    plan = flat_plan(scenario, 12.0, slots=SLOTS, speed=SPEED)
    return replace(plan, half_life_slots={})


class Shop:
    """Answers by the sale's own rules, each request after 20 ms."""

    def __init__(self, scenario: Scenario, plan: LoadPlan) -> None:
        self.sale = build_sales(
            scenario,
            "main",
            Clock(plan.speed, plan.scale),
            window_start=plan.window.start,
        )["box"]
        self.carts: dict[int, int] = {}
        self.target = Target(self.answer)

    def answer(self, asked: Asked) -> Answer:
        is_box, now = "box" in asked.path or asked.session in self.carts, asked.at_s + 0.02
        if asked.step == "look":
            if "box" in asked.path:
                self.carts.setdefault(asked.session, 0)
            is_shut = is_box and not self.sale.is_open(now)
            return Answer(body=b"not yet" if is_shut else b"buy", seconds=0.02)
        if not is_box:
            return Answer(seconds=0.02)
        held = self.carts[asked.session]
        if asked.step == "cart":
            told = self.sale.put_in_cart(now, held)
            self.carts[asked.session] = self.sale.cart_with(held) if told == DONE else held
        else:
            told = self.sale.order(now, held or 1)
            self.carts[asked.session] = 0 if told == DONE else held
        return Answer(TOLD[told], seconds=0.02)


def counted(record: RunRecord) -> dict[str, np.ndarray[Any, Any]]:
    """Return each count of steps by step and slot."""
    return {what: record.step_counts[0, :, i] for i, what in enumerate(STEPS)}


@pytest.mark.parametrize(
    "launch",
    [
        {},
        {"countdown": "20s"},
        {"per_customer": 1},
        {"admits": {"eu": 200}},
        {"countdown": "10s", "admits": {"eu": 150}, "per_customer": 2},
    ],
    ids=str,
)
def test_swarm_and_model_tell_the_same_customers_the_same(
    tmp_path: Path, launch: dict[str, Any]
) -> None:
    scenario = fair(tmp_path, **launch)
    plan = crowd(scenario)
    shop = Shop(scenario, plan)
    played = recorded(scenario, plan, play(scenario, plan, shop.target))
    modelled = run_reference(scenario, plan, "main", seed=Seed(3))
    assert played.imbalances() == modelled.imbalances() == []
    seen, said = counted(played), counted(modelled)
    assert said["waiting"].sum() > 100
    for what in (
        "planned",
        "done",
        "waiting",
        "sold_out",
        "extra",
        "after_waiting",
        "after_sold_out",
    ):
        np.testing.assert_allclose(
            seen[what].sum(axis=1), said[what].sum(axis=1), rtol=0.02, atol=4, err_msg=what
        )
    assert set(played.sold_out) == set(modelled.sold_out)
    for key, at_s in modelled.sold_out.items():
        assert played.sold_out[key] == pytest.approx(at_s, abs=0.3)


@pytest.mark.parametrize("countdown", ["5s", "40s"])
def test_who_was_told_to_wait_is_back_evenly_from_the_minute_on(
    tmp_path: Path, countdown: str
) -> None:
    scenario = fair(tmp_path, countdown=countdown, stock={"eu": 10**6})
    plan = crowd(scenario)
    shop = Shop(scenario, plan)
    play(scenario, plan, shop.target)
    opens = 5 * 60 / SPEED
    again = np.array([a.at_s for a in shop.target.asked if a.tries == 1 and a.step == "look"])
    wait_s = float(countdown[:-1]) / SPEED
    assert len(again) > 100
    assert again.min() >= opens
    assert again.max() <= opens + wait_s + 0.02
    assert np.mean(again - opens) == pytest.approx(wait_s / 2, rel=0.15)


def test_nobody_waits_once_it_is_released(tmp_path: Path) -> None:
    scenario = fair(tmp_path, at={"eu": "2026-03-10T00:05"})
    record = run_reference(scenario, crowd(scenario), "main", seed=Seed(3))
    assert counted(record)["waiting"].sum() == 0


@pytest.mark.nightly
def test_more_stock_never_sells_out_earlier_in_the_model(tmp_path: Path) -> None:
    gone = []
    for units in (200, 1000, 2000, 4000, 8000, 10**6):
        scenario = fair(tmp_path, stock={"eu": units})
        record = run_reference(scenario, crowd(scenario), "main", seed=Seed(3))
        gone.append(record.sold_out.get(("main", "box"), np.inf))
    assert gone == sorted(gone)
    assert 15.0 <= gone[0] < 18.0  # released in the fifth minute of three seconds each
    assert gone[-1] == np.inf


def test_the_stock_that_is_sold_is_the_sale_s(tmp_path: Path) -> None:
    scenario = fair(tmp_path)
    plan = crowd(scenario)
    [sale] = build_sales(scenario, "main", Clock(SPEED)).values()
    assert isinstance(sale, Sale)
    assert sale.left == 100
    shop = Shop(scenario, plan)
    play(scenario, plan, shop.target)
    assert 0 <= shop.sale.left < 4
