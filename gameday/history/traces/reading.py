"""Traces of any source, counted into the structure of the system that sent them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gameday.history.importers.url_proposal import template_of
from gameday.history.importers.urls import Urls
from gameday.history.trace_formats import CLIENT, INTERNAL, SERVER, UNNAMED, Span
from gameday.history.traces.assembly import TraceAssembly
from gameday.history.traces.call_graph import CallNode
from gameday.history.traces.self_times import SelfTimes, TimeSums
from gameday.history.traces.visit_trees import CalleeNames, VisitTrees, visits_of
from gameday.history.traces.visits import Call, Visit

__all__ = ["OTHER_PATHS", "RequestKind", "ServiceCounts", "TraceSums", "TracesRead"]

OTHER_PATHS = "(other paths)"
"""Template of requests beyond the most kinds that are told apart."""
_ASYNCHRONOUS = ""
"""What work that nobody waits for is told by, in place of a kind of request."""
_MOST_KINDS = 2_000
"""Kinds of requests that are told apart. Ours."""
_TIMED_OUT = re.compile(r"time.?out|deadline", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RequestKind:
    """Customers' requests that are counted together."""

    method: str
    template: str
    step: str | None
    """By the scenario's rules; None: none of them takes it, or there are none."""

    def __str__(self) -> str:
        return f"{self.method} {self.template}".strip()


@dataclass(slots=True)
class ServiceCounts:
    """Visits to one service, weighted by the sampling."""

    visits: float = 0.0
    failed: float = 0.0
    asynchronous: float = 0.0
    """Visits that are, or come from, work that nobody waits for."""
    waited_s: float = 0.0
    wait_names: set[str] = field(default_factory=set)
    """What the spans are called that say so."""
    calls_without_visit: float = 0.0
    """Calls of it that its callers alone tell of."""
    timed_out: TimeSums = field(default_factory=TimeSums)
    """How long callers had waited when they gave up."""

    def all_visits(self) -> float:
        """Return the visits by its own spans; by its callers' where it sends none."""
        return self.visits or self.calls_without_visit

    def unseen_share(self) -> float:
        """Return the share of the calls of which it sent no span; 0 where it sends none at all."""
        calls = self.visits + self.calls_without_visit
        return self.calls_without_visit / calls if self.visits else 0.0


@dataclass(slots=True)
class TraceSums:
    """What was counted of traces; it does not grow with their number."""

    graphs: dict[RequestKind, dict[str, CallNode]] = field(default_factory=dict)
    """Kind of request -> service that receives it -> its calls."""
    times: SelfTimes = field(default_factory=SelfTimes)
    """Own work, by the visits' own spans."""
    times_of_calls: SelfTimes = field(default_factory=SelfTimes)
    """Of calls without a visit: what their callers waited."""
    services: dict[str, ServiceCounts] = field(default_factory=dict)
    names: CalleeNames = field(default_factory=CalleeNames)
    samples: dict[RequestKind, tuple[str, str, str]] = field(default_factory=dict)
    """Kind of request -> method, path and query of the first one."""
    traces: int = 0
    weight: float = 0.0
    sampled: int = 0
    """Traces that say how they were sampled."""
    unnamed: int = 0
    """Spans that name no service."""
    broken_traces: int = 0
    broken_spans: int = 0
    duplicates: int = 0
    skewed: int = 0
    largest_skew_ns: int = 0


