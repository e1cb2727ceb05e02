"""Laws of the peak: flat tops and few counts lift it, what is learned is the rest, chance is held as promised."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import counts_of, law, model_of, past_of
from scipy import stats

from gameday.forecast.accuracy import five_minute_means
from gameday.forecast.peaks import PeakErrors, peak_errors, peak_of

NOTHING_LEARNED = np.zeros(30)


def errors_of(chance: float) -> PeakErrors:
    return PeakErrors(NOTHING_LEARNED, NOTHING_LEARNED, 30, chance)


@pytest.mark.parametrize("level", [20.0, 200.0, 20_000.0])
def test_the_highest_of_a_flat_day_lies_as_far_above_it_as_chance_lifts_it(level: float) -> None:
    rng = np.random.default_rng(1)
    days = rng.poisson(level, (400, 1440)).reshape(400, 288, 5).mean(axis=2)
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
    histories = 40
    for seed in range(histories):
        counts = counts_of(30, (60.0,), seed=500 + seed, wander=0.01)
        model = model_of(past_of(counts[:, : 28 * 1440]), days_ahead=2)
        minute = model.past.end_min + np.arange(1440.0)
        peak = peak_of(model.blend.smooth(minute)[:, 0], peak_errors(model, 0), 0.0)
        came = np.nanmax(five_minute_means(counts[0, 28 * 1440 : 29 * 1440]))
        held += peak.size[0.1] <= came <= peak.size[0.9]
        size.append(peak.size[0.5] / came - 1)
    assert stats.binomtest(held, histories, 0.8).pvalue > 0.01, held
    assert abs(np.mean(size)) < 0.03
