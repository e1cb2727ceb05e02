"""The run in plain data: every number a report shows, made here and nowhere else."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.verdict import Validity
from gameday.record import ATTEMPTS, LOADS, SESSIONS, STEPS, RunRecord, known_sum, percentile
from gameday.record.intervals import band_of, level_interval, plain_number, rounded
from gameday.record.measures import BAD, service_number
from gameday.scenario.reading import Injection
from gameday.swarm import BUSY_SHARE
from gameday.traffic import LoadPlan
from gameday.vocabulary import SLOT_S

__all__ = [
    "books",
    "compare_services",
    "followed",
    "machine_table",
    "redirect_table",
    "slot_series",
    "step_table",
]

_UNITS = {"utilisation": "share", "p50": "s", "p99": "s", "error_rate": "share"}
_REPEATS = LOADS.index("repeats")


def machine_table(evidence: Evidence) -> dict[str, Any]:
    """Return how busy other work kept this machine, and whether that forbids a comparison."""
    use = evidence.machine
    barred = (
        "not compared: this machine was busy with other work (bound "
        f"{BUSY_SHARE:.0%} of its cores in the worst 10 s)"
    )
    return asdict(use) | {"text": use.text, "not_compared": barred if use.is_too_busy else None}


def followed(evidence: Evidence, validity: Validity) -> dict[str, Any]:
    """Return how far the run followed the forecast: session starts, and steps against forecast."""
    plan, run = evidence.plan, evidence.measured
    assert run is not None
    sessions = run.session_counts.sum(axis=0)
    miss = np.abs(sessions[1] - sessions[0]).sum() / max(1, sessions[0].sum())
    expected = plan.clock.played(plan.forecast[:, :, plan.lead_in :])
    sent = run.step_counts[:, :, STEPS.index("achieved"), run.judged].sum()
    residual = np.abs(plan.caused - plan.forecast)[:, :, plan.lead_in :]
    return {
        "session_starts_share": round(1 - float(miss), 6),
        "sessions_planned": validity.sessions_planned,
        "sessions_started": validity.sessions_started,
        "steps_forecast": round(float(expected.sum())),
        "steps_planned": int(run.step_counts[:, :, 0, run.judged].sum()),
        "steps_sent": int(sent),
        "fit_residual_share": round(
            float(residual.sum() / plan.forecast[:, :, plan.lead_in :].sum()), 5
        ),
    }


def compare_services(evidence: Evidence) -> list[dict[str, Any]]:
    """Return per stack and service: predicted with interval against measured."""
    out = []
    for stack in evidence.scenario.stack_names:
        for service in evidence.scenario.stack_services(stack):
            row: dict[str, Any] = {"stack": stack, "service": service}
            for metric in _UNITS:
                said = [_said(r, stack, service, metric) for r in evidence.predicted]
                row[metric] = {
                    "predicted": band_of(level_interval(said, _UNITS[metric])) if said else None
                }
                run = evidence.measured
                seen = _said(run, stack, service, metric) if run else float("nan")
                row[metric]["measured"] = plain_number(seen)
            out.append(row)
    return out


def _said(run: RunRecord, stack: str, service: str, metric: str) -> float:
    if metric != "error_rate":
        return service_number(run, stack, service, metric)
    attempts = run.attempts[run.stacks.index(stack), run.services.index(service)]
    rows = known_sum(attempts[:, run.judged])
    bad = rows[ATTEMPTS.index("failed") : ATTEMPTS.index("in_flight")]
    return float(bad.sum() / rows[0]) if rows[0] > 0 else float("nan")


def step_table(evidence: Evidence) -> list[dict[str, Any]]:
    """Return per stack and step: counts, error rate, and latencies measured and predicted."""
    run, out = evidence.measured, []
    assert run is not None
    for s, stack in enumerate(run.stacks):
        for v, step in enumerate(run.steps):
            rows = run.step_counts[s, v][:, run.judged].sum(axis=1)
            histogram = run.response(stack, step)
            service = run.latency[s, v, 1, run.judged].sum(axis=0)
            sent = int(rows[STEPS.index("achieved")])
            bad = int(rows[[STEPS.index(name) for name in BAD]].sum())
            longest_s = run.longest_response_s([step])
            said = [
                percentile(r.response(stack, step), 0.99, longest_s) for r in evidence.predicted
            ]
            out.append(
                {
                    "stack": stack,
                    "step": step,
                    "sent": sent,
                    "bad": bad,
                    "error_rate": plain_number(bad / sent) if sent else None,
                    "p50_s": plain_number(percentile(histogram, 0.5, longest_s)),
                    "p99_s": plain_number(percentile(histogram, 0.99, longest_s)),
                    "service_p99_s": plain_number(percentile(service, 0.99, longest_s)),
                    "predicted_p99_s": band_of(level_interval(said, "s")) if said else None,
                }
            )
    return out


def redirect_table(evidence: Evidence) -> dict[str, dict[str, float]]:
    """Return per step: steps sent, redirects followed, and redirects declared for so many steps."""
    run, scenario = evidence.measured, evidence.scenario
    assert run is not None
    sent = run.step_counts[:, :, STEPS.index("achieved")].sum(axis=(0, 2))
    return {
        step: {
            "sent": int(n),
            "followed": run.redirects.get(step, 0),
            "declared": int(n) * sum(e.redirects for e in scenario.steps[step].each_exchange()),
        }
        for step, n in zip(run.steps, sent, strict=True)
    }


def books(run: RunRecord) -> dict[str, Any]:
    """Return both books in full over the whole run, lead-in included, and the orders by key."""
    steps = {
        step: dict(zip(STEPS, map(int, row), strict=True))
        for step, row in zip(run.steps, run.step_counts.sum(axis=(0, 3)), strict=True)
    }
    attempts: dict[str, dict[str, float | None]] = {}
    for s, stack in enumerate(run.stacks):
        for v, service in enumerate(run.services):
            row = known_sum(run.attempts[s, v])
            if not np.isnan(row).all():
                attempts[f"{stack} {service}"] = dict(
                    zip(ATTEMPTS, (plain_number(x, 0) for x in row), strict=True)
                )
    sessions = dict(zip(SESSIONS, map(int, run.session_counts.sum(axis=(0, 2))), strict=True))
    orders = run.orders
    return {
        "steps": steps,
        "sessions": sessions,
        "attempts": attempts,
        "orders": None
        if orders is None
        else {
            name: getattr(orders, name)
            for name in ("confirmed", "unknown", "in_shop", "confirmed_missing", "never_sent")
        },
        "session_delay_p50_s": plain_number(percentile(run.session_delay.sum(axis=0), 0.5)),
        "session_delay_p99_s": plain_number(percentile(run.session_delay.sum(axis=0), 0.99)),
        "imbalances": run.imbalances(),
    }


def slot_series(evidence: Evidence) -> dict[str, Any]:
    """Return what charts draw, per slot of the window, in wall units of the run."""
    plan, run = evidence.plan, evidence.measured
    assert run is not None
    part, wall = run.judged, run.slot_wall_s
    series: dict[str, Any] = {
        "slot_utc": [plan.window.instant(i).isoformat() for i in range(plan.window.slots)],
        "injected": [_span(plan, one) for one in plan.injections],
        "stacks": {},
    }
    for s, stack in enumerate(run.stacks):
        regions = [plan.regions.index(r) for r in evidence.scenario.stack_regions(stack)]
        expected = plan.forecast[regions][:, :, plan.lead_in :].sum(axis=(0, 1))
        counts = run.step_counts[s][:, :, part].sum(axis=0)
        series["stacks"][stack] = {
            "forecast_per_s": rounded(plan.clock.played(expected) / wall),
            "planned_per_s": rounded(counts[0] / wall),
            "sent_per_s": rounded(counts[STEPS.index("achieved")] / wall),
            "bad_per_s": rounded(counts[[STEPS.index(n) for n in BAD]].sum(axis=0) / wall),
            "sessions_planned": run.session_counts[s, 0, part].tolist(),
            "sessions_started": run.session_counts[s, 1, part].tolist(),
            "services": {
                name: _service_series(evidence, run, stack, name)
                for name in evidence.scenario.stack_services(stack)
            },
            "steps": {
                step: {
                    f"p{level}": [
                        plain_number(percentile(row, level / 100, run.longest_response_s([step])))
                        for row in run.latency[s, v, 0, part]
                    ]
                    for level in (50, 99)
                }
                for v, step in enumerate(run.steps)
            },
        }
    return series


def _span(plan: LoadPlan, one: Injection) -> list[str]:
    """Return from when to when something is injected, within the window."""
    ends = min(one.until_s, plan.window.slots * SLOT_S)
    return [(plan.window.start + timedelta(seconds=at_s)).isoformat() for at_s in (one.at_s, ends)]


def _service_series(evidence: Evidence, run: RunRecord, stack: str, name: str) -> dict[str, Any]:
    s, v = run.stacks.index(stack), run.services.index(name)
    said = [r.utilisation(stack, name)[r.judged] for r in evidence.predicted]
    queue = run.loads[s, v, 1, run.judged] / run.slot_wall_s
    asked = run.attempts[s, v, 0, run.judged]
    return {
        "measured": rounded(run.utilisation(stack, name)[run.judged]),
        "predicted": rounded(np.mean(said, axis=0)) if said else None,
        "queue": rounded(queue),
        "attempts_per_s": rounded(asked / run.slot_wall_s),
        "first_per_s": rounded((asked - run.loads[s, v, _REPEATS, run.judged]) / run.slot_wall_s),
    }
