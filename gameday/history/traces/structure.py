"""What traces tell of a system: its services, who calls whom, and how long each one's own work takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["CallEdge", "FittedLaw", "RequestGraph", "ServiceSeen", "TraceCounts", "TraceStructure"]


@dataclass(frozen=True, slots=True)
class FittedLaw:
    """The law of service time that is nearest to what was measured; its mean is the measured one."""

    law: str
    """Its name in a scenario."""
    mean_s: float
    cv: float | None = None
    """Coefficient of variation, where the law has one."""
    quantiles_s: dict[str, float] | None = None
    """p0, p10 ... p100 of an empirical law."""


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
    calls: list[Any]
    """As a scenario writes `calls`."""
    as_written_share: float
    """Share of the visits at all its places, each weighed alike, whose calls are in the order that is written."""
    edges: tuple[CallEdge, ...]


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """One service, and the law of its own work."""

    service: str
    visits: float
    """Weighted by the sampling."""
    failed_share: float
    law: FittedLaw
    mean_s: float
    p50_s: float
    p99_s: float
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
    duplicates: int
    of_broken_traces: int
    """Of traces without some span's parent, or too deep to follow."""
    traces: int
    broken_traces: int
    skewed: int
    """Visits whose clock was moved."""
    largest_skew_s: float
    nameless_calls: int
    sampled: float | None
    """Mean requests that a trace stands for; None: traces say nothing of their sampling."""
    malformed: int
    """Lines that are no traces."""
    first_malformed: str
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
