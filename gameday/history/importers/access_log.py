"""From access logs to events: streamed, redirects folded, robots left out, malformed lines counted.

Events go to a Parquet file, from which sessions are read as from a clickstream.
"""

from __future__ import annotations

import gc
import gzip
import math
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from gameday.errors import HistoryError
from gameday.history.importers.log_summary import LogSummary, minute_table
from gameday.history.importers.robots import RobotRules, is_robot
from gameday.history.importers.url_proposal import Proposed, RequestCounts, propose
from gameday.history.importers.urls import Urls
from gameday.history.importers.visits import Event, Seen, Visits
from gameday.history.log_lines import (
    ClientChoice,
    Hints,
    Layout,
    choose_client,
    layout_of,
)
from gameday.scenario import Scenario

__all__ = ["LogReading", "LogSummary", "is_robot", "minute_table", "read_access_logs"]

_SCHEMA = pa.schema(
    [
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("event_type", pa.string()),
        ("user_id", pa.int64()),
        ("is_robot", pa.bool_()),
        ("request_s", pa.float64()),
        ("upstream_s", pa.float64()),
    ]
)
_FIRST_LINES = 50_000
"""Lines from whose paths a map is proposed, and by which it is told who came."""
_LOOKED_AT = 200
"""First lines by which the layout is told."""
_PART_EVENTS = 200_000


@dataclass(frozen=True, slots=True)
class LogReading:
    """How access logs are to be read, where a person says so."""

    hints: Hints = field(default_factory=Hints)
    robots: RobotRules = field(default_factory=RobotRules)


def read_access_logs(
    files: list[Path], scenario: Scenario | None, out: Path, how: LogReading | None = None
) -> LogSummary:
    """Write people's steps in access logs to `out`, a clickstream: columns event_time, event_type, user_id.

    The order in which files are given is no matter: they are read by the time of their first lines. Without a
    scenario a map is proposed from their first paths. HistoryError where a file cannot be read, or its first
    lines are of no layout; a malformed line is none of those.
    """
    with _no_collector():
        return _read(files, scenario, out, how or LogReading())


@contextmanager
def _no_collector() -> Iterator[None]:
    """Leave Python's collector of circles off: millions of small tuples come and go, and hold no circle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(files: list[Path], scenario: Scenario | None, out: Path, how: LogReading) -> LogSummary:
    summary = LogSummary()
    logs = sorted((_opened_log(file, how.hints) for file in files), key=lambda log: log.first_s)
    summary.layouts = list(dict.fromkeys(log.layout.text for log in logs))
    summary.clients = list({log.client.name: log.client for log in logs}.values())
    if scenario is not None:
        urls = Urls.of_scenario(scenario)
    else:
        found = _proposed(logs, how.robots)
        summary.proposed, summary.notes = found.urls, found.notes
        urls = Urls.of_proposal(found.urls)
    events = _parts(Visits(urls, summary, how.robots), _merged(logs, summary))
    with tempfile.TemporaryDirectory(prefix="gameday-log-", dir=out.parent) as folder:
        spool, people = Path(folder) / "events.parquet", Path(folder) / "people.parquet"
        _spool(events, spool)
        _without_robots(spool, people, summary)
        people.replace(out)
    return summary


@dataclass(frozen=True, slots=True)
class _Log:
    """A file whose layout is known."""

    file: Path
    layout: Layout
    client: ClientChoice
    first_s: float
    """Time of its first request."""


def _opened_log(file: Path, hints: Hints) -> _Log:
    """Return a file with its layout and who came; HistoryError where its first lines are of no layout."""
    first = [line for line in islice(_text(file), _LOOKED_AT) if line.strip()]
    layout = layout_of(first, hints)
    if layout is None:
        shown = first[-1].strip()[:120] if first else "it is empty"
        given = (
            "that --log-format says"
            if hints.log_format
            else "that is known, nor one that tells itself"
        )
        raise HistoryError(
            f"{file}: its lines are of no layout {given}: {shown}; write the server's own format string, as in "
            "--log-format '$remote_addr - - [$time_local] \"$request\" $status'"
        )
    clients, first_s = list[tuple[str, ...]](), math.inf
    for number, line in enumerate(islice(_text(file), _FIRST_LINES)):
        request = layout.parse(line)
        if request is not None:
            clients.append(request.clients)
            first_s = min(first_s, request.at_s) if number < _LOOKED_AT else first_s
    client = choose_client(layout.columns, clients, hints.client)
    return _Log(file, layout, client, first_s)


def _spool(parts: Iterator[list[Event]], file: Path) -> None:
    """Write everybody's events: who is a robot is known only when all are read."""
    with pa.parquet.ParquetWriter(file, _SCHEMA) as writer:
        for events in parts:
            columns = dict(zip(_SCHEMA.names, zip(*events, strict=True), strict=True))
            writer.write_table(pa.table(columns, _SCHEMA))


