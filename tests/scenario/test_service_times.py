"""The laws of service time: each keeps its declared mean and spread, whatever engine draws."""

from __future__ import annotations

import json
import math
from statistics import fmean, pvariance
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gameday.scenario.service_times import ServiceTime
from gameday.vocabulary import Draw, draw

DRAWS = 40_000
LAWS: dict[str, dict[str, Any]] = {
    "deterministic": {"law": "deterministic", "mean": "12ms"},
    "exponential": {"law": "exponential", "mean": "250ms"},
    "lognormal, narrow": {"law": "lognormal", "mean": "80ms", "cv": 0.35},
    "lognormal, as wide as exponential": {"law": "lognormal", "mean": "30ms", "cv": 1.0},
    "lognormal, wide": {"law": "lognormal", "mean": "2s", "cv": 1.5},
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
