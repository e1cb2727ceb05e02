"""Laws of sample paths: each minute has its band, sums are sums, chance is the seed's, series move together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.demand import Demand
from gameday.forecast.event_demand import EventDemand, LaunchSteps
from gameday.forecast.model.regional import Model, fit_models
from gameday.forecast.uncertainty.error_correlation import ErrorCorrelation, correlate_errors
from gameday.forecast.uncertainty.paths import sample_paths, sums_of, total_quantiles
from gameday.vocabulary import QUANTILES, Seed, TimeGrid
from tests.support.made_up import MONDAY, counts_of, later, law, occurrence, past_of

SALES = (occurrence(8.5, 24), occurrence(18.25, 24))
COMING = occurrence(28.5, 24)


def demand_of(model: Model, days: int, sigma: float = 0.1) -> Demand:
    """Return the demand of one region's model."""
    grid = TimeGrid(later(28), days * 1440)
    minute = grid.minutes().astype(float)
    medians, quantiles = model.quantiles(minute, QUANTILES)
    median = medians.T[None]
    marginal = {q: quantiles[:, :, i].T[None] for i, q in enumerate(QUANTILES)}
    return Demand(
        grid,
        ("here",),
        tuple("abc"[: median.shape[1]]),
        median,
        model.blend.means(minute).T[None],
        marginal,
        model.blend.log_event(minute).T[None],
        sigma,
        2,
        correlate_errors([model]),
        {},
        0.1,
        (),
        (),
        ((0, grid.slots),),
        model.blend.smooth(minute).T[None],
        {},
    )


@pytest.fixture(scope="module")
def demand() -> Demand:
    counts = counts_of(28, (400.0, 60.0), seed=31, wander=0.01, events=SALES)
    calendar = RegionCalendar("here", "UTC", occurrences=(*SALES, COMING))
    return demand_of(fit_models([past_of(counts, calendar)], 3 * 1440, "sale")[0], 2)


def test_each_minute_of_the_paths_has_the_band_that_is_told(demand: Demand) -> None:
    paths = sample_paths(demand, 300, Seed(1))
    assert paths.shape == (300, *demand.median.shape)
    assert (paths >= 0).all()
    for level in QUANTILES:
        below = (paths <= demand.marginal[level]).mean()
        assert below == pytest.approx(level, abs=0.04), level


def test_paths_are_on_average_what_is_expected(demand: Demand) -> None:
    paths = sample_paths(demand, 300, Seed(2)).astype(float)
    np.testing.assert_allclose(paths.sum(axis=3).mean(axis=0), demand.mean.sum(axis=2), rtol=0.03)


def test_quantiles_of_a_sum_are_those_of_the_summed_paths_within_the_span(demand: Demand) -> None:
    span = (600, 2000)
    whole = EventDemand(replace(demand, spans=(span,)), {})
    assert sums_of(whole) == [("here", "all")]
    told = total_quantiles(whole, [("here", "all"), ("here", "a")], 100, Seed(3))
    each = sample_paths(demand, 100, Seed(3))[:, 0, :, slice(*span)].sum(axis=2, dtype=float)
    for level in (0.1, 0.5, 0.9):
        assert told["here", "all"][level] == pytest.approx(
            np.quantile(each.sum(axis=1), level), rel=1e-5
        )
        assert told["here", "a"][level] == pytest.approx(np.quantile(each[:, 0], level), rel=1e-5)


def test_a_launch_moves_the_total_s_median_by_its_crowd_and_widens_it(demand: Demand) -> None:
    crowd = np.zeros_like(demand.median)
    crowd[0, 0, 500:600] = 0.01 * demand.mean.sum()  # as much as all that comes anyway
    calm = EventDemand(demand, {})
    told, launched = (
        total_quantiles(whole, [("here", "all")], 400, Seed(4))["here", "all"]
        for whole in (calm, EventDemand(demand, {"drop": LaunchSteps(crowd, 0.3)}))
    )
    assert launched[0.5] - told[0.5] == pytest.approx(crowd.sum(), rel=0.1)
    assert launched[0.9] - launched[0.1] > told[0.9] - told[0.1]


def test_the_same_seed_draws_the_same_days_and_another_others(demand: Demand) -> None:
    one, same, other = (sample_paths(demand, 3, Seed(s)) for s in (4, 4, 5))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_one_draw_of_strength_moves_all_steps_of_an_event_alike(demand: Demand) -> None:
    wide = replace(demand, strength_sigma=5.0)  # the strength is all that an event minute is off by
    top = np.unravel_index(demand.event_log_effect[0, 0].argmax(), demand.median.shape[2:])[0]
    around = slice(top, top + 5)
    paths = np.log1p(sample_paths(wide, 200, Seed(6))[:, 0, :, around]).mean(axis=2)
    assert np.corrcoef(paths.T)[0, 1] > 0.95


def test_series_that_were_off_together_are_drawn_together() -> None:
    rng = np.random.default_rng(7)
    minute = MONDAY.timestamp() / 60 + np.arange(28 * 1440.0)
    shared = np.exp(np.repeat(rng.normal(0, 0.15, 28 * 24), 60))
    counts = np.stack([rng.poisson(law(minute, level) * shared) for level in (900.0, 600.0)])
    alone = np.stack(
        [
            rng.poisson(law(minute, level) * np.exp(np.repeat(rng.normal(0, 0.15, 28 * 24), 60)))
            for level in (900.0, 600.0)
        ]
    )
    spread = []
    for past in (counts, alone):
        drawn = demand_of(fit_models([past_of(past.astype(float))], 3 * 1440, "sale")[0], 1)
        assert (drawn.error_correlation.share > 0.5).all()
        paths = sample_paths(drawn, 300, Seed(8)).astype(float)
        hours = np.log(paths[:, 0].reshape(300, 2, 24, 60).mean(axis=3))
        away = (hours - hours.mean(axis=0)) / hours.std(axis=0)
        spread.append(float((away[:, 0] * away[:, 1]).mean()))
    assert spread[0] > 0.7
    assert abs(spread[1]) < 0.25


def test_without_earlier_origins_minutes_are_drawn_alone(demand: Demand) -> None:
    alone = replace(demand, error_correlation=ErrorCorrelation((), np.zeros((1, 2))))
    paths = sample_paths(replace(alone, strength_sigma=0.0), 300, Seed(9))
    assert (paths <= alone.marginal[0.9]).mean() == pytest.approx(0.9, abs=0.02)
