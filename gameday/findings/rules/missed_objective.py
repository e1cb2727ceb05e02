"""An objective of the scenario does not hold: in the run, or else in the model at real speed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Basis, Candidate
from gameday.findings.rule import Rule
from gameday.queueing import services_behind, step_tier
from gameday.record import RunRecord, counts_above, percentile
from gameday.record.intervals import (
    binomial_band,
    level_interval,
    p_above,
    p_share_above,
    quantile_band,
)
from gameday.record.measures import (
    LEAST_SAMPLES,
    LEAST_SLOTS,
    first_where,
    latency_rows,
    service_series,
    share_of,
    steps_of,
)
from gameday.scenario import METRICS, Criterion
from gameday.vocabulary import Band

__all__ = ["RULE"]


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per objective and stack: of the measurement, and of the model at real speed."""
    for criterion in evidence.scenario.objectives:
        for stack in evidence.scenario.stack_names:
            if evidence.measured is not None:
                seen = _of_run(evidence.measured, criterion, stack)
                if seen is not None:
                    yield _candidate(evidence, criterion, stack, seen)
            if len(evidence.event) > 1:
                modelled = _of_model(evidence, criterion, stack)
                if modelled is not None:
                    yield _candidate(evidence, criterion, stack, modelled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The number of an objective, tested against its bound."""

    band: Band
    p_value: float
    samples: int
    first_slot: int | None = None
    basis: Basis = "measured"
    services: tuple[str, ...] = ()
    """Whose model it rests on."""
    is_exact: bool = False


def _of_run(run: RunRecord, criterion: Criterion, stack: str) -> _Seen | None:
    if criterion.is_of_service:
        return _of_service(run, criterion, stack)
    if criterion.metric in ("error rate", "abandonment rate"):
        bad, count, shares = share_of(run, criterion, stack)
        return _Seen(
            band=binomial_band(bad, count),
            p_value=p_share_above(bad, count, criterion.value),
            samples=count,
            first_slot=first_where(shares > criterion.value),
            is_exact=True,
        )
    return _of_latency(run, criterion, stack)


def _of_latency(run: RunRecord, criterion: Criterion, stack: str) -> _Seen:
    """Return a quantile of response times; how many lie beyond the bound is binomial."""
    rows, level = latency_rows(run, criterion, stack), criterion.level
    histogram = rows.sum(axis=0)
    count, above = int(histogram.sum()), int(counts_above(histogram, criterion.value).sum())
    slots = np.array([percentile(row, level) if row.sum() >= 5 else 0.0 for row in rows])
    return _Seen(
        band=quantile_band(histogram, level, run.longest_response_s(steps_of(run, criterion))),
        p_value=p_share_above(above, count, 1 - level),
        samples=count,
        first_slot=first_where(slots > criterion.value),
        is_exact=True,
    )


def _of_service(run: RunRecord, criterion: Criterion, stack: str) -> _Seen | None:
    """Return the mean over the window's slots, each of which is many visits; None where too few were seen."""
    series = service_series(run, criterion, stack)
    known = [float(value) for value in series[~np.isnan(series)]]
    if len(known) < LEAST_SLOTS:
        return None
    return _Seen(
        band=level_interval(known, METRICS[criterion.metric]),
        p_value=p_above(known, criterion.value),
        samples=LEAST_SAMPLES,
        first_slot=first_where(np.nan_to_num(series) > criterion.value),
    )


def _of_model(evidence: Evidence, criterion: Criterion, stack: str) -> _Seen | None:
    """Return the mean over replications at real speed; None where it is not asked or not known."""
    if criterion.is_of_service:
        return None
    number = evidence.scenario.objectives.index(criterion)
    numbers = [run.number_of(number) for run in evidence.judged_runs(stack)]
    values = [value for value, _ in numbers if not np.isnan(value)]
    if len(values) < 2:
        return None
    return _Seen(
        band=level_interval(values, METRICS[criterion.metric]),
        p_value=p_above(values, criterion.value),
        samples=sum(count for _, count in numbers),
        basis="model only",
        services=services_behind(evidence.scenario, stack, criterion),
    )


_SEEN = "see the saturated services of this stack and the capacity requests"
_UNSEEN = (
    "see what the target's own metrics and traces say of this time: the scenario has no services; `gameday "
    "history import --traces` writes them"
)


def _candidate(evidence: Evidence, criterion: Criterion, stack: str, seen: _Seen) -> Candidate:
    return Candidate(
        stack=stack,
        subject=f"{criterion.metric} of {criterion.subject}",
        title=f"{stack}: objective missed: {criterion.text}",
        value=seen.band,
        bound=criterion.value,
        unit=METRICS[criterion.metric],
        p_value=seen.p_value,
        samples=seen.samples,
        basis=seen.basis,
        tier=step_tier(evidence.scenario, criterion.subject),
        first_slot=seen.first_slot,
        suggestion=_SEEN if evidence.scenario.services_are_known else _UNSEEN,
        evidence={"objective": criterion.text},
        services=seen.services,
        is_exact=seen.is_exact,
    )


RULE = Rule(name="missed_objective", look=_look, hurts_customers=True, fails_run=True)
