"""The made-up past: the same from the same seed, grown as declared, with all a real one has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.errors import HistoryError
from gameday.history import History, read_history
from gameday.scenario import Scenario
from gameday.vocabulary import Seed
from tests.support.small_shop import load_small, merged, small_shop


def past(scenario: Scenario, seed: int = 1) -> History:
    return read_history(scenario, file=None, seed=Seed(seed))


def quiet(folder: Path, **block: Any) -> Scenario:
    """Return the small shop with neither robots nor outages in its past."""
    synthetic = {"robots_per_year": 0, "outages_per_year": 0} | block
    return load_small(folder, small_shop(), {"history": {"synthetic": synthetic}})


def test_the_same_seed_makes_the_same_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load_small(tmp_path, small_shop())
    first = past(scenario)
    monkeypatch.setenv("GAMEDAY_CACHE", str(tmp_path / "another"))
    again = past(scenario)
    np.testing.assert_array_equal(first.counts, again.counts)
    assert first.sha256 == again.sha256


def test_another_seed_makes_another_past(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    one, other = past(scenario, 1), past(scenario, 2)
    assert one.sha256 != other.sha256
    assert (one.counts != other.counts).mean() > 0.5


def test_the_cache_gives_back_what_was_made(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    made = past(scenario)
    [cached] = (tmp_path / "cache").glob("past-*.npy")
    stamp = cached.stat().st_mtime_ns
    read = past(scenario)
    assert cached.stat().st_mtime_ns == stamp
    assert (read.grid, read.sha256, read.source) == (made.grid, made.sha256, made.source)
    np.testing.assert_array_equal(read.counts, made.counts)


@pytest.mark.parametrize("keep", [0, 10, 200, 5000])
def test_a_torn_cache_is_no_cache(tmp_path: Path, keep: int) -> None:
    scenario = load_small(tmp_path, small_shop())
    made = past(scenario)
    [cached] = (tmp_path / "cache").glob("past-*.npy")
    cached.write_bytes(cached.read_bytes()[:keep])
    np.testing.assert_array_equal(past(scenario).counts, made.counts)


def test_a_changed_calendar_is_another_past(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    event = {"name": "old", "kind": "sale", "start": "2026-01-20T00:00", "duration": "24h"}
    changed = load_small(tmp_path, small_shop(), {"calendar": {"events": [event]}})
    assert past(scenario).sha256 != past(changed).sha256


def test_the_past_ends_where_knowledge_ends_and_lasts_as_declared(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    history = past(scenario)
    assert history.grid.end == scenario.history.until
    assert history.grid.slots == 75 * 1440
    assert history.counts.shape == (1, 3, 75 * 1440)
    assert history.counts.min() >= 0


@pytest.mark.parametrize("growth", [0.7, 1.0, 1.5])
def test_the_level_grows_as_declared(tmp_path: Path, growth: float) -> None:
    # A year and two weeks: the same fortnight of two years holds the same season.
    history = past(quiet(tmp_path, days=379, growth_per_year=growth))
    first = float(history.counts[0, 0, : 14 * 1440].mean())
    last = float(history.counts[0, 0, -14 * 1440 :].mean())
    assert last / first == pytest.approx(growth, rel=0.12)


def test_the_level_breaks_where_declared(tmp_path: Path) -> None:
    steady = past(quiet(tmp_path, days=200, growth_per_year=1.0))
    bent = past(
        quiet(
            tmp_path,
            days=200,
            growth_per_year=1.0,
            slope_break={"at": "2026-01-01T00:00Z", "growth_per_year": 4.0},
        )
    )
    ratio = bent.counts[0, 0] / np.maximum(steady.counts[0, 0], 1)
    before = 4.0 ** (-59 / 365.25)
    assert ratio[: 100 * 1440].mean() == pytest.approx(before, rel=0.08)
    assert ratio[-1440:].mean() == pytest.approx(1.0, rel=0.08)


def test_steps_stand_to_one_another_as_the_journey_s_chain_has_them(tmp_path: Path) -> None:
    scenario = quiet(tmp_path)
    visits = scenario.journeys["shopper"].visits_per_session(scenario.step_names)
    daily = past(scenario).counts[0].sum(axis=1) / 75
    np.testing.assert_allclose(daily / daily[0], visits / visits[0], rtol=0.02)
    assert daily[0] == pytest.approx(400_000, rel=0.25)


def test_a_past_sale_lifts_its_hours(tmp_path: Path) -> None:
    event = {"name": "old", "kind": "sale", "start": "2026-02-10T00:00", "duration": "24h"}
    shop = merged(small_shop(), {"calendar": {"events": [event]}})
    calm = {"history": {"synthetic": {"robots_per_year": 0, "outages_per_year": 0}}}
    scenario = load_small(tmp_path, shop, calm)
    history = past(scenario)
    start = history.grid.index_of(scenario.span(scenario.calendar.events[0], "eu")[0])
    sale = history.counts[0, 0, start : start + 1440].sum()
    week_before = history.counts[0, 0, start - 7 * 1440 : start - 6 * 1440].sum()
    assert 2.0 < sale / week_before < 4.0


def launching(folder: Path, crowd: int) -> Scenario:
    past_launch = {"name": "old", "kind": "launch", "start": "2026-02-10T10:00", "duration": "32m"}
    shop = merged(
        small_shop(),
        {
            "calendar": {"events": [past_launch]},
            "products": {"toy": {"share": {"eu": 1.0}}},
            "launches": {
                "drop": {
                    "product": "toy",
                    "at": {"eu": "2026-03-10T12:00"},
                    "crowd": {"eu": crowd},
                    "stock": {"eu": 10},
                    "half_life": "4m",
                }
            },
            "journeys": {
                "fan": {
                    "launch": "drop",
                    "start": {"product": 1.0},
                    "next": {"product": {"exit": 1.0}},
                    "think": {"other": "5s"},
                    "patience": "8s",
                }
            },
        },
    )
    calm = {"history": {"synthetic": {"robots_per_year": 0, "outages_per_year": 0}}}
    return load_small(folder, shop, calm)


def test_a_past_launch_brings_its_crowd_early_and_to_its_own_steps(tmp_path: Path) -> None:
    crowd = 50_000
    with_crowd, without = (past(launching(tmp_path, n)) for n in (crowd, 0))
    extra = with_crowd.counts[0].astype(float) - without.counts[0]
    at = with_crowd.grid.index_of(past_launch_start(launching(tmp_path, crowd)))
    assert extra[1, at : at + 60].sum() == pytest.approx(crowd, rel=0.05)
    first_half_life = extra[1, at : at + 4].sum()
    assert first_half_life == pytest.approx(crowd / 2, rel=0.05)
    assert abs(extra[0, at : at + 60].sum()) < 0.05 * crowd


def past_launch_start(scenario: Scenario) -> Any:
    return scenario.span(scenario.calendar.events[0], "eu")[0]


def test_robots_burst_in_one_step_and_leave_the_others_alone(tmp_path: Path) -> None:
    calm = past(quiet(tmp_path)).counts[0].astype(float)
    bots = past(quiet(tmp_path, robots_per_year=100)).counts[0].astype(float)
    hour = calm[:, : 75 * 1440].reshape(3, -1, 60).sum(axis=2)
    burst = bots.reshape(3, -1, 60).sum(axis=2) > 1.8 * hour
    assert burst.any()
    assert (burst.sum(axis=0) <= 1).mean() > 0.99


def test_an_outage_takes_every_step_of_a_region_to_almost_nothing(tmp_path: Path) -> None:
    calm = past(quiet(tmp_path)).counts[0]
    out = past(quiet(tmp_path, outages_per_year=1)).counts[0]
    gone = (out < 0.1 * calm).all(axis=0) & (calm[0] > 20)
    assert 15 <= gone.sum() <= 90 * 3


def test_a_scenario_that_describes_no_past_is_refused_with_the_flag_to_give(tmp_path: Path) -> None:
    shop = small_shop()
    del shop["history"]["synthetic"]
    with pytest.raises(HistoryError, match="--history FILE"):
        past(load_small(tmp_path, shop))
