"""Where traces come from, and reading them whole."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gameday.errors import HistoryError
from gameday.history.collector import without_collector
from gameday.history.http_api import ApiServer
from gameday.history.importers.urls import Urls
from gameday.history.trace_formats import (
    Asked,
    FilesRead,
    Span,
    batches_of_files,
    batches_of_server,
    files_of,
)
from gameday.history.traces.assembly import TraceAssembly
from gameday.history.traces.conclusions import conclude
from gameday.history.traces.reading import TracesRead
from gameday.history.traces.structure import TraceStructure
from gameday.scenario import Scenario

__all__ = ["TraceSource", "read_traces"]


@dataclass(frozen=True, slots=True)
class TraceSource:
    """Files, folders and servers of traces."""

    sources: tuple[str, ...]
    """Paths, or addresses of Jaeger's or Tempo's query API."""
    window_s: float = 60.0
    """How long after a trace's last span another may come. Default: ours."""
    last_s: float = 3600.0
    """How much of the past servers are asked for."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of requests to servers; may hold `${env:NAME}` and `${file:PATH}`."""

    def batches(self, read: FilesRead) -> Iterator[list[Span]]:
        """Yield the spans of files, then of servers; UsageError where a file is missing."""
        files = [file for s in self.sources if not _is_address(s) for file in files_of(Path(s))]
        yield from batches_of_files(files, read)
        end_us = round(time.time() * 1e6)
        for address in filter(_is_address, self.sources):
            asked = Asked(end_us - round(self.last_s * 1e6), end_us, read)
            yield from batches_of_server(ApiServer(address, self.headers), asked)


def _is_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def read_traces(source: TraceSource, scenario: Scenario | None) -> TraceStructure:
    """Return what traces tell of a system; `scenario`: whose requests are steps, None: steps are proposed.

    UsageError where a file is missing; HistoryError where one holds no traces, or all together hold none.
    """
    urls = None if scenario is None else Urls.of_scenario(scenario)
    steps = frozenset() if scenario is None else frozenset(scenario.steps)
    read, files = TracesRead(urls, steps, TraceAssembly(round(source.window_s * 1e9))), FilesRead()
    with without_collector():
        read.read(source.batches(files))
        if not read.sums.graphs:
            raise HistoryError(
                f"{source.sources[0]}: no whole trace is in it ({read.assembly.spans} spans, "
                f"{read.sums.broken_spans} of traces in which a span's parent is missing: give the files of all "
                f"services of the same time{_shown(files.no_traces)})"
            )
        return conclude(read, files)


def _shown(files: list[str]) -> str:
    return f"; no traces: {'; '.join(files[:3])}" if files else ""
