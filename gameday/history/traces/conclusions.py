"""What is concluded from counted traces: steps, call graphs, laws."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from gameday.history.importers.url_proposal import propose
from gameday.history.importers.urls import Urls
from gameday.history.trace_formats import FilesRead
from gameday.history.traces.call_graph import CallNode, EdgeSums
from gameday.history.traces.doubts import doubts_of, notes_of
from gameday.history.traces.laws import law_of
from gameday.history.traces.reading import RequestKind, ServiceCounts, TracesRead, TraceSums
from gameday.history.traces.self_times import ServiceTimes, TimeSums
from gameday.history.traces.structure import (
    CallEdge,
    CallSeen,
    RequestGraph,
    ServiceSeen,
    TraceCounts,
    TraceStructure,
)
from gameday.record import percentile

__all__ = ["conclude"]

_VARIES = re.compile(r"<[^<>]+>|:\w+|\[[^\]]+\]|\{[^}]+\}")
"""Parts of a route that vary."""
_NOT_OF_NAMES = re.compile(r"[^a-z0-9_-]+")
_NAME_LENGTH = 40
_LEAST_VISITS = 200
"""Visits from a step that a law of its own needs. Ours."""
_DIFFERS = 0.1
"""Relative distance of a step's mean from the service's beyond which it has a law of its own. Ours."""
_LEAST_TIMED_OUT, _STEADY = 5, 0.2
"""Calls given up after nearly the same time, and their coefficient of variation, that tell a time-out. Ours."""


def conclude(read: TracesRead, files: FilesRead) -> TraceStructure:
    """Return what the traces tell."""
    sums = read.sums
    steps = _steps(read)
    requests = sorted(
        _requests(sums, steps), key=lambda graph: (-graph.requests, graph.template, graph.method)
    )
    services = tuple(
        _service(name, counts, sums, steps) for name, counts in sorted(sums.services.items())
    )
    counts, has_event = _counts(read, files), read.urls is not None
    return TraceStructure(
        counts,
        tuple(requests),
        services,
        tuple(notes_of(sums, counts, requests, services, has_event=has_event)),
        (*doubts_of(sums, counts, requests, services, has_event=has_event), *files.cut),
    )


def _steps(read: TracesRead) -> dict[RequestKind, str | None]:
    """Return the step of each kind of request: by the scenario's rules, or as proposed where there is none."""
    kinds = read.sums.graphs
    if read.urls is not None:
        return {kind: kind.step for kind in kinds}
    asked = Counter(
        {
            (kind.method, kind.template, ""): round(sum(node.visits for node in entries.values()))
            for kind, entries in kinds.items()
            if kind.method
        }
    )
    urls = Urls.of_proposal(propose(asked).urls)
    out = dict[RequestKind, str | None]()
    for kind in sorted(kinds, key=lambda kind: -asked[kind.method, kind.template, ""]):
        rule = urls.rule(kind.method, kind.template, "") if kind.method else None
        out[kind] = None if rule is None else _unused(rule.step, kind, out)
    return out


def _unused(step: str, kind: RequestKind, taken: dict[RequestKind, str | None]) -> str:
    """Return a step's name for one kind of request: of several each is a step, and comes as often as it comes."""
    words = [word for word in _VARIES.sub("", kind.template.lower()).split("/") if word]
    last = _NOT_OF_NAMES.sub("-", words[-1] if words else kind.method.lower()).strip("-_")
    names = (step, f"{step}-{last}", *(f"{step}-{last}-{number}" for number in range(2, 10_000)))
    return next(name[:_NAME_LENGTH] for name in names if name[:_NAME_LENGTH] not in taken.values())


def _requests(sums: TraceSums, steps: dict[RequestKind, str | None]) -> Iterator[RequestGraph]:
    for kind, entries in sums.graphs.items():
        for node in entries.values():
            yield RequestGraph(
                steps[kind],
                kind.method,
                kind.template,
                sums.samples.get(kind, (kind.method, kind.template, "")),
                node.service,
                node.visits,
                _calls(node),
                min(place.shapes.share_alike() for place in node.walk()),
                tuple(_edges(node, ())),
            )


def _calls(node: CallNode) -> tuple[tuple[CallSeen, ...], ...]:
    """Return the calls of a place with all below them."""
    return tuple(
        tuple(
            CallSeen(
                call.service,
                call.chance,
                bool(_is_optional(node.edges.get(call.service, EdgeSums()))),
                _calls(node.below[call.service]) if call.service in node.below else (),
            )
            for call in group
        )
        for group in node.shapes.calls()
    )


def _is_optional(edge: EdgeSums) -> bool | None:
    if not edge.failed:
        return None
    return edge.failed_and_caller_well > edge.failed / 2


def _edges(node: CallNode, above: tuple[str, ...]) -> Iterator[CallEdge]:
    callers = (*above, node.service)
    groups = [[call.service for call in group] for group in node.shapes.calls()]

    def place(service: str) -> tuple[int, str]:
        first = (index for index, group in enumerate(groups) if service in group)
        return next(first, len(groups)), service

    for service in sorted(node.edges, key=place):
        yield _edge(node, callers, service, groups)
    for service in sorted(node.below, key=place):
        yield from _edges(node.below[service], callers)


