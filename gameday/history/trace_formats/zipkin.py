"""Zipkin's JSON, version 2: a list of spans, or of traces."""

from __future__ import annotations

from typing import Any

from gameday.history.trace_formats.span import (
    INTERNAL,
    KINDS,
    UNNAMED,
    WANTED,
    Span,
    identity_of_hex,
)

__all__ = ["span_of_zipkin"]


def span_of_zipkin(span: dict[str, Any]) -> Span:
    """Return a span; KeyError, ValueError or TypeError where it is none."""
    tags = {name: value for name, value in (span.get("tags") or {}).items() if name in WANTED}
    if peer := (span.get("remoteEndpoint") or {}).get("serviceName"):
        tags.setdefault("peer.service", peer)
    own = span.get("localEndpoint") or {}
    start_ns = int(span["timestamp"]) * 1000
    return Span(
        identity_of_hex(span["traceId"], is_trace=True),
        identity_of_hex(span["id"]),
        identity_of_hex(span.get("parentId") or ""),
        str(own.get("serviceName", "")) or UNNAMED,
        str(own.get("ipv4") or own.get("ipv6") or ""),
        str(span.get("name", "")),
        KINDS.get(str(span.get("kind", "")).lower(), INTERNAL),
        start_ns,
        start_ns + int(span.get("duration", 0)) * 1000,
        "error" in (span.get("tags") or {}),
        "",
        tags,
    )
