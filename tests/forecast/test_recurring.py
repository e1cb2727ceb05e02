"""What recurs is the shop's own, however odd; what comes once is a robot's. Few counts have whole quantiles."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.outliers import find_outliers, mask
from gameday.forecast.data.training_data import Past, daily
from gameday.forecast.model.regional import Model
from gameday.forecast.model.state import refreshed, state_of
from gameday.vocabulary import Array, TimeGrid
from tests.support.made_up import counts_of, law, model_of, occurrence, past_of

DAYS, AHEAD = 35, 3
SLOT = np.arange((DAYS + AHEAD) * 1440)
DAY, MINUTE = SLOT // 1440, SLOT % 1440

PATTERNS: dict[str, Array] = {
    "a batch of half an hour a night": np.where((MINUTE >= 120) & (MINUTE < 150), 100.0, 1.0),
    "three minutes four times a day": np.where(MINUTE % 360 < 3, 40.0, 1.0),
    "the first minute of each hour": np.where(MINUTE % 60 == 0, 20.0, 1.0),
    "every quarter of an hour": np.where(MINUTE % 15 == 0, 6.0, 1.0),
    "a batch on Wednesdays": np.where((DAY % 7 == 2) & (MINUTE >= 600) & (MINUTE < 645), 8.0, 1.0),
}


def with_pattern(pattern: Array, level: float = 200.0, seed: int = 1) -> tuple[Past, Array]:
    """Return the past without its robots, and what comes after it, shape (minutes,)."""
    minute = past_of(np.zeros((1, 10))).first_min + SLOT
    counts = np.random.default_rng(seed).poisson(law(minute, level) * pattern).astype(float)
    past = past_of(counts[None, : DAYS * 1440])
    found = find_outliers(past, ("y",))
    return mask(past, found, ("y",)), counts[DAYS * 1440 :]


@cache
def told(name: str) -> tuple[Past, Array, Model]:
    """Return a pattern's past, what comes after it, and the model."""
    past, came = with_pattern(PATTERNS[name])
    return past, came, model_of(past, days_ahead=AHEAD)


@pytest.mark.parametrize("name", PATTERNS)
def test_what_recurs_is_neither_masked_nor_lost(name: str) -> None:
    past, came, model = told(name)
    assert np.isnan(past.counts).mean() < 0.002
    minute = past.end_min + np.arange(AHEAD * 1440.0)
    said = model.blend.counts(minute)[:, 0]
    noise = np.abs(came - law(minute, 200.0) * PATTERNS[name][DAYS * 1440 :]).sum() / came.sum()
    # At a step of a hundred times the smooth curve leans, within its quarter hour: a few percent.
    assert np.abs(said - came).sum() / came.sum() < 1.35 * noise + 0.04
    assert said.sum() / came.sum() == pytest.approx(1, abs=0.04)
    assert said.max() / came.max() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_refresh_learns_from_a_day_of_what_recurs(name: str) -> None:
    past, came, model = told(name)
    state = state_of(model, ("y",), 0.1, 0, (model.past.end_min, model.past.end_min + 1440))
    grid = TimeGrid(past.grid.end, AHEAD * 1440)
    _, odd = refreshed(state, came[None], grid)
    assert odd <= 0.01 * AHEAD * 96


def test_a_weekday_that_only_events_fell_on_recurs_as_the_others_do() -> None:
    past, _ = with_pattern(PATTERNS["a batch of half an hour a night"])
    fridays = [occurrence(7 * week + 4, 24) for week in range(7)]
    calendar = RegionCalendar("here", "UTC", occurrences=tuple(fridays))
    quarters = model_of(past_of(past.counts, calendar), days_ahead=AHEAD).blend.quarters[:, 8:10, 0]
    assert quarters[4].min() > 0.8 * quarters[0].min() > 1


def test_what_comes_once_a_week_at_other_hours_is_still_found() -> None:
    counts = counts_of(DAYS, (200.0,), seed=3)
    truth = np.zeros(counts.shape[1], bool)
    for week in range(6):
        first = (7 * week + week) * 1440 + 137 * (week + 1)
        truth[first : first + 60] = True
    counts[0, truth] *= 4
    past = past_of(counts)
    masked = np.isnan(mask(past, find_outliers(past, ("y",)), ("y",)).counts[0])
    assert (masked & truth).sum() / truth.sum() > 0.9
    assert (masked & ~truth).mean() < 0.01


