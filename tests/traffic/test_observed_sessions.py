"""`walks: sessions`: whole observed sessions are played, alike everywhere, and a chain's losses are told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import ScenarioError
from gameday.history.importers import Clickstream, read_clickstream
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading.load import read_scenario
from gameday.traffic import END, Course, Walks
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.journeys import calibrate
from gameday.traffic.journeys.chains import chain_of, length_law
from gameday.vocabulary import Clock, session_keys
from tests.support.small_shop import flat_plan, merged, small_shop

WALKS = {
    "a": [("home", 10.0), ("product", 5.0), ("product", 90.0), ("checkout", 0.0)],
    "b": [("product", 0.0)],
    "c": [("home", 130.0), ("home", 0.0)],
    "d": [("product", 61.0), ("checkout", 2.0), ("product", 0.0)],
}
"""Session -> its steps, each with the pause behind it."""


def write_sessions(folder: Path, name: str = "seen.csv", **changes: Any) -> Path:
    rows = [
        {"journey": "shopper", "session": session, "step": step, "pause_s": pause_s}
        for session, walk in WALKS.items()
        for step, pause_s in walk
    ]
    table = pd.DataFrame(rows).assign(**changes)
    file = folder / name
    if file.suffix == ".csv":
        table.to_csv(file, index=False)
    else:
        table.to_parquet(file)
    return file


def observed_shop(folder: Path, journey: dict[str, Any] | None = None, **top: Any) -> Path:
    shop = merged(small_shop(), top)
    shop["journeys"] = {
        "shopper": {"walks": "sessions", "sessions": "seen.csv", "patience": "8s"} | (journey or {})
    }
    (folder / "small.yaml").write_text(json.dumps(shop, indent=1), encoding="utf-8")
    return folder / "small.yaml"


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    write_sessions(tmp_path)
    return load_scenario(str(observed_shop(tmp_path)))


def walk(course: Course, key: int) -> tuple[tuple[str, float], ...]:
    """Return a session's steps, each with the pause behind it, 0 behind the last."""
    steps, out = ("home", "product", "checkout"), list[tuple[str, float]]()
    step = course.first(key)
    while step != END:
        pause_s, following = course.after(key, len(out), step)
        out.append((steps[step], pause_s))
        step = following
    return tuple(out)


def whole(speed: float = 1.0) -> set[tuple[tuple[str, float], ...]]:
    return {
        (*((step, pause_s / speed) for step, pause_s in steps[:-1]), (steps[-1][0], 0.0))
        for steps in WALKS.values()
    }


@pytest.mark.parametrize("speed", [1.0, 20.0])
def test_every_session_that_is_played_is_one_of_those_observed(
    scenario: Scenario, speed: float
) -> None:
    course = Course(scenario.journeys["shopper"], scenario.step_names, Clock(speed))
    played = Counter(walk(course, int(key)) for key in session_keys(7, np.arange(4000)))
    assert set(played) == whole(speed)
    assert min(played.values()) > 1000 - 4 * np.sqrt(750)


