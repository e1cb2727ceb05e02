"""Laws of the fit: when steps fall after a start, and which starts cause a forecast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.scenario import load_scenario
from gameday.scenario.blocks.journeys import Journey
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps, fit_starts
from gameday.vocabulary import Array
from tests.support import examples
from tests.support.small_shop import load_small, small_shop

STEPS = ("a", "b", "c")
QUICK = dict.fromkeys(STEPS, 0.0)


@st.composite
def journeys(draw: st.DrawFn) -> Journey:
    """Return a journey over STEPS that ends soon: each step leaves with at least 30 %."""
    rows = {}
    for step in STEPS:
        weights = [draw(st.floats(0.01, 1)) for _ in range(3)]
        share = 0.7 / max(sum(weights), 1.0)
        row = {to: round(w * share, 6) for to, w in zip(STEPS, weights, strict=True)}
        rows[step] = row | {"exit": 1 - sum(row.values())}
    first = draw(st.floats(0, 1))
    think = {step: f"{draw(st.integers(5, 60))}s" for step in STEPS}
    return Journey.model_validate(
        {
            "start": {"a": first, "b": 1 - first},
            "next": rows,
            "think": think | {"other": "9s"},
            "patience": "9s",
        }
    )


# --- lag kernels --------------------------------------------------------------------------------


@settings(deadline=None, max_examples=examples(25))
@given(journey=journeys(), response_s=st.floats(0, 20))
def test_a_kernel_s_lags_sum_to_the_visits_of_a_session(
    journey: Journey, response_s: float
) -> None:
    kernel = lag_kernel(journey, STEPS, dict.fromkeys(STEPS, response_s))
    assert kernel.min() >= 0
    visits = journey.visits_per_session(STEPS)
    np.testing.assert_allclose(kernel.sum(), visits.sum(), rtol=2e-4)
    np.testing.assert_allclose(kernel.sum(axis=1), visits, atol=2e-4 * visits.sum())


@pytest.mark.parametrize("think", ["2m", "10m", "45m"])
def test_slow_journeys_lose_no_visits(think: str) -> None:
    row = {"a": 0.8, "exit": 0.2}
    journey = Journey.model_validate(
        {"start": {"a": 1.0}, "next": {"a": row}, "think": {"other": think}, "patience": "9s"}
    )
    assert lag_kernel(journey, ("a",), {"a": 0.0}).sum() == pytest.approx(5, rel=2e-4)


def test_a_first_step_falls_in_the_slot_of_its_start() -> None:
    journey = Journey.model_validate(
        {
            "start": {"a": 1.0},
            "next": {"a": {"exit": 1.0}},
            "think": {"other": "9s"},
            "patience": "9s",
        }
    )
    kernel = lag_kernel(journey, ("a",), {"a": 0.0})
    assert kernel[0, 0] == 1.0
    assert kernel[0, 1:].sum() == 0.0


@pytest.mark.parametrize("response_s", [0.0, 12.0])
def test_a_kernel_s_mean_lag_is_that_of_walks_drawn_by_chance(response_s: float) -> None:
    row = {"a": 0.3, "b": 0.4, "exit": 0.3}
    think_s = {"a": 20.0, "b": 50.0}
    journey = Journey.model_validate(
        {
            "start": {"a": 1.0},
            "next": {"a": row, "b": row},
            "think": {"a": "20s", "b": "50s", "other": "1s"},
            "patience": "9s",
        }
    )
    kernel = lag_kernel(journey, ("a", "b"), {"a": response_s, "b": response_s})
    lags = np.arange(kernel.shape[1])
    rng = np.random.default_rng(11)
    fallen: dict[str, list[float]] = {"a": [], "b": []}
    for _ in range(40_000):
        # The start lies anywhere in its slot, so a lag in slots counts slot borders crossed.
        step, at_s = "a", rng.random() * 60
        while step != "exit":
            fallen[step].append(at_s // 60)
            at_s += response_s + rng.exponential(think_s[step])
            uniform = rng.random()
            step = "a" if uniform < 0.3 else "b" if uniform < 0.7 else "exit"
    for index, step in enumerate("ab"):
        mean = float((kernel[index] * lags).sum() / kernel[index].sum())
        drawn = np.array(fallen[step])
        error = drawn.std() / np.sqrt(len(drawn))
        assert mean == pytest.approx(drawn.mean(), abs=5 * error + 0.01), step
        assert kernel[index, 0] / kernel[index].sum() == pytest.approx(
            (drawn == 0).mean(), abs=0.015
        )


def test_think_times_named_for_every_step_need_no_other(tmp_path: Path) -> None:
    named = {"home": "10s", "product": "20s", "checkout": "5s"}
    shop = small_shop()
    shop["journeys"]["shopper"]["think"] = named
    journey = load_small(tmp_path, shop).journeys["shopper"]
    assert [journey.think_s(step) for step in named] == [10.0, 20.0, 5.0]
    assert lag_kernel(journey, tuple(named), dict.fromkeys(named, 0.0)).sum() > 2


# --- starts -------------------------------------------------------------------------------------


def shop_kernels() -> tuple[tuple[str, ...], list[Array]]:
    scenario = load_scenario("primeday")
    daily = [j for j in scenario.journeys.values() if j.launch is None]
    steps = scenario.step_names
    return steps, [lag_kernel(j, steps, dict.fromkeys(steps, 2.0)) for j in daily]


@pytest.mark.parametrize("levels", [(50, 50), (50, 2000), (2000, 50), (5000, 5000)])
@pytest.mark.parametrize("jump", [1.0, 2.0])
def test_planted_starts_are_recovered_to_within_the_poisson_band_of_their_steps(
    levels: tuple[float, float], jump: float
) -> None:
    _, kernels = shop_kernels()
    slots = np.arange(240)
    planted = np.stack(
        [
            level * (1 + wave * np.sin(slots / 40))
            for level, wave in zip(levels, (0.5, 0.3), strict=True)
        ]
    )
    planted[:, 120:] *= jump
    before = np.repeat(planted[:, :1], 120, axis=1)
    steps = caused_steps(np.concatenate([before, planted], axis=1), kernels)[:, 120:]
    found = fit_starts(steps, kernels)
    assert found.shape == planted.shape
    assert found.min() >= 0
    # The first slots' steps partly come from starts before the first.
    again = caused_steps(
        np.concatenate([np.repeat(found[:, :1], 60, axis=1), found], axis=1), kernels
    )
    miss = (again[:, 60:] - steps)[:, 60:] / np.sqrt(np.maximum(steps[:, 60:], 1))
    assert np.abs(miss).max() < 2
    assert float(np.sqrt((miss**2).mean())) < 0.5
    np.testing.assert_allclose(found[:, 60:].sum(axis=1), planted[:, 60:].sum(axis=1), rtol=0.05)


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 999), level=st.floats(0, 5000))
def test_starts_are_never_negative_whatever_the_forecast(seed: int, level: float) -> None:
    steps, kernels = shop_kernels()
    wanted = np.random.default_rng(seed).random((len(steps), 80)) * level
    found = fit_starts(wanted, kernels)
    assert np.isfinite(found).all()
    assert found.min() >= 0


def test_a_forecast_of_nothing_needs_no_starts() -> None:
    steps, kernels = shop_kernels()
    assert fit_starts(np.zeros((len(steps), 60)), kernels).max() < 1e-6


def test_caused_steps_add_up_over_journeys_and_scale_with_starts() -> None:
    _, kernels = shop_kernels()
    rng = np.random.default_rng(2)
    one, other = rng.random((2, 50)), rng.random((2, 50))
    np.testing.assert_allclose(
        caused_steps(one + 3 * other, kernels),
        caused_steps(one, kernels) + 3 * caused_steps(other, kernels),
    )
