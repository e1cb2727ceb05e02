"""Jaeger's JSON: what its page and its query API give, one list of spans a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gameday.history.trace_formats.span import (
    INTERNAL,
    KINDS,
    UNNAMED,
    WANTED,
    Span,
    identity_of_hex,
)

__all__ = ["span_of_jaeger"]


def span_of_jaeger(span: dict[str, Any], processes: dict[str, Any]) -> Span:
    """Return a span; `processes`: those of its trace. KeyError, ValueError or TypeError where it is none."""
    process = span.get("process") or processes.get(str(span.get("processID")), {})
    tags = {name: value for name, value in _tags(span) if name in WANTED}
    start_ns = int(span["startTime"]) * 1000
    return Span(
        identity_of_hex(span["traceID"], is_trace=True),
        identity_of_hex(span["spanID"]),
        _parent(span),
        str(process.get("serviceName", "")) or UNNAMED,
        _instance(dict(_tags(process))),
        str(span.get("operationName", "")),
        KINDS.get(str(tags.get("span.kind", "")).lower(), INTERNAL),
        start_ns,
        start_ns + int(span["duration"]) * 1000,
        str(tags.get("error", "")).lower() == "true" or tags.get("otel.status_code") == "ERROR",
        "",
        tags,
    )


def _tags(of: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield name and value of what a span, or a process, tells of itself."""
    return ((tag["key"], tag["value"]) for tag in of.get("tags") or ())


def _instance(host: dict[str, Any]) -> str:
    """Return which process of a service it is; empty: not told."""
    return str(host.get("hostname") or host.get("host.name") or host.get("ip") or "")


def _parent(span: dict[str, Any]) -> bytes:
    """Return the span that asked for this one: of its own trace, as a child before one that only follows."""
    own = [ref for ref in span.get("references") or () if ref["traceID"] == span["traceID"]]
    own.sort(key=lambda ref: ref["refType"] != "CHILD_OF")
    return identity_of_hex(own[0]["spanID"] if own else span.get("parentSpanID") or "")
