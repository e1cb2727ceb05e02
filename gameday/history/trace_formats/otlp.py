"""OTLP, OpenTelemetry's own format of traces, as protobuf and as JSON.

Messages: https://github.com/open-telemetry/opentelemetry-proto, trace/v1. A collector's file exporter writes four
bytes of length before each message of protobuf, other tools a varint; one message alone has neither.
"""

from __future__ import annotations

import base64
import binascii
import io
import string
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

from gameday.history.trace_formats.span import (
    INTERNAL,
    KINDS,
    UNNAMED,
    WANTED,
    Span,
    identity_of_hex,
)

__all__ = ["identity_of", "messages_of", "rows_of_json", "span_of_json", "spans_of_protobuf"]

_INSTANCE = ("service.instance.id", "k8s.pod.name", "host.name")
"""Attributes of a resource that tell a process from others of its service, the clearest first."""
_HEX = frozenset(string.hexdigits)
_GROUPS = ("resourceSpans", "resource_spans", "batches")
_SCOPES = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
_LENGTH_BYTES = 4
_FIRST_FIELD = 0x0A
"""How a message of traces begins: its field 1, with a length."""
_OF_ERROR = (Status.STATUS_CODE_ERROR, "STATUS_CODE_ERROR")


def spans_of_protobuf(message: bytes) -> list[Span]:
    """Return the spans of one message; ValueError where it is none."""
    try:
        data = TracesData.FromString(message)
    except DecodeError:
        raise ValueError("is no message of OTLP traces") from None
    out = []
    for group in data.resource_spans:
        service, instance = _service({kv.key: _plain(kv.value) for kv in group.resource.attributes})
        for scope in group.scope_spans:
            for span in scope.spans:
                tags = {}
                for kv in span.attributes:
                    if (key := kv.key) in WANTED:
                        tags[key] = kv.value.string_value or _plain(kv.value)
                out.append(
                    Span(
                        span.trace_id,
                        span.span_id,
                        span.parent_span_id,
                        str(tags.get("service.name", service)) if tags else service,
                        instance,
                        span.name,
                        span.kind or INTERNAL,
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                        span.status.code == Status.STATUS_CODE_ERROR,
                        span.trace_state,
                        tags,
                    )
                )
    return out


def _plain(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")


def rows_of_json(document: dict[str, Any]) -> Iterator[tuple[Any, str, str]]:
    """Yield (span, service, instance) of one document; KeyError, ValueError or TypeError where it is no OTLP."""
    inner = document.get("trace")
    held = inner if isinstance(inner, dict) else document  # Tempo's second API wraps the trace
    for group in _first(held, _GROUPS):
        resource = dict(_attributes((group.get("resource") or {}).get("attributes", ())))
        service, instance = _service(resource)
        for scope in _first(group, _SCOPES):
            for span in scope.get("spans") or ():
                yield span, service, instance


def span_of_json(span: dict[str, Any], service: str, instance: str) -> Span:
    """Return a span of OTLP's JSON; KeyError, ValueError or TypeError where it is none."""
    both = {_camel(name): value for name, value in span.items()}
    tags = {n: v for n, v in _attributes(both.get("attributes", ())) if n in WANTED}
    kind = both.get("kind", INTERNAL)
    return Span(
        identity_of(both["traceId"]),
        identity_of(both["spanId"]),
        identity_of(both.get("parentSpanId") or ""),
        str(tags.get("service.name", service)),
        instance,
        str(both.get("name", "")),
        _kind(kind) if isinstance(kind, str) else int(kind) or INTERNAL,
        int(both["startTimeUnixNano"]),
        int(both["endTimeUnixNano"]),
        (both.get("status") or {}).get("code") in _OF_ERROR,
        str(both.get("traceState") or ""),
        tags,
    )


def _kind(name: str) -> int:
    """Return a kind by its name: SPAN_KIND_SERVER, or its number as text."""
    plain = name.lower().removeprefix("span_kind_")
    return KINDS.get(plain, int(plain) if plain.isdecimal() else INTERNAL)


def _camel(name: str) -> str:
    """Return a field's name as JSON of protobuf writes it: `span_id` is `spanId`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _first(held: dict[str, Any], names: Iterable[str]) -> list[Any]:
    return next((held[name] or [] for name in names if name in held), [])


def _attributes(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield name and value; what is a list or a table is left out."""
    for row in rows:
        for kind, value in (row.get("value") or {}).items():
            if kind.replace("_", "").lower() in (
                "stringvalue",
                "intvalue",
                "doublevalue",
                "boolvalue",
            ):
                yield str(row["key"]), value


def _service(resource: dict[str, Any]) -> tuple[str, str]:
    """Return the service of a resource and which process of it."""
    service = str(resource.get("service.name", "")) or UNNAMED
    return service, next((str(resource[n]) for n in _INSTANCE if resource.get(n)), "")


def identity_of(text: str) -> bytes:
    """Return an identity of a span or trace, from hexadecimal or base64; ValueError where it is neither."""
    if len(text) % 2 == 0 and _HEX.issuperset(text):
        return identity_of_hex(text, is_trace=len(text) > 16)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(f"'{text[:40]}' is no identity of a span") from None


def messages_of(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the messages that a file of protobuf holds; ValueError where it ends within one, or holds none."""
    first = stream.read(1)
    if first == bytes([_FIRST_FIELD]):
        rest = first + stream.read()
        if _is_message(rest):
            yield rest
            return
        stream, first = io.BytesIO(rest), b""
    is_by_length = first == b"\0"
    while (size := _size(stream, first, is_by_length=is_by_length)) is not None:
        message, first = stream.read(size), b""
        if len(message) < size:
            raise ValueError("ends within a message: it was cut, or is no OTLP protobuf")
        yield message


def _is_message(data: bytes) -> bool:
    try:
        TracesData.FromString(data)
    except DecodeError:
        return False
    return True


def _size(stream: BinaryIO, begun: bytes, *, is_by_length: bool) -> int | None:
    """Return the bytes of the next message, None at the end; `begun`: what was read of its length already."""
    if is_by_length:
        length = begun + stream.read(_LENGTH_BYTES - len(begun))
        if 0 < len(length) < _LENGTH_BYTES:
            raise ValueError("ends within a message's length: it was cut")
        return int.from_bytes(length, "big") if length else None
    size = shift = 0
    while byte := begun or stream.read(1):
        size |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return size
        begun, shift = b"", shift + 7
    return None
