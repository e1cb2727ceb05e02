"""Traces as a part of a scenario: who calls whom, how long each service works, and what traces cannot tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.errors import UsageError
from gameday.files import write_whole
from gameday.history.traces import (
    FittedLaw,
    RequestGraph,
    ServiceSeen,
    TraceSource,
    TraceStructure,
    read_traces,
    written_duration,
)
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.blocks import Exchange, parse_url_rule
from gameday.scenario.reading import to_yaml

__all__ = ["TraceOrder", "TracesImported", "import_traces"]

_UNKNOWN = "unknown"
_HOW_TO_FIND = {
    "stacks": "machines: {STACK: {instances: N, zones: N, instance: TYPE}}; as the cloud or kubectl tells",
    "servers_per_instance": "requests that one instance serves at once: processes x threads, maxThreads, "
    "max_connections",
    "queue_per_server": "places to wait for each of those: listen backlog, acceptCount, queue size",
    "timeout": "how long its callers wait: the time-out of their clients",
}
"""Fields that traces cannot tell -> what they are and where they are found."""
_ENTRY = "edge"
_HOLES = re.compile(r"<(?:[^<>:]+:)?(\w+)>|:(\w+)|\[(?:\.\.\.)?(\w+)\]|\{\*?(\w+)[^}]*\}")
"""Parts of a route that vary, as Flask and Django, Express and Rails, Next.js, Spring and others write them."""
_NOT_OF_NAMES = re.compile(r"[^a-z0-9_-]+")
_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class TraceOrder:
    """Traces to import, and where what they tell is written."""

    source: TraceSource
    out: Path
    """YAML: services and steps, for a scenario to include."""
    event: str | None = None
    """Whose requests are steps; a bundled scenario's name, or a YAML file. None: steps are proposed."""


@dataclass(frozen=True, slots=True)
class TracesImported:
    """What traces told, and where it was written."""

    structure: TraceStructure
    unknown: tuple[str, ...]
    """Fields of what is written that a person must fill in, as `services.cart.timeout`."""
    renamed: dict[str, str]
    """Service as traces call it -> as it is written, where that differs."""
    written: str


@dataclass(slots=True)
class _Part:
    """A part of a scenario on its way into a file."""

    data: dict[str, Any]
    comments: dict[tuple[str, ...], str] = field(default_factory=dict)


def import_traces(order: TraceOrder) -> TracesImported:
    """Read traces and write what they tell; UsageError or HistoryError where they cannot be read."""
    scenario = load_scenario(order.event) if order.event else None
    structure = read_traces(order.source, scenario)
    names = _names(structure)
    part = _part(structure, scenario, names)
    text = to_yaml(part.data, part.comments)
    write_whole(order.out, lambda path: path.write_text(text, encoding="utf-8"))
    return TracesImported(
        structure,
        unknown=tuple(".".join(path) for path in part.comments),
        renamed={name: written for name, written in names.items() if name != written},
        written=str(order.out),
    )


def _names(structure: TraceStructure) -> dict[str, str]:
    """Return service as traces call it -> as a scenario can; UsageError where two would be one."""
    out: dict[str, str] = {}
    for seen in structure.services:
        written = (
            _NOT_OF_NAMES.sub("-", seen.service.lower()).strip("-_")[:_NAME_LENGTH] or "service"
        )
        written = written if written[0].isalpha() else f"s-{written}"[:_NAME_LENGTH]
        if written in out.values():
            other = next(name for name, taken in out.items() if taken == written)
            raise UsageError(
                f"--traces: services '{seen.service}' and '{other}' would both be '{written}' in a scenario; "
                "give one of them another service.name"
            )
        out[seen.service] = written
    return out


def _part(structure: TraceStructure, scenario: Scenario | None, names: Mapping[str, str]) -> _Part:
    part = _Part({"steps": {}, "services": {}})
    called = {edge.service for graph in structure.requests for edge in graph.edges}
    entries = {graph.entry for graph in structure.requests if graph.step is not None}
    for step, graphs in _by_step(structure).items():
        if scenario is not None:
            exchanges = _exchanges_with_calls(scenario, step, graphs, names)
        else:
            exchanges = [_exchange(graph, names) for graph in graphs]
        entry = names[graphs[0].entry]
        part.data["steps"][step] = ({} if entry == _ENTRY else {"entry": entry}) | {
            "exchanges": exchanges
        }
    for seen in structure.services:
        if seen.service in called | entries:
            known = scenario is not None and names[seen.service] in scenario.services
            _add_service(part, seen, names[seen.service], is_known=known)
    return part


