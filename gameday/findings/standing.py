"""Whether the run bears out the model, service by service: what a refuted model says judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gameday.findings.finding import Candidate, Finding, Model
from gameday.findings.rules import RULES

__all__ = ["Standing", "standing_of"]

Place = tuple[str, str]
"""Stack and service."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a run says of the model of each service."""

    compared: frozenset[Place]
    """Services of which measured and predicted numbers were compared."""
    refuted: dict[Place, tuple[str, ...]]
    """Those of them that disagree, with what was measured against what was predicted, a line each."""

    def of(self, stack: str, services: Iterable[str]) -> Model:
        """Return what the run says of a model of these services together: one that is refuted refutes it."""
        places = [(stack, service) for service in services]
        if any(place in self.refuted for place in places):
            return "refuted"
        return "agrees" if any(place in self.compared for place in places) else "not compared"

    def against(self, stack: str, services: Iterable[str]) -> tuple[str, ...]:
        """Return the lines that refute these services, each once."""
        lines = [line for service in services for line in self.refuted.get((stack, service), ())]
        return tuple(dict.fromkeys(lines))


def standing_of(
    findings: Iterable[Finding], tests: Mapping[str, tuple[Candidate, ...]]
) -> Standing:
    """Return the standing of the model in a run, of its findings and of every test that the rules made."""
    refuted: dict[Place, list[str]] = {}
    for finding in findings:
        if RULES[finding.rule].refutes_model:
            for service in finding.services:
                refuted.setdefault((finding.stack, service), []).append(_line(finding))
    compared = [test for name in tests if RULES[name].refutes_model for test in tests[name]]
    return Standing(
        frozenset((test.stack, service) for test in compared for service in test.services),
        {place: tuple(lines) for place, lines in refuted.items()},
    )


def _line(finding: Finding) -> str:
    """Return a disagreement in words."""
    predicted, measured = (float(finding.evidence[name]) for name in ("predicted", "measured"))
    if finding.unit == "share":
        return f"{finding.subject}: predicted {predicted:.1%}, measured {measured:.1%}"
    return (
        f"{finding.subject}: predicted {1000 * predicted:.0f} ms, measured {1000 * measured:.0f} ms"
    )
