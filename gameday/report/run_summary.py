"""From the rooms' products to one summary in plain data; every number is made upstream."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gameday.capacity import CapacityRequest, Withheld
from gameday.experiments import does_it_recover, measured_recovery, rehearse
from gameday.findings import (
    Evidence,
    Finding,
    Validity,
    Verdict,
    books,
    compare_services,
    followed,
    machine_table,
    objective_table,
    redirect_table,
    sell_outs_of_run,
    slot_series,
    standing_of,
    step_table,
)
from gameday.forecast import Demand, EventDemand
from gameday.forecast.evaluation import actuals_table, demand_series
from gameday.history import History
from gameday.products import to_json
from gameday.record import RunRecord
from gameday.record.measures import LATENESS_BOUND_S
from gameday.traffic.fit import event_demand

__all__ = ["gather"]

SCHEMA_VERSION = 1


def gather(
    evidence: Evidence,
    demand: Demand,
    history: History,
    findings: tuple[Finding, ...],
    requests: tuple[CapacityRequest, ...],
    withheld: tuple[Withheld, ...],
    verdict: Verdict,
    valid: Validity,
    *,
    run: dict[str, Any],
) -> dict[str, Any]:
    """Return the summary of a run. `run` holds run_id, event, started_utc, version, command."""
    plan, measured = evidence.plan, evidence.measured
    assert measured is not None
    expected = event_demand(evidence.scenario, demand)
    zones = {
        stack: evidence.scenario.regions[evidence.scenario.stack_regions(stack)[0]].zone
        for stack in evidence.scenario.stack_names
    }
    severities = sorted({f.severity for f in findings})
    return {
        "schema_version": SCHEMA_VERSION,
        **run,
        "seed": plan.seed.root,
        **_circumstances(evidence, history),
        "verdict": asdict(verdict),
        "followed": followed(evidence, valid),
        "findings": [
            f.as_dict() | {"first_breach_local": _local(f.first_breach, zones.get(f.stack))}
            for f in findings
        ],
        "findings_by_severity": {s: sum(f.severity == s for f in findings) for s in severities},
        **_orders(requests, withheld),
        "model_refuted": _refuted(evidence, findings),
        "objectives": objective_table(evidence, findings),
        "services": compare_services(evidence),
        "steps": step_table(evidence),
        "event_model": (
            rehearse(evidence.scenario, evidence.event, evidence.event_scale or 1.0)
            if evidence.event
            else None
        ),
        "sell_out": sell_outs_of_run(evidence),
        **_failure(evidence, measured),
        "series": slot_series(evidence),
        "demand_series": to_json(demand_series(expected, history, plan.quantile)),
        "forecast": _forecast(expected, history),
        "validity": asdict(valid)
        | {
            "lateness_bound_s": LATENESS_BOUND_S,
            "lateness_p99_s": None
            if valid.lateness_p99_s != valid.lateness_p99_s
            else valid.lateness_p99_s,
        },
        "books": books(measured),
        "notes": list(measured.notes),
        "conditions": _conditions(evidence),
        "caveats": list(_caveats(evidence)),
    }


def _orders(
    requests: tuple[CapacityRequest, ...], withheld: tuple[Withheld, ...]
) -> dict[str, Any]:
    """Return what is ordered, what that costs and proves, and what is withheld."""
    return {
        "requests": [_request(r) for r in requests],
        "requests_usd": sum(r.total_usd for r in requests),
        "proof": _proof(requests),
        "withheld": [asdict(one) for one in withheld],
    }


def _forecast(expected: EventDemand, history: History) -> dict[str, Any]:
    """Return what stands behind the forecast, and how it did where the history knows better by now."""
    demand, actuals = expected.organic, actuals_table(expected, history)
    return {
        "backtest_wape": demand.backtest_wape,
        "race": [list(row) for row in demand.benchmark],
        "strength_sigma": demand.strength_sigma,
        "past_events": demand.past_events,
        "calibrated_to": demand.calibrated_to,
        "notes": [*history.notes, *demand.notes],
        "actuals": None if actuals is None else to_json(actuals),
    }


def _circumstances(evidence: Evidence, history: History) -> dict[str, Any]:
    """Return what a run depended on beside its plan: the past, this machine, the target's redirects."""
    return {
        "history_sha256": history.sha256,
        "machine": machine_table(evidence),
        "redirects": redirect_table(evidence),
    }