@dataclass(slots=True)
class TracesRead:
    """Reads traces, with a window in which the spans of one may come."""

    urls: Urls | None
    """Which step a request is; None: steps are proposed from what was asked."""
    steps: frozenset[str]
    """Of the scenario: a trace may be called as one."""
    assembly: TraceAssembly
    sums: TraceSums = field(default_factory=TraceSums)

    def read(self, batches: Iterable[list[Span]]) -> None:
        """Count all traces of batches of spans."""
        for batch in batches:
            for spans in self.assembly.add(batch):
                self._count(spans)
        for spans in self.assembly.rest():
            self._count(spans)

    def _count(self, spans: list[Span]) -> None:
        """Count one trace; a broken one is left out whole."""
        sums = self.sums
        sums.traces += 1
        try:
            trees = visits_of(spans, sums.names)
        except RecursionError:
            trees = VisitTrees([], len(spans), 0, 0, 0)
        sums.duplicates += trees.duplicates
        sums.broken_spans += trees.unused
        if not trees.roots:
            sums.broken_traces += 1
            return
        sums.skewed += trees.skewed
        sums.largest_skew_ns = max(sums.largest_skew_ns, trees.largest_skew_ns)
        told = trees.roots[0].span.weight()
        weight = 1.0 if told is None else told
        sums.sampled += told is not None
        sums.weight += weight
        sums.unnamed += sum(span.service == UNNAMED for span in spans)
        for root in trees.roots:
            for request in _customers_requests(root):
                self._count_request(request, weight)

    def _count_request(self, request: Visit, weight: float) -> None:
        kind = self._kind(request.span)
        entries = self.sums.graphs.setdefault(kind, {})
        entries.setdefault(request.service, CallNode(request.service)).add(request, weight)
        label = str(kind)
        for visit, is_awaited in request.walk():
            self._count_visit(visit, label if is_awaited else _ASYNCHRONOUS, weight)

    def _count_visit(self, visit: Visit, label: str, weight: float) -> None:
        counts = self._counts(visit.service)
        counts.visits += weight
        counts.asynchronous += weight * (label == _ASYNCHRONOUS)
        for start_ns, end_ns, name in visit.waits:
            counts.waited_s += weight * (end_ns - start_ns) / 1e9
            counts.wait_names.add(name)
        if visit.has_failed:
            counts.failed += weight
        else:
            self.sums.times.add(visit, label, weight)
        for call in visit.calls:
            if not call.is_asynchronous:
                self._count_call(call, label, weight)

    def _count_call(self, call: Call, label: str, weight: float) -> None:
        counts = self._counts(call.service)
        if call.has_failed and _was_given_up(call):
            counts.timed_out.add_one((call.end_ns - call.start_ns) / 1e9)
        if call.visit is None:
            counts.calls_without_visit += weight
            if not (call.has_failed or call.is_cached):
                self.sums.times_of_calls.add_call(call, label, weight)

    def _counts(self, service: str) -> ServiceCounts:
        found = self.sums.services.get(service)
        if found is None:
            found = self.sums.services[service] = ServiceCounts()
        return found

    def _kind(self, span: Span) -> RequestKind:
        """Return what kind of request a visit answers."""
        asked = span.request()
        if asked is None:
            return RequestKind("", span.name, span.name if span.name in self.steps else None)
        method, path, query = asked
        template = span.route() or template_of(path) or path
        rule = None if self.urls is None else self.urls.rule(method, path, query)
        if rule is not None:
            kind = RequestKind(method, _template_of_rule(rule.rule.text), rule.step)
        else:
            kind = RequestKind(method, template, None)
        if kind not in self.sums.samples:
            if len(self.sums.samples) >= _MOST_KINDS:
                return RequestKind(method, OTHER_PATHS, None)
            self.sums.samples[kind] = (method, path, query)
        return kind


def _customers_requests(root: Visit) -> list[Visit]:
    """Return the visits that answer customers: the root, or what it asked where it is a customer's own program."""
    asked = [call.visit for call in root.calls if call.visit is not None]
    is_program = root.span.kind == CLIENT or (
        root.span.kind == INTERNAL and root.span.request() is None
    )
    received = any(v.span.kind == SERVER and v.span.request() is not None for v in asked)
    return asked if is_program and received else [root]


def _template_of_rule(text: str) -> str:
    """Return a rule of `history.urls` without its method."""
    return text if text.startswith(("/", "~")) else text.partition(" ")[2]


def _was_given_up(call: Call) -> bool:
    """Return whether a call failed because its caller waited no longer."""
    outlasted = call.visit is not None and call.visit.end_ns > call.end_ns
    return outlasted or _TIMED_OUT.search(call.error) is not None
