"""The room where runs are judged.

Job:   say what breached, how surely, how badly at the forecast load, and what it rests on.
In:    RunRecords, the plan, the scenario's objectives.    Out: Finding, worst first.
Never: order servers, draw a picture, call chance a finding.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.findings.evidence import Evidence
    from gameday.findings.finding import Finding
    from gameday.findings.objectives import objective_table
    from gameday.findings.search import find
    from gameday.findings.sold_out import sell_outs_of_run
    from gameday.findings.standing import Standing, standing_of
    from gameday.findings.summary import (
        books,
        compare_services,
        followed,
        machine_table,
        redirect_table,
        slot_series,
        step_table,
    )
    from gameday.findings.verdict import (
        Validity,
        Verdict,
        judge,
        unmeasured_objectives,
        validity,
        worst_code,
    )

__all__ = [
    "Evidence",
    "Finding",
    "Standing",
    "Validity",
    "Verdict",
    "books",
    "compare_services",
    "find",
    "followed",
    "judge",
    "machine_table",
    "objective_table",
    "redirect_table",
    "sell_outs_of_run",
    "slot_series",
    "standing_of",
    "step_table",
    "unmeasured_objectives",
    "validity",
    "worst_code",
]

__getattr__ = opening(
    __name__,
    {
        "Evidence": "evidence",
        "Finding": "finding",
        "Standing": "standing",
        "Validity": "verdict",
        "Verdict": "verdict",
        "books": "summary",
        "compare_services": "summary",
        "find": "search",
        "followed": "summary",
        "judge": "verdict",
        "machine_table": "summary",
        "objective_table": "objectives",
        "redirect_table": "summary",
        "sell_outs_of_run": "sold_out",
        "slot_series": "summary",
        "standing_of": "standing",
        "step_table": "summary",
        "unmeasured_objectives": "verdict",
        "validity": "verdict",
        "worst_code": "verdict",
    },
)
