"""What follows from a cause stands under it, and what it cannot reach does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gameday.findings.consequences import follow_causes
from gameday.findings.finding import Finding
from gameday.vocabulary import Band
from tests.support.small_shop import load_small, small_shop

CAUSE = Finding(
    id="slower_service-main-pay",
    rule="slower_service",
    severity="S2",
    title="pay is slower",
    stack="main",
    subject="pay",
    value=Band(2.0, 1.9, 2.1),
    bound=1.0,
    unit="times",
    basis="measured",
    p_value=0.001,
    samples=100,
    first_breach=None,
    load_share=None,
    suggestion="",
    evidence={},
)
"""Of a service that only the checkout visits."""
MODEL = replace(CAUSE, rule="peak_not_borne", basis="model only", services=("edge", "stock", "pay"))
MEASURED = replace(CAUSE, rule="missed_objective")


@pytest.mark.parametrize(
    ("finding", "subject", "follows"),
    [
        (MODEL, "p99 of checkout < 1s", True),
        (MODEL, "p99 of home < 500ms", False),
        (MODEL, "error rate of all steps < 1%", False),
        (MEASURED, "p99 of checkout", True),
        (MEASURED, "p99 of home", False),
        (MEASURED, "error rate of all steps", True),
        (replace(CAUSE, rule="saturation"), "edge", True),
        (replace(CAUSE, rule="saturation"), "stock", False),
    ],
)
def test_a_finding_follows_from_a_cause_that_reaches_what_it_speaks_of(
    finding: Finding, subject: str, follows: bool, tmp_path: Path
) -> None:
    scenario = load_small(tmp_path, small_shop())
    other = replace(finding, id="other", subject=subject)
    _, found = follow_causes(scenario, [CAUSE, other])
    assert found.cause == (CAUSE.id if follows else "")
