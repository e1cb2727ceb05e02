"""Call graphs of many visits together: which calls, how often, in sequence or in parallel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gameday.history.traces.call_shapes import CallShapes, Groups
from gameday.history.traces.visits import Call, Visit

__all__ = ["CallNode", "EdgeSums"]

_SAME_NS = 1_000


@dataclass(slots=True)
class EdgeSums:
    """Calls from one service to another in one place of a call graph; counts are weighted by the sampling."""

    calls: float = 0.0
    """A call with its retries is one."""
    retries: float = 0.0
    most_retries: int = 0
    """Of one call."""
    pauses_s: float = 0.0
    """Sum of the pauses before first retries."""
    pauses: int = 0
    failed: float = 0.0
    """Calls that no retry made good."""
    failed_and_caller_well: float = 0.0
    cached: float = 0.0
    asynchronous: float = 0.0
    """Calls that nobody waited for; not among `calls`."""
    transit_s: float = 0.0
    """Sum over calls of what the caller waited beyond the visit: network, and queues in front of the service."""
    transits: float = 0.0


@dataclass(slots=True)
class CallNode:
    """One place in a call graph: a service, asked by the same chain of callers."""

    service: str
    visits: float = 0.0
    shapes: CallShapes = field(default_factory=CallShapes)
    """Of the visits that went well: those that failed were cut short."""
    edges: dict[str, EdgeSums] = field(default_factory=dict)
    below: dict[str, CallNode] = field(default_factory=dict)

    def add(self, visit: Visit, weight: float) -> None:
        """Count a visit and all below it."""
        self.visits += weight
        awaited = []
        for call in visit.calls:
            if call.is_asynchronous:
                self._edge(call.service).asynchronous += weight
            else:
                awaited.append(call)
        tries = list(_tries(awaited))
        for attempts in tries:
            self._add_call(attempts, visit, weight)
        if visit.has_failed:
            return
        self.shapes.add(_shape(tries), weight)

    def _add_call(self, attempts: list[Call], visit: Visit, weight: float) -> None:
        last, edge = attempts[-1], self._edge(attempts[0].service)
        edge.calls += weight
        edge.retries += weight * (len(attempts) - 1)
        edge.most_retries = max(edge.most_retries, len(attempts) - 1)
        if len(attempts) > 1:
            edge.pauses_s += max(0, attempts[1].start_ns - attempts[0].end_ns) / 1e9
            edge.pauses += 1
        edge.cached += weight * last.is_cached
        if last.has_failed:
            edge.failed += weight
            edge.failed_and_caller_well += weight * (not visit.has_failed)
        for call in attempts:
            if call.visit is None:
                continue
            edge.transit_s += weight * max(0, _length_ns(call) - _length_ns(call.visit)) / 1e9
            edge.transits += weight
            self.below.setdefault(call.service, CallNode(call.service)).add(call.visit, weight)

    def _edge(self, service: str) -> EdgeSums:
        return self.edges.setdefault(service, EdgeSums())

    def walk(self) -> Iterator[CallNode]:
        """Yield this place and all below it."""
        yield self
        for node in self.below.values():
            yield from node.walk()


def _length_ns(of: Call | Visit) -> int:
    return of.end_ns - of.start_ns


def _tries(calls: list[Call]) -> Iterator[list[Call]]:
    """Yield the calls by their start, each with its retries: calls of the same service after it had failed."""
    open_tries: dict[str, list[Call]] = {}
    order: list[list[Call]] = []
    for call in calls:
        before = open_tries.get(call.service)
        if (
            before is not None
            and before[-1].has_failed
            and call.start_ns >= before[-1].end_ns - _SAME_NS
        ):
            before.append(call)
            continue
        open_tries[call.service] = [call]
        order.append(open_tries[call.service])
    yield from order


def _shape(tries: list[list[Call]]) -> Groups:
    """Return calls in groups: one that begins before all of the group have ended is of the group."""
    groups: list[list[str]] = []
    ends_ns = 0
    for attempts in tries:
        start_ns, end_ns = attempts[0].start_ns, attempts[-1].end_ns
        if groups and start_ns < ends_ns - _SAME_NS:
            groups[-1].append(attempts[0].service)
            ends_ns = max(ends_ns, end_ns)
        else:
            groups.append([attempts[0].service])
            ends_ns = end_ns
    return tuple(tuple(sorted(group)) for group in groups)
