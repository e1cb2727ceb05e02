"""Traces as a part of a scenario: who calls whom, how long each service works, and what traces cannot tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.files import write_whole
from gameday.history.traces import (
    CallSeen,
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
    "time": "no visit went well: how long one request takes when nothing waits, as {law: exponential, mean: 20ms}",
    "stacks": "machines: {NAME OF regions.*.stack: {instances: N, zones: N, instance: TYPE}}; kubectl or "
    "the cloud tells",
    "servers_per_instance": "requests that one instance serves at once: processes x threads, maxThreads, "
    "max_connections",
    "queue_per_server": "places to wait for each of those: listen backlog, acceptCount, queue size",
    "timeout": "how long its callers wait: the time-out of their clients",
}
"""Fields that traces may not tell -> what they are and where they are found."""
_ENTRY = "edge"
_HOLES = re.compile(r"<[^<>]+>|(?<=/):\w+|\[[^\]]+\]|\{[^}]+\}")
"""Parts of a route that vary, as Flask and Django, Express and Rails, Next.js, Spring and others write them."""
_NOT_OF_NAMES = re.compile(r"[^a-z0-9_-]+")
_NAME_LENGTH = 40
_MOST_ELSEWHERE = 0.02
"""Share of a step's requests that are left out beyond which that is doubted. Ours."""


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
    notes: tuple[str, ...]
    """What of the requests is written otherwise, or not at all."""
    doubts: tuple[str, ...]
    """Why it may be wrong, those of the structure too."""
    written: str


@dataclass(slots=True)
class _Part:
    """A part of a scenario on its way into a file."""

    names: Mapping[str, str]
    """Service as traces call it -> as a scenario can."""
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[tuple[str, ...], str] = field(default_factory=dict)
    graphs: list[RequestGraph] = field(default_factory=list)
    """Those whose calls are written."""
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def yaml(self) -> str:
        """Return it as the text of a file."""
        return to_yaml({"steps": self.steps, "services": self.services}, self.comments)


def import_traces(order: TraceOrder) -> TracesImported:
    """Read traces and write what they tell; UsageError or HistoryError where they cannot be read."""
    scenario = load_scenario(order.event) if order.event else None
    structure = read_traces(order.source, scenario)
    part = _part(structure, scenario)
    text = part.yaml()
    write_whole(order.out, lambda path: path.write_text(text, encoding="utf-8"))
    return TracesImported(
        structure,
        unknown=tuple(".".join(path) for path in part.comments),
        renamed={name: written for name, written in part.names.items() if name != written},
        notes=tuple(part.notes),
        doubts=(*structure.doubts, *part.doubts),
        written=str(order.out),
    )


def _names(structure: TraceStructure) -> dict[str, str]:
    """Return service as traces call it -> as a scenario can; of those that would be alike, later ones numbered."""
    out: dict[str, str] = {}
    for seen in structure.services:
        plain = _NOT_OF_NAMES.sub("-", seen.service.lower()).strip("-_")
        plain = plain if plain[:1].isalpha() else f"service-{plain}".strip("-")
        name, number = plain[:_NAME_LENGTH].rstrip("-_"), 1
        while name in out.values():
            number += 1
            ending = f"-{number}"
            name = plain[: _NAME_LENGTH - len(ending)].rstrip("-_") + ending
        out[seen.service] = name
    return out


def _part(structure: TraceStructure, scenario: Scenario | None) -> _Part:
    part = _Part(_names(structure))
    for step, graphs in _by_step(structure).items():
        if scenario is not None:
            _add_exchanges(part, scenario, step, graphs)
        else:
            _add_step(part, step, graphs)
    written = {service for graph in part.graphs for service in graph.services()}
    for seen in structure.services:
        if seen.service in written:
            name = part.names[seen.service]
            _add_service(part, seen, name, known=scenario is not None and name in scenario.services)
    return part


def _by_step(structure: TraceStructure) -> dict[str, list[RequestGraph]]:
    """Return step -> its requests, the most frequent first."""
    out: dict[str, list[RequestGraph]] = {}
    for graph in structure.requests:
        if graph.step is not None:
            out.setdefault(graph.step, []).append(graph)
    return out


def _add_step(part: _Part, step: str, graphs: list[RequestGraph]) -> None:
    """Add requests of one kind as a step of its own."""
    graph = _chosen(part, step, graphs)
    entry = part.names[graph.entry]
    at = {} if entry == _ENTRY else {"entry": entry}
    part.steps[step] = at | {"exchanges": [_exchange(part, step, graph)]}


def _chosen(part: _Part, step: str, same: list[RequestGraph]) -> RequestGraph:
    """Return the request of the service that receives most of its kind; say which others do."""
    first, others = same[0], same[1:]
    if others:
        share = sum(graph.requests for graph in others) / sum(graph.requests for graph in same)
        entries = ", ".join(graph.entry for graph in others)
        text = (
            f"{step}: {share:.1%} of {first.name} are received by {entries}, not by {first.entry}: "
            "written as if all "
            "were received there"
        )
        (part.doubts if share > _MOST_ELSEWHERE else part.notes).append(text)
    part.graphs.append(first)
    return first


