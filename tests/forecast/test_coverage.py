"""Bands hold what they promise: over independent simulated histories, each counted once."""

from __future__ import annotations

import numpy as np
import pytest

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.evaluation.accuracy import LEVELS
from tests.support.made_up import counts_of, model_of, occurrence, past_of

_DAYS, _AHEAD = 28, 3


def shares(seed: int, wander: float) -> tuple[float, float]:
    """Return the share of the minutes of three days to come inside the 80 % and the 95 % band."""
    counts = counts_of(_DAYS + _AHEAD, (150.0,), seed=seed, wander=wander)
    past = past_of(counts[:, : _DAYS * 1440])
    model = model_of(past, days_ahead=_AHEAD)
    minute = past.end_min + np.arange(0, _AHEAD * 1440, 7)
    medians, quantiles = model.quantiles(minute, LEVELS)
    said, bands = medians[:, 0], quantiles[:, 0]
    assert (np.diff(bands, axis=1) >= 0).all()
    np.testing.assert_allclose(bands[:, 3], said)
    actual = counts[0][(minute - past.first_min).astype(int)]
    inside = [
        (actual >= bands[:, low]) & (actual <= bands[:, high]) for low, high in ((1, 5), (0, 6))
    ]
    return float(inside[0].mean()), float(inside[1].mean())


def holds(found: np.ndarray, nominal: float, slack: float) -> bool:
    """Return whether the mean over histories agrees: within `slack`, or within three standard errors."""
    error = found.std(ddof=1) / np.sqrt(len(found))
    return bool(abs(found.mean() - nominal) <= max(slack, 3 * error))


@pytest.mark.parametrize(
    ("wander", "histories"),
    [
        (0.01, 12),
        *(pytest.param(wander, 200, marks=pytest.mark.nightly) for wander in (0.0, 0.01, 0.02)),
    ],
)
def test_bands_are_ordered_hold_the_median_and_cover_what_they_promise(
    wander: float, histories: int
) -> None:
    found = np.array([shares(1000 + seed, wander) for seed in range(histories)])
    assert holds(found[:, 0], 0.80, 0.02), found.mean(axis=0)
    assert holds(found[:, 1], 0.95, 0.015), found.mean(axis=0)


@pytest.mark.parametrize("days", [1, 2, 5])
def test_after_a_step_of_the_level_bands_reach_no_farther_than_what_came(days: int) -> None:
    counts = counts_of(_DAYS + _AHEAD, (200.0,), seed=5, wander=0.005)
    first = (_DAYS - days) * 1440
    counts[:, first:] = np.random.default_rng(5).poisson(1.6 * counts[:, first:])
    past = past_of(counts[:, : _DAYS * 1440])
    model = model_of(past, days_ahead=_AHEAD)
    minute = past.end_min + np.arange(0, _AHEAD * 1440, 7)
    low, said, high = model.quantiles(minute, (0.1, 0.5, 0.9))[1][:, 0].T
    actual = counts[0][(minute - past.first_min).astype(int)]
    assert ((actual >= low) & (actual <= high)).mean() > 0.8
    farthest = np.exp(np.abs(model.errors(0).log_ratio).max())
    assert (high / said).max() < 1.02 * farthest < 2.5
    assert (said / np.maximum(low, 1e-9)).max() < 1.05 * farthest


@pytest.mark.nightly
def test_events_whose_sizes_nobody_told_are_held_by_their_bands() -> None:
    """Six past sales of sizes that spread by 30 %, and one to come: 60 histories."""
    rng, held = np.random.default_rng(11), []
    for seed in range(60):
        sizes = np.exp(0.3 * rng.standard_normal(7))
        days = (9.4, 20.4, 31.4, 42.4, 53.4, 64.4, 76.4)
        real = tuple(occurrence(day, 24, strength=s) for day, s in zip(days, sizes, strict=True))
        told = RegionCalendar("here", "UTC", occurrences=tuple(occurrence(day, 24) for day in days))
        counts = counts_of(78, (300.0,), seed=seed, events=real)
        model = model_of(past_of(counts[:, : 75 * 1440], told), days_ahead=3)
        minute = model.past.end_min + np.arange(1.4 * 1440, 2.4 * 1440, 7)
        low, _, high = model.quantiles(minute, (0.1, 0.5, 0.9))[1][:, 0].T
        came = counts[0][(minute - model.past.first_min).astype(int)]
        held.append(((came >= low) & (came <= high)).mean())
    assert 0.7 < np.mean(held) < 0.92
