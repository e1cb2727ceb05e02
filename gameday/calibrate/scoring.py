"""How good a calibrated model's predictions are: fitted on some slots of a run, scored on the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gameday.calibrate.black_box import fit_black_box
from gameday.calibrate.compared.discrepancy import tolerance
from gameday.calibrate.compared.observed import Look, Observed, StackObserved
from gameday.calibrate.compared.stack_model import Target, played
from gameday.calibrate.fit import calibrate_model
from gameday.record import percentile
from gameday.record.intervals import Interval, binomial_band, interval_of, prediction_interval
from gameday.scenario import Scenario
from gameday.vocabulary import Array, Band

__all__ = ["MetricScore", "PredictionScore", "score_prediction"]

_REPLICATIONS = 20
"""Of the model: with so many, Student's t makes an interval a twentieth wider than the normal's."""
_LEAST_VISITS = 30
"""Visits of a slot below which its quantiles are not scored. Ours."""
_LEVEL = 0.95
_LEAST_NEAR = 0.9
"""Share of rows in or near their 95 % intervals below which a model does not hold. Ours."""
_LEAST_SLOTS = 8
"""Slots of a run below which none is held out. Ours."""
_Row = tuple[float, float, float, float, float, float]
"""Measured, middle, low and high of the prediction, and low and high of the fitted slots' quantiles."""
METRICS = ("utilisation", "p50", "p99")
_UNITS = {"utilisation": "share", "p50": "s", "p99": "s"}


@dataclass(frozen=True, slots=True)
class MetricScore:
    """How one metric was predicted, over services and slots that the fit had not seen."""

    metric: str
    rows: int
    """Pairs of a slot and a service, or a step."""
    held: int
    """Those of them whose measured number lies in its 95 % prediction interval."""
    near: int
    """Those that lie in it or no further beyond it than HTTP, scrapes and buckets may move a number."""
    mean_error: float
    """Mean distance of the middle from the measured number: points of utilisation, a share of a latency."""
    interval_score: float
    """Mean interval score (Gneiting and Raftery, 2007), in the metric's own unit: width, and what lies outside."""
    interval_score_of_quantiles: float
    """The same of the empirical quantiles of the slots that were fitted on."""


@dataclass(frozen=True, slots=True)
class PredictionScore:
    """How good the predictions of a calibrated model are for slots of the same run that it has not seen."""

    metrics: tuple[MetricScore, ...]
    held: Interval
    """Share of all rows in their 95 % prediction intervals."""

    near: Interval
    """Share of all rows in them, or no further beyond than HTTP, scrapes and buckets may move a number."""

    @staticmethod
    def of(scores: tuple[MetricScore, ...]) -> PredictionScore:
        """Return the score of all metrics together."""
        rows = sum(score.rows for score in scores)
        held, near = sum(score.held for score in scores), sum(score.near for score in scores)
        bands = (interval_of(binomial_band(count, rows)) for count in (held, near))
        return PredictionScore(scores, *bands)

    @property
    def is_doubtful(self) -> bool:
        """Whether surely fewer than nine in ten lie near: the run refutes the model that was fitted to it."""
        return self.near.high is not None and self.near.high < _LEAST_NEAR


def score_prediction(scenario: Scenario, target: Target) -> PredictionScore | None:
    """Calibrate on every other slot of a run and score the others; None where too few were played or seen."""
    slots = target.slots or target.record.judged
    if slots.stop - slots.start < _LEAST_SLOTS:
        return None
    fitted, scored = (
        replace(target, slots=slice(slots.start + first, slots.stop, 2)) for first in (0, 1)
    )
    rows = list(_rows(scenario, fitted, scored))
    by_metric = {name: [row for of, row in rows if of == name] for name in METRICS}
    scores = tuple(_score(name, np.array(of)) for name, of in by_metric.items() if of)
    if not scores:
        return None
    return PredictionScore.of(scores)


def _rows(scenario: Scenario, fitted: Target, scored: Target) -> Iterator[tuple[str, _Row]]:
    """Yield the metric and the row of everything that was held out."""
    for stack, calibrated in _fitted(scenario, fitted):
        held_out = _HeldOut.of(scenario, calibrated, stack, fitted, scored)
        for metric in METRICS:
            yield from ((metric, row) for row in held_out.rows(metric))


