"""The room where runs are judged.

Job:   say what breached, how surely, how badly at the forecast load, and what it rests on.
In:    RunRecords, the plan, the scenario's objectives.    Out: Finding, worst first.
Never: order servers, draw a picture, call chance a finding.
"""

from gameday.findings.evidence import Evidence
from gameday.findings.find import find
from gameday.findings.finding import Finding
from gameday.findings.verdict import Verdict, judge, unmeasured_objectives, validity, worst_code

__all__ = [
    "Evidence",
    "Finding",
    "Verdict",
    "find",
    "judge",
    "unmeasured_objectives",
    "validity",
    "worst_code",
]