def _edge(
    node: CallNode, callers: tuple[str, ...], service: str, groups: list[list[str]]
) -> CallEdge:
    edge = node.edges[service]
    calls = edge.calls or 1.0
    beside = {other for group in groups if service in group for other in group if other != service}
    if any(group.count(service) > 1 for group in groups):
        beside.add(service)
    return CallEdge(
        callers=callers,
        service=service,
        per_visit=node.shapes.per_visit(service),
        calls=edge.calls,
        retry_share=edge.retries / calls,
        failed_share=edge.failed / calls,
        cached_share=edge.cached / calls,
        asynchronous_share=edge.asynchronous / (edge.asynchronous + edge.calls or 1.0),
        transit_s=edge.transit_s / edge.transits if edge.transits else None,
        parallel_with=tuple(sorted(beside)),
        is_optional=_is_optional(edge),
    )


def _repeats(service: str, sums: TraceSums) -> tuple[int, float | None]:
    """Return the most retries of a call to a service from wherever, and the mean pause before a first one, s."""
    entries = (entry for entries in sums.graphs.values() for entry in entries.values())
    nodes = (node for entry in entries for node in entry.walk())
    edges = [node.edges[service] for node in nodes if service in node.edges]
    pauses = sum(edge.pauses for edge in edges)
    paused_s = sum(edge.pauses_s for edge in edges)
    most = max((edge.most_retries for edge in edges), default=0)
    return most, paused_s / pauses if pauses else None


def _service(
    name: str, counts: ServiceCounts, sums: TraceSums, steps: dict[RequestKind, str | None]
) -> ServiceSeen:
    of_steps = frozenset(str(kind) for kind, step in steps.items() if step is not None)
    times = (sums.times if counts.visits else sums.times_of_calls).of(name, of_steps)
    whole, by_step, repeats = times.whole, _times_by_step(times, steps), _repeats(name, sums)
    visits = counts.all_visits()
    return ServiceSeen(
        service=name,
        visits=visits,
        failed_share=counts.failed / visits,
        asynchronous_share=counts.asynchronous / visits,
        unseen_share=counts.unseen_share(),
        law=law_of(whole) if whole.visits else None,
        mean_s=whole.mean_s if whole.visits else None,
        p50_s=_quantile_s(whole, 0.5),
        p99_s=_quantile_s(whole, 0.99),
        count=whole.visits,
        by_step={step: law_of(row) for step, row in by_step.items() if _differs(row, whole)},
        by_step_mean_s={step: row.mean_s for step, row in by_step.items()},
        is_seen_by_callers_only=not counts.visits,
        waited_s=counts.waited_s / visits,
        wait_names=tuple(sorted(counts.wait_names)),
        waits_from=times.waits_from,
        retries=repeats[0] or None,
        pause_s=repeats[1],
        timeout_s=_timeout_s(counts.timed_out),
    )


def _quantile_s(times: TimeSums, level: float) -> float | None:
    """Return a quantile, s; None where there is no visit."""
    return percentile(times.counts, level, times.longest_s) if times.visits else None


def _times_by_step(
    times: ServiceTimes, steps: dict[RequestKind, str | None]
) -> dict[str, TimeSums]:
    """Return step -> own work of a service; `steps`: of each kind of request."""
    out: dict[str, TimeSums] = {}
    for kind, step in steps.items():
        if step is not None and str(kind) in times.steps:
            out[step] = out.get(step, TimeSums()).merge(times.steps[str(kind)])
    return out


def _timeout_s(given_up: TimeSums) -> float | None:
    """Return after how long callers give up, s; None where they did not, or after times of their own."""
    is_steady = given_up.visits >= _LEAST_TIMED_OUT and given_up.cv < _STEADY
    return given_up.mean_s if is_steady else None


def _differs(times: TimeSums, whole: TimeSums) -> bool:
    """Return whether a step's own work is another than that of all steps together."""
    if times.visits < _LEAST_VISITS:
        return False
    distance = abs(times.mean_s - whole.mean_s)
    return distance > _DIFFERS * whole.mean_s and distance > 3 * times.error_s


def _counts(read: TracesRead, files: FilesRead) -> TraceCounts:
    sums, assembly = read.sums, read.assembly
    left = assembly.late + assembly.impossible + sums.duplicates + sums.broken_spans
    return TraceCounts(
        spans=assembly.spans,
        used=assembly.spans - left,
        late=assembly.late,
        impossible=assembly.impossible,
        duplicates=sums.duplicates,
        of_broken_traces=sums.broken_spans,
        traces=sums.traces,
        broken_traces=sums.broken_traces,
        skewed=sums.skewed,
        largest_skew_s=sums.largest_skew_ns / 1e9,
        nameless_calls=sums.names.nameless,
        unnamed=sums.unnamed,
        sampled_traces=sums.sampled,
        sampled=sums.weight / (sums.traces - sums.broken_traces) if sums.sampled else None,
        documents=files.documents,
        malformed=files.malformed,
        first_malformed=files.first_malformed,
        no_traces=tuple(files.no_traces),
        most_open=assembly.most_open,
    )