def _failure(evidence: Evidence, measured: RunRecord) -> dict[str, Any]:
    """Return what was injected, whether it came back, what can be lost, and what the model cannot say."""
    plan = evidence.plan
    return {
        "injected": [one.text for one in plan.injections],
        "recovery": measured_recovery(plan.injections, measured, plan.speed, evidence.calm),
        "recovery_modelled": does_it_recover(plan.injections, evidence.event, evidence.calm)
        if evidence.event
        else None,
        "n_minus_one": evidence.n_minus_one,
        "event_missing": evidence.event_missing,
    }


def _local(instant: datetime | None, zone: str | None) -> str | None:
    if instant is None:
        return None
    return instant.astimezone(ZoneInfo(zone or "UTC")).strftime("%Y-%m-%d %H:%M %Z")


def _request(request: CapacityRequest) -> dict[str, Any]:
    data = asdict(request)
    for name in ("window_start", "window_end", "needed_by", "expires"):
        data[name] = getattr(request, name).strftime("%Y-%m-%dT%H:%MZ")
    data["latest_order"] = request.latest_order.strftime("%Y-%m-%d")
    data["peak"] = None if request.peak is None else f"{request.peak:%Y-%m-%dT%H:%MZ}"
    return data | {"proven": request.proven}


def _refuted(evidence: Evidence, findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """Return the services whose model the run refutes, each with what was measured against what was predicted."""
    refuted = standing_of(evidence, findings).refuted
    return [
        {"stack": stack, "service": service, "why": list(why)}
        for (stack, service), why in refuted.items()
    ]


def _proof(requests: tuple[CapacityRequest, ...]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for request in requests:
        for text, numbers in request.proof.items():
            if isinstance(numbers, dict):
                of = {"stack": request.stack, "text": text, "of": request.proof["of"]}
                rows.setdefault((request.stack, text), {**of, **numbers})
    return list(rows.values())


def _conditions(evidence: Evidence) -> dict[str, Any]:
    plan = evidence.plan
    return {
        "window_utc": f"{plan.window.start:%Y-%m-%dT%H:%MZ} to {plan.window.end:%Y-%m-%dT%H:%MZ}",
        "lead_in_slots": plan.lead_in,
        "speed": plan.speed,
        "scale": plan.scale,
        "quantile": f"p{100 * plan.quantile:g}",
        "slot_wall_s": plan.slot_wall_s,
        "replications": len(evidence.predicted),
        "replications_at_real_speed": len(evidence.event),
        "scale_at_real_speed": evidence.event_scale,
        "scenario_sha256": evidence.scenario.sha256(),
    }


def _caveats(evidence: Evidence) -> tuple[str, ...]:
    plan = evidence.plan
    out = [
        f"Played at {plan.speed:g}x: evidence of what the load does at its level, not of what time "
        "does (queue build-up over minutes, autoscaling, the sell-out minute)."
        if plan.speed > 1
        else "Played at real speed.",
        f"Played in a cell of {plan.scale:g} of full scale: small cells are slower at equal "
        "utilisation, so its latencies are compared with the model of that same cell, and an "
        "objective that holds in it is judged on the safe side (DECISIONS 10)."
        if evidence.load_share == 1.0
        else f"The target met {evidence.load_share:.3g} of the load that the forecast means for it.",
    ]
    if evidence.event:
        out.append(
            "At real speed the model simulated the same window, after an hour of warm-up, in a cell of "
            f"{evidence.event_scale:.2g} of full scale, {len(evidence.event)} replications: the largest "
            "cell the engine carries beside the run. `gameday simulate --window all` has the whole event."
        )
    if evidence.event_missing or not evidence.event:
        out.append(
            f"The model of the window at real speed has {len(evidence.event) or 'no'} replications: "
            f"{evidence.event_missing or 'it was not asked'}. What rests on it is not judged."
        )
    cells = {note for run in evidence.predicted[:1] for note in run.notes}
    return (*out, *sorted(cells))
