"""The room's verbs: which services are too small, the requests for them, and whether that holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from gameday.capacity.request import CapacityRequest, Move
from gameday.capacity.sizing import Size, offered_by_quantile, size_service
from gameday.findings import Finding
from gameday.findings.evidence import number_of
from gameday.forecast import Demand
from gameday.run_record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate import simulate, t_interval
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array, Band, Seed

__all__ = ["request_capacity", "verify", "with_order"]

_WARM_UP = timedelta(hours=2)
"""Servers must work this long before they are needed: caches fill, checks pass. Ours."""


def request_capacity(
    scenario: Scenario, demand: Demand, findings: tuple[Finding, ...], *, run: str, now: datetime
) -> tuple[CapacityRequest, ...]:
    """Return a draft request for every service whose fleet cannot hold the bounds, by size of need."""
    quantile = scenario.capacity.quantile
    levels = tuple(sorted({0.5, quantile, 0.99}))
    offered = offered_by_quantile(scenario, demand, levels)
    out: list[CapacityRequest] = []
    for stack in scenario.stack_names:
        for service in scenario.stack_services(stack):
            index = list(scenario.services).index(service)
            peaks = {q: float(offered[q][stack][index].max()) for q in levels}
            size = size_service(scenario, stack, service, peaks[quantile])
            have = scenario.services[service].stacks[stack].instances
            if size.instances > have:
                series = offered[quantile][stack][index]
                mine = _ids(findings, stack, service)
                out.append(
                    _request(
                        scenario, demand, size, peaks, series, (stack, service), mine, run, now
                    )
                )
    return tuple(sorted(out, key=lambda r: (-len(r.findings), -r.added * r.hourly_usd, r.id)))


def _request(
    scenario: Scenario, demand: Demand, size: Size, peaks: dict[float, float], series: Array,
    where: tuple[str, str], findings: tuple[str, ...], run: str, now: datetime,
) -> CapacityRequest:  # fmt: skip
    """Return the request for `size` at `where` = (stack, service); `series` is its load, erlangs."""
    stack, service = where
    block, rules = scenario.capacity, scenario.services[service]
    fleet = rules.stacks[stack]
    bearable = fleet.instances * rules.servers_per_instance * size.survivors_share
    short = np.flatnonzero(series > bearable * block.max_utilisation)
    first, last = (int(short[0]), int(short[-1])) if len(short) else (int(series.argmax()),) * 2
    start, end = demand.grid.instant(first), demand.grid.instant(last + 1)
    needed_by = start - _WARM_UP
    latest = needed_by - timedelta(days=block.lead_time_days)
    added = size.instances - fleet.instances
    hourly = added * block.instances[fleet.instance].hourly_usd
    before = peaks[block.quantile] / (fleet.instances * rules.servers_per_instance)
    after = peaks[block.quantile] / (size.instances * rules.servers_per_instance)
    support = "" if block.quantile <= demand.calibrated_to + 1e-9 else " (prior, not calibrated)"
    return CapacityRequest(
        id=f"CR-{scenario.event.name}-{stack}-{service}", event=scenario.event.name, run=run,
        stack=stack, service=service, state="draft", findings=findings, window_start=start,
        window_end=end, needed_by=needed_by, latest_order=latest, at_risk=latest < now,
        instance=fleet.instance, zones=fleet.zones, instances_from=fleet.instances,
        instances_to=size.instances, servers_per_instance=rules.servers_per_instance,
        offered={f"p{100 * q:g}": round(peak, 2) for q, peak in peaks.items()},
        servers_needed=size.servers_needed, zones_lost=min(block.zones_lost, fleet.zones - 1),
        sized_for=f"p{100 * block.quantile:g}{support}",
        bounds={"max_utilisation": block.max_utilisation,
                "max_wait_probability": block.max_wait_probability},
        peak_utilisation={
            "before": before, "before_zone_lost": before / size.survivors_share,
            "after": after, "after_zone_lost": after / size.survivors_share,
        },
        hourly_usd=hourly, total_usd=hourly * (end - needed_by).total_seconds() / 3600,
        expires=end + _WARM_UP,
        history=(Move(now.isoformat(timespec="seconds"), "gameday", "draft", f"run {run}"),),
    )  # fmt: skip


def _ids(findings: tuple[Finding, ...], stack: str, service: str) -> tuple[str, ...]:
    """Return the ids of the findings that more servers of a service answer."""
    return tuple(
        f.id for f in findings
        if f.stack == stack and f.rule != "disagreement" and service in f.subject.split()
    )  # fmt: skip


def with_order(scenario: Scenario, requests: tuple[CapacityRequest, ...]) -> Scenario:
    """Return the scenario as it would be with every request placed."""
    services = dict(scenario.services)
    for request in requests:
        service = services[request.service]
        fleet = service.stacks[request.stack].model_copy(update={"instances": request.instances_to})
        services[request.service] = service.model_copy(
            update={"stacks": {**service.stacks, request.stack: fleet}}
        )
    return scenario.model_copy(update={"services": services})


def verify(
    scenario: Scenario, plan: LoadPlan, requests: tuple[CapacityRequest, ...],
    before: tuple[RunRecord, ...], *, seed: Seed, scale: float | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[tuple[CapacityRequest, ...], tuple[RunRecord, ...]]:  # fmt: skip
    """Return the requests with their proof, and the model's records with the order placed.

    `before` are replications of the same plan without the order; `seed` is theirs, so each pair
    shares its arrivals, walks and service draws.
    """
    ordered = with_order(scenario, requests)
    after = simulate(ordered, plan, seed=seed, scale=scale, progress=progress)
    pairs = tuple(zip(before, after, strict=False))
    proofs = {stack: _proof(scenario, plan, stack, pairs) for stack in scenario.stack_names}
    return tuple(replace(r, proof=proofs[r.stack]) for r in requests), after


def _proof(
    scenario: Scenario, plan: LoadPlan, stack: str, pairs: tuple[tuple[RunRecord, RunRecord], ...]
) -> dict[str, object]:
    """Return objective -> before, after, difference, and whether it holds after, all as played."""
    out: dict[str, object] = {
        "replications": len(pairs),
        "as_played": f"{plan.speed:g}x, cell {plan.scale:g}",
    }
    for criterion in scenario.objectives:
        if criterion.is_of_service:
            continue
        rows = [tuple(number_of(run, criterion, stack)[0] for run in pair) for pair in pairs]
        before, after = (t_interval([row[i] for row in rows]) for i in (0, 1))
        change = t_interval([row[1] - row[0] for row in rows])
        out[criterion.text] = {
            "before": _said(before, criterion.metric), "after": _said(after, criterion.metric),
            "change": _said(change, criterion.metric),
            "holds_after": bool(after.high < criterion.value),
        }  # fmt: skip
    return out


def _said(band: Band, metric: str) -> str:
    """Return a band in words: percent for rates, milliseconds for latencies."""
    if metric.endswith("rate"):
        return f"{100 * band.mid:.2f} % ({100 * band.low:.2f} to {100 * band.high:.2f})"
    return f"{1000 * band.mid:.0f} ms ({1000 * band.low:.0f} to {1000 * band.high:.0f})"
