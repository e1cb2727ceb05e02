"""What recurs is the shop's own, however odd; what comes once is a robot's. Few counts have whole quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import counts_of, law, model_of, past_of
from scipy import stats

from gameday.forecast.ahead import ahead
from gameday.forecast.outliers import find_outliers, mask
from gameday.forecast.past import Past
from gameday.vocabulary import Array

DAYS, AHEAD = 42, 7
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


@pytest.mark.parametrize("name", PATTERNS)
def test_what_recurs_is_neither_masked_nor_lost(name: str) -> None:
    past, came = with_pattern(PATTERNS[name])
    assert np.isnan(past.counts).mean() < 0.002
    model = model_of(past, days_ahead=AHEAD)
    minute = past.end_min + np.arange(AHEAD * 1440.0)
    said = model.blend.counts(minute)[:, 0]
    noise = np.abs(came - law(minute, 200.0) * PATTERNS[name][DAYS * 1440 :]).sum() / came.sum()
    # At a step of a hundred times the smooth curve leans, within its quarter hour: a few percent.
    assert np.abs(said - came).sum() / came.sum() < 1.35 * noise + 0.04
    assert said.sum() / came.sum() == pytest.approx(1, abs=0.04)
    assert said.max() / came.max() == pytest.approx(1, abs=0.25)


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
    said = model.blend.counts(minute)[:, 0]
    bands = model.bands(0, (0.1, 0.5, 0.9)).counts(ahead(past.calendar, minute, past.end_min), said)
    busy = came > 0
    held = ((came >= bands[:, 0]) & (came <= bands[:, 2]))[busy].mean()
    assert 0.7 < held < 0.95
    assert bands[busy, 2].max() < 1.3 * came.max()
    assert bands[~busy, 2].max() <= 5


@pytest.mark.parametrize("level", [0.02, 0.3, 1.5])
def test_few_counts_have_the_quantiles_of_counts(level: float) -> None:
    past = past_of(counts_of(DAYS, (level,), seed=5))
    model = model_of(past, days_ahead=AHEAD)
    minute = past.end_min + np.arange(1440.0)
    said, truth = model.blend.counts(minute)[:, 0], law(minute, level)
    bands = model.bands(0, (0.1, 0.5, 0.9)).counts(ahead(past.calendar, minute, past.end_min), said)
    assert (np.diff(bands, axis=1) >= 0).all()
    np.testing.assert_array_equal(bands[:, 1], said)
    for column, share in ((0, 0.1), (2, 0.9)):
        # The median itself lies between the whole counts: a bound is never on its far side.
        whole = stats.poisson.ppf(share, truth)
        limit = np.minimum(whole, said) if share < 0.5 else np.maximum(whole, said)
        assert np.mean(np.abs(bands[:, column] - limit) <= 1.0) > 0.98
