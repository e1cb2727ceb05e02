"""An event's total grows with its length as past events' did; else with its length, and that is said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.errors import HistoryError
from gameday.forecast import event_spans, fit, forecast_demand, model_notes
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import TimeGrid
from tests.support.small_shop import load_small, small_shop

STARTS = ("2026-01-13", "2026-01-21", "2026-01-29", "2026-02-06", "2026-02-14")
LIFT = 0.8
"""Log effect of an event of 24 h."""


def shop_of(folder: Path, hours: tuple[int, ...], coming: int, **forecast: Any) -> Scenario:
    """Return the small shop with past events of so many hours, and one to come."""
    events = [
        {"name": f"e{k}", "kind": "sale", "start": f"{day}T00:00", "duration": f"{h}h"}
        for k, (day, h) in enumerate(zip(STARTS, hours, strict=False))
    ]
    folder.mkdir(exist_ok=True)
    return load_small(
        folder,
        small_shop(),
        {
            "event": {
                "name": "big",
                "kind": "sale",
                "start": "2026-03-07T00:00",
                "duration": f"{coming}h",
            },
            "calendar": {"events": events},
            "history": {"synthetic": {"days": 70, "robots_per_year": 0, "outages_per_year": 0}},
            "forecast": forecast,
        },
    )


def past_of(scenario: Scenario, lifts: list[float]) -> History:
    """Return counts of a level day by day with each event's log effect put in."""
    begin = scenario.history.until - timedelta(days=70)
    grid = TimeGrid(begin, 80 * 1440)
    minute = grid.epoch_min + np.arange(grid.slots)
    day = 1 + 0.5 * np.sin(2 * np.pi * minute / 1440)
    log = np.zeros(grid.slots)
    events = [scenario.span(e, "eu") for e in (*scenario.calendar.events, scenario.event)]
    for (start, end), lift in zip(events, lifts, strict=True):
        log[grid.index_of(start) : grid.index_of(end)] = lift
    mean = 200 * day * np.exp(log)
    counts = np.random.default_rng(1).poisson(np.stack([mean] * len(scenario.steps)))
    return History(
        grid, ("eu",), scenario.step_names, counts[None].astype(np.float32), "made up", "0" * 64
    )


def notes_of(scenario: Scenario, past: History) -> list[str]:
    fitted = fit(scenario, past)
    return model_notes(scenario, fitted.known, fitted.models, fitted.masked)


def total_error(scenario: Scenario, past: History) -> float:
    """Return the forecast total of the event over what came, less 1."""
    demand = forecast_demand(scenario, past)
    [(first, last)] = demand.spans
    [(begin, end)] = event_spans(scenario, past.grid)
    return float(demand.mean[0, :, first:last].sum() / past.counts[0, :, begin:end].sum() - 1)


def test_the_elasticity_of_a_total_in_its_length_is_learned_from_events_of_other_lengths(
    tmp_path: Path,
) -> None:
    hours, coming = (12, 24, 36, 12, 30), 48
    scenario = shop_of(tmp_path, hours, coming)
    lifts = [LIFT - 0.4 * np.log(h / 24) for h in (*hours, coming)]
    past = past_of(scenario, lifts)
    assert abs(total_error(scenario, past)) < 0.06
    [note] = [n for n in notes_of(scenario, past) if "to the power" in n]
    # Five events tell it but roughly: it is drawn to 1, the more so the less their lengths differ.
    assert 0.55 < float(note.split("to the power ")[1].split(",")[0]) < 0.85


def test_where_past_events_are_all_as_long_it_is_taken_to_be_1_and_said(tmp_path: Path) -> None:
    scenario = shop_of(tmp_path, (24, 24, 24), 48)
    past = past_of(scenario, [LIFT] * 4)
    assert abs(total_error(scenario, past)) < 0.06
    assert any("elasticity 1" in note for note in notes_of(scenario, past))


def test_nothing_is_said_of_an_event_as_long_as_past_ones(tmp_path: Path) -> None:
    scenario = shop_of(tmp_path, (24, 24, 24), 24)
    notes = notes_of(scenario, past_of(scenario, [LIFT] * 4))
    assert not any("length" in note for note in notes)


def spend(values: list[float]) -> dict[str, Any]:
    """Return a regressor that is the strength of sales: one value a sale, 1 between."""
    at, rows = ["2025-12-01T00:00Z"], [1.0]
    for day, value in zip([*STARTS[: len(values) - 1], "2026-03-07"], values, strict=True):
        at += [f"{day}T00:00Z", f"{day}T23:59Z"]
        rows += [value, 1.0]
    return {
        "ingredients": {
            "regressors": {"spend": {"at": at, "values": rows, "strength_of": ["sale"]}}
        }
    }


def test_a_regressor_may_be_the_strength_of_events(tmp_path: Path) -> None:
    values = [1.0, 2.0, 1.5, 0.5, 2.5]
    scenario = shop_of(tmp_path, (24, 24, 24, 24), 24, **spend(values))
    usual = sum(values[:4]) / 4
    past = past_of(scenario, [0.6 * value / usual for value in values])
    assert abs(total_error(scenario, past)) < 0.06
    plain = shop_of(tmp_path / "plain", (24, 24, 24, 24), 24)
    assert abs(total_error(plain, past)) > 0.25


def test_a_strength_that_is_not_known_of_the_event_is_refused(tmp_path: Path) -> None:
    late = {
        "at": ["2026-02-01T00:00Z", "2026-02-02T00:00Z"],
        "values": [1.0, 2.0],
        "strength_of": ["sale"],
    }
    scenario = shop_of(tmp_path, (24, 24), 24, ingredients={"regressors": {"spend": late}})
    with pytest.raises(HistoryError, match="says nothing of eu during e0, whose strength it is"):
        fit(scenario, past_of(scenario, [LIFT] * 3))
