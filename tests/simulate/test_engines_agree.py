"""The compiled engine is the reference, to the last bit: every counter of every minute."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.record.run_record import RunRecord
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading.injections import parse_injections
from gameday.simulate import RunControl, simulate
from gameday.simulate.compiled import run_compiled
from gameday.simulate.reference.engine import run_reference
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed
from tests.support.small_shop import flat_plan, load_small, small_shop
from tests.support.troubled import injections, troubled_shops

EXAMPLES = int(os.environ.get("EQUAL_SCENARIOS", "8"))
"""`make nightly` asks for 500."""
TABLES = (
    "step_counts",
    "session_counts",
    "attempts",
    "loads",
    "latency",
    "visits",
    "session_delay",
)


def differences(one: RunRecord, other: RunRecord) -> list[str]:
    """Return the tables that differ, and where first."""
    out = []
    for name in TABLES:
        a, b = getattr(one, name), getattr(other, name)
        unlike = np.argwhere(~((a == b) | (np.isnan(a) & np.isnan(b))))
        if len(unlike):
            at = tuple(unlike[0])
            out.append(f"{name}{list(at)}: {a[at]} and {b[at]}, {len(unlike)} places")
    if one.sold_out != other.sold_out:
        out.append(f"sold_out: {one.sold_out} and {other.sold_out}")
    return out


def both(scenario: Scenario, plan: LoadPlan, seed: int) -> tuple[RunRecord, RunRecord]:
    """Return what the reference says of a run, and what the compiled engine says."""
    return (
        run_reference(scenario, plan, "main", seed=Seed(seed)),
        run_compiled(scenario, plan, "main", seed=Seed(seed)),
    )


def _can_happen(scenario: Scenario, text: str) -> bool:
    """Return whether there is an instance to lose, or a cache to flush."""
    words = text.split()
    if words[0] == "cache":
        return scenario.services[words[2]].cache is not None
    return (
        words[1:3] != ["instance", "of"] or scenario.services[words[3]].stacks["main"].instances > 1
    )


@settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    trouble=troubled_shops(),
    per_s=st.sampled_from([0.2, 1.0, 4.0]),
    speed=st.sampled_from([1.0, 3.0, 20.0]),
    scale=st.sampled_from([1.0, 0.3]),
    injected=injections(),
    seed=st.integers(0, 2**64 - 1),
)
def test_random_troubled_shops_are_played_alike(
    tmp_path: Path,
    trouble: dict[str, Any],
    per_s: float,
    speed: float,
    scale: float,
    injected: list[str],
    seed: int,
) -> None:
    scenario = load_small(tmp_path, small_shop(), trouble)
    slots = 2 + int(speed)
    plan = flat_plan(scenario, per_s, slots=slots, seed=seed, speed=speed, scale=scale, lead_in=1)
    told = [text for text in injected if _can_happen(scenario, text)]
    plan = plan.with_injections(parse_injections(told, scenario, 60.0 * (slots - 1)))
    reference, compiled = both(scenario, plan, seed)
    assert reference.imbalances() == []
    assert differences(reference, compiled) == []


def test_a_calm_shop_and_an_empty_one_are_played_alike(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    for per_s in (0.0, 5.0):
        reference, compiled = both(scenario, flat_plan(scenario, per_s, slots=4), 1)
        assert differences(reference, compiled) == []
        assert (reference.attempts[0, :, 0].sum() > 0) == (per_s > 0)


@pytest.mark.parametrize("spacing", ["poisson", "even"])
def test_ties_are_played_alike(spacing: str, tmp_path: Path) -> None:
    """Round times make arrivals, ends of work, time-outs and looks at utilisation fall together."""
    fixed = {"law": "deterministic", "mean": "500ms"}
    scaling = {"target": 0.5, "interval": "5s", "delay": "10s", "max_factor": 3}
    retry = {"attempts": 2, "backoff": "1s"}
    rules: dict[str, Any] = {"time": fixed, "timeout": "1s", "retry": retry, "autoscale": scaling}
    changes = {
        "services": {
            name: rules | {"stacks": {"main": {"instances": 2}}, "queue_per_server": 2}
            for name in ("edge", "stock", "pay")
        },
        "journeys": {"shopper": {"patience": "2s", "think": {"other": "0s"}}},
    }
    scenario = load_small(tmp_path, small_shop(), changes)
    plan = replace(flat_plan(scenario, 2.0, slots=4, speed=1.0), spacing=spacing)
    reference, compiled = both(scenario, plan, 1)
    assert differences(reference, compiled) == []
    assert reference.attempts[0].sum(axis=(0, 2))[[3, 4, 6]].min() > 0, "shed, timed out, orphaned"


def test_a_run_outgrows_the_first_room_and_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_small(tmp_path, small_shop())
    plan = flat_plan(scenario, 20.0, slots=3)
    whole = run_compiled(scenario, plan, "main", seed=Seed(1))
    monkeypatch.setattr("gameday.simulate.compiled.engine._FIRST_ROOM", 128)
    grown = run_compiled(scenario, plan, "main", seed=Seed(1))
    assert differences(whole, grown) == []


def test_arrivals_made_part_by_part_are_played_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_small(tmp_path, small_shop())
    plan = flat_plan(scenario, 3.0, slots=5, lead_in=2)
    whole = plan.arrivals()
    monkeypatch.setattr("gameday.traffic.plan.load_plan._PART_SLOTS", 1)
    assert len(list(plan.arrivals_by_part())) == plan.grid.slots
    assert np.array_equal(plan.arrivals().at_s, whole.at_s)
    reference, compiled = both(scenario, plan, 1)
    assert differences(reference, compiled) == []


@pytest.mark.parametrize("name", ["primeday", "diwali", "console-launch", "black-friday"])
@pytest.mark.parametrize("speed", [1.0, 20.0])
def test_the_bundled_events_are_played_alike(name: str, speed: float) -> None:
    """Their plans made by hand: no forecast, a few sessions of every journey and region."""
    scenario = load_scenario(name)
    plan = flat_plan(scenario, 1.0, slots=3 if speed == 1 else 30, speed=speed, scale=0.005)
    for stack in scenario.stack_names:
        reference = run_reference(scenario, plan, stack, seed=Seed(3))
        compiled = run_compiled(scenario, plan, stack, seed=Seed(3))
        assert differences(reference, compiled) == []
        assert reference.attempts[0, :, 0].sum() > 1000


def test_what_begins_much_at_once_finds_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty calls at once, and hundreds of servers that come in one instant to a long queue."""
    monkeypatch.setattr("gameday.simulate.compiled.engine._FIRST_ROOM", 128)
    scaling = {"target": 0.05, "interval": "5s", "delay": "10s", "max_factor": 20}
    changes = {
        "steps": {"product": {"exchanges": [{"path": "/", "calls": [["stock"] * 60]}]}},
        "services": {
            "stock": {
                "stacks": {"main": {"instances": 30}},
                "queue_per_server": 500,
                "autoscale": scaling,
                "time": {"law": "exponential", "mean": "700ms"},
            }
        },
    }
    scenario = load_small(tmp_path, small_shop(), changes)
    reference, compiled = both(scenario, flat_plan(scenario, 3.0, slots=2), 1)
    assert differences(reference, compiled) == []
    assert compiled.loads[0, 1, 2].max() > 300, "servers"


def test_a_person_may_have_the_reference_play_and_gets_the_same_record(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    plan = flat_plan(scenario, 2.0, slots=3)
    [compiled] = simulate(scenario, plan, seed=Seed(5), control=RunControl(replications=1))
    [reference] = simulate(
        scenario, plan, seed=Seed(5), control=RunControl(replications=1, engine="reference")
    )
    assert differences(compiled, reference) == []
    assert (compiled.source, reference.source) == ("compiled", "simpy")
