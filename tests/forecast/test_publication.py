"""What is published of a model: told in its region's clock, with how much of the past supports it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.evaluation.leave_one_event_out import support
from gameday.forecast.event_demand import EventDemand
from gameday.forecast.model.kept_state import load_state, save_state
from gameday.forecast.model.state import State, state_of
from gameday.forecast.notes import level_notes
from gameday.forecast.publication.outlook import look_ahead
from gameday.forecast.publication.published import (
    Published,
    demand_of_state,
    published_table,
    team_peaks,
    team_region,
)
from gameday.vocabulary import TimeGrid
from tests.support.made_up import counts_of, history_of, later, model_of, occurrence, past_of

SALES = (occurrence(8.5, 24), occurrence(18.25, 24))
COMING = occurrence(28.5, 24)
CALENDAR = RegionCalendar("here", "Asia/Tokyo", occurrences=(*SALES, COMING))
GRID = TimeGrid(later(28), 2880)


@pytest.fixture(scope="module")
def state() -> State:
    counts = counts_of(28, (200.0, 30.0), seed=17, events=SALES)
    model = model_of(past_of(counts, CALENDAR))
    return state_of(model, ("a", "b"), 0.1, 2, (model.past.end_min, model.past.end_min + 1440))


def published(state: State, grid: TimeGrid = GRID) -> Published:
    """Return what is published of minutes that are all the event's."""
    demand = demand_of_state(state, grid, (0, grid.slots), {}, 0)
    return Published.of(state, EventDemand(demand, {}))


def test_a_page_is_told_in_the_clock_of_its_region(state: State) -> None:
    here = published(state)
    told = team_region(here, 0, team_peaks(here)[0], None)
    assert told.line.instants[0].strftime("%d %H:%M") == "02 09:00"
    assert told.at_local.endswith("Asia/Tokyo")


def test_a_peak_in_an_event_says_how_many_stand_behind_it_and_an_ordinary_one_how_many_days(
    state: State,
) -> None:
    in_event, ordinary = (
        team_peaks(published(state, g))[0] for g in (GRID, TimeGrid(later(31), 1440))
    )
    assert in_event.past_events == 2
    assert in_event.calibrated_to == pytest.approx(2 / 3)
    assert ordinary.past_events is None
    assert ordinary.calibrated_to == pytest.approx(1 - 1 / (ordinary.days + 1))


def test_a_kept_state_publishes_what_it_did_before(state: State, tmp_path: Path) -> None:
    kept = load_state(save_state(state, tmp_path), state.calendar)
    assert (kept.past_events, kept.sigma, kept.benchmark) == (2, 0.1, state.benchmark)
    one, other = (published_table(published(s).demand) for s in (state, kept))
    assert one["team"].tolist() == other["team"].tolist()
    for name in ("p10", "p50", "p90", "p99", "mean"):
        np.testing.assert_allclose(other[name], one[name], rtol=1e-5, atol=1e-6)


def test_a_week_that_the_last_days_decide_is_told_and_a_calm_one_is_not() -> None:
    counts = counts_of(42, (200.0,), seed=3)
    calm = model_of(past_of(counts))
    counts[:, 38 * 1440 :] *= 1.6
    moved = model_of(past_of(counts))
    assert level_notes([calm], ("a",)) == []
    (note,) = level_notes([moved], ("a",))
    assert "here a: the level of the last days decides" in note


def test_an_event_of_a_kind_never_seen_is_said_to_be_no_more_than_ordinary_days() -> None:
    assert "forecast as ordinary days" in support("sale", 0)
    assert "beyond p67 are prior" in support("sale", 2, " in eu")


@pytest.mark.nightly
def test_an_outlook_s_next_weeks_do_not_depend_on_how_far_it_looks() -> None:
    counts = counts_of(120, (200.0,), seed=9)
    history = history_of(counts, ("a",))
    calendars = [RegionCalendar("here", "UTC")]
    near, far = (
        look_ahead(history, calendars, "sale", weeks=weeks, sums={"all": np.ones((1, 1))}).regions[
            0
        ]
        for weeks in (4, 40)
    )
    for level in (0.1, 0.9):
        one, other = (o.totals[level][0, :2] / o.totals[0.5][0, :2] for o in (near, far))
        np.testing.assert_allclose(one, other, atol=0.02)