def _by_step(structure: TraceStructure) -> dict[str, list[RequestGraph]]:
    """Return step -> its requests, the most frequent first."""
    out: dict[str, list[RequestGraph]] = {}
    for graph in structure.requests:
        if graph.step is not None:
            out.setdefault(graph.step, []).append(graph)
    return out


def _exchange(graph: RequestGraph, names: Mapping[str, str]) -> dict[str, str | list[Any]]:
    """Return a request as an exchange of a step."""
    path = _HOLES.sub(lambda hole: "{" + next(filter(None, hole.groups())) + "}", graph.template)
    method: dict[str, str | list[Any]] = {} if graph.method == "GET" else {"method": graph.method}
    calls = {"calls": _renamed(graph.calls, names)} if graph.calls else {}
    return method | {"path": path} | calls


def _exchanges_with_calls(
    scenario: Scenario, step: str, graphs: list[RequestGraph], names: Mapping[str, str]
) -> list[Any]:
    """Return a step's exchanges as the scenario has them, their calls as traces tell them where they were seen."""
    out = []
    for group in scenario.steps[step].exchanges:
        written = []
        for exchange in group:
            plain = exchange.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            plain["path"] = exchange.path
            graph = next((graph for graph in graphs if _is_of(graph, exchange)), None)
            if graph is not None:
                plain["calls"] = _renamed(graph.calls, names)
            written.append(plain)
        out.append(written[0] if len(written) == 1 else written)
    return out


def _is_of(graph: RequestGraph, exchange: Exchange) -> bool:
    """Return whether requests are those of an exchange."""
    rule = parse_url_rule(f"{exchange.method} {exchange.path.partition('?')[0]}")
    return rule.takes(*graph.sample[:2], "")


def _renamed(calls: list[Any], names: Mapping[str, str]) -> list[Any]:
    """Return calls with services as a scenario calls them."""
    out: list[Any] = []
    for call in calls:
        if isinstance(call, list):
            out.append(_renamed(call, names))
        elif isinstance(call, dict):
            out.append({_new_name(n, names): _renamed(below, names) for n, below in call.items()})
        else:
            out.append(_new_name(call, names))
    return out


def _new_name(call: str, names: Mapping[str, str]) -> str:
    """Return `[NN% ]SERVICE[?]` with the service as a scenario calls it."""
    share, percent, service = call.rpartition("% ")
    return share + percent + names[service.removesuffix("?")] + "?" * service.endswith("?")


def _add_service(part: _Part, seen: ServiceSeen, name: str, *, is_known: bool) -> None:
    """Add a service: what was measured, and `unknown` where traces cannot tell what a new one needs."""
    measured = dict(_measured(seen))
    unknown = {} if is_known else {n: _UNKNOWN for n in _HOW_TO_FIND if n not in measured}
    part.data["services"][name] = {**measured, **unknown}
    for missing in unknown:
        part.comments["services", name, missing] = _HOW_TO_FIND[missing]


def _measured(seen: ServiceSeen) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a service that traces tell."""
    yield "time", _law(seen.law)
    if seen.by_step:
        yield "step_time", {step: _law(law) for step, law in seen.by_step.items()}
    if seen.timeout_s is not None:
        yield "timeout", written_duration(seen.timeout_s)
    if seen.retries is not None and seen.pause_s is not None:
        # full jitter: the pause is anything up to the back-off, half of it on average
        yield "retry", {"attempts": seen.retries, "backoff": written_duration(2 * seen.pause_s)}


def _law(fitted: FittedLaw) -> dict[str, str | float | dict[str, str]]:
    """Return a law as a scenario writes it."""
    out: dict[str, str | float | dict[str, str]] = {"law": fitted.law}
    if fitted.quantiles_s is not None:
        quantiles = {name: written_duration(s) for name, s in fitted.quantiles_s.items()}
        return out | {"quantiles": quantiles}
    out["mean"] = written_duration(fitted.mean_s)
    return out if fitted.cv is None else out | {"cv": fitted.cv}
