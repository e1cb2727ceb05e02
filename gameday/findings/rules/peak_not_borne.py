"""The forecast's peak at the quantile that fleets are sized for, zones lost, takes an objective with it."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.experiments.failures import PeakCase, case_words, far_words, level_words
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.queueing import services_behind, step_tier
from gameday.record.intervals import level_interval, p_above
from gameday.scenario import METRICS, Criterion

__all__ = ["RULE"]

_ORDER = "place the capacity requests of this stack, as far as their proof holds"
_FASTER = "give the target more servers, or make what is slow in it faster, and play it again"
"""Where nobody can tell which servers to order."""


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and objective of the model with the fleets as they are."""
    for case in evidence.peak:
        for number, criterion in enumerate(evidence.scenario.objectives):
            seen = [run.number_of(number) for run in case.runs]
            values = [value for value, _ in seen if value == value]
            if len(values) == len(case.runs) > 1:
                yield _candidate(evidence, case, criterion, values, sum(n for _, n in seen))


def _candidate(
    evidence: Evidence, case: PeakCase, criterion: Criterion, values: list[float], samples: int
) -> Candidate:
    unit = METRICS[criterion.metric]
    return Candidate(
        stack=case.stack,
        subject=criterion.text,
        title=f"{case.stack}: the forecast's peak at {level_words(case)}, is not borne: {criterion.text} fails",
        value=level_interval(values, unit),
        bound=criterion.value,
        unit=unit,
        p_value=p_above(values, criterion.value),
        samples=samples,
        basis="model only",
        tier=step_tier(evidence.scenario, criterion.subject),
        first_slot=None,
        suggestion=_remedy(evidence),
        evidence={"case": case_words(case)},
        quantile=case.plan.quantile,
        extrapolated=far_words(case),
        services=services_behind(evidence.scenario, case.stack, criterion),
    )


def _remedy(evidence: Evidence) -> str:
    return _ORDER if evidence.scenario.services_are_known else _FASTER


RULE = Rule(name="peak_not_borne", look=_look, hurts_customers=True)