def _fitted(scenario: Scenario, target: Target) -> Iterator[tuple[str, Scenario]]:
    """Yield each stack with the model fitted to its slots: of the services declared, or of a black box."""
    if scenario.services:
        calibrated = calibrate_model(scenario, target).over(scenario)
        yield from ((stack, calibrated) for stack in scenario.stack_names)
        return
    for stack in scenario.stack_names:
        if (station := fit_black_box(scenario, target, stack)) is not None:
            yield stack, station.scenario(scenario)


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """The slots of one stack that the fit has not seen."""

    seen: StackObserved
    """Measured in them."""
    runs: list[StackObserved]
    """The calibrated model of them."""
    fitted: StackObserved
    """Measured in the other slots."""

    @staticmethod
    def of(
        scenario: Scenario, calibrated: Scenario, stack: str, fitted: Target, scored: Target
    ) -> _HeldOut:
        """Return the held-out slots of a stack."""
        look, of_fit = (Look(scenario.stack_services(stack), one.slots) for one in (scored, fitted))
        others = scored.with_replications(_REPLICATIONS)
        return _HeldOut(
            look.at(scored.record, stack),
            played(stack, look, others, calibrated, is_drawn=True),
            of_fit.at(fitted.record, stack),
        )

    def rows(self, metric: str) -> Iterator[_Row]:
        """Yield the row of every service, step and slot of which enough was seen."""
        predicted = [_by_slot(metric, run) for run in self.runs]
        known = _by_slot(metric, self.fitted)
        for subject, measured in _by_slot(metric, self.seen).items():
            of_fit = known[subject][~np.isnan(known[subject])]
            if len(of_fit) >= 3:
                low, high = np.quantile(of_fit, ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2))
                values = np.array([run[subject] for run in predicted])
                for value, band in _bands(metric, measured, values):
                    yield (value, band.mid, band.low, band.high, float(low), float(high))


def _bands(metric: str, measured: Array, predicted: Array) -> Iterator[tuple[float, Band]]:
    """Yield each slot's number with the interval that the model predicted, `predicted` of shape (runs, slots)."""
    for value, column in zip(measured, predicted.T, strict=True):
        values = column[~np.isnan(column)]
        if not np.isnan(value) and len(values) >= _REPLICATIONS / 2:
            yield float(value), prediction_interval(values.tolist(), _UNITS[metric])


def _by_slot(metric: str, seen: StackObserved) -> dict[str, Array]:
    """Return a metric of each service and step by slot, shape (slots,); NaN where too little was seen."""
    if metric == "utilisation":
        return {name: _utilisation(service) for name, service in seen.services.items()}
    level = {"p50": 0.5, "p99": 0.99}[metric]
    histograms = {name: service.visits for name, service in seen.services.items()}
    histograms |= {f"step {name}": seen.response[i] for i, name in enumerate(seen.steps)}
    return {
        name: np.array(
            [percentile(row, level) if row.sum() >= _LEAST_VISITS else np.nan for row in rows]
        )
        for name, rows in histograms.items()
    }


def _utilisation(service: Observed) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.minimum(1.0, service.concurrency / service.load("servers")))


def _score(metric: str, rows: Array) -> MetricScore:
    measured, middle, low, high, of_low, of_high = rows.T
    away = np.abs(measured - middle) / (1.0 if metric == "utilisation" else measured)
    may_be_off = np.array([tolerance(metric, float(value)) for value in middle])
    return MetricScore(
        metric,
        rows=len(rows),
        held=int(((low <= measured) & (measured <= high)).sum()),
        near=int(((low - may_be_off <= measured) & (measured <= high + may_be_off)).sum()),
        mean_error=round(float(away.mean()), 5),
        interval_score=round(_interval_score(measured, low, high), 6),
        interval_score_of_quantiles=round(_interval_score(measured, of_low, of_high), 6),
    )


def _interval_score(measured: Array, low: Array, high: Array) -> float:
    beyond = np.maximum(0.0, low - measured) + np.maximum(0.0, measured - high)
    return float((high - low + 2 / (1 - _LEVEL) * beyond).mean())
