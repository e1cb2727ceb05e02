"""One trace as visits to services: who called whom, when by the caller's clock, and the own work of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gameday.history.traces.span import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, Span

__all__ = ["Call", "CalleeNames", "Visit", "VisitTrees", "visits_of"]

_WAITS = re.compile(
    r"\b(?:wait(?:ing)?|queue[ds]?|queu(?:e|ing)|acquire|semaphore|throttled?|blocked)\b|[._ -]pool\b"
)
"""What spans are called that only wait: for a place, a connection, a lock. Ours."""
_SAME_NS = 1_000
"""Clocks nearer than this are one: Jaeger and Zipkin tell whole microseconds."""


@dataclass(slots=True)
class Call:
    """What one visit asks of another service, as its caller sees it; one attempt."""

    service: str
    start_ns: int
    """By the caller's clock, as `end_ns`."""
    end_ns: int
    has_failed: bool
    visit: Visit | None
    """What the called service tells of it; None: nothing."""
    is_asynchronous: bool = False
    """Nobody waits for it."""
    error: str = ""
    """The kind of its failure as its caller tells it."""
    is_cached: bool = False
    """It was answered by a cache."""


@dataclass(slots=True)
class Visit:
    """One request at one service."""

    span: Span
    start_ns: int
    """By the clock of whoever began the trace, as `end_ns`."""
    end_ns: int
    has_failed: bool
    """Its answer was bad."""
    calls: list[Call] = field(default_factory=list)
    """By their start."""
    waits: list[tuple[int, int]] = field(default_factory=list)
    """Where it only waited, within its service."""

    @property
    def service(self) -> str:
        """The service that it is a request at."""
        return self.span.service

    def own_s(self) -> float:
        """Return the seconds of its own work: without those in which it waited for a call, or for a place."""
        busy_with = [(call.start_ns, call.end_ns) for call in self.calls] + self.waits
        return max(0, self.end_ns - self.start_ns - self._covered_ns(busy_with)) / 1e9

    def waited_s(self) -> float:
        """Return the seconds in which it waited for a place."""
        return self._covered_ns(self.waits) / 1e9

    def _covered_ns(self, intervals: list[tuple[int, int]]) -> int:
        """Return the length of the union of intervals, within the visit."""
        covered, upto = 0, self.start_ns
        for start, end in sorted(intervals):
            start, end = max(start, upto), min(end, self.end_ns)
            if end > start:
                covered, upto = covered + end - start, end
        return covered

    def walk(self) -> Iterator[Visit]:
        """Yield this visit and every visit below it."""
        yield self
        for call in self.calls:
            if call.visit is not None:
                yield from call.visit.walk()


@dataclass(slots=True)
class CalleeNames:
    """Who answers calls whose callee tells nothing: by calls alike that were answered, or by their peer."""

    known: dict[tuple[str, str, str | None], str] = field(default_factory=dict)
    """(Caller, name of the call, its peer) -> service."""
    nameless: int = 0
    """Calls of which nothing tells whom they reach: they count as own work."""

    def learn(self, span: Span, service: str) -> None:
        """Note who answered a call."""
        self.known.setdefault((span.service, span.name, span.peer()), service)

    def callee(self, span: Span) -> str | None:
        """Return who a call was for; None where nothing tells."""
        peer = span.peer()
        return self.known.get((span.service, span.name, peer)) or peer


@dataclass(slots=True)
class VisitTrees:
    """The visits of one trace."""

    roots: list[Visit]
    """One where the trace is whole."""
    is_whole: bool
    """Every span but one has the span that asked for it."""
    duplicates: int
    """Spans that were told twice."""
    skewed: int
    """Visits whose clock was moved."""
    largest_skew_ns: int


