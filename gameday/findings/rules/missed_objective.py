"""An objective of the scenario does not hold: in the run, or else in the model at real speed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Basis, Candidate
from gameday.queueing import services_behind, step_tier
from gameday.record import RunRecord, bin_of, percentile
from gameday.record.intervals import binomial_band, level_interval, p_above, quantile_band
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

__all__ = ["look_for_missed_objective"]


def look_for_missed_objective(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per objective and stack: of the measurement, and of the model at real speed."""
    for criterion in evidence.scenario.objectives:
        for stack in evidence.scenario.stack_names:
            if evidence.measured is not None:
                yield from _of_run(evidence, criterion, stack, evidence.measured)
            if len(evidence.event) > 1:
                yield from _of_model(evidence, criterion, stack)


def _of_run(
    evidence: Evidence, criterion: Criterion, stack: str, run: RunRecord
) -> Iterator[Candidate]:
    if criterion.metric in ("error rate", "abandonment rate"):
        bad, all_, share = share_of(run, criterion, stack)
        yield _candidate(
            evidence,
            criterion,
            stack,
            binomial_band(bad, all_),
            float(scipy.stats.binom.sf(bad - 1, all_, criterion.value)) if all_ else 1.0,
            all_,
            first_where(share > criterion.value),
            is_exact=True,
        )
        return
    if criterion.is_of_service:
        yield from _of_service(evidence, criterion, stack, run)
        return
    rows = latency_rows(run, criterion, stack)
    histogram, level = rows.sum(axis=0), criterion.level
    above, n = int(histogram[int(bin_of(criterion.value)) + 1 :].sum()), int(histogram.sum())
    slots = np.array([percentile(row, level) if row.sum() >= 5 else 0.0 for row in rows])
    longest_s = run.longest_response_s(steps_of(run, criterion))
    yield _candidate(
        evidence,
        criterion,
        stack,
        quantile_band(histogram, level, longest_s),
        float(scipy.stats.binom.sf(above - 1, n, 1 - level)) if n else 1.0,
        n,
        first_where(slots > criterion.value),
        is_exact=True,
    )


def _of_service(
    evidence: Evidence, criterion: Criterion, stack: str, run: RunRecord
) -> Iterator[Candidate]:
    """Yield a test of the mean over the window's slots; each slot is many visits."""
    seen = service_series(run, criterion, stack)
    known = [float(v) for v in seen[~np.isnan(seen)]]
    if len(known) < LEAST_SLOTS:
        return
    yield _candidate(
        evidence,
        criterion,
        stack,
        level_interval(known, METRICS[criterion.metric]),
        p_above(known, criterion.value),
        LEAST_SAMPLES,
        first_where(np.nan_to_num(seen) > criterion.value),
    )


def _of_model(evidence: Evidence, criterion: Criterion, stack: str) -> Iterator[Candidate]:
    if criterion.is_of_service:
        return
    place = evidence.scenario.objectives.index(criterion)
    runs = [run for each in evidence.event_judged for run in each if run.stack == stack]
    seen = [run.number_of(place) for run in runs]
    values = [value for value, _ in seen if not np.isnan(value)]
    if len(values) < 2:
        return
    band = level_interval(values, METRICS[criterion.metric])
    p_value = p_above(values, criterion.value)
    counts = sum(count for _, count in seen)
    behind = services_behind(evidence.scenario, stack, criterion)
    yield _candidate(
        evidence, criterion, stack, band, p_value, counts, None, basis="model only", services=behind
    )


def _candidate(
    evidence: Evidence,
    criterion: Criterion,
    stack: str,
    band: Band,
    p_value: float,
    samples: int,
    first: int | None,
    *,
    basis: Basis = "measured",
    services: tuple[str, ...] = (),
    is_exact: bool = False,
) -> Candidate:
    return Candidate(
        rule="missed_objective",
        stack=stack,
        subject=f"{criterion.metric} of {criterion.subject}",
        title=f"{stack}: objective missed: {criterion.text}",
        value=band,
        bound=criterion.value,
        unit=METRICS[criterion.metric],
        p_value=p_value,
        samples=samples,
        basis=basis,
        tier=step_tier(evidence.scenario, criterion.subject),
        first_slot=first,
        suggestion="see the saturated services of this stack and the capacity requests",
        evidence={"objective": criterion.text},
        services=services,
        is_exact=is_exact,
    )
