"""When a launch is sold out: the minute in which a customer is first told so, predicted and measured."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from gameday.findings.evidence import Evidence, binomial_band
from gameday.findings.rehearsal import Replications
from gameday.findings.summary import band_of
from gameday.run_record import RunRecord
from gameday.scenario import Scenario
from gameday.vocabulary import TimeGrid

__all__ = ["sell_outs", "sell_outs_of_run"]

_LEVELS = (0.1, 0.5, 0.9)


def sell_outs(scenario: Scenario, replications: Replications) -> dict[str, dict[str, Any]]:
    """Return stack -> when what is limited there is gone, over replications; without a limit it is left out."""
    out = {}
    for runs in zip(*replications, strict=True):
        stack = runs[0].stack
        if scenario.stock(stack):
            slots = [run.sold_out for run in runs]
            out[stack] = _said(scenario, stack, runs[0].grid, slots)
    return out


def sell_outs_of_run(evidence: Evidence) -> list[dict[str, Any]]:
    """Return per stack with a limit: predicted for the run as played and at real speed, and measured."""
    scenario, out = evidence.scenario, []
    at_real_speed = sell_outs(scenario, evidence.event) if evidence.event else {}
    for stack in scenario.stack_names:
        if not scenario.stock(stack) or evidence.measured is None:
            continue
        seen = _said(
            scenario, stack, evidence.plan.window, [_slot(evidence.measured, stack)]
        )  # fmt: skip
        told = [_slot(run, stack) for run in evidence.predicted]
        out.append({
            "stack": stack, "products": list(scenario.stock(stack)), "release_utc": seen["release_utc"],
            "predicted": _said(scenario, stack, evidence.plan.window, told) if told else None,
            "at_real_speed": at_real_speed.get(stack), "measured_utc": seen["p50_utc"],
        })  # fmt: skip
    return out


def _slot(run: RunRecord, stack: str) -> int:
    """Return the slot of the window in which somebody was first told; -1: nobody was."""
    slot = run.first_sold_out(stack)
    return -1 if slot is None else max(0, slot - run.lead_in)


def _said(scenario: Scenario, stack: str, window: TimeGrid, slots: list[int]) -> dict[str, Any]:
    """Return the share of runs that sell out, and quantiles of the minute; those that do not come last."""
    opens = _release(scenario, stack)
    order = sorted(math.inf if slot < 0 else slot for slot in slots)
    at: dict[str, str | None] = {}
    for level in _LEVELS:
        slot = order[max(0, math.ceil(level * len(order)) - 1)]
        known = slot < math.inf
        at[f"p{100 * level:g}_utc"] = window.instant(int(slot)).isoformat() if known else None
    sold = sum(slot >= 0 for slot in slots)
    return {
        "of": list(scenario.stock(stack)), "sells_out": band_of(binomial_band(sold, len(slots))),
        "release_utc": None if opens is None else opens.isoformat(), **at,
        "said": _text(opens, at, sold, len(slots)),
    }  # fmt: skip


def _release(scenario: Scenario, stack: str) -> datetime | None:
    instants = [
        scenario.launch_at(name, region)
        for name, launch in scenario.launches.items()
        for region in launch.at
        if scenario.regions[region].stack == stack
    ]
    return min(instants, default=None)


def _text(opens: datetime | None, at: dict[str, str | None], sold: int, all_: int) -> str:
    if not sold:
        return "does not sell out in the window"
    first, middle, last = ((at[f"p{100 * level:g}_utc"] or "")[:16] for level in _LEVELS)
    after = ""
    if opens is not None and middle:
        minutes = (datetime.fromisoformat(str(at["p50_utc"])) - opens).total_seconds() / 60
        after = f", {minutes:.0f} min after the release"
    spread = f" (p10 {first}Z, p90 {last + 'Z' if last else 'not in the window'})"
    return f"{middle + 'Z' if middle else 'not in the window'}{after}{spread if all_ > 1 else ''}"
