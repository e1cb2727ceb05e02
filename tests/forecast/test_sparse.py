"""Laws of sparse series: nothing is lost, what recurs is the region's, factors move the sparsest alike."""

from __future__ import annotations

import numpy as np
import pytest

from gameday.forecast.model.reconciliation import reconciled_models
from tests.support.made_up import MONDAY, counts_of, law, model_of, past_of

LEVELS = (0.02, 0.1, 0.4, 2.0, 300.0)


def test_a_sparse_series_forecast_adds_up_to_what_comes() -> None:
    past = past_of(counts_of(42, LEVELS, seed=21))
    model = reconciled_models([past], past.end_min, past.end_min + 7 * 1440, "sale")[0]
    minute = past.end_min + np.arange(7 * 1440.0)
    means = model.blend.means(minute).sum(axis=0)
    truth = np.array([law(minute, level).sum() for level in LEVELS])
    chance = 3 * np.sqrt(7 / 42 * 7 * truth) / truth  # of the past's own count, recency included
    assert (np.abs(means / truth - 1) <= 0.04 + chance).all(), means / truth
    assert (model.blend.counts(minute) >= 0).all()


def test_forty_sparse_children_add_up_to_their_region() -> None:
    past = past_of(counts_of(28, (0.05,) * 40, seed=22))
    model = reconciled_models([past], past.end_min, past.end_min + 3 * 1440, "sale")[0]
    minute = past.end_min + np.arange(3 * 1440.0)
    truth = 40 * law(minute, 0.05).sum()
    assert model.blend.means(minute).sum() == pytest.approx(truth, rel=0.06)


def test_a_sparse_series_takes_what_recurs_from_its_region() -> None:
    rng = np.random.default_rng(23)
    minute = MONDAY.timestamp() / 60 + np.arange(42 * 1440.0)
    spike = np.where(np.arange(42 * 1440) % 30 == 0, 2.0, 1.0)
    counts = np.stack([rng.poisson(law(minute, level) * spike) for level in (300.0, 0.3)])
    profile = model_of(past_of(counts.astype(float))).blend.profile
    np.testing.assert_allclose(np.exp(profile[0, ::30, 1]), 2.0, rtol=0.1)
    np.testing.assert_allclose(np.exp(profile[0, ::30, 0]), 2.0, rtol=0.1)


def test_what_recurs_leaves_the_sum_of_its_neighbours_as_it_is() -> None:
    counts = counts_of(28, (300.0,), seed=9)
    counts[:, np.arange(counts.shape[1]) % 60 == 0] *= 1.5
    profile = np.exp(model_of(past_of(counts)).blend.profile[0, :, 0])
    hours = profile.reshape(24, 60).mean(axis=1)
    np.testing.assert_allclose(hours, 1, atol=0.02)
