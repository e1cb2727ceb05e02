"""Model and measurement disagree beyond the model's own interval: do not trust the model there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.queueing import visited_services
from gameday.record import RunRecord, percentile
from gameday.record.measures import service_number, visit_count
from gameday.scenario import quantile_level
from gameday.vocabulary import Array, Band

__all__ = ["RULE"]

_TOLERANCE = {"utilisation": 0.05, "p50": 0.25, "p99": 0.35}
"""Differences that are no matter: points of utilisation, shares of a latency.

Ours: a scraped histogram's buckets are 15 % wide, and HTTP itself adds a millisecond or two.
"""

_LEAST_VISITS = 100
"""Visits below which a latency is not compared: a p99 needs so many."""
_NOISE = 0.01
"""Share of planned steps that may be lost by us before the comparison says nothing."""


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield tests of utilisation, p50 and p99 per stack and service: measured against predicted.

    Of steps none of whose services was seen, p50 and p99 of their responses.
    """
    run = evidence.measured
    predicted = evidence.model_of_run
    if run is None or len(predicted) < 2 or _is_disturbed(evidence, run):
        return
    for stack in evidence.scenario.stack_names:
        compared = set()
        for service in evidence.scenario.stack_services(stack):
            for metric in _TOLERANCE:
                numbers = [_metric(r, stack, service, metric) for r in (run, *predicted)]
                if not np.isnan(numbers).any():
                    compared.add(service)
                    yield _compare(stack, service, metric, numbers, (service,))
        yield from _of_unseen(evidence, run, stack, compared)


def _is_disturbed(evidence: Evidence, run: RunRecord) -> bool:
    """Return whether we lost steps ourselves, or to other work on this machine: that is no news of the model."""
    steps = run.steps_by_slot(slots=run.whole)
    return steps.total("lost") > _NOISE * steps.total("planned") or evidence.machine.is_too_busy


def _of_unseen(
    evidence: Evidence, run: RunRecord, stack: str, compared: set[str]
) -> Iterator[Candidate]:
    """Yield tests of the responses of each step none of whose services was observed."""
    for step, behind in visited_services(evidence.scenario, stack).items():
        if not behind or compared & behind:
            continue
        for metric in ("p50", "p99"):
            numbers = [_response(r, stack, step, metric) for r in (run, *evidence.model_of_run)]
            if not np.isnan(numbers).any():
                yield _compare(stack, f"step {step}", metric, numbers, tuple(sorted(behind)))


def _response(run: RunRecord, stack: str, step: str, metric: str) -> float:
    """Return a quantile of a step's response in seconds; NaN of too few."""
    histogram = run.response(stack, step)
    if histogram.sum() < _LEAST_VISITS:
        return float("nan")
    return percentile(histogram, quantile_level(metric), run.longest_response_s([step]))


def _metric(run: RunRecord, stack: str, service: str, metric: str) -> float:
    if metric != "utilisation" and visit_count(run, stack, service) < _LEAST_VISITS:
        return float("nan")
    return service_number(run, stack, service, metric)


def _compare(
    stack: str, subject: str, metric: str, numbers: list[float], services: tuple[str, ...]
) -> Candidate:
    """Return the test of a measured number against predicted ones, the first of `numbers` against the others."""
    measured, predicted = numbers[0], np.array(numbers[1:])
    count, mean = len(predicted), float(predicted.mean())
    away = abs(measured - mean)
    bound = _TOLERANCE[metric] * (1.0 if metric == "utilisation" else mean)
    half, p_value = _prediction_interval(predicted, away, bound)
    return Candidate(
        stack=stack,
        subject=f"{metric} of {subject}",
        title=f"{stack}: model and measurement disagree on {metric} of {subject}",
        value=Band(away, away - half, away + half),
        bound=bound,
        unit="share" if metric == "utilisation" else "s",
        p_value=p_value,
        samples=count * 100,
        basis="measured",
        tier=3,
        first_slot=None,
        suggestion=f"measure {', '.join(services)} alone and mend its service time, servers or calls in the "
        "scenario; until then nothing is judged or ordered by its model",
        evidence={"predicted": mean, "measured": measured},
        services=services,
    )


def _prediction_interval(predicted: Array, away: float, bound: float) -> tuple[float, float]:
    """Return half the 95 % prediction interval of one more replication, and the p-value of `away`.

    Student's t; the null hypothesis is that measured and predicted numbers differ by no more than `bound`.
    """
    count = len(predicted)
    deviation = max(float(predicted.std(ddof=1)) * float(np.sqrt(1 + 1 / count)), 1e-6)
    half = float(scipy.stats.t.ppf(0.975, count - 1)) * deviation
    beyond = max(0.0, away - bound) / deviation
    return half, float(2 * scipy.stats.t.sf(beyond, count - 1))


RULE = Rule(name="disagreement", look=_look, servers_help=False, refutes_model=True)
