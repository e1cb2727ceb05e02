"""Laws of a demand: its paths, its bands, what it may call calibrated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.forecast import Demand, demand_grid
from gameday.forecast.data.crowds import crowd_notes
from gameday.forecast.demand import Crowd
from gameday.forecast.event_demand import EventDemand, LaunchSteps, quantile_of_sum
from gameday.forecast.uncertainty.error_correlation import ErrorCorrelation
from gameday.forecast.uncertainty.peak_errors import PeakErrors
from tests.support.small_shop import flat_demand, load_small, small_shop

LEVELS = st.floats(0.01, 0.999)
SIGMAS = st.floats(0.01, 0.6)


@pytest.fixture(scope="module")
def rise(tmp_path_factory: pytest.TempPathFactory) -> Demand:
    """A demand whose event lifts the middle and leaves a dip behind."""
    scenario = load_small(tmp_path_factory.mktemp("rise"), small_shop())
    effect = np.zeros((1, 3, 90))
    effect[:, :, 20:60] = (
        np.sin(np.linspace(0, np.pi, 40)) * np.array([1.2, 1.0, 1.5])[None, :, None]
    )
    effect[:, :, 60:] = -0.3
    median = 100 * np.exp(effect) * np.array([4.0, 2.0, 1.0])[None, :, None]
    return flat_demand(scenario, median, event_log_effect=effect)


def with_sigma(demand: Demand, sigma: float, past: int = 1) -> Demand:
    fields = {name: getattr(demand, name) for name in Demand.__dataclass_fields__}
    return Demand(**(fields | {"strength_sigma": sigma, "past_events": past}))


@given(sigma=SIGMAS)
def test_the_median_path_is_the_median(rise: Demand, sigma: float) -> None:
    np.testing.assert_array_equal(with_sigma(rise, sigma).path(0.5), rise.median)


@given(sigma=SIGMAS, level=LEVELS)
def test_a_path_s_peak_is_one_factor_times_the_median_s(
    rise: Demand, sigma: float, level: float
) -> None:
    path = with_sigma(rise, sigma).path(level)
    at = np.unravel_index(rise.event_log_effect.argmax(), rise.median.shape)
    factor = np.exp(NormalDist().inv_cdf(level) * sigma)
    assert path[at] / rise.median[at] == pytest.approx(factor)


@given(sigma=SIGMAS, level=LEVELS)
def test_a_path_stretches_one_log_effect_for_all_steps_and_minutes(
    rise: Demand, sigma: float, level: float
) -> None:
    ratio = np.log(with_sigma(rise, sigma).path(level) / rise.median)
    known = np.abs(rise.event_log_effect) > 1e-3
    stretch = ratio[known] / rise.event_log_effect[known]
    np.testing.assert_allclose(stretch, stretch[0], rtol=1e-6)
    np.testing.assert_allclose(ratio[:, :, :20], 0, atol=1e-12)


@given(sigma=SIGMAS, low=LEVELS, high=LEVELS)
def test_a_stronger_path_is_never_lower_while_the_event_lifts(
    rise: Demand, sigma: float, low: float, high: float
) -> None:
    demand, (low, high) = with_sigma(rise, sigma), sorted((low, high))
    lifted = rise.event_log_effect >= 0
    assert (demand.path(high)[lifted] >= demand.path(low)[lifted] - 1e-9).all()


@given(sigma=SIGMAS, level=LEVELS)
def test_an_event_without_a_learned_effect_scales_as_a_whole(
    rise: Demand, sigma: float, level: float
) -> None:
    fields = {name: getattr(rise, name) for name in Demand.__dataclass_fields__}
    calm = Demand(**(fields | {"event_log_effect": rise.median * 0, "strength_sigma": sigma}))
    factor = np.exp(NormalDist().inv_cdf(level) * sigma)
    np.testing.assert_allclose(calm.path(level), rise.median * factor)


@given(level=LEVELS)
def test_an_event_that_mostly_takes_traffic_has_paths_within_its_spread(
    rise: Demand, level: float
) -> None:
    effect = np.where(rise.event_log_effect > 0, -0.5, 0.02)
    path = replace(rise, event_log_effect=effect).path(level) / rise.median
    bound = np.exp(abs(NormalDist().inv_cdf(level)) * rise.strength_sigma)
    assert path.max() <= bound * (1 + 1e-9)
    assert path.min() >= 1 / bound * (1 - 1e-9)


@given(level=st.floats(0.51, 0.99))
def test_where_events_do_nothing_a_path_stays_within_what_hours_are_off_by(
    rise: Demand, level: float
) -> None:
    bands = {0.1: 0.9 * rise.median, 0.5: rise.median, 0.9: 1.1 * rise.median}
    calm = replace(
        rise,
        event_log_effect=rise.median * 0,
        strength_sigma=0.5,
        marginal=bands,
        error_correlation=ErrorCorrelation((), np.full((1, 3), 0.6)),
    )
    factor = calm.path(level) / rise.median
    np.testing.assert_allclose(factor, factor.flat[0])  # one for all steps and minutes
    assert 1 < factor.flat[0] < np.exp(NormalDist().inv_cdf(level) * np.log(1.1) / 1.2816)


def with_peaks(demand: Demand) -> Demand:
    """Return the demand with earlier peaks that were off by a fifth."""
    log_size = np.array([-0.25, 0.05, 0.3, 0.5])
    errors = PeakErrors(log_size, log_size - 0.05, np.array([-9.0, 0.0, 9.0]), 40, 1.0)
    return replace(demand, peaks={("all", "all"): errors})


@given(level=LEVELS, sigma=SIGMAS)
def test_the_highest_minute_of_a_path_is_the_peak_s_quantile(
    rise: Demand, level: float, sigma: float
) -> None:
    known = with_sigma(with_peaks(rise), sigma)
    path, peak = known.path(level), EventDemand(known, {}).peak("all", "all")
    factor = path.sum(axis=(0, 1)).max() / rise.median.sum(axis=(0, 1)).max()
    assert factor == pytest.approx(peak.times_median(level), rel=1e-6)
    calm = replace(known, event_log_effect=rise.median * 0)
    np.testing.assert_allclose(
        calm.path(level) / rise.median, EventDemand(calm, {}).peak("all", "all").times_median(level)
    )


@given(low=LEVELS, high=LEVELS)
def test_with_known_peaks_too_a_stronger_path_is_never_lower_where_the_event_lifts(
    rise: Demand, low: float, high: float
) -> None:
    known, (low, high) = with_peaks(rise), sorted((low, high))
    lifted = rise.event_log_effect > 0
    assert (known.path(high)[lifted] >= known.path(low)[lifted] * (1 - 1e-6)).all()
    np.testing.assert_allclose(known.path(0.5), rise.median, rtol=1e-6)


@given(past=st.integers(0, 40))
def test_n_past_events_support_quantiles_up_to_one_less_one_in_n_and_one(
    rise: Demand, past: int
) -> None:
    assert with_sigma(rise, 0.1, past).calibrated_to == pytest.approx(past / (past + 1))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(level=LEVELS)
def test_a_launch_s_crowd_has_a_spread_of_its_own(rise: Demand, level: float) -> None:
    crowd = Crowd(np.full((1, 90), 7.0), 0.4, 240.0, 2)
    demand = replace(rise, launches={"drop": crowd})
    factor = np.exp(NormalDist().inv_cdf(level) * 0.4)
    np.testing.assert_allclose(demand.launch_crowd("drop", level), 7 * factor)


def test_the_grid_holds_every_region_s_event_and_three_hours_around(tmp_path: Path) -> None:
    both = {
        "regions": {"in": {"zone": "Asia/Kolkata", "stack": "main"}},
        "history": {"synthetic": {"sessions_per_day": {"in": 1e5}}},
    }
    scenario = load_small(tmp_path, small_shop(), both)
    grid = demand_grid(scenario)
    spans = [scenario.span(scenario.event, region) for region in scenario.regions]
    assert (min(s for s, _ in spans) - grid.start).total_seconds() == 3 * 3600
    assert (grid.end - max(e for _, e in spans)).total_seconds() == 3 * 3600


@pytest.mark.parametrize(
    ("hour", "is_said"), [("2026-03-09T22:00", True), ("2026-03-10T18:00", False)]
)
def test_a_launch_outside_the_event_is_said_to_be_in_none_of_its_numbers(
    tmp_path: Path, hour: str, is_said: bool
) -> None:
    drop = {
        "product": "console",
        "at": {"eu": hour},
        "crowd": {"eu": 9},
        "stock": {"eu": 5},
        "half_life": "4m",
    }
    fan = {
        "launch": "drop",
        "start": {"product": 1.0},
        "think": {"other": "5s"},
        "patience": "8s",
        "next": {"product": {"exit": 1.0}},
    }
    changes = {
        "launches": {"drop": drop},
        "journeys": {"fan": fan},
        "products": {"console": {"share": {"eu": 0.0}}, "other": {"share": {"eu": 1.0}}},
    }
    notes = crowd_notes(load_small(tmp_path, small_shop(), changes), [])
    assert any("begins outside the event there" in note for note in notes) == is_said


@given(level=st.floats(0.01, 0.99), size=st.floats(0, 1e5), spread=st.floats(0, 0.6))
def test_a_minute_s_quantile_with_launches_is_its_own_where_there_are_none_and_in_order(
    level: float, size: float, spread: float
) -> None:
    median, own = np.array([100.0]), np.array([100.0 * np.exp(NormalDist().inv_cdf(level) * 0.1)])
    assert quantile_of_sum(median, own, [], level) == pytest.approx(own)
    launch = LaunchSteps(np.array([size]), spread)
    told = quantile_of_sum(median, own, [launch], level)
    low, high = sorted((100.0 + size, float(own[0] + launch.at(level)[0])))
    assert low * (1 - 1e-9) <= told[0] <= high * (1 + 1e-9)
