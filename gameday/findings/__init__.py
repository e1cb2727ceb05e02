"""The room where runs are judged.

Job:   say what breached, how surely, how badly at the forecast load, and what it rests on.
In:    RunRecords, the plan, the scenario's objectives.    Out: Finding, worst first.
Never: order servers, draw a picture, call chance a finding.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.findings.cause_rule import EXPLAINS
    from gameday.findings.evidence import Evidence
    from gameday.findings.finding import Finding, Model
    from gameday.findings.rules import RULES
    from gameday.findings.search import Tests, find, run_rules
    from gameday.findings.standing import Standing, standing_of
    from gameday.findings.verdict import (
        Validity,
        Verdict,
        judge,
        judge_ladder,
        unmeasured_objectives,
        validity,
        worst_code,
    )

__all__ = [
    "EXPLAINS",
    "Evidence",
    "Finding",
    "Model",
    "RULES",
    "Standing",
    "Tests",
    "Validity",
    "Verdict",
    "find",
    "judge",
    "judge_ladder",
    "run_rules",
    "standing_of",
    "unmeasured_objectives",
    "validity",
    "worst_code",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "EXPLAINS": "cause_rule",
            "Evidence": "evidence",
            "Finding": "finding",
            "Model": "finding",
            "RULES": "rules",
            "Standing": "standing",
            "Tests": "search",
            "Validity": "verdict",
            "Verdict": "verdict",
            "find": "search",
            "judge": "verdict",
            "judge_ladder": "verdict",
            "run_rules": "search",
            "standing_of": "standing",
            "unmeasured_objectives": "verdict",
            "validity": "verdict",
            "worst_code": "verdict",
        },
    )
