"""Models from outside as members: the best wins its weight, a silent one is left out, and that is said."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gameday.errors import HistoryError, ScenarioError
from gameday.forecast import fit, model_notes
from gameday.forecast.forecast import Fitted
from gameday.forecast.rivals import RIVALS
from gameday.forecast.rivals.median_weeks import MedianWeeks
from gameday.history import History, read_history
from gameday.scenario import Scenario
from gameday.vocabulary import Array, Seed
from tests.support.small_shop import load_small, small_shop

DAYS, ORIGINS = 56, 16
"""Days of the past, and the origins at the beginnings of its last ones."""
STEP = "home"


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAMEDAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def shop_with(folder: Path, members: dict[str, Any]) -> Scenario:
    """Return the small shop, its forecast two days ahead, with members from outside."""
    return load_small(
        folder,
        small_shop(),
        {
            "event": {
                "name": "sale",
                "kind": "sale",
                "start": "2026-03-02T00:00",
                "duration": "12h",
            },
            "history": {"synthetic": {"days": DAYS, "robots_per_year": 0, "outages_per_year": 0}},
            "forecast": {"members": members},
        },
    )


def days_that_jump(past: History) -> History:
    """Return a past whose days' levels nobody can foresee who has not been told them."""
    rng = np.random.default_rng(7)
    level = np.repeat(np.exp(rng.normal(0, 0.5, past.grid.slots // 1440 + 1)), 1440)
    counts = np.round(past.counts * level[: past.grid.slots])
    return History(
        past.grid, past.regions, past.steps, counts.astype(np.float32), "jumps", "0" * 64
    )


def said_of(past: History, scenario: Scenario, every_min: int = 15) -> pd.DataFrame:
    """Return what a model that knows the hours of the week to come says from each day's beginning."""
    first, rows = past.grid.epoch_min, []
    last = int(scenario.history.until.timestamp() // 60)
    for origin in range(last - (ORIGINS - 1) * 1440, last + 1, 1440):
        times = np.arange(origin, origin + 6 * 1440, every_min)
        for region, name in enumerate(past.regions):
            for step, called in enumerate(past.steps):
                counts = _totals(past.counts[region, step], times - first, every_min)
                rows.append(
                    pd.DataFrame(
                        {
                            "origin": pd.to_datetime(origin, unit="m", utc=True),
                            "time": pd.to_datetime(times, unit="m", utc=True),
                            "region": name,
                            "step": called,
                            "count": counts,
                        }
                    )
                )
    return pd.concat(rows, ignore_index=True)


def _totals(counts: Array, begins: Array, minutes: int) -> Array:
    """Return totals of hours' means: what a model that smooths an hour would say; beyond the past the last."""
    hour = counts[: len(counts) // 60 * 60].reshape(-1, 60).mean(axis=1)
    return np.asarray(hour[np.minimum(begins // 60, len(hour) - 1)] * minutes)


def fitted_with(past: History, scenario: Scenario, table: pd.DataFrame | None, name: str) -> Fitted:
    """Return the models of the past; `table` is the member's file."""
    if table is not None:
        table.to_parquet(scenario.forecast.members[name].file)
    members = read_history(scenario, file=None, seed=Seed(1)).members
    return fit(scenario, replace(past, members=members))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, History, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("told")
    (folder / "oracle.parquet").touch()
    scenario = shop_with(folder, {"oracle": {"file": "oracle.parquet"}})
    past = days_that_jump(read_plain(folder))
    return scenario, past, said_of(past, scenario)


def read_plain(folder: Path) -> History:
    (folder / "plain").mkdir()
    return read_history(shop_with(folder / "plain", {}), file=None, seed=Seed(1))


def notes_of(scenario: Scenario, fitted: Fitted) -> list[str]:
    return model_notes(scenario, fitted.known, fitted.models, fitted.masked)


def share_of(fitted: Fitted, name: str) -> Array:
    """Return a member's weight, by step, of the first region."""
    model = fitted.models[0]
    return np.asarray(model.blend.weights[model.members.index(name)])


def test_a_member_that_is_always_best_wins_its_weight(
    told: tuple[Scenario, History, pd.DataFrame],
) -> None:
    scenario, past, table = told
    fitted = fitted_with(past, scenario, table, "oracle")
    assert (share_of(fitted, "oracle") > 0.7).all()
    blend = fitted.models[0].blend
    assert (np.abs(blend.weights.sum(axis=0) - 1) < 1e-9).all()


def test_a_member_that_said_nothing_last_is_left_out_and_said(
    told: tuple[Scenario, History, pd.DataFrame],
) -> None:
    scenario, past, table = told
    early = table[table["origin"] < table["origin"].max() - pd.Timedelta(days=5)]
    fitted = fitted_with(past, scenario, early, "oracle")
    assert (share_of(fitted, "oracle") == 0).all()
    assert any("'oracle' said nothing" in note for note in notes_of(scenario, fitted))
    counts = fitted.models[0].blend.counts(past.grid.epoch_min + past.grid.slots + np.arange(60.0))
    assert np.isfinite(counts).all()


def test_one_who_says_nothing_of_a_step_is_left_out_of_that_one_alone(
    told: tuple[Scenario, History, pd.DataFrame],
) -> None:
    scenario, past, table = told
    holes = table.assign(count=table["count"].where(table["step"] != STEP))
    share = share_of(fitted_with(past, scenario, holes, "oracle"), "oracle")
    number = scenario.step_names.index(STEP)
    assert share[number] == 0
    assert (np.delete(share, number) > 0.5).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": -1}, "row 1: count: must be 0 or more"),
        ({"step": "hom"}, "unknown 'hom'; did you mean 'home'"),
        ({"time": "soon"}, "time"),
    ],
)
def test_a_file_that_is_unsound_is_refused_with_its_row(
    change: dict[str, Any], said: str, told: tuple[Scenario, History, pd.DataFrame], tmp_path: Path
) -> None:
    _, _, table = told
    (tmp_path / "bad.csv").touch()
    scenario = shop_with(tmp_path, {"bad": {"file": "bad.csv"}})
    table.head(50).assign(**change).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(HistoryError, match=said):
        read_history(scenario, file=None, seed=Seed(1))


def test_a_file_that_is_not_there_and_a_library_nobody_knows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"forecast.members.a.file: no such file: a.csv"):
        shop_with(tmp_path, {"a": {"file": "a.csv"}})
    with pytest.raises(
        ScenarioError, match=r"needs a `file`, or must be one of lightgbm, statsforecast"
    ):
        shop_with(tmp_path, {"prophet": {}})


@pytest.mark.parametrize("package", [None, "no_such_package"])
def test_a_library_is_a_member_where_it_is_installed_and_else_said_to_be_missing(
    package: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MedianWeeks()
    monkeypatch.setattr(model, "name", "lightgbm", raising=False)
    monkeypatch.setattr(model, "package", package, raising=False)
    monkeypatch.setitem(RIVALS, "lightgbm", model)
    scenario = shop_with(tmp_path, {"lightgbm": {}})
    fitted = fit(scenario, read_history(scenario, file=None, seed=Seed(1)))
    is_here = package is None
    assert ("lightgbm" in fitted.models[0].members) == is_here
    assert any("'lightgbm' is left out" in n for n in notes_of(scenario, fitted)) != is_here


@pytest.mark.nightly
@pytest.mark.skipif(find_spec("lightgbm") is None, reason="lightgbm is not installed")
def test_boosted_trees_are_weighed_as_a_member(tmp_path: Path) -> None:
    scenario = shop_with(tmp_path, {"lightgbm": {}})
    fitted = fit(scenario, read_history(scenario, file=None, seed=Seed(1)))
    assert (share_of(fitted, "lightgbm") >= 0).all()
    assert not any("'lightgbm'" in note for note in notes_of(scenario, fitted))
