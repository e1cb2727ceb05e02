"""Call graphs of many visits together: which calls, how often, how they went."""

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
        """Count a visit and all below it that somebody waits for."""
        self.visits += weight
        for call in visit.calls:
            if call.is_asynchronous:
                self._edge(call.service).asynchronous += weight
        tries = visit.tries()
        for attempts in tries:
            self._add_call(attempts, visit, weight)
        if not visit.has_failed:
            shape, is_mixed = _shape(tries)
            self.shapes.add(shape, weight, is_mixed=is_mixed)

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
            self._below(call.service).add(call.visit, weight)

    def _edge(self, service: str) -> EdgeSums:
        found = self.edges.get(service)
        if found is None:
            found = self.edges[service] = EdgeSums()
        return found

    def _below(self, service: str) -> CallNode:
        found = self.below.get(service)
        if found is None:
            found = self.below[service] = CallNode(service)
        return found

    def walk(self) -> Iterator[CallNode]:
        """Yield this place and all below it."""
        yield self
        for node in self.below.values():
            yield from node.walk()


def _length_ns(of: Call | Visit) -> int:
    return of.end_ns - of.start_ns


def _shape(tries: list[list[Call]]) -> tuple[Groups, bool]:
    """Return calls in groups, and whether a group has calls that follow each other.

    A call that begins before all of a group have ended is of the group: a chain of calls beside another one is one
    group, which no list of groups can tell otherwise.
    """
    groups: list[list[str]] = []
    ends_ns, first_end_ns, is_mixed = 0, 0, False
    for attempts in tries:
        start_ns, end_ns = attempts[0].start_ns, attempts[-1].end_ns
        if groups and start_ns < ends_ns - _SAME_NS:
            groups[-1].append(attempts[0].service)
            is_mixed |= start_ns >= first_end_ns
            ends_ns, first_end_ns = max(ends_ns, end_ns), min(first_end_ns, end_ns)
        else:
            groups.append([attempts[0].service])
            ends_ns = first_end_ns = end_ns
    return tuple(tuple(sorted(group)) for group in groups), is_mixed
