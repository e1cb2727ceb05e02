"""Jaeger's JSON: what its page and its query API give, one list of spans a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gameday.history.traces.span import INTERNAL, KINDS, WANTED, Span, identity_of_hex

__all__ = ["spans_of_jaeger"]


def spans_of_jaeger(document: dict[str, Any]) -> list[Span]:
    """Return the spans of `{"data": [trace, ...]}` or of one trace; KeyError, ValueError or TypeError if none."""
    traces = document.get("data", [document])
    return [span for trace in traces for span in _spans(trace)]


def _spans(trace: dict[str, Any]) -> Iterator[Span]:
    processes = trace.get("processes") or {}
    for span in trace["spans"]:
        yield _span(span, span.get("process") or processes.get(span.get("processID"), {}))


def _span(span: dict[str, Any], process: dict[str, Any]) -> Span:
    host = {tag["key"]: tag["value"] for tag in process.get("tags", ())}
    tags = {tag["key"]: tag["value"] for tag in span.get("tags", ()) if tag["key"] in WANTED}
    start_ns = int(span["startTime"]) * 1000
    return Span(
        identity_of_hex(span["traceID"], is_trace=True),
        identity_of_hex(span["spanID"]),
        _parent(span),
        str(process.get("serviceName", "")) or "unknown_service",
        str(host.get("hostname") or host.get("host.name") or host.get("ip") or ""),
        str(span.get("operationName", "")),
        KINDS.get(str(tags.get("span.kind", "")).lower(), INTERNAL),
        start_ns,
        start_ns + int(span["duration"]) * 1000,
        str(tags.get("error", "")).lower() == "true" or tags.get("otel.status_code") == "ERROR",
        "",
        tags,
    )


def _parent(span: dict[str, Any]) -> bytes:
    """Return the span that asked for this one: of its own trace, as a child before one that only follows."""
    own = [ref for ref in span.get("references") or () if ref["traceID"] == span["traceID"]]
    own.sort(key=lambda ref: ref["refType"] != "CHILD_OF")
    return identity_of_hex(own[0]["spanID"] if own else span.get("parentSpanID") or "")
