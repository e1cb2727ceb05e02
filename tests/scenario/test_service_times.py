"""The laws of service time: each keeps its declared mean and spread, whatever engine draws."""

from __future__ import annotations

import json
import math
from statistics import fmean, pvariance
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from gameday.scenario.service_times import ServiceTime
from gameday.vocabulary import Draw, draw

DRAWS = 40_000
LAWS: dict[str, dict[str, Any]] = {
    "deterministic": {"law": "deterministic", "mean": "12ms"},
    "exponential": {"law": "exponential", "mean": "250ms"},
    "lognormal, narrow": {"law": "lognormal", "mean": "80ms", "cv": 0.35},
    "lognormal, as wide as exponential": {"law": "lognormal", "mean": "30ms", "cv": 1.0},
    "lognormal, wide": {"law": "lognormal", "mean": "2s", "cv": 1.5},
    "gamma, narrow": {"law": "gamma", "mean": "2s", "cv": 0.4},
    "gamma, wide": {"law": "gamma", "mean": "90ms", "cv": 1.7},
    "erlang": {"law": "erlang", "mean": "40ms", "stages": 3},
    "pareto": {"law": "pareto", "min": "5ms", "max": "2s", "alpha": 1.5},
    "pareto, power one": {"law": "pareto", "min": "5ms", "max": "90ms", "alpha": 1.0},
    "empirical": {
        "law": "empirical",
        "quantiles": {"p0": "1ms", "p50": "12ms", "p99": "130ms", "p90": "40ms", "p100": "1s"},
    },
}
UNIFORMS = st.floats(2.0**-54, 1, exclude_max=True)


def law_of(name: str) -> Any:
    return TypeAdapter(ServiceTime).validate_json(json.dumps(LAWS[name]))


def drawn(name: str) -> list[float]:
    law = law_of(name)
    return [law.seconds(draw(7, n, 3, 1, Draw.SERVICE_TIME)) for n in range(DRAWS)]


@pytest.mark.parametrize("name", LAWS)
def test_the_mean_of_many_keyed_draws_approaches_the_declared_mean(name: str) -> None:
    law = law_of(name)
    error = law.mean * math.sqrt(law.scv / DRAWS)
    assert abs(fmean(drawn(name)) - law.mean) <= 4 * error + 1e-12


@pytest.mark.parametrize("name", LAWS)
def test_the_spread_of_many_keyed_draws_approaches_the_declared_scv(name: str) -> None:
    law, times = law_of(name), drawn(name)
    scv = pvariance(times) / fmean(times) ** 2
    # the fourth moment of a wide log-normal is heavy: its sample scv is itself noisy
    assert scv == pytest.approx(law.scv, rel=0.15 if law.scv > 1 else 0.05, abs=1e-12)


@pytest.mark.parametrize("name", LAWS)
@given(a=UNIFORMS, b=UNIFORMS)
def test_a_larger_uniform_never_gives_a_shorter_time(name: str, a: float, b: float) -> None:
    law = law_of(name)
    low, high = sorted((a, b))
    assert law.seconds(low) <= law.seconds(high)


@pytest.mark.parametrize("name", LAWS)
@given(uniform=UNIFORMS)
def test_a_time_is_finite_not_negative_and_the_same_each_time(name: str, uniform: float) -> None:
    law = law_of(name)
    seconds = law.seconds(uniform)
    assert 0 <= seconds < math.inf
    assert seconds == law.seconds(uniform)


@given(uniform=UNIFORMS)
def test_the_exponential_quantile_inverts_its_distribution(uniform: float) -> None:
    law = law_of("exponential")
    assert -math.expm1(-law.seconds(uniform) / law.mean) == pytest.approx(uniform, abs=1e-12)


def test_the_median_of_a_lognormal_is_its_mean_over_the_root_of_one_plus_scv() -> None:
    law = law_of("lognormal, narrow")
    assert law.seconds(0.5) == pytest.approx(law.mean / math.sqrt(1 + law.scv))


@pytest.mark.parametrize("shape", [0.01, 0.3, 1.0, 3.0, 40.0, 2500.0])
def test_a_gamma_quantile_is_the_true_one_over_the_whole_range(shape: float) -> None:
    law = TypeAdapter(ServiceTime).validate_json(
        json.dumps({"law": "gamma", "mean": "1s", "cv": shape**-0.5})
    )
    for uniform in (1e-15, 1e-9, 1e-3, 0.1, 0.37, 0.5, 0.8, 0.99, 1 - 1e-6, 1 - 1e-13):
        true = stats.gamma.ppf(uniform, shape, scale=1 / shape)
        if true > 1e-150:
            assert law.seconds(uniform) == pytest.approx(true, rel=2e-6)


def test_an_erlang_of_one_stage_is_exponential() -> None:
    one = TypeAdapter(ServiceTime).validate_json(
        json.dumps({"law": "erlang", "mean": "250ms", "stages": 1})
    )
    for uniform in (1e-9, 0.2, 0.7, 0.9999):
        assert one.seconds(uniform) == pytest.approx(
            law_of("exponential").seconds(uniform), rel=2e-6
        )


@given(uniform=UNIFORMS)
def test_a_pareto_quantile_inverts_its_distribution_and_stays_inside(uniform: float) -> None:
    law = law_of("pareto")
    seconds = law.seconds(uniform)
    true = stats.truncpareto(law.alpha, law.max / law.min, scale=law.min)
    assert law.min <= seconds <= law.max * (1 + 1e-12)
    assert true.cdf(seconds) == pytest.approx(uniform, abs=1e-9)


def test_an_empirical_law_gives_the_quantiles_it_was_given_and_lines_between() -> None:
    law = law_of("empirical")
    for level, seconds in ((0.5, 0.012), (0.9, 0.040), (0.99, 0.130), (0.25, 0.0065), (0.7, 0.026)):
        assert law.seconds(level) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("quantiles", "said"),
    [
        ({"p1": "1ms", "p100": "2ms"}, "p0"),
        ({"p0": "1ms", "p50": "9ms", "p100": "2ms"}, "none be below"),
        ({"p0": "1ms", "median": "9ms", "p100": "2ms"}, "are named"),
        ({"p0": "0s", "p100": "0s"}, "none be below"),
    ],
)
def test_quantiles_that_are_no_distribution_are_refused(
    quantiles: dict[str, str], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(ServiceTime).validate_json(
            json.dumps({"law": "empirical", "quantiles": quantiles})
        )
