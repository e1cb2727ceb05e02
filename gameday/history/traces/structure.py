"""What traces tell of a system: its services, who calls whom, and how long each one's own work takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "CallEdge",
    "CallSeen",
    "FittedLaw",
    "RequestGraph",
    "ServiceSeen",
    "TraceCounts",
    "TraceStructure",
]


@dataclass(frozen=True, slots=True)
class FittedLaw:
    """The law of service time that is nearest to what was measured; its mean is the measured one."""

    law: str
    """Its name in a scenario."""
    mean_s: float
    cv: float | None = None
    """Coefficient of variation, where the law has one."""
    quantiles_s: dict[str, float] | None = None
    """p0, p2 ... p100 of an empirical law."""


@dataclass(frozen=True, slots=True)
class CallSeen:
    """A call in a call graph, with what it calls in turn."""

    service: str
    chance: float
    """Share of its caller's visits that make it."""
    is_optional: bool
    """Its caller does without it when it fails."""
    then: tuple[tuple[CallSeen, ...], ...]
    """Groups in sequence; the calls of a group go out together."""

    def walk(self) -> Iterator[CallSeen]:
        """Yield this call and every call below it."""
        yield self
        for group in self.then:
            for call in group:
                yield from call.walk()


@dataclass(frozen=True, slots=True)
class CallEdge:
    """Calls from one service to another, for one kind of request."""

    callers: tuple[str, ...]
    """The chain of callers, the entry first; the last one makes the calls."""
    service: str
    per_visit: float
    """Calls that one visit of the caller makes, a call with its retries counted once; of visits that went well."""
    calls: float
    """Calls seen, weighted by the sampling."""
    retry_share: float
    """Retries a call."""
    failed_share: float
    """Share of calls that failed for good."""
    cached_share: float
    """Share of calls that a cache answered, where spans say so."""
    asynchronous_share: float
    """Share of messages and calls that nobody waited for; they are not among `calls`."""
    transit_s: float | None
    """Mean seconds that the caller waited beyond the visit: network, and queues in front of the service."""
    parallel_with: tuple[str, ...]
    """Services called at the same time."""
    is_optional: bool | None
    """Whether callers do without it when it fails; None: it was never seen to fail."""


@dataclass(frozen=True, slots=True)
class RequestGraph:
    """One kind of customers' requests and the calls that answer it."""

    step: str | None
    """None: of no step."""
    method: str
    template: str
    sample: tuple[str, str, str]
    """Method, path and query of the first one."""
    entry: str
    """The service that receives it."""
    requests: float
    """Weighted by the sampling."""
    calls: tuple[tuple[CallSeen, ...], ...]
    """Groups in sequence."""
    as_written_share: float
    """Of visits at the place where it is least: the share whose calls are in these groups, in this order."""
    edges: tuple[CallEdge, ...]

    @property
    def name(self) -> str:
        """Method and template, or what the trace is called where it is no HTTP request."""
        return f"{self.method} {self.template}".strip()

    def services(self) -> set[str]:
        """Return the services that answer it."""
        called = {c.service for group in self.calls for call in group for c in call.walk()}
        return called | {self.entry}


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """One service, and the law of its own work for steps; for all it does where it works for none."""

    service: str
    visits: float
    """Weighted by the sampling."""
    failed_share: float
    asynchronous_share: float
    """Share of the visits that are, or come from, work that nobody waits for: no step has them."""
    unseen_share: float
    """Share of the calls to it of which it sent no span, though it sends spans."""
    law: FittedLaw | None
    """None: no visit went well."""
    mean_s: float | None
    p50_s: float | None
    p99_s: float | None
    count: int
    """Visits that the law was fitted to."""
    by_step: dict[str, FittedLaw]
    """Step -> its law, where its mean differs."""
    by_step_mean_s: dict[str, float]
    """Step -> mean, of every step."""
    is_seen_by_callers_only: bool
    """It sent no spans: its time is what its callers waited, network included."""
    waited_s: float
    """Mean seconds a visit waited for a place, by spans that say so; taken off its own work."""
    wait_names: tuple[str, ...]
    """What those spans are called."""
    waits_from: int | None
    """Visits at one process beyond which own work grows: they wait, or slow one another; the law is of fewer."""
    retries: int | None
    """Most retries of a call to it; None: none seen."""
    pause_s: float | None
    """Mean pause before a first retry."""
    timeout_s: float | None
    """After which callers gave up; None: none seen."""


@dataclass(frozen=True, slots=True)
class TraceCounts:
    """Spans and traces that were read, and what was left out by reason: spans = used + all others."""

    spans: int
    used: int
    late: int
    """Of traces that were over already."""
    impossible: int
    """That end before they begin, or at no instant that can be."""
    duplicates: int
    of_broken_traces: int
    """Of traces without some span's parent, or too deep to follow; and spans whose parents are in a circle."""
    traces: int
    broken_traces: int
    skewed: int
    """Visits whose clock was moved."""
    largest_skew_s: float
    nameless_calls: int
    unnamed: int
    """Spans that name no service."""
    sampled_traces: int
    """That say how they were sampled."""
    sampled: float | None
    """Mean requests that a trace stands for; None: no trace says how it was sampled."""
    documents: int
    """Messages, lines or files that were read."""
    malformed: int
    """Documents, or spans in them, that are none; not among `spans`."""
    first_malformed: str
    no_traces: tuple[str, ...]
    """Files of a folder that hold no traces."""
    most_open: int
    """The most spans in memory at a time."""


@dataclass(frozen=True, slots=True)
class TraceStructure:
    """The whole of it."""

    counts: TraceCounts
    requests: tuple[RequestGraph, ...]
    """The most frequent first."""
    services: tuple[ServiceSeen, ...]
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    """Why it may be wrong, each with what to do."""
