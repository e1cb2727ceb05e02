"""What past launches say: one decay for all, each its own size."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from gameday.errors import HistoryError
from gameday.forecast.data.crowds import crowd_notes
from gameday.forecast.data.launches import learn_launches
from gameday.forecast.forecast import demand_grid, forecast_demand, models_of
from gameday.history import History, read_history
from gameday.scenario import Scenario
from gameday.vocabulary import Seed
from tests.support.small_shop import load_small, small_shop

PAST = [
    {
        "name": "phone",
        "kind": "launch",
        "start": "2026-01-14T18:00",
        "duration": "32m",
        "strength": 0.5,
    },
    {
        "name": "watch",
        "kind": "launch",
        "start": "2026-02-11T12:00",
        "duration": "32m",
        "strength": 1.0,
    },
]
DROP = {
    "product": "console",
    "at": {"eu": "2026-03-10T18:00"},
    "crowd": {"eu": 30_000},
    "stock": {"eu": 5_000},
    "half_life": "4m",
}
FAN = {
    "launch": "drop",
    "start": {"product": 1.0},
    "think": {"other": "5s"},
    "patience": "8s",
    "next": {"product": {"checkout": 0.5, "exit": 0.5}, "checkout": {"exit": 1.0}},
}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    changes = {
        "calendar": {"events": PAST},
        "launches": {"drop": DROP},
        "journeys": {"fan": FAN},
        "products": {"console": {"share": {"eu": 0.0}}, "other": {"share": {"eu": 1.0}}},
        "history": {"synthetic": {"robots_per_year": 0, "outages_per_year": 0}},
    }
    return load_small(tmp_path_factory.mktemp("drop"), small_shop(), changes)


def without_crowds(scenario: Scenario) -> History:
    """Return the past with quiet launches: their strength is nothing."""
    quiet = [e.model_copy(update={"strength": 0.0}) for e in scenario.calendar.events]
    calendar = scenario.calendar.model_copy(update={"events": quiet})
    return read_history(scenario.model_copy(update={"calendar": calendar}), file=None, seed=Seed(3))


def learned(scenario: Scenario, history: History) -> list:  # type: ignore[type-arg]
    grid = demand_grid(scenario)
    models, _ = models_of(scenario, history, grid.epoch_min + grid.slots)
    return learn_launches(scenario, history, models)


@pytest.mark.parametrize(("half_life", "size"), [(3.0, 30_000), (12.0, 60_000)])
def test_past_crowds_tell_how_large_and_how_fast_the_next_one_is(
    scenario: Scenario, half_life: float, size: float
) -> None:
    (lesson,) = learned(scenario, with_past_crowds(scenario, half_life, size))
    assert len(lesson.seen) == 2
    assert lesson.mean == pytest.approx(size, rel=0.1)
    assert lesson.half_life_s == pytest.approx(60 * half_life, rel=0.15)


def with_past_crowds(scenario: Scenario, half_life: float, size: float) -> History:
    """Return the past with the crowds of both launches added to the steps of their journey."""
    history = without_crowds(scenario)
    counts, rng = history.counts.copy(), np.random.default_rng(1)
    minute = np.arange(85)
    share = 0.5 ** (minute / half_life) * (1 - 0.5 ** (1 / half_life))
    for event, start, _ in scenario.occurrences("eu"):
        if event.name in ("phone", "watch"):
            first = history.grid.index_of(start)
            for step, visits in (("product", 1.0), ("checkout", 0.5)):
                row = scenario.step_names.index(step)
                crowd = rng.poisson(visits * event.strength * size * share)
                counts[0, row, first : first + len(minute)] += crowd
    return replace(history, counts=counts)


def undeclared(scenario: Scenario) -> Scenario:
    """Return the scenario without a word of the launch's size and decay."""
    launch = scenario.launches["drop"].model_copy(update={"crowd": {}, "half_life": None})
    return scenario.model_copy(update={"launches": {"drop": launch}})


def test_a_crowd_that_nobody_declares_is_the_past_s(scenario: Scenario) -> None:
    demand = forecast_demand(undeclared(scenario), with_past_crowds(scenario, 6.0, 40_000))
    crowd = demand.launches["drop"]
    assert crowd.starts.sum() == pytest.approx(40_000, rel=0.1)
    assert crowd.half_life_s == pytest.approx(360, rel=0.15)
    assert crowd.past_launches == 2
    assert (
        0.15 < crowd.log_sigma < 0.3
    )  # two that agree halve the prior's variance and a third more
    assert "say" in demand.notes[-1]
    assert "declared" not in demand.notes[-1]


def test_a_crowd_that_neither_is_declared_nor_seen_is_asked_for(scenario: Scenario) -> None:
    with pytest.raises(HistoryError, match=r"launches\.drop\.half_life: not given"):
        forecast_demand(undeclared(scenario), without_crowds(scenario))
    launch = scenario.launches["drop"].model_copy(update={"crowd": {}})
    some = scenario.model_copy(update={"launches": {"drop": launch}})
    with pytest.raises(HistoryError, match=r"launches\.drop\.crowd\.eu: not given"):
        forecast_demand(some, without_crowds(scenario))


def test_a_launch_in_a_gap_or_after_the_past_teaches_nothing(
    scenario: Scenario, tmp_path: Path
) -> None:
    history = without_crowds(scenario)
    counts = history.counts.copy()
    for event, start, _ in scenario.occurrences("eu"):
        first = history.grid.index_of(start)
        if event.name in ("phone", "watch"):
            counts[:, :, first : first + 10] = np.nan
    assert learned(scenario, replace(history, counts=counts)) == []
    early = history.known_before(history.grid.start + timedelta(days=20))
    assert learned(scenario, early) == []


def test_a_launch_that_no_journey_plays_is_said_to_be_in_no_number(scenario: Scenario) -> None:
    plain = {name: j for name, j in scenario.journeys.items() if j.launch is None}
    alone = scenario.model_copy(update={"journeys": plain})
    said = "launch drop: no journey plays it, so its crowd is in no number"
    assert not [note for note in crowd_notes(scenario, []) if note.startswith(said)]
    assert len([note for note in crowd_notes(alone, []) if note.startswith(said)]) == 1
