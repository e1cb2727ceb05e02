"""The members of the blend: who has been right weighs most, copies weigh as one, and what is said adds up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.training_data import daily
from gameday.forecast.evaluation.member_weights import member_weights
from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.forecast.model.patterns import PATTERNS
from gameday.forecast.publication.explain import waterfall
from gameday.vocabulary import Array
from tests.support.made_up import counts_of, model_of, occurrence, past_of

LEVELS, MINUTES = 2, 800


def fold(back: float, members: Array, actual: Array, said: Array | None = None) -> Fold:
    """Return an origin of which members, (members, minutes, series), forecast counts."""
    log = np.log1p(members).astype(np.float32)
    none = np.zeros(actual.shape[0])
    return Fold(
        origin=0.0,
        back=back,
        minute=np.arange(len(actual), dtype=float),
        lead_days=none,
        hour=none.astype(int),
        in_event=none.astype(bool),
        actual=actual,
        log_mean=log,
        said=np.ones((len(members), actual.shape[1]), bool) if said is None else said,
        levels=LEVELS,
        recurring=np.zeros(actual.shape, np.float32),
    )


def folds_of(off: list[float], said: Array | None = None) -> list[Fold]:
    """Return origins from which each member is so far off, as the deviation of its log."""
    rng = np.random.default_rng(7)
    folds = []
    for back in (1.0, 0.5, 0.25):
        truth = 100 * np.exp(0.5 * np.sin(np.arange(MINUTES) / 100))[:, None] * np.ones((1, 3))
        noise = rng.standard_normal((len(off), MINUTES, 3))
        members = truth * np.exp(np.array(off)[:, None, None] * noise)
        folds.append(fold(back, members, rng.poisson(truth).astype(float), said))
    return folds


@pytest.mark.parametrize("best", range(4))
def test_a_member_that_is_always_best_wins_its_weight(best: int) -> None:
    off = [0.0 if number == best else 0.4 for number in range(4)]
    weights = member_weights(folds_of(off))
    assert (weights[best] > 0.9).all()
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-12)


def test_copies_of_a_member_weigh_as_one() -> None:
    folds = folds_of([0.3, 0.2, 0.25, 0.2])
    alone = member_weights(folds)
    twice = [
        replace(
            each,
            log_mean=np.concatenate([each.log_mean, each.log_mean[[3]]]),
            said=np.concatenate([each.said, each.said[[3]]]),
        )
        for each in folds
    ]
    both = member_weights(twice)
    np.testing.assert_allclose(both[:3], alone[:3], rtol=1e-6)
    np.testing.assert_allclose(both[3] + both[4], alone[3], rtol=1e-6)


def test_a_member_that_says_nothing_has_no_weight_and_changes_no_forecast() -> None:
    said = np.ones((4, 3), bool)
    said[3, 1] = False
    folds = folds_of([0.3, 0.2, 0.25, 0.01], said)
    weights = member_weights(folds)
    assert weights[3, 1] == 0
    assert (weights[3, [0, 2]] > 0.9).all()
    without = [replace(f, log_mean=f.log_mean[:3], said=f.said[:3]) for f in folds]
    np.testing.assert_allclose(
        folds[0].blended(weights)[:, 1], without[0].blended(weights[:3])[:, 1], rtol=1e-9
    )


def test_a_blend_adds_up_and_its_waterfall_says_of_what() -> None:
    past = past_of(counts_of(35, (80.0, 6.0), seed=4, wander=0.02))
    model = model_of(past)
    at = datetime(2026, 2, 10, 9, 30, tzinfo=UTC)
    for series in range(2):
        told = waterfall(model, series, "step", at)
        assert {name for name, _, _ in told.members} >= {"ingredients", "usual week"}
        assert sum(share for _, share, _ in told.members) == pytest.approx(1, abs=1e-9)
        added = sum(share * counts for _, share, counts in told.members)
        assert added == pytest.approx(told.forecast, rel=1e-9)
        assert np.prod([f for _, f in told.factors]) == pytest.approx(told.forecast, rel=1e-9)


def test_a_week_with_an_event_in_it_is_no_pattern_of_one_without() -> None:
    sales = tuple(occurrence(day, 24) for day in (8.4, 22.4, 33.4))
    calendar = RegionCalendar("here", "UTC", occurrences=sales)
    model = model_of(past_of(counts_of(36, (400.0,), seed=2, events=sales), calendar))
    plain = model_of(past_of(counts_of(36, (400.0,), seed=2)))
    at = model.past.end_min + np.arange(1440.0, 3 * 1440)  # a week after the last sale
    for pattern, other in zip(model.blend.patterns, plain.blend.patterns, strict=True):
        logs = (each.at(calendar, at) for each in (pattern, other))
        assert np.abs(np.subtract(*logs)).max() < 0.25, pattern.name


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Kiritimati", "Asia/Kolkata"])
def test_patterns_go_by_the_local_day(zone: str) -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    calendar = RegionCalendar("here", zone)
    minute = start.timestamp() / 60 + np.arange(28 * 1440.0)
    counts = 50 + 100.0 * (calendar.weekday(minute) == 2)  # Wednesdays
    model = model_of(past_of(counts[None], calendar, start))
    at = model.past.end_min + np.arange(0, 7 * 1440.0, 15)
    weekly = {pattern.name: pattern for pattern in model.blend.patterns}
    for name in ("week before", "usual week"):
        said = np.expm1(weekly[name].at(calendar, at)[:, 0])
        np.testing.assert_allclose(said, 50 + 100.0 * (calendar.weekday(at) == 2), rtol=1e-4)


def test_paydays_are_foretold_by_the_day_of_the_month_and_by_the_last_working_day() -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    calendar = RegionCalendar("here", "Europe/Berlin", "DE")
    minute = start.timestamp() / 60 + np.arange(400 * 1440.0)
    days = calendar.month(minute)
    counts = 20.0 * (1 + (days.day == 25) + 2.0 * (days.working_days_left == 0))
    past = daily(past_of(np.random.default_rng(1).poisson(counts)[None], calendar, start))
    model = model_of(past, days_ahead=40)
    at = calendar.midnights(past.end_min, past.end_min + 40 * 1440)
    month = calendar.month(at + 720)
    truth = 20.0 * 1440 * (1 + (month.day == 25) + 2.0 * (month.working_days_left == 0))
    np.testing.assert_allclose(model.blend.counts(at)[:, 0], truth, rtol=0.2)


def test_a_day_of_the_month_is_counted_in_local_time_and_holidays_are_no_working_days() -> None:
    calendar = RegionCalendar("here", "Asia/Tokyo", "JP")
    instants = [
        datetime(2026, 4, 28, 15, 30, tzinfo=UTC),  # the 29th there, a holiday
        datetime(2026, 4, 29, 15, 30, tzinfo=UTC),  # the 30th, April's last working day
        datetime(2026, 5, 29, 3, 0, tzinfo=UTC),  # a Friday, May's last working day
    ]
    found = calendar.month(np.array([i.timestamp() / 60 for i in instants]))
    assert found.day.tolist() == [29, 30, 29]
    assert found.working_days_left.tolist() == [-1, 0, 0]


def test_days_a_year_before_are_a_member_where_a_year_and_more_is_known() -> None:
    counts = counts_of(460, (30.0,), seed=1)
    minute = np.arange(counts.shape[1])
    season = 1 + 2.0 * np.isin(minute // 1440 % 364, np.arange(100, 108))  # eight days a year
    past = daily(past_of(counts * season))
    model = model_of(past, days_ahead=30)
    assert tuple(p.name for p in model.blend.patterns) == PATTERNS
    assert model.members[-1] == "year before"
    short = model_of(daily(past_of(counts[:, : 300 * 1440])), days_ahead=30)
    assert short.blend.weights[-1, 0] == 0


def test_a_pattern_of_which_nothing_is_known_has_no_share_and_takes_none_from_others() -> None:
    counts = counts_of(120, (50.0, 20.0), seed=6)
    counts[1, -70 * 1440 :] = np.nan  # longer than any pattern looks back
    model = model_of(past_of(counts))
    levels = len(model.shapes)
    assert (model.blend.weights[levels:, 1] == 0).all()
    assert (model.blend.weights[levels:, 0] > 0).all()
