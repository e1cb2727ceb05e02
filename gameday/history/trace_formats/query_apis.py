"""Traces from the query APIs of Jaeger and Tempo, part by part of the time asked for.

Jaeger: `/api/services`, `/api/traces`. Tempo: `/api/search`, `/api/traces/ID`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from gameday.errors import HistoryError
from gameday.history.http_api import ApiServer, NotAnswered
from gameday.history.trace_formats.documents import spans_of_document
from gameday.history.trace_formats.span import Span
from gameday.history.trace_formats.trace_files import FilesRead

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
    read: FilesRead = field(default_factory=FilesRead)
    """Where it is noted what a server has and does not tell."""

    def halves(self) -> tuple[Asked, Asked]:
        """Return the first and the second half."""
        middle = (self.start_us + self.end_us) // 2
        return replace(self, end_us=middle), replace(self, start_us=middle)


def batches_of_server(server: ApiServer, asked: Asked) -> Iterator[list[Span]]:
    """Yield the spans of each trace that a Jaeger or Tempo server keeps of a time, each trace once.

    HistoryError where it is neither.
    """
    try:
        services = server.ask("/api/services", {})["data"]
    except NotAnswered as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        yield from _of_tempo(server, asked)
        return
    except (KeyError, TypeError):
        raise HistoryError(f"{server.url}: is neither Jaeger's nor Tempo's query API") from None
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
                yield _spans(server, trace, asked)


def _of_tempo(server: ApiServer, asked: Asked) -> Iterator[list[Span]]:
    def found(part: Asked) -> list[Any]:
        seconds = {"start": part.start_us // 1_000_000, "end": -(-part.end_us // 1_000_000)}
        answer = server.ask("/api/search", {**seconds, "limit": _MOST_A_QUESTION})
        return _listed(server, answer, "traces")

    seen: set[str] = set()
    lost = 0
    for row in _parts(found, asked):
        if row["traceID"] in seen:
            continue
        seen.add(row["traceID"])
        try:
            trace = server.ask(f"/api/traces/{row['traceID']}", {})
        except NotAnswered as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            lost += 1  # listed, and gone since
            continue
        yield _spans(server, trace, asked)
    if lost:
        asked.read.cut.append(
            f"{server.url}: {lost} of {len(seen)} traces were listed, and not there"
        )


def _parts(traces: Callable[[Asked], list[Any]], asked: Asked) -> Iterator[Any]:
    """Yield the traces of a time; where an answer is full, of its halves."""
    rows = traces(asked)
    if len(rows) < _MOST_A_QUESTION:
        yield from rows
        return
    if asked.end_us - asked.start_us <= 2 * _LEAST_US:
        asked.read.cut.append(
            f"the second from {asked.start_us / 1e6:.0f} has more traces than the {len(rows)} that a server tells"
        )
        yield from rows
        return
    for half in asked.halves():
        yield from _parts(traces, half)


def _listed(server: ApiServer, answer: Any, name: str) -> list[Any]:
    rows = answer.get(name) if isinstance(answer, dict) else None
    if isinstance(answer, dict) and answer.get("errors") and not rows:
        told = ", ".join(str(e.get("msg", e)) for e in answer["errors"] if isinstance(e, dict))
        raise HistoryError(f"{server.url}: the server answered: {told}")
    if not isinstance(answer, dict) or not isinstance(rows or [], list):
        raise HistoryError(f"{server.url}: is neither Jaeger's nor Tempo's query API")
    return list(rows or ())


def _spans(server: ApiServer, document: Any, asked: Asked) -> list[Span]:
    asked.read.documents += 1
    try:
        return spans_of_document(document, asked.read)
    except ValueError as error:
        raise HistoryError(f"{server.url}: an answer {error}") from None
