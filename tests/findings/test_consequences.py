"""What follows from a cause stands under it, and what it cannot reach does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gameday.findings.consequences import follow_causes
from gameday.findings.finding import Finding
from tests.findings.test_verdict import finding
from tests.support.small_shop import load_small, small_shop

CAUSE = finding("slower_service")
"""Of a service that only the checkout visits."""
MODEL = replace(CAUSE, rule="peak_not_borne", basis="model only", services=("edge", "stock", "pay"))
MEASURED = replace(CAUSE, rule="missed_objective")


@pytest.mark.parametrize(
    ("kind", "subject", "follows"),
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
    kind: Finding, subject: str, follows: bool, tmp_path: Path
) -> None:
    scenario = load_small(tmp_path, small_shop())
    other = replace(kind, id="other", subject=subject)
    _, found = follow_causes(scenario, [CAUSE, other])
    assert found.cause == (CAUSE.id if follows else "")
