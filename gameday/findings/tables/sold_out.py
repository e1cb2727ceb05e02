"""When a limited product was sold out in a run: predicted, as played and at real speed, and measured."""

from __future__ import annotations

from dataclasses import dataclass

from gameday.experiments.rehearsal import SellOut, sell_outs, when_sold_out
from gameday.findings.evidence import Evidence
from gameday.record import RunRecord

__all__ = ["RunSellOut", "sell_outs_of_run"]


@dataclass(frozen=True, slots=True)
class RunSellOut:
    """When a limited product of a stack was gone."""

    stack: str
    product: str
    release_utc: str | None
    predicted: SellOut | None
    """In the model of the run as played."""
    at_real_speed: SellOut | None
    """In the model at real speed."""
    measured_utc: str | None
    measured: str
    """The same in words."""


def sell_outs_of_run(evidence: Evidence, run: RunRecord) -> tuple[RunSellOut, ...]:
    """Return a row a stack and limited product."""
    scenario = evidence.scenario
    at_real_speed = sell_outs(scenario, evidence.event) if evidence.event else {}
    rows = []
    for stack in scenario.stack_names:
        for number, product in enumerate(scenario.stock(stack)):
            measured = _of_runs(evidence, stack, product, (run,))
            predicted = None
            if evidence.predicted:
                predicted = _of_runs(evidence, stack, product, evidence.predicted)
            rows.append(
                RunSellOut(
                    stack=stack,
                    product=product,
                    release_utc=measured.release_utc,
                    predicted=predicted,
                    at_real_speed=at_real_speed[stack][number] if stack in at_real_speed else None,
                    measured_utc=measured.p50_utc,
                    measured=measured.said,
                )
            )
    return tuple(rows)


def _of_runs(evidence: Evidence, stack: str, product: str, runs: tuple[RunRecord, ...]) -> SellOut:
    clock = evidence.plan.clock
    wall_s = [run.sold_out.get((stack, product)) for run in runs]
    event_s = [None if second is None else clock.event_s(second) for second in wall_s]
    return when_sold_out(evidence.scenario, stack, product, evidence.plan.window, event_s)
