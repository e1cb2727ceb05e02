"""A span as every trace format tells it, and the attributes of it that are read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = [
    "CLIENT",
    "CONSUMER",
    "INTERNAL",
    "KINDS",
    "PRODUCER",
    "SERVER",
    "UNNAMED",
    "WANTED",
    "Span",
    "identity_of_hex",
]

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
"""Kinds, numbered as OTLP numbers them."""
KINDS = {"server": SERVER, "client": CLIENT, "producer": PRODUCER, "consumer": CONSUMER}

UNNAMED = "unknown_service"
"""The service of spans that name none, as OpenTelemetry's SDKs call it."""
_STATUS = ("http.response.status_code", "http.status_code")
_METHOD = ("http.request.method", "http.method")
_PATH = ("url.path", "http.target", "http.path", "url.full", "http.url")
_PEER = (
    "peer.service",
    "db.system.name",
    "db.system",
    "messaging.system",
    "rpc.service",
    "server.address",
    "net.peer.name",
)
"""Attributes of a call's span that tell whom it calls, the clearest first (OpenTelemetry semantic conventions, the
present names and those before them)."""
_PORT = ("server.port", "net.peer.port")
_DATABASE = ("db.namespace", "db.name")
_PLAIN_PORTS = ("80", "443")
_SAMPLED = ("sampler.type", "sampler.param", "SampleRate", "sampling.probability")

_OTHERS = (
    "url.query",
    "http.route",
    "service.name",
    "error",
    "error.type",
    "http.request.resend_count",
    "cache.hit",
    "span.kind",
    "otel.status_code",
)

WANTED = frozenset((*_STATUS, *_METHOD, *_PATH, *_PEER, *_PORT, *_DATABASE, *_SAMPLED, *_OTHERS))
"""Names of the attributes that are kept of a span."""

_NAMED_REQUEST = re.compile(r"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s+(/\S*)", re.IGNORECASE)
_LAST_NS = 7_258_118_400 * 10**9
"""The year 2200, ns since 1970."""
_TRACE_DIGITS, _SPAN_DIGITS = 32, 16
_ORIGIN = re.compile(r"^[a-z]+://[^/]*", re.IGNORECASE)
_THRESHOLD = re.compile(r"(?:^|,)ot=(?:[^,]*;)?(th|p):([0-9a-fA-F]+)")
_THRESHOLD_DIGITS = 14
"""Hexadecimal digits of a whole threshold: 56 bits of chance."""
_WHOLE_THRESHOLD = 1 << 56


@dataclass(slots=True)
class Span:
    """One piece of work of one service, with the span that asked for it."""

    trace: bytes
    identity: bytes
    parent: bytes
    """Empty: it has none."""
    service: str
    instance: str
    """Which process of the service; empty: not told."""
    name: str
    kind: int
    start_ns: int
    end_ns: int
    is_error: bool
    """Its status is an error."""
    trace_state: str = ""
    """W3C `tracestate`, where it tells how the trace was sampled."""
    tags: dict[str, str | int | float | bool] = field(default_factory=dict)
    """Those of `WANTED` that it has."""

    def has_failed(self) -> bool:
        """Return whether the work failed: a status of 500 and above, or an error where none is told."""
        status = self.http_status()
        return status >= 500 if status is not None else self.is_error

    def http_status(self) -> int | None:
        """Return the status of its HTTP reply; None: not told."""
        told = self.tags.get(_STATUS[0]) or self.tags.get(_STATUS[1])
        if told is None or isinstance(told, int):
            return told
        text = str(told)
        return int(text) if text.isdecimal() else None

    def target(self) -> str:
        """Return the path, and the query where it stands behind it, that it is a request for; empty: not told."""
        return _ORIGIN.sub("", self._first(_PATH))

    def request(self) -> tuple[str, str, str] | None:
        """Return (method, path, query) of the HTTP request that it answers; None where it tells none."""
        method = self._first(_METHOD)
        target = self.target() or str(self.tags.get("http.route", ""))
        if not (method and target):
            named = _NAMED_REQUEST.fullmatch(self.name)
            if named is None:
                return None
            method, target = named[1].upper(), named[2]
        path, _, query = (target or "/").partition("?")
        return method.upper(), path, query or str(self.tags.get("url.query", ""))

    def route(self) -> str | None:
        """Return the template of its path as the framework tells it; None: not told."""
        route = self.tags.get("http.route")
        return None if route is None else "/" + str(route).strip("/^$")

    def peer(self) -> str | None:
        """Return whom it calls, as its own attributes tell; None: not told."""
        return self._first(_PEER) or None

    def port(self) -> str:
        """Return the port of whom it calls, or the name of the database there; empty: not told."""
        return self._first(_DATABASE) or self._first(_PORT)

    def peer_with_port(self) -> str | None:
        """Return whom it calls with what tells it from others of that name: a port, a database; None: not told."""
        peer, port = self.peer(), self.port()
        return peer if peer is None or port in ("", *_PLAIN_PORTS) else f"{peer}-{port}"

    def has_possible_times(self) -> bool:
        """Return whether it begins before it ends, and both are instants of this age."""
        return 0 <= self.start_ns <= self.end_ns < _LAST_NS

    def weight(self) -> float | None:
        """Return how many spans it stands for, by what it tells of its sampling; None: it tells nothing."""
        if (found := _THRESHOLD.search(self.trace_state)) is not None:
            kind, text = found.groups()
            if kind == "p":  # the convention before: a power of two
                return float(2 ** int(text)) if text.isdecimal() and int(text) < 63 else None
            rejected = int(text[:_THRESHOLD_DIGITS].ljust(_THRESHOLD_DIGITS, "0"), 16)
            return 1 / (1 - rejected / _WHOLE_THRESHOLD)
        if self.tags.get("sampler.type") == "probabilistic":
            return _inverse(self.tags.get("sampler.param"))
        if "SampleRate" in self.tags:
            return _number(self.tags["SampleRate"])
        return _inverse(self.tags.get("sampling.probability"))

    def _first(self, names: tuple[str, ...]) -> str:
        tags = self.tags
        for name in names:
            if name in tags:
                return str(tags[name])
        return ""


def _inverse(share: str | int | float | bool | None) -> float | None:
    number = _number(share)
    return None if number is None else 1 / number


def _number(value: str | int | float | bool | None) -> float | None:
    """Return a number above 0; None where it is none."""
    try:
        number = float(value) if value is not None else 0.0
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def identity_of_hex(text: str, *, is_trace: bool = False) -> bytes:
    """Return an identity from hexadecimal, zeros at its front left out or not; empty where it is all zeros."""
    digits = text.zfill(_TRACE_DIGITS if is_trace else _SPAN_DIGITS)
    return bytes.fromhex(digits) if digits.strip("0") else b""
