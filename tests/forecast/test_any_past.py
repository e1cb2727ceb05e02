"""Any past gives a forecast or one clear error: of any length, of constants, of nothing, of twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar, bare_calendars
from gameday.forecast.data.preparation import prepare
from gameday.forecast.data.training_data import Past
from gameday.forecast.evaluation.benchmark import benchmark_model, pooled_benchmark
from gameday.forecast.evaluation.rolling_origin import candidate_shapes
from gameday.forecast.model.design import Columns
from gameday.forecast.model.reconciliation import reconciled_models
from gameday.forecast.model.solve import _root, fit_rows
from gameday.forecast.uncertainty.peak_errors import peak_errors
from gameday.forecast.uncertainty.peaks import peak_of
from gameday.scenario.blocks.forecasting import ForecastBlock
from gameday.scenario.ingredients import Ingredients
from gameday.vocabulary import QUANTILES, Array
from tests.support import examples
from tests.support.made_up import MONDAY, counts_of, history_of, law, past_of


def years_of(days: int) -> tuple[Past, Array]:
    """Return a past of so many days with a year in it, and what is expected of the day after it, (1440,)."""
    minute = MONDAY.timestamp() / 60 + np.arange((days + 1) * 1440.0)
    rate = law(minute, 200.0) * (1 + 0.2 * np.sin(2 * np.pi * minute / (365.25 * 1440)))
    counts = np.random.default_rng(1).poisson(rate[: days * 1440]).astype(np.float32)
    return past_of(counts[None]), rate[days * 1440 :]


def test_six_years_of_minutes_are_fitted() -> None:
    past, coming = years_of(2200)
    fit = fit_rows(past.rows, past.design(candidate_shapes(past)[0]))
    at = past.end_min + np.arange(0, 1440.0, 15)
    said = np.expm1(fit.log_mean(fit.design.columns(at)))[:, 0]
    np.testing.assert_allclose(said, coming[::15], rtol=0.05)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "days", [14, 15, 30, 100, 199, 200, 349, 350, 401, 700, 1500, 2007, 2200, 3653]
)
def test_a_past_of_any_length_from_two_weeks_to_ten_years_is_forecast(days: int) -> None:
    past, coming = years_of(days)
    model = reconciled_models([past], past.end_min, past.end_min + 1440, "sale")[0]
    said = model.blend.counts(past.end_min + np.arange(1440.0))[:, 0]
    assert np.abs(said - coming).sum() / coming.sum() < 0.06


SOME = counts_of(15, (200.0,), seed=1)
NOTHING = np.zeros_like(SOME)
PASTS = {
    "constant": NOTHING + 60,
    "all zero": NOTHING,
    "one of two zero": np.concatenate([SOME, NOTHING]),
    "twins": np.concatenate([SOME, SOME]),
    "one count": np.where(np.arange(SOME.shape[1]) == 9000, 1.0, NOTHING),
    "known for three days": np.where(np.arange(SOME.shape[1]) < 12 * 1440, np.nan, SOME),
    "begun half way": np.where(np.arange(SOME.shape[1]) < 8 * 1440, 0.0, SOME),
    "ended half way": np.where(np.arange(SOME.shape[1]) > 8 * 1440, 0.0, SOME),
    "a billion times as much": 1e9 * SOME,
}


@pytest.mark.parametrize("name", PASTS)
def test_a_degenerate_past_is_forecast_without_a_warning(name: str) -> None:
    counts = PASTS[name]
    steps = tuple(f"s{i}" for i in range(len(counts)))
    history = history_of(counts, steps)
    pasts, _ = prepare(bare_calendars(history, "UTC", None), history)
    model = reconciled_models(pasts, pasts[0].end_min, pasts[0].end_min + 1440, "sale")[0]
    at = model.past.end_min + np.arange(0, 1440.0, 10)
    _, quantiles = model.quantiles(at, QUANTILES)
    for series in range(len(steps)):
        bands = quantiles[:, series]
        assert np.isfinite(bands).all()
        assert (np.diff(bands, axis=1) >= -1e-9 * np.abs(bands[:, 1:])).all()
        peak_of(model.blend.smooth(at)[:, series], peak_errors([(model, series)]), 0.0)
    assert all(np.isfinite(wape) for _, wape in pooled_benchmark([benchmark_model(model)]))


def test_a_series_of_which_no_minute_is_known_is_one_clear_error() -> None:
    history = history_of(np.concatenate([SOME, NOTHING * np.nan]), ("home", "cart"))
    with pytest.raises(
        HistoryError, match="here cart: no minute of the past is known; give its counts"
    ):
        prepare(bare_calendars(history, "UTC", None), history)


def test_regressors_that_are_sums_of_one_another_are_fitted() -> None:
    past = past_of(SOME)
    hours = past.first_min + np.arange(0, 20 * 1440, 60.0)
    wave = np.sin(np.arange(len(hours)) / 37)
    values = {
        "a+0": wave,
        "b+0": wave,
        "c+0": -2 * wave,
        "d+0": np.zeros_like(wave),
        "e+0": wave + 1e-9,
    }
    at = ["2026-01-05T00:00Z", "2027-01-05T00:00Z"]
    ingredients = Ingredients.model_validate(
        {"regressors": {n[0]: {"at": at, "values": [0, 1], "ridge": 1e-300} for n in values}}
    )
    calendar = RegionCalendar(
        "here",
        "UTC",
        regressors={n: (hours, v) for n, v in values.items()},
        block=ForecastBlock(ingredients=ingredients),
    )
    twin = past_of(SOME, calendar)
    fits = [fit_rows(p.rows, p.design(candidate_shapes(p)[0])) for p in (past, twin)]
    minute = past.end_min + np.arange(0, 1440.0, 15)
    said = [np.expm1(f.log_mean(f.design.columns(minute))) for f in fits]
    np.testing.assert_allclose(said[1], said[0], rtol=0.1)


@settings(deadline=None, max_examples=examples(50))
@given(
    seed=st.integers(0, 2**31),
    rank=st.integers(1, 6),
    scale=st.integers(-12, 12),
    ridge=st.sampled_from([0.0, 1e-300, 1e-6, 1.0]),
)
def test_a_gram_matrix_of_any_rank_and_scale_is_factorised(
    seed: int, rank: int, scale: int, ridge: float
) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(400, rank)) @ rng.normal(size=(rank, 12))
    matrix *= 10.0 ** rng.integers(-abs(scale), abs(scale) + 1, 12)
    columns = Columns(matrix.astype(np.float32), ("x",) * 12, np.full(12, ridge))
    assert np.isfinite(_root(columns, rng.uniform(0, 1, 400))).all()
