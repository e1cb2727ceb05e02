"""Traces from the query APIs of Jaeger and Tempo, part by part of the time asked for.

Jaeger: `/api/services`, `/api/traces`. Tempo: `/api/search`, `/api/traces/ID`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gameday.errors import HistoryError
from gameday.history.http_api import ApiServer, NotAnswered
from gameday.history.traces.span import Span
from gameday.history.traces.trace_files import spans_of_document

__all__ = ["Asked", "batches_of_server"]

_MOST_A_QUESTION = 500
"""Traces of one answer; where so many come, there may be more, and the time is halved. Ours."""
_LEAST_US = 1_000_000
"""Shortest time that is asked for, microseconds."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The time of which traces are asked for."""

    start_us: int
    """Since 1970, as `end_us`."""
    end_us: int
    cut: list[str] = field(default_factory=list)
    """Where a second had more traces than an answer holds, in words."""

    def halves(self) -> tuple[Asked, Asked]:
        """Return the first and the second half."""
        middle = (self.start_us + self.end_us) // 2
        return Asked(self.start_us, middle, self.cut), Asked(middle, self.end_us, self.cut)


def batches_of_server(server: ApiServer, asked: Asked) -> Iterator[list[Span]]:
    """Yield the spans of each trace that a Jaeger or Tempo server keeps of a time, each trace once.

    HistoryError where it is neither.
    """
    try:
        found = server.ask("/api/services", {})
        services = found["data"]
    except (NotAnswered, KeyError, TypeError):
        yield from _of_tempo(server, asked)
        return
    yield from _of_jaeger(server, asked, list(services or ()))


def _of_jaeger(server: ApiServer, asked: Asked, services: list[str]) -> Iterator[list[Span]]:
    seen: set[str] = set()
    for service in services:

        def traces(part: Asked, of: str = service) -> list[Any]:
            fields = {"service": of, "start": part.start_us, "end": part.end_us}
            answer = server.ask("/api/traces", {**fields, "limit": _MOST_A_QUESTION})
            return _listed(server, answer, "data")

        for trace in _parts(traces, asked):
            if trace["traceID"] not in seen:
                seen.add(trace["traceID"])
                yield _spans(server, trace)


def _of_tempo(server: ApiServer, asked: Asked) -> Iterator[list[Span]]:
    def found(part: Asked) -> list[Any]:
        seconds = {"start": part.start_us // 1_000_000, "end": -(-part.end_us // 1_000_000)}
        answer = server.ask("/api/search", {**seconds, "limit": _MOST_A_QUESTION})
        return _listed(server, answer, "traces")

    seen: set[str] = set()
    for row in _parts(found, asked):
        if row["traceID"] not in seen:
            seen.add(row["traceID"])
            yield _spans(server, server.ask(f"/api/traces/{row['traceID']}", {}))


def _parts(traces: Callable[[Asked], list[Any]], asked: Asked) -> Iterator[Any]:
    """Yield the traces of a time; where an answer is full, of its halves."""
    rows = traces(asked)
    if len(rows) < _MOST_A_QUESTION:
        yield from rows
        return
    if asked.end_us - asked.start_us <= 2 * _LEAST_US:
        asked.cut.append(
            f"the second from {asked.start_us / 1e6:.0f}: its first {len(rows)} traces"
        )
        yield from rows
        return
    for half in asked.halves():
        yield from _parts(traces, half)


def _listed(server: ApiServer, answer: Any, name: str) -> list[Any]:
    if not isinstance(answer, dict) or not isinstance(answer.get(name, []), list):
        raise HistoryError(f"{server.url}: is neither Jaeger's nor Tempo's query API")
    return list(answer.get(name) or ())


def _spans(server: ApiServer, document: Any) -> list[Span]:
    try:
        return spans_of_document(document)
    except ValueError as error:
        raise HistoryError(f"{server.url}: an answer {error}") from None
