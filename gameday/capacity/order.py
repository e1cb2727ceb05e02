"""The room's verb: which services are too small, the requests for them, and which of them nothing supports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from gameday.capacity.request import CapacityRequest, Move
from gameday.capacity.sizing import Size, offered_by_quantile, size_service
from gameday.findings import Finding, Standing
from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.vocabulary import Array

__all__ = ["Withheld", "request_capacity", "with_order", "withhold"]

_WARM_UP = timedelta(hours=2)
"""Servers must work this long before they are needed: caches fill, checks pass. Ours."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A request that is not made: it would rest on a model that the run refutes."""

    stack: str
    service: str
    why: tuple[str, ...]
    """What was measured against what was predicted, a line each."""


def withhold(
    requests: tuple[CapacityRequest, ...], standing: Standing
) -> tuple[tuple[CapacityRequest, ...], tuple[Withheld, ...]]:
    """Return the requests that the run does not refute, each with what it says of their model; and the others."""
    kept, withheld = [], []
    for request in requests:
        model = standing.of(request.stack, (request.service,))
        if model == "refuted":
            why = standing.against(request.stack, (request.service,))
            withheld.append(Withheld(request.stack, request.service, why))
        else:
            kept.append(replace(request, model=model))
    return tuple(kept), tuple(withheld)


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
    scenario: Scenario,
    demand: Demand,
    size: Size,
    peaks: dict[float, float],
    series: Array,
    where: tuple[str, str],
    findings: tuple[str, ...],
    run: str,
    now: datetime,
) -> CapacityRequest:
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
        id=f"CR-{scenario.event.name}-{stack}-{service}",
        event=scenario.event.name,
        run=run,
        stack=stack,
        service=service,
        state="draft",
        findings=findings,
        window_start=start,
        window_end=end,
        needed_by=needed_by,
        latest_order=latest,
        at_risk=latest < now,
        instance=fleet.instance,
        zones=fleet.zones,
        instances_from=fleet.instances,
        instances_to=size.instances,
        servers_per_instance=rules.servers_per_instance,
        offered={f"p{100 * q:g}": round(peak, 2) for q, peak in peaks.items()},
        servers_needed=size.servers_needed,
        zones_lost=min(block.zones_lost, fleet.zones - 1),
        sized_for=f"p{100 * block.quantile:g}{support}",
        bounds={
            "max_utilisation": block.max_utilisation,
            "max_wait_probability": block.max_wait_probability,
        },
        peak_utilisation={
            "before": before,
            "before_zone_lost": before / size.survivors_share,
            "after": after,
            "after_zone_lost": after / size.survivors_share,
        },
        hourly_usd=hourly,
        total_usd=hourly * (end - needed_by).total_seconds() / 3600,
        expires=end + _WARM_UP,
        peak=demand.grid.instant(int(series.argmax())),
        history=(Move(now.isoformat(timespec="seconds"), "gameday", "draft", f"run {run}"),),
    )


def _ids(findings: tuple[Finding, ...], stack: str, service: str) -> tuple[str, ...]:
    """Return the ids of the findings that more servers of a service answer."""
    return tuple(
        f.id
        for f in findings
        if f.stack == stack and f.rule != "disagreement" and service in f.subject.split()
    )


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