def test_many_sessions_at_once_walk_as_each_does_alone(scenario: Scenario) -> None:
    plan = flat_plan(scenario, 2.0, slots=10, seed=3)
    walks, arrivals = Walks(scenario, plan), plan.arrivals()
    counted = walks.planned_steps(arrivals)
    slow = np.zeros_like(counted)
    for session in range(len(arrivals.at_s)):
        for planned in walks.planned(arrivals, session):
            slot = int(planned.at_s // plan.slot_wall_s)
            if slot < slow.shape[2]:
                slow[arrivals.region[session], planned.step, slot] += 1
    np.testing.assert_array_equal(counted, slow)


def test_visits_lengths_and_lags_are_those_of_the_sessions(scenario: Scenario) -> None:
    journey, steps = scenario.journeys["shopper"], scenario.step_names
    np.testing.assert_allclose(journey.visits_per_session(steps), [3 / 4, 5 / 4, 2 / 4])
    np.testing.assert_allclose(length_law(journey, steps), [0, 1 / 4, 1 / 4, 1 / 4, 1 / 4])
    kernel = lag_kernel(journey, steps, dict.fromkeys(steps, 0.0))
    np.testing.assert_allclose(kernel.sum(axis=1), journey.visits_per_session(steps))
    # the second home of c comes 130 s behind the first, its start uniform in its minute
    assert kernel[0] == pytest.approx([2 / 4, 0, (50 / 60) / 4, (10 / 60) / 4], abs=1e-9)
    chain = chain_of(journey, steps, dict.fromkeys(steps, 1.0))
    np.testing.assert_allclose(chain.ever, [2 / 4, 3 / 4, 2 / 4])
    assert chain.mean_s == pytest.approx((105 + 0 + 130 + 63 + 10) / 4)


def test_the_chain_that_is_nearest_stands_beside_the_sessions(scenario: Scenario) -> None:
    journey = scenario.journeys["shopper"]
    assert journey.start == {"home": 0.5, "product": 0.5}
    assert journey.next["product"] == pytest.approx(
        {"product": 1 / 5, "checkout": 2 / 5, "exit": 2 / 5}
    )


def test_a_run_takes_the_sessions_with_it(tmp_path: Path) -> None:
    write_sessions(tmp_path)
    loaded = read_scenario(str(observed_shop(tmp_path)))
    assert loaded.written.journeys["shopper"].sessions.lengths == [4, 1, 2, 3]


@pytest.mark.parametrize(
    ("journey", "top", "says"),
    [
        ({"sessions": "none.csv"}, {}, "journeys.shopper.sessions: there is no such file"),
        ({"start": {"home": 1.0}}, {}, "tells start too: leave it out"),
        ({"walks": "chain"}, {}, "belong together"),
        ({"length": {"steps": [1.0]}}, {}, "leave `length` out"),
        ({"walks": "people"}, {}, "walks"),
        ({}, {"replay": {"conversion_drift": 0.1}}, "cannot drift"),
    ],
)
def test_what_does_not_go_with_observed_sessions_is_refused(
    tmp_path: Path, journey: dict[str, Any], top: dict[str, Any], says: str
) -> None:
    write_sessions(tmp_path)
    with pytest.raises(ScenarioError, match=says):
        load_scenario(str(observed_shop(tmp_path, journey, **top)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"journey": "others"}, "no session of journey 'shopper'"),
        ({"pause_s": -1.0}, "row 1: pause_s must be 0 or more"),
        ({"step": "sofas"}, "unknown step 'sofas'"),
        ({"session": "all", "step": "home"}, "small.yaml"),
    ],
)
def test_a_table_that_holds_none_is_refused(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    write_sessions(tmp_path, **changes)
    file = observed_shop(tmp_path)
    if says == "small.yaml":  # ten steps of one session: as good as any
        assert load_scenario(str(file)).journeys["shopper"].sessions.count == 1
        return
    with pytest.raises(ScenarioError, match=says):
        load_scenario(str(file))


def test_drift_that_a_command_asks_for_is_refused_too(tmp_path: Path) -> None:
    write_sessions(tmp_path)
    with pytest.raises(ScenarioError, match="cannot drift"):
        read_scenario(str(observed_shop(tmp_path)), drift=0.1)


# --- imported -----------------------------------------------------------------------------------


def clicks(folder: Path, sessions: int = 600) -> Path:
    """Write a clickstream whose next step depends on more than the present one.

    Half look at a product, put it in the cart and buy it; half put one in the cart, look at three more and buy.
    """
    rng = np.random.default_rng(2)
    rows = []
    for session in range(sessions):
        walk = (
            ("home", "product", "cart", "checkout")
            if rng.random() < 0.5
            else ("home", "cart", "product", "product", "product", "checkout")
        )
        at_s = 1_780_000_000 + 97.0 * session
        for step in walk:
            rows.append((at_s, step, session))
            at_s += rng.exponential(12.0)
    file = folder / "clicks.csv"
    pd.DataFrame(rows, columns=["event_time", "event_type", "user_session"]).to_csv(
        file, index=False
    )
    return file


def test_what_a_chain_loses_of_sessions_is_told(tmp_path: Path) -> None:
    how = Clickstream(user=None, category=None)
    losses = calibrate(read_clickstream(clicks(tmp_path), how)).losses
    assert losses.again["product"].seen == pytest.approx(0.5, abs=0.06)
    assert losses.again["product"].told < losses.again["product"].seen - 0.01
    assert losses.by_two_before > 5 * losses.by_chance
    assert losses.empty_cart.seen == 0.0
    assert losses.empty_cart.told > 0.05


def test_sessions_are_imported_and_played_back(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["history", "import", "--clickstream", str(clicks(tmp_path)), "--out", "j.yaml"]
    said = CliRunner().invoke(app, [*arguments, "--walks", "sessions"], catch_exceptions=False)
    assert "which are played whole" in said.output
    shop = small_shop()
    shop["steps"]["cart"] = {"exchanges": [{"method": "POST", "path": "/cart"}]}
    shop["history"]["synthetic"]["journeys"] = {"buyer": 1.0}
    del shop["journeys"]
    (tmp_path / "shop.yaml").write_text(json.dumps(shop | {"include": ["j.yaml"]}))
    scenario = load_scenario("shop.yaml")
    buyer = scenario.journeys["buyer"].sessions
    names = np.array(buyer.steps)[np.array(buyer.step)]
    walks = {tuple(walk.tolist()) for walk in np.split(names, buyer.firsts[1:-1])}
    assert walks == {
        ("home", "product", "cart", "checkout"),
        ("home", "cart", "product", "product", "product", "checkout"),
    }


def test_a_word_that_is_no_kind_of_walk_is_refused(tmp_path: Path) -> None:
    from gameday.errors import UsageError

    with pytest.raises(UsageError, match="must be chain or sessions"):
        CliRunner().invoke(
            app,
            ["history", "import", "--clickstream", "x.csv", "--walks", "some"],
            catch_exceptions=False,
        )
