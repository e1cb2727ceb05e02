"""Each objective and stack with what the run said of it, missed or not."""

from __future__ import annotations

from typing import Any

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate, Finding
from gameday.findings.rules.missed_objective import look_for_missed_objective
from gameday.record.measures import least_samples

__all__ = ["objective_table"]


def objective_table(evidence: Evidence, findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """Return one row per objective and stack: text, what was measured, missed, measured."""
    missed = {
        (f.stack, f.evidence["objective"]): f for f in findings if f.rule == "missed_objective"
    }
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    least = {c.text: least_samples(c) for c in evidence.scenario.objectives}
    for test in look_for_missed_objective(evidence):
        key = (test.stack, str(test.evidence["objective"]))
        if key not in rows and test.basis == "measured":
            rows[key] = _row(test, missed.get(key), least[key[1]])
    for criterion in evidence.scenario.objectives:
        for stack in evidence.scenario.stack_names:
            unknown = {
                "stack": stack,
                "text": criterion.text,
                "said": "not observed",
                "measured": False,
                "missed": False,
                "undecided": False,
            }
            rows.setdefault((stack, criterion.text), unknown)
    return list(rows.values())


def _row(test: Candidate, finding: Finding | None, least: int) -> dict[str, Any]:
    """Return what was measured of an objective, and what the model adds where it alone has it missed."""
    in_model = finding is not None and finding.basis == "model only"
    is_missed = finding is not None and not finding.doubt
    enough = test.samples >= least or (is_missed and not in_model)
    low, high = (_said(value, test.unit) for value in (test.value.low, test.value.high))
    shown = f"too few replies: {test.samples}, {least} are needed"
    if enough:
        shown = f"{_said(test.value.mid, test.unit)} ({low} to {high}, n = {test.samples})"
    if finding is not None and in_model:
        shown += f"; {_said(finding.value.mid, test.unit)} in the model at real speed"
        shown += f" ({finding.doubt})" if finding.doubt else ""
    return {
        "stack": test.stack,
        "text": test.evidence["objective"],
        "said": shown,
        "measured": enough,
        "missed": is_missed,
        "undecided": enough and test.value.high > test.bound,
    }


def _said(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "count":
        return f"{value:.1f}"
    return f"{100 * value:.2f} %"
