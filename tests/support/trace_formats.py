"""Spans of OpenTelemetry's SDK written as every format of traces that is read."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from google.protobuf.json_format import MessageToJson
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

__all__ = ["TRACE_FORMATS", "TO_THE_MICROSECOND", "jaeger_traces"]

_BATCH = 100
_OTLP_KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}


def _service(span: ReadableSpan) -> str:
    return str(span.resource.attributes["service.name"])


def _batches(spans: Sequence[ReadableSpan]) -> list[Sequence[ReadableSpan]]:
    return [spans[i : i + _BATCH] for i in range(0, len(spans), _BATCH)]


def _message(spans: Sequence[ReadableSpan]) -> bytes:
    return encode_spans(spans).SerializeToString()


def _with_lengths(spans: Sequence[ReadableSpan]) -> bytes:
    parts = [_message(batch) for batch in _batches(spans)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _zstd_with_lengths(spans: Sequence[ReadableSpan]) -> bytes:
    out = []
    for batch in _batches(spans):
        held = pa.BufferOutputStream()
        with pa.CompressedOutputStream(held, "zstd") as stream:
            stream.write(_message(batch))
        packed = held.getvalue().to_pybytes()
        out.append(len(packed).to_bytes(4, "big") + packed)
    return b"".join(out)


def _with_varints(spans: Sequence[ReadableSpan]) -> bytes:
    out = []
    for batch in _batches(spans):
        part, length = _message(batch), bytearray()
        size = len(part)
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        out.append(bytes([*length, size]) + part)
    return b"".join(out)


def _json_by_google(spans: Sequence[ReadableSpan]) -> bytes:
    """Identities in base64, kinds by name, over several lines: as protobuf's own JSON has it."""
    return MessageToJson(encode_spans(spans)).encode()


def _otlp(spans: Sequence[ReadableSpan], *, snake: bool = False) -> dict[str, Any]:
    groups = defaultdict(list)
    for span in spans:
        groups[_service(span)].append(span)
    rows = [
        {
            "resource": {"attributes": _attributes(of[0].resource.attributes)},
            "scope_spans" if snake else "scopeSpans": [{"spans": [_otlp_span(s) for s in of]}],
        }
        for of in groups.values()
    ]
    return {"resource_spans" if snake else "resourceSpans": rows}


def _otlp_span(span: ReadableSpan) -> dict[str, Any]:
    out = {
        "traceId": f"{span.context.trace_id:032x}",
        "spanId": f"{span.context.span_id:016x}",
        "name": span.name,
        "kind": _OTLP_KINDS[span.kind.name],
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes),
        "status": {"code": 2} if span.status.status_code is StatusCode.ERROR else {},
    }
    if span.parent is not None:
        out["parentSpanId"] = f"{span.parent.span_id:016x}"
    return out


def _attributes(named: Any) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": str(value)}} for name, value in named.items()]


def _json(spans: Sequence[ReadableSpan]) -> bytes:
    return json.dumps(_otlp(spans)).encode()


def _json_lines(spans: Sequence[ReadableSpan]) -> bytes:
    return b"\n".join(json.dumps(_otlp(batch)).encode() for batch in _batches(spans)) + b"\n"


def _json_snake(spans: Sequence[ReadableSpan]) -> bytes:
    return json.dumps(_otlp(spans, snake=True), indent=2).encode()


def _tempo(spans: Sequence[ReadableSpan]) -> bytes:
    return json.dumps({"trace": _otlp(spans)}).encode()


def jaeger_traces(spans: Sequence[ReadableSpan]) -> list[dict[str, Any]]:
    """Return Jaeger's traces, identities without zeros at their front."""
    traces = defaultdict(list)
    for span in spans:
        traces[span.context.trace_id].append(span)
    return [_jaeger_trace(of) for of in traces.values()]


def _jaeger_trace(spans: list[ReadableSpan]) -> dict[str, Any]:
    names = sorted({_service(span) for span in spans})
    return {
        "traceID": f"{spans[0].context.trace_id:x}",
        "spans": [_jaeger_span(span, names) for span in spans],
        "processes": {f"p{n}": {"serviceName": name, "tags": []} for n, name in enumerate(names)},
    }


def _jaeger_span(span: ReadableSpan, names: list[str]) -> dict[str, Any]:
    trace = f"{span.context.trace_id:x}"
    parent = [] if span.parent is None else [f"{span.parent.span_id:x}"]
    tags = {"span.kind": span.kind.name.lower(), **span.attributes}
    if span.status.status_code is StatusCode.ERROR:
        tags["error"] = True
    return {
        "traceID": trace,
        "spanID": f"{span.context.span_id:x}",
        "operationName": span.name,
        "references": [{"refType": "CHILD_OF", "traceID": trace, "spanID": p} for p in parent],
        "startTime": span.start_time // 1000,
        "duration": span.end_time // 1000 - span.start_time // 1000,
        "tags": [{"key": name, "type": "string", "value": value} for name, value in tags.items()],
        "processID": f"p{names.index(_service(span))}",
    }


def _jaeger(spans: Sequence[ReadableSpan]) -> bytes:
    return json.dumps({"data": jaeger_traces(spans), "total": 0, "errors": None}).encode()


def _zipkin(spans: Sequence[ReadableSpan]) -> bytes:
    return json.dumps([_zipkin_span(span) for span in spans]).encode()


def _zipkin_span(span: ReadableSpan) -> dict[str, Any]:
    tags = {name: str(value) for name, value in span.attributes.items()}
    if span.status.status_code is StatusCode.ERROR:
        tags["error"] = "true"
    out = {
        "traceId": f"{span.context.trace_id:032x}",
        "id": f"{span.context.span_id:016x}",
        "name": span.name,
        "timestamp": span.start_time // 1000,
        "duration": span.end_time // 1000 - span.start_time // 1000,
        "localEndpoint": {"serviceName": _service(span)},
        "tags": tags,
    }
    if span.parent is not None:
        out["parentId"] = f"{span.parent.span_id:016x}"
    return out | ({} if span.kind.name == "INTERNAL" else {"kind": span.kind.name})


TRACE_FORMATS: dict[str, Callable[[Sequence[ReadableSpan]], bytes]] = {
    "otlp, one message": _message,
    "otlp, lengths before messages": _with_lengths,
    "otlp, lengths and zstd": _zstd_with_lengths,
    "otlp, varints before messages": _with_varints,
    "otlp, gzip": lambda spans: gzip.compress(_with_lengths(spans)),
    "otlp json": _json,
    "otlp json, a document a line": _json_lines,
    "otlp json, underscores": _json_snake,
    "otlp json of protobuf": _json_by_google,
    "tempo": _tempo,
    "jaeger": _jaeger,
    "zipkin": _zipkin,
}
"""Name -> what writes spans so."""
TO_THE_MICROSECOND = ("jaeger", "zipkin")
"""Formats that know no shorter time."""
