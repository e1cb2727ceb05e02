"""The spans of one trace as trees of visits: clocks mended, calls told from waits, callees named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from gameday.history.importers.url_proposal import template_of
from gameday.history.trace_formats import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, Span
from gameday.history.traces.visits import Call, Visit

__all__ = ["CalleeNames", "VisitTrees", "visits_of"]

_WAITS = re.compile(
    r"\b(?:wait(?:ing)?|acquir(?:e|ing)|semaphore|queue(?:d|ing)?[ ._-]?(?:time|wait|delay)|in queue)\b"
    r"|[._ -]pool(?:\.get|\.acquire)?$"
)
"""What spans are called that only wait: for a place, a connection, a lock. Ours."""
_SAME_NS = 1_000
_OVERRUN = 0.1
"""Share of a call by which it may end after its caller, whose clock is another, and still be waited for. Ours."""

_CallKey = tuple[str, str, str, str, str]
"""Caller, name of the call, its peer, the peer's port, and the template of the path that is asked for."""


@dataclass(slots=True)
class CalleeNames:
    """Who answers calls whose callee tells nothing: by calls alike that were answered, or by their peer."""

    known: dict[_CallKey, set[str]] = field(default_factory=dict)
    """Call -> services that answered such."""
    nameless: int = 0
    """Calls of which nothing tells whom they reach: they count as own work."""

    def learn(self, span: Span, service: str) -> None:
        """Note who answered a call."""
        self.known.setdefault(_key(span), set()).add(service)

    def callee(self, span: Span) -> str | None:
        """Return who a call was for: the one service that answers such, else its peer; None: nothing tells."""
        answering = self.known.get(_key(span), set())
        return next(iter(answering)) if len(answering) == 1 else span.peer_with_port()


def _key(span: Span) -> _CallKey:
    return span.service, span.name, span.peer() or "", span.port(), _asked(span)


def _asked(span: Span) -> str:
    """Return the template of the path that a call asks for; empty where it tells none."""
    target = span.target()
    return _template(target.partition("?")[0]) if target else ""


@lru_cache(maxsize=50_000)
def _template(path: str) -> str:
    return template_of(path) or path


@dataclass(slots=True)
class VisitTrees:
    """The visits of one trace."""

    roots: list[Visit]
    """Several where the span that asked for them is lost; none where the trace is broken."""
    unused: int
    """Spans that no root leads to, or all of a broken trace: one of which spans in between are missing."""
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
                    start_ns, end_ns = child.start_ns + offset_ns, child.end_ns + offset_ns
                    visit.waits.append((start_ns, end_ns, child.name))
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
            around_ns = visit.start_ns - offset_ns, visit.end_ns - offset_ns
        else:
            around_ns = client.start_ns, client.end_ns
        shift_ns = 0 if entry.kind == CONSUMER else _shift_ns(around_ns, entry)
        if shift_ns:
            self.skewed += 1
            self.largest_skew_ns = max(self.largest_skew_ns, abs(shift_ns))
        below = self.visit(entry, offset_ns + shift_ns)
        if client is not None:
            call = _call(entry.service, client, below, offset_ns)
        else:
            call = _call(entry.service, entry, below, offset_ns + shift_ns)
        call.is_asynchronous |= entry.kind == CONSUMER or _outlasts(
            call, visit, is_told=client is not None
        )
        return call


def visits_of(spans: list[Span], names: CalleeNames) -> VisitTrees:
    """Return the visits of one trace; `names` learns who answers which call."""
    by_identity, duplicates = _by_identity(spans)
    children: dict[bytes, list[Span]] = {}
    tops = []
    for span in by_identity.values():
        if span.parent and span.parent in by_identity and span.parent != span.identity:
            children.setdefault(span.parent, []).append(span)
        else:
            tops.append(span)
    if not tops or any(map(_has_lost_its_visit, tops)) or len({span.parent for span in tops}) > 1:
        return VisitTrees([], len(by_identity), duplicates, 0, 0)
    tree = _Tree(children, names)
    roots = [tree.visit(span, 0) for span in tops]
    unused = len(by_identity) - _reached(tops, children)
    return VisitTrees(roots, unused, duplicates, tree.skewed, tree.largest_skew_ns)


