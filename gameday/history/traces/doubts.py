"""What a reader of imported traces must know, and why the result may be wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gameday.history.traces.laws import written_duration
from gameday.history.traces.reading import TraceSums
from gameday.history.traces.structure import CallSeen, RequestGraph, ServiceSeen, TraceCounts

__all__ = ["doubts_of", "notes_of"]

_MOST_LOST = 0.02
"""Share left out, of whatever kind, beyond which the result is doubted. Ours."""
_LEAST_ALIKE, _MOST_MIXED = 0.8, 0.05
"""Shares of visits: whose calls are as written, below which that is doubted; whose calls no list of groups can
tell, beyond which that is. Ours."""
_DEEPEST = 25
"""Calls below one another that a scenario can hold."""
_SOME_MISSING = 1.05
"""Requests that a trace stands for from which on those between it and the next are missed. Ours."""
_MOST_NAMED = 8


def notes_of(
    sums: TraceSums,
    counts: TraceCounts,
    requests: list[RequestGraph],
    services: tuple[ServiceSeen, ...],
    *,
    has_event: bool,
) -> Iterator[str]:
    """Yield what else a reader of the result must know."""
    yield from _notes_of_spans(counts)
    unmapped = Counter(
        {graph.name: round(graph.requests) for graph in requests if graph.step is None}
    )
    if unmapped:
        named = ", ".join(f"{name} ({count})" for name, count in unmapped.most_common(_MOST_NAMED))
        share = unmapped.total() / max(1.0, sum(graph.requests for graph in requests))
        yield (
            f"of no step ({share:.1%} of requests): {named}; history.urls of --event maps those that are "
            "HTTP requests"
        )
    for step, others in ({} if has_event else _parts_of_steps(requests)).items():
        yield (
            f"{', '.join(others)}: steps of their own beside {step}; where one is a part of it, as a "
            "page's call or a "
            "form before it is sent, make it an exchange of that"
        )
    for seen in services:
        yield from _notes_of_service(seen)
    yield from _notes_of_edges(requests)
    yield from _notes_of_rare(sums, {graph.name for graph in requests if graph.step is not None})


def _parts_of_steps(requests: list[RequestGraph]) -> dict[str, list[str]]:
    """Return step -> the steps that are called as parts of it."""
    names = sorted({graph.step for graph in requests if graph.step is not None}, key=len)
    out: dict[str, list[str]] = {}
    for name in names:
        whole = next((other for other in names if name.startswith(f"{other}-")), None)
        if whole is not None:
            out.setdefault(whole, []).append(name)
    return out


def _notes_of_spans(counts: TraceCounts) -> Iterator[str]:
    if counts.sampled is None:
        yield "no trace says how it was sampled: each counts once"
    elif counts.sampled > _SOME_MISSING:
        yield (
            "traces are sampled: visits that were at one process at once are undercounted, and so are "
            "their waits for one another"
        )
    if counts.skewed:
        yield (
            f"{counts.skewed} visits began outside the call that asked for them: their clocks were moved into it, "
            f"by {counts.largest_skew_s:.3g} s at most"
        )
    if counts.nameless_calls:
        yield (
            f"{counts.nameless_calls} calls do not say whom they reach (peer.service, server.address, db.system): "
            "their time counts as the caller's own work"
        )
    if 0 < counts.unnamed <= _MOST_LOST * counts.spans:
        yield f"{counts.unnamed} spans name no service: they are told as one, unknown_service"
    if counts.no_traces:
        shown = ", ".join(counts.no_traces[:_MOST_NAMED])
        yield f"{len(counts.no_traces)} files hold no traces and were left out: {shown}"


def _notes_of_service(seen: ServiceSeen) -> Iterator[str]:
    if seen.is_seen_by_callers_only:
        yield (
            f"{seen.service}: sends no spans; its time is what callers waited, network and queue included"
        )
    if seen.unseen_share > 0:
        yield (
            f"{seen.service}: {seen.unseen_share:.1%} of the calls to it have no span of its own; its law "
            "is that of "
            "the others"
        )
    if seen.waited_s > 0:
        waited, names = written_duration(seen.waited_s), "', '".join(seen.wait_names[:_MOST_NAMED])
        yield f"{seen.service}: {waited} a visit spent waiting ('{names}'), taken off its own work"
    if seen.waits_from is not None:
        yield (
            f"{seen.service}: visits take longer where {seen.waits_from} or more are at one process: they "
            "wait, or "
            f"slow one another; its law is that of the {seen.count} visits that found fewer there"
        )


def _notes_of_edges(requests: list[RequestGraph]) -> Iterator[str]:
    for graph in requests:
        for edge in graph.edges if graph.step is not None else ():
            if edge.asynchronous_share > 0:
                yield (
                    f"{graph.step}: {edge.callers[-1]} does not wait for {edge.asynchronous_share:.0%} of "
                    "what it asks "
                    f"of {edge.service}: left out of calls"
                )


def _notes_of_rare(sums: TraceSums, of_steps: set[str]) -> Iterator[str]:
    for kind, entries in sums.graphs.items():
        for entry in entries.values() if str(kind) in of_steps else ():
            for place in entry.walk():
                for service, times in place.shapes.rare().items():
                    yield f"{kind}: {place.service} calls {service} in {times:.2%} of visits: left out of calls"


def doubts_of(
    sums: TraceSums,
    counts: TraceCounts,
    requests: list[RequestGraph],
    services: tuple[ServiceSeen, ...],
    *,
    has_event: bool,
) -> Iterator[str]:
    """Yield why the result may be wrong, each with what to do."""
    yield from _doubts_of_spans(counts)
    if not any(graph.step is not None for graph in requests):
        yield (
            "no request is a step of the scenario: write history.urls, or leave --event out"
            if has_event
            else "no request is called as steps of shops are: give --event with history.urls, which says "
            "which is one"
        )
    for seen in services:
        if seen.law is None:
            yield f"{seen.service}: no visit went well, so how long its work takes is not known"
        if seen.asynchronous_share > _MOST_LOST:
            yield (
                f"{seen.service}: {seen.asynchronous_share:.1%} of its visits are work that nobody waits "
                "for, behind "
                "messages and calls that are not awaited: no step has them, so the model lacks that load; "
                "add it to "
                "a step's calls by hand, or as a service of its own"
            )
    for graph in requests:
        if graph.step is not None:
            yield from _doubts_of_graph(graph)
    yield from _doubts_of_chains(sums)


def _doubts_of_spans(counts: TraceCounts) -> Iterator[str]:
    rows = (
        (counts.late, "came after their trace was over", "give a longer --window"),
        (
            counts.of_broken_traces,
            "are of traces in which a span's parent is missing",
            "give all files of the same time, or a longer --window",
        ),
        (counts.impossible, "end before they begin, or at no possible instant", "mend their clock"),
    )
    for count, what, remedy in rows:
        if count > _MOST_LOST * counts.spans:
            share = count / counts.spans
            yield f"{count} of {counts.spans} spans ({share:.1%}) {what} and were left out; {remedy}"
    if counts.unnamed > _MOST_LOST * counts.spans:
        yield (
            f"{counts.unnamed} of {counts.spans} spans name no service: all are told as one, "
            "unknown_service; give "
            "each process its OTEL_SERVICE_NAME"
        )
    if counts.malformed > _MOST_LOST * counts.documents:
        yield (
            f"{counts.malformed} lines or spans are none and were left out ({counts.documents} documents "
            "were read); "
            f"the first: {counts.first_malformed}"
        )
    whole = counts.traces - counts.broken_traces
    if 0 < counts.sampled_traces < whole:
        yield (
            f"{whole - counts.sampled_traces} of {whole} traces do not say how they were sampled, as the "
            "others do: "
            "each of them counts once"
        )


def _doubts_of_graph(graph: RequestGraph) -> Iterator[str]:
    if graph.as_written_share < _LEAST_ALIKE:
        yield (
            f"{graph.step}, {graph.name}: at one place only {graph.as_written_share:.0%} of visits make "
            "their calls in "
            "the order that is written: what comes first differs from visit to visit"
        )
    if (depth := _depth(graph.calls)) > _DEEPEST:
        yield (
            f"{graph.step}, {graph.name}: calls go {depth} services deep, and a scenario holds "
            f"{_DEEPEST}: join some"
        )


def _depth(groups: tuple[tuple[CallSeen, ...], ...]) -> int:
    return max((1 + _depth(call.then) for group in groups for call in group), default=0)


def _doubts_of_chains(sums: TraceSums) -> Iterator[str]:
    """Yield where calls follow each other beside another one, which no list of groups can tell."""
    for kind, entries in sums.graphs.items():
        for entry in entries.values():
            for place in entry.walk():
                share = place.shapes.mixed / place.shapes.visits if place.shapes.visits else 0.0
                if share > _MOST_MIXED:
                    yield (
                        f"{kind}: at {place.service}, in {share:.0%} of visits, calls follow each other "
                        "beside a longer "
                        "one: written as all at one time, which takes less than they did"
                    )
