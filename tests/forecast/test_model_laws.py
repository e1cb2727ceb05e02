"""Laws of the model itself: what must not matter, what must be exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.evaluation.leave_one_event_out import known_events
from gameday.forecast.model.regional import Model, fit_models
from gameday.forecast.publication.explain import bridge, error_spread, waterfall
from tests.support.made_up import (
    MONDAY,
    counts_of,
    forecast_of,
    later,
    law,
    model_of,
    occurrence,
    past_of,
)

SALES = (occurrence(8.5, 24), occurrence(18.25, 24))
COMING = occurrence(29.0, 48)


def with_events(*events: object) -> RegionCalendar:
    return RegionCalendar("here", "UTC", occurrences=tuple(events))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain() -> Model:
    return model_of(past_of(counts_of(28, (400.0, 60.0), seed=1)))


@pytest.fixture(scope="module")
def eventful() -> Model:
    counts = counts_of(28, (400.0, 60.0), seed=2, events=SALES)
    return model_of(past_of(counts, with_events(*SALES, COMING)))


def test_the_law_is_found_again(plain: Model) -> None:
    minute = plain.past.end_min + np.arange(0, 3 * 1440, 30)
    for series, level in enumerate((400.0, 60.0)):
        np.testing.assert_allclose(forecast_of(plain)[:, series], law(minute, level), rtol=0.06)


def test_an_event_of_another_length_at_another_hour_is_told_by_its_two_ends(
    eventful: Model,
) -> None:
    minute = COMING.start_min + np.arange(-60, 48 * 60 + 60, 5)
    said = eventful.blend.counts(minute)[:, 0]
    truth = law(minute, 400.0, (COMING,))
    assert np.abs(said - truth).sum() / truth.sum() < 0.05
    assert abs(int(said.argmax()) - int(truth.argmax())) * 5 <= 15
    assert said.max() / truth.max() == pytest.approx(1, abs=0.12)


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(minutes=st.integers(-27 * 1440, 6 * 1440), series=st.integers(0, 1))
def test_ingredients_multiply_to_the_forecast(eventful: Model, minutes: int, series: int) -> None:
    at = later(28) + timedelta(minutes=minutes)
    told = waterfall(eventful, series, "step", at)
    assert np.prod([factor for _, factor in told.factors]) == pytest.approx(told.forecast, rel=1e-9)
    direct = eventful.blend.counts(np.array([at.timestamp() / 60]))[0, series]
    assert told.forecast == pytest.approx(
        float(direct), rel=1e-3
    )  # the solver's own is in single precision


def test_a_bridge_s_factors_multiply_from_one_forecast_to_the_other(eventful: Model) -> None:
    shorter = past_of(eventful.past.counts[:, : 26 * 1440], with_events(*SALES, COMING))
    at = later(29.5)
    one, other = (waterfall(m, 0, "step", at) for m in (model_of(shorter), eventful))
    moved = bridge(one, other)
    product = np.prod([factor for _, factor in moved.factors])
    assert moved.before * product == pytest.approx(moved.after, rel=1e-9)
    assert {row.kind for row in error_spread(eventful, 0)} == {"horizon", "hour", "event"}


@settings(deadline=None, max_examples=3)
@given(weeks=st.integers(-40, 40))
def test_a_past_and_its_calendar_moved_by_whole_weeks_move_the_forecast_and_nothing_else(
    weeks: int,
) -> None:
    counts = counts_of(21, (200.0,), seed=3, events=SALES[:1])
    by = 7 * 1440 * weeks
    moved = [
        replace(o, start_min=o.start_min + by, end_min=o.end_min + by) for o in (SALES[0], COMING)
    ]
    here = forecast_of(model_of(past_of(counts, with_events(SALES[0], COMING))), days=10)
    there = past_of(counts, with_events(*moved), start=MONDAY + timedelta(weeks=weeks))
    np.testing.assert_allclose(forecast_of(model_of(there), days=10), here, rtol=2e-3)


def test_twice_the_counts_are_twice_the_forecast_of_a_dense_series() -> None:
    counts = counts_of(21, (3000.0,), seed=4)
    once, twice = (forecast_of(model_of(past_of(k * counts))) for k in (1, 2))
    np.testing.assert_allclose(twice, 2 * once, rtol=2e-3)


def test_an_event_of_strength_0_changes_nothing() -> None:
    counts = counts_of(21, (200.0,), seed=5)
    nothing = replace(occurrence(9, 24), strength=0.0)
    calm = forecast_of(model_of(past_of(counts)))
    # What calendars are made of leaves such events out; the ingredient ignores them too.
    columns = past_of(counts, with_events(nothing)).columns(np.arange(10.0))
    assert not any(block.startswith("event") for block in columns.blocks)
    np.testing.assert_array_equal(forecast_of(model_of(past_of(counts, with_events()))), calm)


def test_two_events_of_a_kind_that_overlap_count_once() -> None:
    counts = counts_of(28, (400.0,), seed=2, events=SALES)
    other = replace(COMING, start_min=COMING.start_min + 36 * 60, end_min=COMING.end_min + 36 * 60)
    alone, both = (
        model_of(past_of(counts, with_events(*SALES, *coming)))
        for coming in ((COMING,), (COMING, other))
    )
    inside = np.arange(COMING.start_min, COMING.end_min, 15)
    one, two = (np.exp(m.blend.log_event(inside)[:, 0]) for m in (alone, both))
    assert two.max() <= one.max() * 1.05


def test_days_before_and_after_an_event_are_columns_wherever_they_are_asked_for() -> None:
    led = replace(SALES[0], lead_min=2 * 1440.0, lag_min=3 * 1440.0)
    counts = counts_of(28, (400.0,), seed=2, events=SALES)
    slot = np.arange(counts.shape[1]) / 1440
    counts[:, (slot > 6.5) & (slot <= 8.5)] *= 0.8
    coming = replace(COMING, lead_min=2 * 1440.0, lag_min=3 * 1440.0)
    model = model_of(past_of(counts, with_events(led, SALES[1], coming)))
    before = model.blend.parts(np.array([COMING.start_min - 1440]))["event: sale, days before"]
    assert np.exp(before[0, 0]) == pytest.approx(0.8, rel=0.15)
    assert "event: sale, days before" in model.past.columns(np.array([0.0])).blocks


def test_a_kind_one_region_has_never_seen_is_told_by_the_other_region() -> None:
    seen = past_of(counts_of(28, (400.0,), seed=6, events=SALES), with_events(*SALES, COMING))
    young = past_of(counts_of(28, (100.0,), seed=7), with_events(COMING))
    _, model = fit_models([seen, young], 3 * 1440, "sale")
    assert known_events(model.past, "sale") == []
    minute = COMING.start_min + np.arange(60, 2700, 30)
    said, truth = model.blend.counts(minute)[:, 0], law(minute, 100.0, (COMING,))
    assert np.abs(said - truth).sum() / truth.sum() < 0.1


def test_one_past_event_is_enough_for_a_median() -> None:
    counts = counts_of(21, (400.0,), seed=8, events=SALES[:1])
    model = model_of(past_of(counts, with_events(SALES[0], replace(COMING))), days_ahead=10)
    minute = COMING.start_min + np.arange(60, 2700, 30)
    said, truth = model.blend.counts(minute)[:, 0], law(minute, 400.0, (COMING,))
    assert np.abs(said - truth).sum() / truth.sum() < 0.1


def test_what_recurs_at_one_minute_of_the_day_is_kept_and_chance_is_not() -> None:
    counts = counts_of(28, (300.0,), seed=9)
    spiked = counts.copy()
    spiked[:, np.arange(counts.shape[1]) % 60 == 0] *= 1.5
    profile = model_of(past_of(spiked)).blend.profile[0, :, 0]
    np.testing.assert_allclose(np.exp(profile[::60]), 1.5, rtol=0.08)
    assert np.abs(np.delete(profile, np.arange(0, 1440, 60))).mean() < 0.01
    assert np.abs(model_of(past_of(counts)).blend.profile).mean() < 0.003


# --- faults of a past ---------------------------------------------------------------------------


def test_a_constant_past_gives_the_constant() -> None:
    np.testing.assert_allclose(
        forecast_of(model_of(past_of(np.full((1, 20160), 50.0)))), 50, rtol=0.01
    )


def test_a_past_of_zeros_gives_zero() -> None:
    np.testing.assert_allclose(forecast_of(model_of(past_of(np.zeros((1, 20160))))), 0, atol=1e-3)


def test_a_series_never_known_beside_one_that_is_gives_an_answer_for_that_one() -> None:
    counts = counts_of(21, (200.0, 200.0), seed=10)
    alone = forecast_of(model_of(past_of(counts[:1])))
    counts[1] = np.nan
    both = forecast_of(model_of(past_of(counts)))
    np.testing.assert_allclose(both[:, 0], alone[:, 0], rtol=1e-3)
    assert np.isfinite(both).all()


def test_a_gap_of_one_series_is_as_if_its_rows_were_not_there() -> None:
    counts = counts_of(28, (300.0, 300.0), seed=11)
    holed = counts.copy()
    holed[1, 8 * 1440 : 15 * 1440] = np.nan
    both, one = model_of(past_of(holed)), model_of(past_of(holed[1:]))
    for pair, alone in zip(both.blend.fits, one.blend.fits, strict=True):
        np.testing.assert_allclose(pair.coefficients[:, 1], alone.coefficients[:, 0], atol=2e-3)