def _has_lost_its_visit(top: Span) -> bool:
    """Return whether a span is a call of a visit that is not there: whoever calls is himself at work."""
    return bool(top.parent) and top.kind in (CLIENT, PRODUCER)


def _by_identity(spans: list[Span]) -> tuple[dict[bytes, Span], int]:
    """Return the spans by their identity, and how many were told twice.

    Caller and called that have one identity, as Zipkin's B3 has it, are parted: the called is the caller's child.
    """
    out: dict[bytes, Span] = {}
    shared, duplicates = [], 0
    for span in spans:
        first = out.setdefault(span.identity, span)
        if first is span:
            continue
        if {first.kind, span.kind} == {CLIENT, SERVER}:
            shared.append(span)
        else:
            duplicates += 1
    for span in shared:
        first = out[span.identity]
        client, server = (first, span) if first.kind == CLIENT else (span, first)
        own = client.identity + b"server"
        if own in out:
            duplicates += 1
            continue
        out[client.identity] = client
        for child in out.values():
            if child.parent == client.identity and child.service == server.service:
                child.parent = own
        server.identity, server.parent = own, client.identity
        out[own] = server
    return out, duplicates


def _reached(tops: list[Span], children: dict[bytes, list[Span]]) -> int:
    """Return how many spans the tops lead to; the others ask for one another in a circle."""
    reached, pending = 0, list(tops)
    while pending:
        reached += 1
        pending += children.get(pending.pop().identity, ())
    return reached


def _is_entry(child: Span, parent: Span) -> bool:
    """Return whether a span begins a visit: of another service, or its own that is called over the network."""
    if child.service != parent.service:
        return True
    return child.kind in (SERVER, CONSUMER) and parent.kind in (CLIENT, PRODUCER)


def _only_waits(span: Span) -> bool:
    return span.kind == INTERNAL and _WAITS.search(span.name.lower()) is not None


def _call(service: str, span: Span, visit: Visit | None, offset_ns: int) -> Call:
    """Return a call that a span is; its caller got no good answer where either side says so."""
    tags = span.tags
    return Call(
        service,
        f"{span.name} {_asked(span)}",
        span.start_ns + offset_ns,
        span.end_ns + offset_ns,
        has_failed=(visit is not None and visit.has_failed) or span.has_failed(),
        visit=visit,
        is_asynchronous=span.kind == PRODUCER,
        is_repeat=str(tags.get("http.request.resend_count", "0")) not in ("0", ""),
        error=str(tags.get("error.type", "")),
        is_cached=str(tags.get("cache.hit", "")).lower() == "true",
    )


def _outlasts(call: Call, visit: Visit, *, is_told: bool) -> bool:
    """Return whether a call that went well ends after its caller, who cannot have waited for it.

    `is_told`: by the caller's own clock; else a little more is the clocks'.
    """
    if call.has_failed or visit.has_failed:
        return False
    over_ns = call.end_ns - visit.end_ns
    return over_ns > (_SAME_NS if is_told else _SAME_NS + _OVERRUN * (call.end_ns - call.start_ns))


def _shift_ns(around_ns: tuple[int, int], entry: Span) -> int:
    """Return by how much a visit's clock is moved so that it lies within its call; 0 where it begins in it.

    Where it fits, the network's time is halved before and behind it, as Jaeger does; one that is longer than its
    call (nobody waits any more) begins with it.
    """
    start_ns, end_ns = around_ns
    if start_ns - _SAME_NS <= entry.start_ns <= end_ns + _SAME_NS:
        return 0
    room_ns = (end_ns - start_ns) - (entry.end_ns - entry.start_ns)
    return max(0, room_ns) // 2 + start_ns - entry.start_ns
