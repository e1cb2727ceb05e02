"""What is concluded from counted traces: steps, calls as a scenario writes them, laws, and what is doubtful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gameday.history.importers.url_proposal import propose
from gameday.history.importers.urls import Urls
from gameday.history.traces.call_graph import CallNode, EdgeSums
from gameday.history.traces.call_shapes import LikelyCall
from gameday.history.traces.laws import law_of, written_duration
from gameday.history.traces.reading import RequestKind, ServiceCounts, TracesRead, TraceSums
from gameday.history.traces.self_times import TimeSums
from gameday.history.traces.structure import (
    CallEdge,
    RequestGraph,
    ServiceSeen,
    TraceCounts,
    TraceStructure,
)
from gameday.history.traces.trace_files import FilesRead
from gameday.record import percentile

__all__ = ["conclude"]

_LEAST_VISITS = 200
"""Visits from a step that a law of its own needs. Ours."""
_DIFFERS = 0.1
"""Relative distance of a step's mean from the service's beyond which it has a law of its own. Ours."""
_LEAST_TIMED_OUT, _STEADY = 5, 0.2
"""Calls given up after nearly the same time, and their coefficient of variation, that tell a time-out. Ours."""
_MOST_LOST = 0.02
"""Share of spans left out beyond which the result is doubted. Ours."""
_MOST_NAMED = 8


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
    counts = _counts(read, files)
    return TraceStructure(
        counts,
        tuple(requests),
        services,
        tuple(_notes(counts, requests, services)),
        (*_doubts(counts, requests), *(f"more than a server tells: {cut}" for cut in files.cut)),
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
    for kind in kinds:
        rule = urls.rule(kind.method, kind.template, "") if kind.method else None
        out[kind] = None if rule is None else rule.step
    return out


def _requests(sums: TraceSums, steps: dict[RequestKind, str | None]) -> Iterator[RequestGraph]:
    for kind, entries in sums.graphs.items():
        for node in entries.values():
            shares = [place.shapes.share_alike() for place in node.walk() if place.shapes.counts]
            yield RequestGraph(
                steps[kind],
                kind.method,
                kind.template,
                sums.samples.get(kind, (kind.method, kind.template, "")),
                node.service,
                node.visits,
                _calls(node),
                float(np.mean(shares)) if shares else 0.0,
                tuple(_edges(node, ())),
            )


def _calls(node: CallNode) -> list[Any]:
    """Return the calls of a place as a scenario writes them."""
    written = [[_call(node, call) for call in group] for group in node.shapes.calls()]
    return [group[0] if len(group) == 1 else group for group in written]


def _call(node: CallNode, call: LikelyCall) -> Any:
    share = "" if call.chance == 1 else f"{100 * call.chance:.3g}% "
    optional = "?" * bool(_is_optional(node.edges.get(call.service, EdgeSums())))
    name = f"{share}{call.service}{optional}"
    below = node.below.get(call.service)
    calls = _calls(below) if below is not None else []
    return {name: calls} if calls else name


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


@dataclass(frozen=True, slots=True)
class _Repeats:
    """Retries of calls to one service, from wherever."""

    most: int
    pause_s: float | None


def _repeats(service: str, sums: TraceSums) -> _Repeats:
    nodes = (
        node
        for entries in sums.graphs.values()
        for entry in entries.values()
        for node in entry.walk()
    )
    edges = [node.edges[service] for node in nodes if service in node.edges]
    pauses = sum(edge.pauses for edge in edges)
    paused_s = sum(edge.pauses_s for edge in edges)
    most = max((edge.most_retries for edge in edges), default=0)
    return _Repeats(most, paused_s / pauses if pauses else None)


def _service(
    name: str, counts: ServiceCounts, sums: TraceSums, steps: dict[RequestKind, str | None]
) -> ServiceSeen:
    whole, by_kind, waits_from = sums.times.of(name)
    of_step = _times_by_step(by_kind, steps)
    repeats, visits = _repeats(name, sums), counts.visits or counts.calls_without_visit
    return ServiceSeen(
        service=name,
        visits=visits,
        failed_share=counts.failed / visits if counts.visits else 0.0,
        law=law_of(whole),
        mean_s=whole.mean_s,
        p50_s=percentile(whole.counts, 0.5, whole.longest_s),
        p99_s=percentile(whole.counts, 0.99, whole.longest_s),
        count=whole.visits,
        by_step={step: law_of(times) for step, times in of_step.items() if _differs(times, whole)},
        by_step_mean_s={step: times.mean_s for step, times in of_step.items()},
        is_seen_by_callers_only=not counts.visits,
        waited_s=counts.waited_s / visits if counts.visits else 0.0,
        waits_from=waits_from,
        retries=repeats.most or None,
        pause_s=repeats.pause_s,
        timeout_s=_timeout_s(counts.timed_out),
    )


def _times_by_step(
    by_kind: dict[str, TimeSums], steps: dict[RequestKind, str | None]
) -> dict[str, TimeSums]:
    """Return step -> own work; `by_kind`: that of each kind of request."""
    out: dict[str, TimeSums] = {}
    for kind, step in steps.items():
        if step is not None and str(kind) in by_kind:
            out[step] = out.get(step, TimeSums()).merge(by_kind[str(kind)])
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
    left = assembly.late + sums.duplicates + sums.broken_spans
    return TraceCounts(
        spans=assembly.spans,
        used=assembly.spans - left,
        late=assembly.late,
        duplicates=sums.duplicates,
        of_broken_traces=sums.broken_spans,
        traces=sums.traces,
        broken_traces=sums.broken_traces,
        skewed=sums.skewed,
        largest_skew_s=sums.largest_skew_ns / 1e9,
        nameless_calls=sums.names.nameless,
        sampled=sums.weight / (sums.traces - sums.broken_traces) if sums.sampled else None,
        malformed=files.malformed,
        first_malformed=files.first_malformed,
        most_open=assembly.most_open,
    )


def _notes(
    counts: TraceCounts, requests: list[RequestGraph], services: tuple[ServiceSeen, ...]
) -> Iterator[str]:
    """Yield what else a reader of the result must know."""
    if counts.sampled is None:
        yield "no trace says how it was sampled: each counts once"
    if counts.skewed:
        yield (
            f"{counts.skewed} visits lay outside the call that asked for them: their clocks were moved into it, "
            f"by {counts.largest_skew_s:.3g} s at most"
        )
    if counts.nameless_calls:
        yield (
            f"{counts.nameless_calls} calls do not say whom they reach (peer.service, server.address, db.system): "
            "their time counts as the caller's own work"
        )
    unmapped = Counter(
        {f"{g.method} {g.template}".strip(): round(g.requests) for g in requests if g.step is None}
    )
    if unmapped:
        named = ", ".join(f"{name} ({count})" for name, count in unmapped.most_common(_MOST_NAMED))
        share = unmapped.total() / max(1.0, sum(graph.requests for graph in requests))
        yield f"of no step ({share:.1%} of requests): {named}; history.urls of --event maps them"
    yield from _notes_of_services(services)
    yield from _notes_of_edges(requests)


def _notes_of_services(services: tuple[ServiceSeen, ...]) -> Iterator[str]:
    for seen in services:
        if seen.is_seen_by_callers_only:
            yield (
                f"{seen.service}: sends no spans; its time is what callers waited, network and queue included"
            )
        if seen.waited_s > 0:
            waited = written_duration(seen.waited_s)
            yield f"{seen.service}: {waited} a visit spent waiting, taken off its own work"
        if seen.waits_from is not None:
            yield (
                f"{seen.service}: with {seen.waits_from} visits or more at one process each takes longer: "
                f"they wait, or slow one another; its law is that of {seen.count} visits that met fewer"
            )


def _notes_of_edges(requests: list[RequestGraph]) -> Iterator[str]:
    for graph in requests:
        for edge in graph.edges if graph.step is not None else ():
            where = f"{graph.step}: {edge.callers[-1]} calls {edge.service}"
            if edge.asynchronous_share > 0.5:
                yield f"{where} without waiting for it: left out of calls"


def _doubts(counts: TraceCounts, requests: list[RequestGraph]) -> Iterator[str]:
    spans = max(1, counts.spans)
    if counts.late > _MOST_LOST * spans:
        yield (
            f"{counts.late} of {counts.spans} spans ({counts.late / spans:.1%}) came after their trace was over "
            "and were left out; give a longer --window"
        )
    if counts.of_broken_traces > _MOST_LOST * spans:
        yield (
            f"{counts.of_broken_traces} of {counts.spans} spans ({counts.of_broken_traces / spans:.1%}) are of "
            f"{counts.broken_traces} traces in which a span's parent is missing, and were left out; "
            "give all files of the same time, or a longer --window"
        )
    if counts.malformed > _MOST_LOST * spans:
        yield f"{counts.malformed} lines are no traces; the first: {counts.first_malformed}"
    if not any(graph.step is not None for graph in requests):
        yield "no request is a step of the scenario: write history.urls, or leave --event out"
