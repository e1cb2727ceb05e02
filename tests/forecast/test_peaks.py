"""Laws of the peak: flat tops and few counts lift it, what is learned is the rest, chance is held as promised."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gameday.forecast.uncertainty.peak_errors import PEAK_LEVELS, PeakErrors, peak_errors
from gameday.forecast.uncertainty.peaks import LaunchedCurve, busy_days, peak_of
from tests.support import NIGHT
from tests.support.made_up import counts_of, law, model_of, past_of

NOTHING_LEARNED = np.zeros(len(PEAK_LEVELS))


def errors_of(chance: float) -> PeakErrors:
    return PeakErrors(NOTHING_LEARNED, NOTHING_LEARNED, NOTHING_LEARNED[:3], 30, chance)


@pytest.mark.parametrize("level", [20.0, 200.0, 20_000.0])
def test_the_highest_of_a_flat_day_lies_as_far_above_it_as_chance_lifts_it(level: float) -> None:
    rng = np.random.default_rng(1)
    days = rng.poisson(level, (400, 1440))
    said = peak_of(np.full(1440, level), errors_of(1.0), 0.0).size[0.5]
    assert said == pytest.approx(np.median(days.max(axis=1)), rel=0.05)


def test_a_sharp_top_is_lifted_less_than_a_flat_one_and_many_counts_less_than_few() -> None:
    minute = np.arange(1440.0)
    flat, sharp = np.full(1440, 100.0), 100.0 * np.exp(-np.abs(minute - 700) / 30)
    lift = [
        peak_of(curve, errors_of(1.0), 0.0).size[0.5] / curve.max()
        for curve in (flat, sharp, 100 * flat)
    ]
    assert lift[0] > lift[1] > 1
    assert lift[0] > lift[2] > 1


def test_without_chance_and_with_nothing_learned_the_peak_is_the_curve_s() -> None:
    curve = law(np.arange(1440.0), 500.0)
    peak = peak_of(curve, errors_of(0.0), 0.0)
    assert peak.slot == int(curve.argmax())
    for size in peak.size.values():
        assert size == pytest.approx(curve.max(), rel=1e-4)


def test_what_the_event_may_be_off_widens_its_peak_both_ways() -> None:
    curve = law(np.arange(1440.0), 500.0)
    sure, unsure = (peak_of(curve, errors_of(1.0), sigma).size for sigma in (0.0, 0.3))
    assert unsure[0.1] < sure[0.1] <= sure[0.5] == pytest.approx(unsure[0.5])
    assert unsure[0.9] > sure[0.9]


def test_peaks_of_days_to_come_lie_within_p10_and_p90_eight_times_of_ten() -> None:
    held, size = 0, []
    histories = 40 if NIGHT else 15
    for seed in range(histories):
        counts = counts_of(30, (60.0,), seed=500 + seed, wander=0.01)
        model = model_of(past_of(counts[:, : 28 * 1440]), days_ahead=2)
        minute = model.past.end_min + np.arange(1440.0)
        peak = peak_of(model.blend.smooth(minute)[:, 0], peak_errors([(model, 0)]), 0.0)
        came = counts[0, 28 * 1440 : 29 * 1440].max()
        held += peak.size[0.1] <= came <= peak.size[0.9]
        size.append(peak.size[0.5] / came - 1)
    assert stats.binomtest(held, histories, 0.8).pvalue > 0.01, held
    assert abs(np.mean(size)) < 0.03


@pytest.mark.parametrize("level", [0.1, 1.0, 8.0, 60.0])
def test_what_counts_owe_to_chance_is_told_of_few_as_of_many(level: float) -> None:
    model = model_of(past_of(counts_of(35, (level,), seed=11)), days_ahead=7)
    # Poisson counts: their variance is their mean, at every level.
    assert peak_errors([(model, 0)]).chance == pytest.approx(1.0, abs=0.3)


def test_a_peak_of_few_counts_does_not_rise_in_proportion_to_what_is_expected() -> None:
    counts = counts_of(35, (0.1,), seed=4)
    model = model_of(past_of(counts), days_ahead=7)
    minute = model.past.end_min + np.arange(1440.0)
    smooth, errors = model.blend.smooth(minute)[:, 0], peak_errors([(model, 0)])
    usual, tripled = (peak_of(times * smooth, errors, 0.0).size[0.9] for times in (1, 3))
    highest = np.random.default_rng(2).poisson(3 * smooth, (400, 1440)).max(axis=1)
    assert usual < tripled < 2 * usual
    assert (highest <= np.ceil(tripled)).mean() > 0.8


def test_errors_of_a_sum_s_peaks_are_those_of_the_summed_series() -> None:
    counts = counts_of(28, (300.0, 40.0), seed=5, wander=0.01)
    both = model_of(past_of(counts))
    one = model_of(past_of(counts.sum(axis=0, keepdims=True)))
    summed, own = peak_errors([(both, 0), (both, 1)]), peak_errors([(one, 0)])
    assert summed.distinct == own.distinct
    for field in ("log_size", "log_five"):
        assert getattr(summed, field) == pytest.approx(getattr(own, field), abs=0.03), field


def crowd_at(slot: int, size: float, slots: int = 1440) -> np.ndarray:
    """Return a crowd that halves every four minutes from `slot` on."""
    after = np.arange(slots) - slot
    return np.where(after >= 0, size * 0.5 ** (after / 4), 0.0)


def test_a_launch_far_above_the_day_is_the_peak_with_the_crowd_s_own_spread() -> None:
    day, crowd = np.full(1440, 100.0), crowd_at(900, 50_000.0)
    peak = peak_of(day, errors_of(1.0), 0.0, LaunchedCurve(day, ((crowd, 0.3),)))
    assert (peak.slot, peak.expected, peak.minutes) == (900, 50_100.0, {})
    assert peak.size[0.5] == pytest.approx(50_100, rel=1e-3)
    assert peak.size[0.9] == pytest.approx(100 + 50_000 * np.exp(1.2816 * 0.3), rel=5e-3)


def test_a_launch_far_below_the_day_s_peak_changes_nothing() -> None:
    day = law(np.arange(1440.0), 1000.0)
    crowd = crowd_at(int(day.argmin()), 10.0)
    plain, launched = (
        peak_of(day, errors_of(1.0), 0.1, crowded)
        for crowded in (None, LaunchedCurve(day, ((crowd, 0.3),)))
    )
    assert launched.slot == plain.slot
    for level, size in plain.size.items():
        assert launched.size[level] == pytest.approx(size, rel=2e-3), level


def test_a_launch_never_lowers_a_peak() -> None:
    day = law(np.arange(1440.0), 1000.0)
    low = peak_of(day, errors_of(1.0), 0.1).size
    for size in (1.0, 300.0, 3000.0):
        crowd = crowd_at(int(day.argmax()), size)
        high = peak_of(day, errors_of(1.0), 0.1, LaunchedCurve(day, ((crowd, 0.3),))).size
        assert all(high[level] >= low[level] * (1 - 2e-3) for level in low)
        low = {level: min(value, high[level]) for level, value in high.items()}


def test_where_no_day_was_foretold_a_launch_still_has_its_spread() -> None:
    day, crowd = np.full(60, 100.0), crowd_at(30, 1000.0, 60)
    peak = peak_of(day, PeakErrors.unknown(), 0.0, LaunchedCurve(day, ((crowd, 0.3),)))
    assert peak.size[0.1] < peak.size[0.5] == pytest.approx(1100, rel=1e-3)
    assert peak_of(day, PeakErrors.unknown(), 0.0).size == {0.5: 100.0}


def test_peaks_of_windows_of_days_are_held_as_often_as_they_promise() -> None:
    held, ratio = dict.fromkeys((0.1, 0.9), 0), []
    histories = 60 if NIGHT else 6
    for seed in range(histories):
        counts = counts_of(84, (60.0,), seed=900 + seed, wander=0.01)
        model = model_of(past_of(counts[:, : 56 * 1440]), days_ahead=28)
        for first in (0, 14):
            minute = model.past.end_min + 1440 * first + np.arange(14 * 1440.0)
            smooth = model.blend.smooth(minute)[:, 0]
            peak = peak_of(smooth, peak_errors([(model, 0)], busy_days(smooth)), 0.0)
            came = counts[0, (56 + first) * 1440 :][: 14 * 1440].max()
            for level in held:
                held[level] += came <= peak.size[level]
            ratio.append(peak.size[0.5] / came - 1)
    for level, number in held.items():
        assert stats.binomtest(number, 2 * histories, level).pvalue > 0.01, (level, number)
    assert abs(np.mean(ratio)) < 0.03


def test_the_highest_five_minutes_lie_below_the_highest_minute_and_above_the_curve() -> None:
    counts = counts_of(30, (60.0,), seed=3, wander=0.01)
    model = model_of(past_of(counts[:, : 28 * 1440]), days_ahead=2)
    smooth = model.blend.smooth(model.past.end_min + np.arange(1440.0))[:, 0]
    peak = peak_of(smooth, peak_errors([(model, 0)]), 0.0)
    for level in PEAK_LEVELS:
        assert peak.five_minutes[level] < peak.size[level]
    five = np.convolve(counts[0, 28 * 1440 : 29 * 1440], np.full(5, 0.2), "valid").max()
    assert peak.five_minutes[0.5] == pytest.approx(five, rel=0.08)
    crowd = LaunchedCurve(smooth, ((crowd_at(900, 50_000.0), 0.3),))
    launched = peak_of(smooth, peak_errors([(model, 0)]), 0.0, crowd)
    mean = np.mean(crowd.total[900:905])
    assert launched.five_minutes[0.5] == pytest.approx(mean, rel=0.01)


def test_days_far_below_the_highest_do_not_count_among_those_that_may_have_the_peak() -> None:
    day = 100 + 50 * np.sin(np.arange(1440) / 1440 * np.pi)
    assert busy_days(day[:300]) == busy_days(day) == 1
    assert busy_days(np.tile(day, 5)) == 5
    assert busy_days(np.concatenate([day, 3 * day, day])) == 1
