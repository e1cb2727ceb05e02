"""How much a service's work varies from visit to visit: from the spread of its visits, beside the model's."""

from __future__ import annotations

import numpy as np

from gameday.calibrate.compared.observed import BIN_S
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.scenario.blocks import Spread
from gameday.vocabulary import Array

__all__ = ["fit"]

_LEAST_VISITS = 200
"""Visits below which their spread says nothing. Ours."""
_TRIM = 0.997
"""Quantile beyond which visits are set to it: one stalled connection is no law of work. Ours."""
_LEAST_SHARE = 0.2
"""Of the visits' variance that own work must make: else it is lost among waits and calls. Ours."""
_APART = 0.25
"""A coefficient of variation must differ by so much: a histogram of scraped buckets tells no less. Ours."""
_SURE = 4.0
"""Standard errors by which it must differ. Ours."""
_LEAST_CV, _MOST_CV = 0.02, 10.0


def fit(case: ServiceCase) -> Found | None:
    """Return the coefficient of variation of own work, where the visits can tell it."""
    if case.hidden_calls or case.model.measured(case.name) != case.before:
        return None  # nothing is known of it apart from its calls, or its kind has been found
    declared = float(case.model.service(case.name).time.scv ** 0.5)
    own_s = case.work.mean(case.work.own_s, case.executions)
    cv = _fitted(case.seen.histogram, case.expected.histogram, own_s, declared)
    if cv is None:
        return None
    visits, by = float(case.seen.histogram.sum()), "spread of visits"
    if abs(np.log(cv.mid / max(declared, 0.05))) < max(_APART, _SURE * cv.log_sd):
        return case.agrees("cv", declared, cv, by, visits)
    return case.differs({"cv": cv}, "cv", declared, cv, by, visits)


def _fitted(seen: Array, model: Array, own_s: float, cv: float) -> Spread | None:
    """Return the coefficient of variation; None where the visits cannot tell it.

    What varies in a visit beside own work (waits, calls) varies in both histograms alike: the difference of the
    variances is own work's.
    """
    if seen.sum() < _LEAST_VISITS or model.sum() < _LEAST_VISITS or not own_s > 0:
        return None
    variance, error = _trimmed_variance(seen)
    expected, _ = _trimmed_variance(model)
    own_variance = (cv * own_s) ** 2
    wanted = variance - max(0.0, expected - own_variance)
    if own_variance < _LEAST_SHARE * expected or wanted <= 0:
        return None
    mid = min(max(wanted**0.5 / own_s, _LEAST_CV), _MOST_CV)
    return Spread.around(mid, 0.5 * error / wanted)


def _trimmed_variance(histogram: Array) -> tuple[float, float]:
    """Return the variance of what a histogram counts, its uppermost part set to a quantile, and its error."""
    upto = np.cumsum(histogram) / histogram.sum()
    seconds = np.minimum(BIN_S, BIN_S[int(np.searchsorted(upto, _TRIM))])
    mean = float(np.average(seconds, weights=histogram))
    squares = (seconds - mean) ** 2
    variance = float(np.average(squares, weights=histogram))
    fourth = float(np.average(squares**2, weights=histogram))
    return variance, max(0.0, (fourth - variance**2) / float(histogram.sum())) ** 0.5
