"""Each objective and stack with what the run said of it, missed or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate, Finding
from gameday.findings.rules import missed_objective
from gameday.findings.search import Tests
from gameday.record.measures import least_samples

__all__ = ["ObjectiveRow", "missed_by_objective", "objective_rows"]

_RULE = missed_objective.RULE.name


@dataclass(frozen=True, slots=True)
class ObjectiveRow:
    """What a run said of an objective in a stack."""

    stack: str
    text: str
    said: str
    """What was measured, in words, and what the model adds where it alone has it missed."""
    measured: bool
    """Whether enough was seen to judge it."""
    missed: bool
    undecided: bool
    """Whether its interval reaches beyond the bound."""


def missed_by_objective(findings: Iterable[Finding]) -> dict[tuple[str, str], Finding]:
    """Return (stack, objective's text) -> the finding that it is missed."""
    return {(f.stack, str(f.evidence["objective"])): f for f in findings if f.rule == _RULE}


def objective_rows(
    evidence: Evidence, findings: tuple[Finding, ...], tests: Tests
) -> tuple[ObjectiveRow, ...]:
    """Return one row per objective and stack, of the tests and findings that were made of this evidence."""
    missed = missed_by_objective(findings)
    least = {c.text: least_samples(c) for c in evidence.scenario.objectives}
    rows: dict[tuple[str, str], ObjectiveRow] = {}
    for test in tests[_RULE]:
        key = (test.stack, str(test.evidence["objective"]))
        if key not in rows and test.basis == "measured":
            rows[key] = _row(test, missed.get(key), least[key[1]])
    for criterion in evidence.scenario.objectives:
        for stack in evidence.scenario.stack_names:
            unknown = ObjectiveRow(
                stack, criterion.text, "not observed", measured=False, missed=False, undecided=False
            )
            rows.setdefault((stack, criterion.text), unknown)
    return tuple(rows.values())


def _measured(test: Candidate) -> str:
    """Return the number measured, its interval, and of how many it is."""
    band = test.value
    value, low, high = (_shown(number, test.unit) for number in (band.mid, band.low, band.high))
    return f"{value} ({low} to {high}, n = {test.samples})"


def _row(test: Candidate, finding: Finding | None, least: int) -> ObjectiveRow:
    in_model = finding is not None and finding.basis == "model only"
    is_missed = finding is not None and not finding.doubt
    enough = test.samples >= least or (is_missed and not in_model)
    answer = _measured(test) if enough else f"too few replies: {test.samples}, {least} are needed"
    if finding is not None and in_model:
        answer += f"; {_shown(finding.value.mid, test.unit)} in the model at real speed"
        answer += f" ({finding.doubt})" if finding.doubt else ""
    return ObjectiveRow(
        stack=test.stack,
        text=str(test.evidence["objective"]),
        said=answer,
        measured=enough,
        missed=is_missed,
        undecided=enough and test.value.high > test.bound,
    )


def _shown(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "count":
        return f"{value:.1f}"
    return f"{100 * value:.2f} %"
