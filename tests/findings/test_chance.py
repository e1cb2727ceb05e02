"""Chance is judged over everything that was looked at, and intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.findings.search import holm
from gameday.record.histograms import BINS, bin_of
from gameday.record.intervals.of_one_run import binomial_band, quantile_band
from gameday.vocabulary import Seed

p_lists = st.lists(st.floats(0, 1), max_size=40)


def test_holm_gives_the_corrected_values_of_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_a_single_test_as_it_is() -> None:
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@given(p_values=p_lists)
def test_a_corrected_value_is_never_below_its_raw_one_and_never_above_one(
    p_values: list[float],
) -> None:
    for raw, corrected in zip(p_values, holm(p_values), strict=True):
        assert raw <= corrected <= 1


@given(p_values=p_lists)
def test_correction_keeps_the_order_of_the_tests(p_values: list[float]) -> None:
    corrected = holm(p_values)
    by_raw = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [corrected[i] for i in by_raw] == sorted(corrected)


@given(p_values=p_lists, more=st.floats(0, 1))
def test_looking_at_one_thing_more_never_makes_another_surer(
    p_values: list[float], more: float
) -> None:
    alone, together = holm(p_values), holm([*p_values, more])[: len(p_values)]
    assert all(a <= b + 1e-12 for a, b in zip(alone, together, strict=True))


@given(p_values=p_lists, where=st.randoms(use_true_random=False))
def test_the_order_of_looking_does_not_matter(p_values: list[float], where: object) -> None:
    order = list(range(len(p_values)))
    where.shuffle(order)  # type: ignore[attr-defined]
    shuffled = holm([p_values[i] for i in order])
    assert [holm(p_values)[i] for i in order] == pytest.approx(shuffled)


def test_a_family_of_healthy_tests_raises_a_false_alarm_at_most_one_time_in_twenty() -> None:
    chance = Seed(3).stream("holm")
    alarms = sum(min(holm(chance.random(30).tolist())) < 0.05 for _ in range(1000))
    assert alarms <= 70  # binomial(1000, 0.05): 99.8 % below


@given(all_=st.integers(1, 5000), share=st.floats(0, 1))
def test_a_share_lies_inside_its_interval_and_the_interval_inside_zero_and_one(
    all_: int, share: float
) -> None:
    band = binomial_band(round(share * all_), all_)
    assert 0 <= band.low <= band.mid <= band.high <= 1


def test_a_share_of_nothing_is_not_a_number() -> None:
    assert np.isnan([binomial_band(0, 0).mid, binomial_band(0, 0).low]).all()


@pytest.mark.parametrize("share", [0.002, 0.01, 0.3, 0.9])
def test_the_interval_of_a_share_holds_the_truth_at_least_95_times_in_a_hundred(
    share: float,
) -> None:
    found = Seed(1).stream("share", str(share)).binomial(800, share, size=600)
    held = sum((b := binomial_band(int(k), 800)).low <= share <= b.high for k in found)
    assert held >= 0.93 * 600  # promised 95 %, less the test's own chance


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_the_interval_of_a_quantile_holds_the_truth_95_times_in_a_hundred(level: float) -> None:
    chance, truth, held = Seed(2).stream("quantile", str(level)), -np.log(1 - level) * 0.1, 0
    for _ in range(300):
        histogram = np.bincount(bin_of(chance.exponential(0.1, 500)), minlength=BINS)
        band = quantile_band(histogram, level)
        assert band.low <= band.mid <= band.high
        held += band.low / 1.01 <= truth <= band.high * 1.01
    assert held >= 0.92 * 300


def test_a_quantile_of_nothing_is_not_a_number() -> None:
    assert np.isnan(quantile_band(np.zeros(BINS, int), 0.99).mid)


@given(n=st.integers(1, 200))
def test_more_replies_never_widen_the_interval_of_a_quantile(n: int) -> None:
    one = np.zeros(BINS, int)
    one[[100, 200, 300, 400]] = n
    widths = [(b := quantile_band(one * k, 0.5)).high - b.low for k in (1, 4)]
    assert widths[1] <= widths[0]