def _proposed(logs: list[_Log], robots: RobotRules) -> Proposed:
    """Return the map proposed for the first requests; HistoryError where nothing looks like a shop."""
    requests = _count_requests(logs, robots)
    if not requests:
        raise HistoryError(
            f"{logs[0].file}: every one of its first requests is a robot's, or was answered by an error; --robots "
            "and history.robots say who is a customer"
        )
    found = propose(requests)
    if not found.urls:
        raise HistoryError(
            f"{logs[0].file}: no path is called as steps of shops are; give --event with history.urls"
        )
    return found


def _parts(visits: Visits, requests: Iterator[Seen]) -> Iterator[list[Event]]:
    """Yield events, many at a time."""
    out: list[Event] = []
    for who, request in requests:
        event = visits.event(who, request)
        if event is not None:
            out.append(event)
            if len(out) >= _PART_EVENTS:
                yield out
                out = []
                visits.forget(request.at_s)
    if out:
        yield out


def _merged(logs: list[_Log], summary: LogSummary) -> Iterator[Seen]:
    """Yield the requests of all files by their time: several servers' logs are one."""
    streams = [_requests(log, summary) for log in logs]
    return streams[0] if len(streams) == 1 else merge(*streams, key=lambda seen: seen[1].at_s)


def _requests(log: _Log, summary: LogSummary) -> Iterator[Seen]:
    """Yield a file's requests with who sent them; lines that are none are counted."""
    parse, client = log.layout.parse, log.client.client
    lines = size = 0
    for text in _text(log.file):
        lines += 1
        size += len(text)
        request = parse(text)
        if request is None:
            _count_none(log, text, summary)
        elif request.method:
            yield client(request.clients), request
        else:
            summary.not_http += 1
    summary.lines += lines
    summary.size += size


def _count_none(log: _Log, text: str, summary: LogSummary) -> None:
    """Count a line that tells no request: a comment, or one that is malformed."""
    if log.layout.is_comment(text):
        summary.comments += 1
    else:
        summary.malformed += 1
        summary.quoted = summary.quoted or text.strip()[:160]


def _without_robots(spool: Path, people: Path, summary: LogSummary) -> None:
    """Write the events of people; count those of people and robots by minute and step."""
    robots = pa.array(sorted(summary.robots), pa.int64())
    with pa.parquet.ParquetWriter(people, _SCHEMA) as writer:
        for batch in pa.parquet.ParquetFile(spool).iter_batches(_PART_EVENTS):
            betrayed = pa.compute.is_in(batch["user_id"], value_set=robots)
            is_robot = pa.compute.or_(batch["is_robot"], betrayed)
            time = batch["event_time"].to_numpy(zero_copy_only=False)
            minute = time.astype("datetime64[m]").astype(int).tolist()
            step = batch["event_type"].to_pylist()
            summary.minutes.update(zip(minute, step, is_robot.to_pylist(), strict=True))
            steps = batch.filter(pa.compute.invert(is_robot))
            summary.times.add(steps)
            writer.write_batch(steps)


def _opened(file: Path) -> TextIO:
    """Return the file's text, unpacked where it is gzip."""
    try:
        with file.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        opener = gzip.open if packed else open
        return cast("TextIO", opener(file, "rt", encoding="utf-8", errors="replace"))
    except OSError as error:
        raise HistoryError(f"{file}: cannot be read ({error.strerror})") from None


def _text(file: Path) -> Iterator[str]:
    """Yield the file's lines; HistoryError where it cannot be read, or ends before its packing does."""
    number = 0
    try:
        with _opened(file) as stream:
            for line in stream:
                number += 1
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise HistoryError(f"{file}: cannot be read behind line {number} ({error})") from None


def _count_requests(logs: list[_Log], robots: RobotRules) -> RequestCounts:
    """Return how often each request was answered well in the files' first lines, robots left out."""
    counts: RequestCounts = Counter()
    for log in logs:
        for text in islice(_text(log.file), _FIRST_LINES // len(logs)):
            request = log.layout.parse(text)
            if request is not None and request.status < 400 and robots.word(request.agent) is None:
                path, _, query = request.target.partition("?")
                counts[request.method, path, query] += 1
    return counts
