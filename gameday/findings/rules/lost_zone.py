"""A zone that is lost at the peak takes an objective with it."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.queueing import services_behind
from gameday.vocabulary import Band

__all__ = ["look_for_lost_zone"]


def look_for_lost_zone(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and objective that holds with nothing lost, of the model at its peak."""
    criteria = {criterion.text: criterion for criterion in evidence.scenario.objectives}
    for stack, answer in evidence.n_minus_one.items():
        for row in answer["rows"]:
            if row["kind"] != "zone":
                continue
            for test in row["tests"]:
                value = test["value"]
                yield Candidate(
                    rule="lost_zone",
                    stack=stack,
                    subject=test["text"],
                    title=f"{stack}: no headroom for a lost zone: {test['text']} fails at the peak",
                    value=Band(value["mid"], value["low"], value["high"]),
                    bound=test["bound"],
                    unit=test["unit"],
                    p_value=test["p_value"],
                    samples=test["samples"],
                    basis="model only",
                    tier=test["tier"],
                    first_slot=None,
                    suggestion=f"size every service for the loss of {row['what']}: see the capacity requests; "
                    "`gameday simulate --what-if 'SERVICE.instances = N'` says what helps",
                    evidence={"lost": row["what"], "from_utc": answer["from_utc"]},
                    services=services_behind(evidence.scenario, stack, criteria[test["text"]]),
                )
