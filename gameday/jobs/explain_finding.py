"""One finding explained: from samples to cause, severity, what it does and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.errors import UsageError
from gameday.findings import EXPLAINS, RULES
from gameday.jobs.past_runs import run_folder, run_summary

__all__ = ["ExplainedFinding", "explain_finding"]

_SEVERITIES = {
    "S1": "orders are lost at or below the median forecast",
    "S2": "customers are hurt at or below the event's p90",
    "S3": "customers do not feel it at the forecast's load, or only beyond its p90",
    "S4": "it hurts nobody surely: the target is better than declared, or the model was refuted",
}


@dataclass(frozen=True, slots=True)
class ExplainedFinding:
    """A finding of a run, step by step."""

    run: str
    folder: Path
    id: str
    title: str
    severity: str
    because: str
    """Why it is of that severity."""
    measured: str
    """How many samples say so, and how surely."""
    steps: tuple[str, ...]
    """From what was measured to the finding, in order."""
    symptoms: tuple[str, ...]
    follows: tuple[str, ...]
    """Other findings that follow from it."""
    cause: str
    """The finding it follows from; empty: none."""
    what_to_do: str
    answered_by: tuple[str, ...]
    """Capacity requests that answer it."""
    subject: str
    stack: str


def explain_finding(name: str, run: str | None, reports: Path) -> ExplainedFinding:
    """Return a finding of a run, by its id or a part of it; UsageError where none or several have it."""
    summary = run_summary(run, reports)
    finding = _found(name, summary["findings"])
    evidence = finding["evidence"]
    by_id = {other["id"]: other for other in summary["findings"]}
    cause = by_id.get(finding.get("cause") or "")
    return ExplainedFinding(
        run=summary["run_id"],
        folder=run_folder(run, reports),
        id=finding["id"],
        title=finding["title"],
        severity=finding["severity"],
        because=_SEVERITIES[finding["severity"]],
        measured=_measured(finding),
        steps=tuple(_steps(finding)),
        symptoms=tuple(v for k, v in evidence.items() if k.startswith("symptom_")),
        follows=tuple(
            other["title"] for other in summary["findings"] if other.get("cause") == finding["id"]
        ),
        cause="" if cause is None else cause["title"],
        what_to_do=finding["suggestion"],
        answered_by=tuple(_requests(finding, summary["requests"])),
        subject=finding["subject"],
        stack=finding["stack"],
    )


def _found(name: str, findings: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the finding with this id, or the only one whose id has this part."""
    exact = [finding for finding in findings if finding["id"] == name]
    near = exact or [finding for finding in findings if name in finding["id"]]
    if len(near) == 1:
        return near[0]
    known = ", ".join(finding["id"] for finding in near or findings) or "none"
    what = f"{len(near)} findings have" if near else "no finding has"
    raise UsageError(f"{what} '{name}' in their id; this run's findings: {known}")


def _measured(finding: Mapping[str, Any]) -> str:
    if RULES[finding["rule"]].is_cause:
        share = finding["evidence"][EXPLAINS]
        return f"{finding['samples']} visits or steps; explains {share:.0%} of what was off in this run"
    chance = finding["p_value"]
    surely = "less than one in a billion" if chance < 1e-9 else f"{chance:.2g}"
    return (
        f"{finding['samples']} samples, {finding['basis']}; chance of it in a healthy run {surely}"
    )


def _steps(finding: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the finding was come by."""
    evidence, rule = finding["evidence"], RULES[finding["rule"]]
    if rule.is_cause:
        yield (
            f"{evidence['parameter']} was measured by {evidence['by']}: {evidence['measured']:g} "
            f"({evidence['measured_low']:g} to {evidence['measured_high']:g}); "
            f"declared is {evidence['declared']:g}"
        )
        yield (
            f"put into the declared model, it explains {evidence[EXPLAINS]:.0%} of what was off in the run "
            "(squared standard deviations of all numbers compared)"
        )
        if "orders_lost" in evidence:
            low, high = (evidence.get(f"orders_lost_{end}", "?") for end in ("low", "high"))
            yield (
                "the event at real speed was simulated with it and without it: "
                f"{evidence['orders_lost']} orders lost ({low} to {high})"
            )
        return
    value, unit = finding["value"], finding["unit"]
    yield (
        f"{value['mid']:.4g} ({value['low']:.4g} to {value['high']:.4g}, 95 % interval) lies wholly beyond "
        f"{finding['bound']:.4g} {unit}"
    )
    for key, number in evidence.items():
        yield f"{key.replace('_', ' ')}: {number}"


def _requests(finding: Mapping[str, Any], requests: list[dict[str, Any]]) -> Iterator[str]:
    for request in requests:
        if finding["id"] in request["findings"]:
            yield (
                f"{request['id']}: {request['instances_from']} -> {request['instances_to']} "
                f"{request['instance']}, order by {request['latest_order']}"
            )