def test_minutes_of_two_kinds_have_a_band_each() -> None:
    pattern = np.where(MINUTE % 5 == 0, 5.0, 0.0)
    past, came = with_pattern(pattern, level=100.0)
    model = model_of(past, days_ahead=AHEAD)
    minute = past.end_min + np.arange(AHEAD * 1440.0)
    bands = model.quantiles(minute, (0.1, 0.5, 0.9))[1][:, 0]
    busy = came > 0
    held = ((came >= bands[:, 0]) & (came <= bands[:, 2]))[busy].mean()
    assert 0.7 < held < 0.95
    assert bands[busy, 2].max() < 1.3 * came.max()
    assert bands[~busy, 2].max() <= 5


@pytest.mark.parametrize("level", [0.02, 1.5])
def test_few_counts_have_the_quantiles_of_counts(level: float) -> None:
    past = past_of(counts_of(DAYS, (level,), seed=5))
    model = model_of(past, days_ahead=AHEAD)
    minute = past.end_min + np.arange(1440.0)
    medians, quantiles = model.quantiles(minute, (0.1, 0.5, 0.9))
    said, bands, truth = medians[:, 0], quantiles[:, 0], law(minute, level)
    assert (np.diff(bands, axis=1) >= 0).all()
    np.testing.assert_allclose(bands[:, 1], said, rtol=1e-6)  # bands are single precision
    for column, share in ((0, 0.1), (2, 0.9)):
        # A bound is never on the far side of the median; the rate is a few percent off, so some lie one beside.
        whole = stats.poisson.ppf(share, truth)
        limit = np.minimum(whole, said) if share < 0.5 else np.maximum(whole, said)
        assert np.mean(np.abs(bands[:, column] - limit) < 0.05) > 0.85


def test_a_gap_of_a_dense_series_is_no_pattern_of_the_sparse_one_beside_it() -> None:
    counts = counts_of(28, (300.0, 0.3), seed=7)
    counts[0, np.arange(counts.shape[1]) % 1440 < 3] = np.nan
    profile = np.exp(model_of(past_of(counts)).blend.profile[:, :15, 1])
    np.testing.assert_allclose(profile, 1, atol=0.25)


def test_a_spike_without_any_noise_is_kept() -> None:
    counts = np.where(np.arange(28 * 1440) % 60 == 0, 600.0, 60.0)[None]
    profile = np.exp(model_of(past_of(counts)).blend.profile[0, :, 0])
    np.testing.assert_allclose(profile[::60] / profile[1::60], 10.0, rtol=0.05)


def test_a_few_counts_a_day_are_forecast_without_loss() -> None:
    truth = law(past_of(np.zeros((1, 9))).first_min + np.arange(7 * 1440.0), 2 / 1440).sum() / 7
    found = []
    for seed in range(10):
        past = daily(past_of(counts_of(120, (2 / 1440,), seed=seed)))
        model = model_of(past, days_ahead=14)
        found.append(model.blend.means(past.end_min + 1440 * np.arange(14.0)).mean() / truth)
    assert np.mean(found) == pytest.approx(1, abs=0.2)


def test_a_shop_closed_at_night_and_on_sundays_is_not_masked_and_saturday_is_itself() -> None:
    is_open = (MINUTE >= 480) & (MINUTE < 1320) & (DAY % 7 < 6)
    past, came = with_pattern(np.where(is_open, 1.0, 0.0))
    assert np.isnan(past.counts).mean() < 0.002
    model = model_of(past, days_ahead=AHEAD)
    said = model.blend.counts(past.end_min + np.arange(AHEAD * 1440.0))[:, 0]
    assert said.sum() / came.sum() == pytest.approx(1, abs=0.04)
    week = model.blend.counts(past.end_min - np.arange(7 * 1440.0, 0, -1))[:, 0]
    saturday, sunday = (slice(day * 1440, (day + 1) * 1440) for day in (5, 6))
    counted = past.counts[0, -7 * 1440 :]
    assert week[saturday].sum() / counted[saturday].sum() == pytest.approx(1, abs=0.08)
    assert week[sunday].sum() < 0.01 * week.sum()