@dataclass(slots=True)
class _Tree:
    """The spans of one trace by the span that asked for them."""

    children: dict[bytes, list[Span]]
    names: CalleeNames
    skewed: int = 0
    largest_skew_ns: int = 0

    def visit(self, span: Span, offset_ns: int) -> Visit:
        """Return the visit that begins with a span; `offset_ns` is added to its service's clock."""
        visit = Visit(span, span.start_ns + offset_ns, span.end_ns + offset_ns, span.has_failed())
        self._collect(span, visit, offset_ns)
        visit.calls.sort(key=lambda call: (call.start_ns, call.end_ns))
        return visit

    def _collect(self, span: Span, visit: Visit, offset_ns: int) -> None:
        """Add to a visit the calls and waits below a span of its own service."""
        for child in self.children.get(span.identity, ()):
            if _is_entry(child, span):
                visit.calls.append(self._answered(None, child, visit, offset_ns))
            elif child.kind in (CLIENT, PRODUCER):
                self._add_call(child, visit, offset_ns)
            else:
                if _only_waits(child) and child.identity not in self.children:
                    visit.waits.append((child.start_ns + offset_ns, child.end_ns + offset_ns))
                self._collect(child, visit, offset_ns)

    def _add_call(self, client: Span, visit: Visit, offset_ns: int) -> None:
        """Add the call that a client's span is; a span around several calls is none of its own."""
        entries = list(self._entries(client))
        if len({entry.service for entry in entries}) > 1:
            self._collect(client, visit, offset_ns)
            return
        if entries:
            self.names.learn(client, entries[0].service)
            around = client if len(entries) == 1 else None  # several: attempts of one call
            visit.calls += [self._answered(around, entry, visit, offset_ns) for entry in entries]
            return
        if any(child.kind == CLIENT for child in self.children.get(client.identity, ())):
            self._collect(client, visit, offset_ns)
            return
        service = self.names.callee(client)
        if service is None:
            self.names.nameless += 1
            return
        visit.calls.append(_call(service, client, None, offset_ns))

    def _entries(self, span: Span) -> Iterator[Span]:
        """Yield the spans below a span of which each begins a visit elsewhere, not those below them."""
        for child in self.children.get(span.identity, ()):
            if _is_entry(child, span):
                yield child
            else:
                yield from self._entries(child)

    def _answered(self, client: Span | None, entry: Span, visit: Visit, offset_ns: int) -> Call:
        """Return a call with the visit it became, its clock moved into the call where it lies outside."""
        if client is None:
            early_ns = visit.start_ns - (entry.start_ns + offset_ns)
            shift_ns = max(0, early_ns) if early_ns > _SAME_NS else 0
        else:
            shift_ns = _shift_ns(client, entry)
        if shift_ns:
            self.skewed += 1
            self.largest_skew_ns = max(self.largest_skew_ns, abs(shift_ns))
        below = self.visit(entry, offset_ns + shift_ns)
        call = _call(
            entry.service, client or entry, below, offset_ns if client else offset_ns + shift_ns
        )
        call.is_asynchronous |= entry.kind == CONSUMER or (
            call.end_ns > visit.end_ns + _SAME_NS and not (call.has_failed or visit.has_failed)
        )
        return call


def visits_of(spans: list[Span], names: CalleeNames) -> VisitTrees:
    """Return the visits of one trace; `names` learns who answers which call."""
    by_identity: dict[bytes, Span] = {}
    shared, duplicates = [], 0
    for span in spans:
        first = by_identity.setdefault(span.identity, span)
        if first is not span:
            if {first.kind, span.kind} == {CLIENT, SERVER}:
                shared.append(span)  # as Zipkin's B3 has it: caller and called have one identity
            else:
                duplicates += 1
    if shared:
        _part(by_identity, shared)
    children: dict[bytes, list[Span]] = {}
    tops = []
    for span in by_identity.values():
        if span.parent and span.parent in by_identity and span.parent != span.identity:
            children.setdefault(span.parent, []).append(span)
        else:
            tops.append(span)
    tree = _Tree(children, names)
    roots = [tree.visit(span, 0) for span in tops]
    return VisitTrees(roots, len(tops) == 1, duplicates, tree.skewed, tree.largest_skew_ns)


def _part(by_identity: dict[bytes, Span], shared: list[Span]) -> None:
    """Give the called one of two spans with one identity its own, as a child of the other."""
    for span in shared:
        first = by_identity[span.identity]
        client, server = (first, span) if first.kind == CLIENT else (span, first)
        by_identity[client.identity] = client
        own = server.identity + b"server"
        for child in by_identity.values():
            if child.parent == client.identity and child.service == server.service:
                child.parent = own
        server.identity, server.parent = own, client.identity
        by_identity[own] = server


def _is_entry(child: Span, parent: Span) -> bool:
    """Return whether a span begins a visit: of another service, or its own that is called over the network."""
    if child.service != parent.service:
        return True
    return child.kind in (SERVER, CONSUMER) and parent.kind in (CLIENT, PRODUCER)


def _only_waits(span: Span) -> bool:
    return span.kind == INTERNAL and _WAITS.search(span.name.lower()) is not None


def _call(service: str, span: Span, visit: Visit | None, offset_ns: int) -> Call:
    return Call(
        service,
        span.start_ns + offset_ns,
        span.end_ns + offset_ns,
        has_failed=visit.has_failed
        if visit is not None and span is visit.span
        else _call_failed(span, visit),
        visit=visit,
        is_asynchronous=span.kind == PRODUCER,
        error=str(span.tags.get("error.type", "")),
        is_cached=str(span.tags.get("cache.hit", "")).lower() == "true",
    )


def _call_failed(client: Span, visit: Visit | None) -> bool:
    """Return whether a call failed: its caller got no good answer, whatever the called service thinks."""
    return client.has_failed() or (visit is not None and visit.has_failed)


def _shift_ns(client: Span, entry: Span) -> int:
    """Return by how much a visit's clock is moved so that it lies within its call; 0 where it does.

    Where it fits, the network's time is halved before and behind it, as Jaeger does; a visit that outlasts its
    call (nobody waits any more) is only moved where it would begin before it.
    """
    room_ns = (client.end_ns - client.start_ns) - (entry.end_ns - entry.start_ns)
    lead_ns = entry.start_ns - client.start_ns
    if room_ns < 0:
        return -lead_ns if lead_ns < -_SAME_NS else 0
    if -_SAME_NS <= lead_ns <= room_ns + _SAME_NS:
        return 0
    return room_ns // 2 - lead_ns