def _exchange(part: _Part, step: str, graph: RequestGraph) -> dict[str, str | list[Any]]:
    """Return a request as an exchange, its path with the words that a scenario fills in, or as first seen."""
    path = _HOLES.sub("{}", graph.template.partition("?")[0])
    if step == "product" and path.count("{}") == 1:
        path = path.replace("{}", "{product}")
    elif "{}" in path or not path.startswith("/"):
        path = graph.sample[1] if graph.sample[1].startswith("/") else "/"
        part.notes.append(
            f"{step}: its path is written as it was first asked for, {path}; put a word of `values` where "
            "it varies"
        )
    method: dict[str, str | list[Any]] = (
        {} if graph.method in ("GET", "") else {"method": graph.method}
    )
    return method | {"path": path} | ({"calls": _calls(graph.calls, part)} if graph.calls else {})


def _add_exchanges(part: _Part, scenario: Scenario, step: str, graphs: list[RequestGraph]) -> None:
    """Add a step as the scenario has it, the calls of its exchanges as traces tell them where they were seen."""
    written, of_exchanges = list[Any](), list[RequestGraph]()
    for group in scenario.steps[step].exchanges:
        found = [[graph for graph in graphs if _is_of(graph, exchange)] for exchange in group]
        of_exchanges += [graph for same in found for graph in same]
        exchanges = [
            _with_calls(part, step, exchange, same)
            for exchange, same in zip(group, found, strict=True)
        ]
        written.append(exchanges[0] if len(exchanges) == 1 else exchanges)
    entry = _entry(part, step) or scenario.steps[step].entry
    part.steps[step] = ({} if entry == _ENTRY else {"entry": entry}) | {"exchanges": written}
    if left := [graph for graph in graphs if graph not in of_exchanges]:
        _doubt_left(part, step, left, sum(graph.requests for graph in graphs))


def _with_calls(part: _Part, step: str, exchange: Exchange, same: list[RequestGraph]) -> Any:
    """Return an exchange as it is written, with the calls of the requests that are the same."""
    plain = exchange.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    plain["path"] = exchange.path
    if same:
        plain["calls"] = _calls(_chosen(part, step, same).calls, part)
    else:
        part.notes.append(
            f"{step}: no trace is {exchange.method} {exchange.path}: its calls are those of the scenario"
        )
    return plain


def _entry(part: _Part, step: str) -> str | None:
    """Return the service that receives a step's exchanges, the first of several; None where none was seen."""
    entries = sorted({part.names[graph.entry] for graph in part.graphs if graph.step == step})
    if len(entries) > 1:
        part.doubts.append(
            f"{step}: its exchanges are received by {', '.join(entries)}, and a step has one entry: make "
            "steps of them"
        )
    return entries[0] if entries else None


def _doubt_left(part: _Part, step: str, left: list[RequestGraph], requests: float) -> None:
    """Say which requests of a step are none of its exchanges."""
    named = ", ".join(f"{graph.name} ({graph.requests:.0f})" for graph in left)
    share = sum(graph.requests for graph in left) / requests
    text = (
        f"{step}: {share:.1%} of its requests are none of its exchanges: {named}; their calls are left "
        "out. Make them "
        "exchanges of it, or a step of their own"
    )
    (part.doubts if share > _MOST_ELSEWHERE else part.notes).append(text)


def _is_of(graph: RequestGraph, exchange: Exchange) -> bool:
    """Return whether requests are those of an exchange."""
    rule = parse_url_rule(f"{exchange.method} {exchange.path.partition('?')[0]}")
    return rule.takes(*graph.sample[:2], "")


def _calls(groups: tuple[tuple[CallSeen, ...], ...], part: _Part) -> list[Any]:
    """Return calls as a scenario writes them."""
    written = [[_call(call, part) for call in group] for group in groups]
    return [group[0] if len(group) == 1 else group for group in written]


def _call(call: CallSeen, part: _Part) -> Any:
    share = "" if call.chance == 1 else f"{100 * call.chance:.3g}% "
    name = f"{share}{part.names[call.service]}{'?' * call.is_optional}"
    return {name: _calls(call.then, part)} if call.then else name


def _add_service(part: _Part, seen: ServiceSeen, name: str, *, known: bool) -> None:
    """Add a service: what was measured, and `unknown` where traces cannot tell what a new one needs."""
    measured = dict(_measured(seen))
    unknown = {} if known else {n: _UNKNOWN for n in _HOW_TO_FIND if n not in measured}
    if measured or unknown:
        part.services[name] = {**measured, **unknown}
    for missing in unknown:
        part.comments["services", name, missing] = _HOW_TO_FIND[missing]


def _measured(seen: ServiceSeen) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a service that traces tell."""
    if seen.law is not None:
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
