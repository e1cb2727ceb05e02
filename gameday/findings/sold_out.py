"""When a limited product was sold out in a run: predicted, as played and at real speed, and measured."""

from __future__ import annotations

from typing import Any

from gameday.experiments.rehearsal import sell_outs, when_sold_out
from gameday.findings.evidence import Evidence
from gameday.record import RunRecord

__all__ = ["sell_outs_of_run"]


def sell_outs_of_run(evidence: Evidence) -> list[dict[str, Any]]:
    """Return a row a stack and limited product: predicted, as played and at real speed, and measured."""
    scenario, plan, out = evidence.scenario, evidence.plan, list[dict[str, Any]]()
    at_real_speed = sell_outs(scenario, evidence.event) if evidence.event else {}

    def said(stack: str, product: str, runs: tuple[RunRecord, ...]) -> dict[str, Any]:
        seen = [run.sold_out.get((stack, product)) for run in runs]
        at_s = [None if one is None else plan.clock.event_s(one) for one in seen]
        return when_sold_out(scenario, stack, product, plan.window, at_s)

    for stack in scenario.stack_names:
        for number, product in enumerate(scenario.stock(stack)):
            assert evidence.measured is not None
            seen = said(stack, product, (evidence.measured,))
            out.append(
                {
                    "stack": stack,
                    "product": product,
                    "release_utc": seen["release_utc"],
                    "predicted": said(stack, product, evidence.predicted)
                    if evidence.predicted
                    else None,
                    "at_real_speed": at_real_speed[stack][number]
                    if stack in at_real_speed
                    else None,
                    "measured_utc": seen["p50_utc"],
                    "measured": seen["said"],
                }
            )
    return out
