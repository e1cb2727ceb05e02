"""Laws of series that are nearly zero for part of the day: no quantile is of what never was."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from gameday.forecast.data.training_data import Past
from gameday.forecast.model.reconciliation import reconciled_models
from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.counts import BEYOND, ceiling, dispersion, most_seen, whole_counts
from gameday.forecast.uncertainty.paths import _distance
from gameday.forecast.uncertainty.peak_errors import peak_errors
from gameday.forecast.uncertainty.peaks import peak_of
from gameday.vocabulary import QUANTILES, Array
from tests.support import examples
from tests.support.made_up import MONDAY, law, past_of

_DAYS, _AHEAD = 35, 3
_MULTIPLE, _A_FEW = 2.0, 6.0
"""p99 of a minute against the most ever counted within 90 minutes of that time of day, and a few counts more."""


def nearly_zero(kind: str, level: float, seed: int) -> Array:
    """Return counts of one shop, 38 days of minutes, shape (minutes,)."""
    rng = np.random.default_rng(seed)
    slot = np.arange((_DAYS + _AHEAD) * 1440)
    hour, day = slot % 1440 / 60, slot // 1440
    noise = np.repeat(rng.normal(0, 0.05, len(slot) // 15), 15)
    rate = level * (1 + 0.4 * np.sin(2 * np.pi * (hour - 9) / 24)) * np.exp(noise)
    jitter = rng.integers(-10, 11, _DAYS + _AHEAD)[day]
    since_two = slot % 1440 - 120 - jitter
    if kind == "closed for an hour":
        rate[(since_two >= 0) & (since_two < 60)] = 0
    elif kind == "closed at night":
        rate[(hour < 6) | (hour >= 22.5)] = 0
    elif kind == "down on Tuesdays":
        rate[(day % 7 == 1) & (since_two >= 0) & (since_two < 45)] = 0
    elif kind == "asleep":
        rate = rate * np.exp(-5 * np.exp(-(((hour - 4) / 2.5) ** 2)))
    return rng.poisson(rate).astype(float)


@cache
def model_of_counts(kind: str, level: float, seed: int) -> tuple[Past, Model]:
    past = past_of(nearly_zero(kind, level, seed)[None, : _DAYS * 1440])
    return past, reconciled_models([past], past.end_min, past.end_min + _AHEAD * 1440, "sale")[0]


def published(past: Past, model: Model) -> tuple[Array, Array]:
    """Return (median, quantiles (minutes, QUANTILES)) of the days to come."""
    at = past.end_min + np.arange(_AHEAD * 1440.0)
    median, quantiles = model.quantiles(at, QUANTILES)
    return median[:, 0], quantiles[:, 0]


def most_at_that_time(past: Past) -> Array:
    """Return the most ever counted within 90 minutes of each minute of the day, shape (1440,)."""
    by_minute = past.counts[0].reshape(-1, 1440).max(axis=0)
    around = [np.roll(by_minute, shift) for shift in range(-90, 91)]
    return np.asarray(np.max(around, axis=0))


KINDS = ("closed for an hour", "closed at night", "down on Tuesdays", "asleep", "always sparse")


@pytest.mark.parametrize(
    ("kind", "level", "seed"),
    [
        ("closed for an hour", 3000.0, 1),
        ("closed at night", 400.0, 2),
        ("asleep", 40.0, 3),
        ("always sparse", 0.05, 4),
    ],
)
def test_no_quantile_passes_twice_what_was_ever_seen_at_that_time_of_day(
    kind: str, level: float, seed: int
) -> None:
    _no_quantile_passes(kind, level, seed)


@pytest.mark.nightly
@settings(deadline=None, max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(KINDS),
    level=st.sampled_from([0.02, 0.5, 3.0, 12.0, 60.0, 900.0, 20_000.0]),
    seed=st.integers(0, 2**31),
)
def test_no_quantile_passes_it_whatever_the_series(kind: str, level: float, seed: int) -> None:
    _no_quantile_passes(kind, level, seed)


def _no_quantile_passes(kind: str, level: float, seed: int) -> None:
    counts = nearly_zero(kind, level, seed)
    past, model = model_of_counts(kind, level, seed)
    _, bands = published(past, model)
    most = np.tile(most_at_that_time(past), _AHEAD)
    assert (np.diff(bands, axis=1) >= -1e-9).all()
    assert (bands[:, -1] <= _MULTIPLE * most + _A_FEW).all(), (bands[:, -1] - 2 * most).max()
    came = counts[_DAYS * 1440 :]
    inside = ((came >= np.floor(bands[:, 0])) & (came <= np.ceil(bands[:, 2]))).mean()
    # Quarter hours share their noise: 288 of them tell a share of 0.8 to four standard errors. Bands of few counts
    # end on whole counts, and hold more.
    chance = 4 * np.sqrt(0.8 * 0.2 / (96 * _AHEAD))
    assert inside > 0.8 - chance, inside
    if level >= 400:
        assert inside < 0.8 + chance, inside
    peak = peak_of(
        model.blend.smooth(past.end_min + np.arange(1440.0))[:, 0], peak_errors([(model, 0)]), 0.0
    )
    assert max(peak.size.values()) <= _MULTIPLE * past.counts.max() + _A_FEW


def test_a_daily_closure_bends_the_median_of_no_minute_beside_it() -> None:
    past, model = model_of_counts("closed for an hour", 3000.0, 1)
    median, _ = published(past, model)
    minute = np.arange(1440)
    expected = 3000 * (1 + 0.4 * np.sin(2 * np.pi * (minute / 60 - 9) / 24))
    open_then = (minute < 105) | (minute >= 195)
    np.testing.assert_allclose(median[:1440][open_then], expected[open_then], rtol=0.12)
    assert (median[135:160] < 1).all()


def test_a_day_that_only_falls_asleep_is_not_taken_for_closed() -> None:
    from gameday.forecast.data.closures import closed_quarters

    for kind in ("asleep", "always sparse"):
        past = past_of(nearly_zero(kind, 300.0, 5)[None])
        assert not closed_quarters(past.rows, past.calendar).any()


@settings(deadline=None, max_examples=10)
@given(mean=st.floats(0.2, 29), rate=st.sampled_from([0.0, 0.05, 0.2]), seed=st.integers(0, 2**31))
def test_few_counts_have_the_quantiles_of_a_negative_binomial(
    mean: float, rate: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    expected = np.full(4_000, mean)
    size = 1 / rate if rate else np.inf
    counts = (
        rng.negative_binomial(size, size / (size + mean), 4_000) if rate else rng.poisson(expected)
    )
    chance, varies = dispersion(counts.astype(float), expected)
    found = whole_counts(expected[:1], QUANTILES, (chance, np.array([varies])), np.ones((1, 4)))
    law_of = nbinom(size, size / (size + mean)) if rate else poisson(mean)
    for level, count in zip(QUANTILES, found[0], strict=True):
        if level != 0.5 and count != mean:
            exact = law_of.ppf(level)
            assert abs(count - exact) <= max(1.0, 0.25 * abs(exact - mean) + 0.05 * exact)


@settings(deadline=None, max_examples=examples(30))
@given(seed=st.integers(0, 2**31), level=st.floats(0.1, 1e6))
def test_the_most_seen_near_a_level_is_below_no_count_that_came_there(
    seed: int, level: float
) -> None:
    rng = np.random.default_rng(seed)
    expected = level * np.exp(rng.normal(0, 1, 200))
    actual = rng.poisson(expected) * rng.choice([0.0, 1.0, 3.0], 200, p=[0.1, 0.8, 0.1])
    most = ceiling(most_seen(actual, expected), expected)
    assert (most >= np.maximum(expected, BEYOND * actual) - 1e-6).all()
    assert (
        np.diff(ceiling(most_seen(actual, expected), expected.max() * np.array([1.0, 4.0, 16.0])))
        > 0
    ).all()


def test_beyond_its_outermost_quantile_a_path_is_no_steeper_than_up_to_it() -> None:
    levels, away = list(QUANTILES), np.array([-0.1, 0.0, 0.1, 4.0])[:, None]
    far = _distance(np.array([2.3263, 4.6526]), levels, away.repeat(2, axis=1))
    assert far[1] <= 2 * far[0] + 1e-3


def test_a_law_with_no_closure_is_forecast_as_before() -> None:
    minute = MONDAY.timestamp() / 60 + np.arange(_DAYS * 1440.0)
    counts = np.random.default_rng(6).poisson(law(minute, 200.0)).astype(float)
    past = past_of(counts[None])
    model = reconciled_models([past], past.end_min, past.end_min + _AHEAD * 1440, "sale")[0]
    median, bands = published(past, model)
    truth = law(past.end_min + np.arange(_AHEAD * 1440.0), 200.0)
    np.testing.assert_allclose(median, truth, rtol=0.08)
    assert (bands[:, 3] < 1.5 * truth).all()
