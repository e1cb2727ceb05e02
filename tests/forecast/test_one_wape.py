"""One WAPE: whoever is scored is scored over the same minutes, in local weeks, by volume."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.forecast.data.calendars import RegionCalendar, bare_calendars
from gameday.forecast.data.training_data import Past, daily
from gameday.forecast.evaluation.accuracy import (
    absolute_errors,
    mean_accuracy,
    pooled_wape,
    score_accuracy,
)
from gameday.forecast.evaluation.backtest import backtest_forecast
from gameday.forecast.evaluation.benchmark import (
    OURS,
    backtest_wape,
    benchmark_model,
    benchmark_notes,
    benchmark_words,
    pooled_benchmark,
)
from gameday.forecast.model.reconciliation import with_total
from gameday.forecast.model.regional import fit_models
from gameday.forecast.rivals import RIVALS
from gameday.forecast.rivals.last_week import week_before_errors
from gameday.vocabulary import Array
from tests.support import examples
from tests.support.made_up import counts_of, history_of, model_of, past_of

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
PLAIN = ("last week", "median of weeks")


def local_clock(zone: str, start: datetime, days: int) -> Past:
    """Return a past whose counts are the local minute of the week: whoever repeats local weeks repeats it."""
    past = past_of(np.zeros((1, days * 1440)), RegionCalendar("here", zone), start)
    minute = past.first_min + np.arange(days * 1440.0)
    week = past.calendar.weekday(minute) * 1440 + past.calendar.slot_of_day(minute)[0]
    return replace(past, counts=week[None].astype(np.float32))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "start", [datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 10, 12, tzinfo=UTC)]
)
def test_over_a_change_of_clocks_last_week_s_20_00_is_compared_with_20_00(
    zone: str, start: datetime
) -> None:
    whole = local_clock(zone, start, 42)
    for days in (6, 13, 20, 27, 34):
        past = whole.until(whole.first_min + days * 1440)
        at = past.end_min + np.arange(7.0 * 1440)
        came, hour = whole.actual(at)[:, 0], whole.calendar.slot_of_day(at)[0] // 60
        for name in PLAIN if days > 7 else ():
            said = RIVALS[name](past, at)[:, 0]
            # What the clock skips or shows twice has no minute of its own a week before.
            assert (said == came)[hour >= 4].all(), name
    errors = week_before_errors(whole)[0]
    hour = whole.calendar.slot_of_day(whole.first_min + np.arange(errors.size))[0] // 60
    assert np.nanmax(np.abs(errors[hour >= 4])) == 0


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**31), days=st.integers(4, 20), share=st.floats(0, 0.95))
def test_rivals_say_something_of_every_minute_whatever_is_missing_of_the_past(
    seed: int, days: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(5.0, (2, days * 1440)).astype(float)
    for first in rng.integers(0, counts.shape[1], 8):
        counts[rng.integers(2), first : first + int(share * counts.shape[1] / 2)] = np.nan
    counts[:, rng.integers(counts.shape[1])] = 5.0
    past = past_of(counts, RegionCalendar("here", "Europe/Berlin"))
    at = past.end_min + np.arange(0, 9 * 1440.0, 61)
    for name in PLAIN:
        assert np.isfinite(RIVALS[name](past, at)).all(), name
        by_day = daily(past)
        if np.isfinite(by_day.counts).any(axis=1).all():
            midnights = past.calendar.midnights(past.end_min, past.end_min + 9 * 1440)
            assert np.isfinite(RIVALS[name](by_day, midnights)).all(), name


@settings(deadline=None, max_examples=examples(30))
@given(seed=st.integers(0, 2**31), cut=st.integers(1, 98))
def test_parts_pool_to_the_wape_of_the_whole(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    actual = rng.poisson(3.0, (99, 4)).astype(float)
    actual[rng.random(actual.shape) < 0.2] = np.nan
    said = rng.gamma(2.0, 2.0, actual.shape)
    whole = pooled_wape([absolute_errors(actual, said)])
    known = ~np.isnan(actual)
    assert whole == pytest.approx(np.abs(said - actual)[known].sum() / actual[known].sum())
    parts = [
        absolute_errors(actual[part], said[part]) for part in (slice(0, cut), slice(cut, None))
    ]
    assert pooled_wape(parts) == pytest.approx(whole)
    assert pooled_wape([parts[0] + parts[1]]) == pytest.approx(whole)
    judged = [
        score_accuracy(y, f, None, np.ones(9), day=1440)
        for y, f in zip(actual.T, said.T, strict=True)
    ]
    assert mean_accuracy(judged, np.nansum(actual, axis=0)).wape == pytest.approx(whole)


def test_who_says_nothing_of_a_minute_is_not_scored_on_fewer() -> None:
    actual, said = np.ones(50), np.ones(50)
    said[7] = np.nan
    assert np.isnan(score_accuracy(actual, said, None, np.ones(9), day=1440).wape)
    actual[7] = np.nan
    assert score_accuracy(actual, said, None, np.ones(9), day=1440).wape == 0


@pytest.fixture(scope="module")
def raced() -> tuple[object, dict[str, object]]:
    counts = counts_of(21, (300.0, 4.0), seed=3)
    counts[:, 8 * 1440 : 10 * 1440] = np.nan  # a gap in the week before the last
    model = fit_models([past_of(counts)], 3 * 1440, "sale")[0]
    return model, benchmark_model(model)  # type: ignore[return-value]


def test_the_headline_is_the_race_s_own_row_over_the_minutes_of_its_rivals(raced) -> None:  # type: ignore[no-untyped-def]
    model, found = raced
    race = pooled_benchmark([found])
    assert backtest_wape(race) == dict(race)[OURS] == round(model.wape(), 4)
    assert f"backtest WAPE {100 * dict(race)[OURS]:.1f} %" in benchmark_words(race)
    counted = {tuple(parts.actual) for parts in found.values()}
    assert len(counted) == 1, "all over the same minutes"
    folds = model.folds
    for name in PLAIN:
        said: list[Array] = [RIVALS[name](model.past.until(f.origin), f.minute) for f in folds]
        by_hand = sum(np.nansum(np.abs(s - f.actual)) for s, f in zip(said, folds, strict=True))
        assert dict(race)[name] == pytest.approx(by_hand / found[name].actual.sum(), abs=6e-5)


def test_a_race_of_two_regions_is_of_their_volume(raced) -> None:  # type: ignore[no-untyped-def]
    _, found = raced
    ours = found[OURS]
    twice = pooled_benchmark([found, found])
    assert twice == pooled_benchmark([found])
    busy = absolute_errors(np.full((9, 2), 1e9), np.full((9, 2), 2e9))
    assert dict(pooled_benchmark([{OURS: ours}, {OURS: busy}]))[OURS] == pytest.approx(
        1.0, abs=1e-3
    )


def test_where_nothing_was_counted_no_wape_is_told() -> None:
    nothing = absolute_errors(np.zeros((9, 1)), np.zeros((9, 1)))
    race = pooled_benchmark([{OURS: nothing, "last week": nothing}])
    assert race == ()
    assert backtest_wape(race) is None
    assert "cannot be told" in benchmark_words(race)


def test_a_rival_that_says_nothing_is_named_and_not_scored() -> None:
    ours = absolute_errors(np.ones((9, 1)), np.ones((9, 1)))
    silent = absolute_errors(np.ones((9, 1)), np.full((9, 1), np.nan))
    assert dict(pooled_benchmark([{OURS: ours, "last week": silent}])) == {OURS: 0.0}
    (note,) = benchmark_notes(["here"], [{OURS: ours, "last week": silent}])
    assert "last week said nothing of some minutes" in note


def test_a_backtest_scores_all_over_all_minutes_by_volume() -> None:
    counts = counts_of(18, (300.0, 4.0), seed=4)
    counts[:, 8 * 1440 : 9 * 1440] = np.nan
    history = history_of(counts, ("home", "cart"))
    end = history.grid.epoch_min + history.grid.slots
    found = backtest_forecast(
        lambda known: bare_calendars(known, "Europe/Berlin", None),
        history,
        origins=[float(end - 1440)],
        horizon_min=1440,
        kind="sale",
        rivals=[RIVALS[name] for name in PLAIN],
    )
    for name in found.models:
        rows = [s for s in found.scored if s.model == name]
        by_hand = sum(s.accuracy.wape * s.volume for s in rows) / sum(s.volume for s in rows)
        assert found.mean(name).wape == pytest.approx(by_hand)
        assert [s.volume for s in rows] == np.nansum(counts[:, -1440:], axis=1).tolist()


class _Listener:
    """A rival that remembers which past it was given."""

    name = "listener"
    package: str | None = None
    daily = True
    minutes = True

    def __init__(self) -> None:
        self.heard: list[Past] = []

    def __call__(self, past: Past, minute: Array) -> Array:
        self.heard.append(past)
        return np.ones((len(minute), len(past.counts)))


@pytest.mark.parametrize("by_day", [False, True])
def test_rivals_learn_from_a_past_with_its_robots_in_it(by_day: bool) -> None:
    counts = counts_of(35, (60.0, 20.0), seed=1)
    left_out = counts.astype(np.float32)
    left_out[:, 30_000:33_000] = np.nan
    past = with_total(replace(past_of(left_out), raw=counts.astype(np.float32)))
    model = model_of(daily(past) if by_day else past)
    assert np.isnan(model.past.counts).any()
    listener = _Listener()
    benchmark_model(model, [listener])
    assert listener.heard
    for heard in listener.heard:
        assert not np.isnan(heard.counts).any()
        np.testing.assert_allclose(heard.counts[2], heard.counts[:2].sum(axis=0))
