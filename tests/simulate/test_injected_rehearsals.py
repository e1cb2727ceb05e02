"""Whatever is injected into a rehearsal, it is played, told, drawn and written as JSON."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gameday.cli.texts.rehearsal_text import drawn, say
from gameday.errors import UsageError
from gameday.forecast import Demand
from gameday.jobs.rehearsal import Rehearsal
from gameday.jobs.rehearse import RehearsalOrder, _Model
from gameday.live import Show
from gameday.products import to_json
from gameday.report import render_rehearsal
from gameday.scenario import Scenario
from gameday.traffic import ReplayOptions
from gameday.vocabulary import Seed
from tests.support.small_shop import flat_demand, load_small, merged, small_shop

ONE = {"instances": 1, "zones": 1, "instance": "box"}
ZONED = {"instances": 5, "zones": 3, "instance": "box"}

KINDS = st.sampled_from(
    [
        "zone us-a lost",
        "zone us-c lost",
        "1 instances of stock lost",
        "2 instances of stock in us lost",
        "pay slowed 3x",
        "pay in us slowed 1.5x",
        "pay down",
        "stock in main down",
        "edge in us down",
        "cache of stock flushed",
        "cache of stock in us flushed",
        "traffic 2x",
        "traffic 0.1x",
    ]
)
WHEN = st.tuples(st.integers(1, 8), st.one_of(st.none(), st.integers(1, 12)))


@cache
def two_stacks() -> tuple[Scenario, Demand]:
    """Return a shop of two stacks, one in three zones, the other of single servers; and its demand."""
    shop = small_shop()
    shop["regions"]["us"] = {"zone": "America/New_York", "stack": "us"}
    shop["history"]["synthetic"]["sessions_per_day"]["us"] = 40_000
    for service in shop["services"].values():
        service["stacks"] = {"main": {**ONE, "instances": 4}, "us": dict(ZONED)}
    shop["services"]["pay"]["stacks"]["main"] = dict(ONE)
    cached = {"services": {"stock": {"cache": {"entries": 50, "keys": 500}}}}
    shop = merged(shop, {"objectives": ["p99 of checkout < 300ms", "utilisation of pay < 80%"]})
    with tempfile.TemporaryDirectory() as folder:
        scenario = load_small(Path(folder), merged(shop, cached))
    per_minute = np.full((2, len(scenario.step_names), 30), 60.0)
    per_minute[:, 1:] *= np.array([0.7, 0.14])[None, :, None]
    return scenario, flat_demand(scenario, per_minute)


def rehearsed(texts: list[str], window: str, scale: float, folder: Path) -> Rehearsal:
    """Return what a rehearsal says with these injected, once it was told and drawn."""
    scenario, demand = two_stacks()
    order = RehearsalOrder(
        event="small",
        seed=Seed(1),
        asked=ReplayOptions(window, 1.0, None, scale, None),
        inject=tuple(texts),
        replications=2,
        workers=1,
        budget_s=1.0,
    )
    model = _Model.of(order, scenario, demand, Show(quiet=True))
    result = model.as_it_is(model.play("as it is", scenario, model.plan))
    say(result)
    told = to_json(result, schema_version=3) | {"drawn": drawn(result)}
    render_rehearsal(told, folder / "page.html")
    json.dumps(told, allow_nan=False)
    return result


def test_a_zone_of_one_stack_lost_leaves_the_other_stack_without_a_recovery(tmp_path: Path) -> None:
    window = "2026-03-09T20:10+00:00/2026-03-09T20:18+00:00"
    result = rehearsed(["zone us-a lost at +1m for 3m"], window, 1.0, tmp_path)
    assert set(result.recovery or {}) == {"us"}
    assert "Injected: zone us-a lost at +1m for 3m" in (tmp_path / "page.html").read_text()


FILES = count()


def any_injections(examples: int) -> Any:
    """Return a decorator that draws injections, a window that may cut them, and a scale."""
    drawn_from = given(
        parts=st.lists(st.tuples(KINDS, WHEN), min_size=1, max_size=3),
        minutes=st.integers(2, 15),
        scale=st.sampled_from([0.03, 0.2, 1.0]),
    )
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    limits = settings(
        deadline=None,
        max_examples=examples,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=quiet,
    )
    return lambda test: limits(drawn_from(test))


@any_injections(3)
def test_any_injections_that_are_accepted_are_played_told_and_drawn(
    parts: list[tuple[str, tuple[int, int | None]]], minutes: int, scale: float, tmp_path: Path
) -> None:
    assert_played(parts, minutes, scale, tmp_path)


@pytest.mark.nightly
@any_injections(80)
def test_very_many_injections_that_are_accepted_are_played_told_and_drawn(
    parts: list[tuple[str, tuple[int, int | None]]], minutes: int, scale: float, tmp_path: Path
) -> None:
    assert_played(parts, minutes, scale, tmp_path)


def assert_played(
    parts: list[tuple[str, tuple[int, int | None]]], minutes: int, scale: float, tmp_path: Path
) -> None:
    texts = [
        f"{what} at +{at}m" + (f" for {lasts}m" if lasts and "flushed" not in what else "")
        for what, (at, lasts) in parts
    ]
    window = f"2026-03-09T20:10+00:00/2026-03-09T20:{10 + minutes}+00:00"
    folder = tmp_path / str(next(FILES))
    with suppress(UsageError):  # such as two at one time
        assert set(rehearsed(texts, window, scale, folder).recovery or {}) <= {"main", "us"}
