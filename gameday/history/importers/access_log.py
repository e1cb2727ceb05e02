"""From access logs to events: streamed, redirects folded, robots left out, malformed lines counted.

Events go to a Parquet file, from which sessions are read as from a clickstream.
"""

from __future__ import annotations

import gzip
import math
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby, islice
from pathlib import Path
from typing import TextIO, cast

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from gameday.errors import HistoryError
from gameday.history.collector import without_collector
from gameday.history.importers.log_summary import LogSummary, minute_table
from gameday.history.importers.robots import RobotRules, is_robot
from gameday.history.importers.url_proposal import (
    Proposed,
    RequestCounts,
    Visitors,
    is_asset,
    propose,
)
from gameday.history.importers.urls import Urls
from gameday.history.importers.visits import Event, Seen, Visits
from gameday.history.log_lines import (
    ClientChoice,
    Hints,
    Layout,
    RequestLine,
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
        ("shown_by", pa.int32()),
    ]
)
_FIRST_LINES = 50_000
"""Lines from whose paths a map is proposed, and by which it is told who came."""
_LOOKED_AT = 200
"""First lines by which the layout is told."""
_PART_EVENTS = 200_000
_PAUSE_S = 2.0
"""A customer asks for the next page no sooner; a page's own calls come before. Ours."""
_ONE_PATH = 0.8
"""Share of requests for one path beyond which paths tell nothing. Ours."""


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
    with without_collector():
        return _read(files, scenario, out, how or LogReading())


def _read(files: list[Path], scenario: Scenario | None, out: Path, how: LogReading) -> LogSummary:
    summary = LogSummary(zone=str(how.hints.zone))
    empty = [file for file in files if not any(line.strip() for line in _text(file))]
    summary.empty = [str(file) for file in empty]
    written = [file for file in files if file not in empty] or files[:1]
    logs = sorted((_opened_log(file, how.hints) for file in written), key=lambda log: log.first_s)
    _note_layouts(logs, summary)
    urls = _urls(scenario, logs, how.robots, summary)
    for log in logs:
        log.first.clear()
    events = _parts(Visits(urls, summary, how.robots), _merged(logs, summary))
    with tempfile.TemporaryDirectory(prefix="gameday-log-", dir=out.parent) as folder:
        spool, people = Path(folder) / "events.parquet", Path(folder) / "people.parquet"
        _spool(events, spool)
        _without_robots(spool, people, summary)
        people.replace(out)
    return summary


def _urls(
    scenario: Scenario | None, logs: list[_Log], robots: RobotRules, summary: LogSummary
) -> Urls:
    """Return which request is which step: as the scenario says, or as the first requests do."""
    if scenario is not None:
        reached = {step for journey in scenario.journeys.values() for step in journey.reached()}
        summary.scenario_steps = tuple(step for step in scenario.steps if step in reached)
        return Urls.of_scenario(scenario)
    found = _proposed(logs, robots)
    summary.proposed, summary.notes = found.urls, found.notes
    return Urls.of_proposal(found.urls)


def _note_layouts(logs: list[_Log], summary: LogSummary) -> None:
    """Note how lines are read, and what of them is not."""
    summary.layouts = list(dict.fromkeys(log.layout.text for log in logs))
    summary.clients = list({log.client.name: log.client for log in logs}.values())
    summary.without_offset = not all(log.layout.tells_offset for log in logs)
    summary.unitless = sorted(
        {c.name for log in logs for c in log.layout.columns if c.role == "unitless"}
    )


@dataclass(frozen=True, slots=True)
class _Log:
    """A file whose layout is known."""

    file: Path
    layout: Layout
    client: ClientChoice
    first_s: float
    """Time of its first request."""
    first: list[RequestLine]
    """Its first requests, by which is told what steps are; forgotten then."""


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
    parsed = (layout.parse(line) for line in islice(_text(file), _FIRST_LINES))
    requests = [request for request in parsed if request is not None]
    client = choose_client(layout.columns, [r.clients for r in requests], hints.client)
    first_s = min((request.at_s for request in requests[:_LOOKED_AT]), default=math.inf)
    return _Log(file, layout, client, first_s, requests)


def _spool(parts: Iterator[list[Event]], file: Path) -> None:
    """Write everybody's events: who is a robot is known only when all are read."""
    with pa.parquet.ParquetWriter(file, _SCHEMA) as writer:
        for events in parts:
            columns = dict(zip(_SCHEMA.names, zip(*events, strict=True), strict=True))
            writer.write_table(pa.table(columns, _SCHEMA))


def _proposed(logs: list[_Log], robots: RobotRules) -> Proposed:
    """Return the map proposed for the first requests; HistoryError where nothing looks like a shop."""
    requests, considered, visitors = _count_requests(logs, robots)
    if not requests:
        raise HistoryError(
            f"{logs[0].file}: every one of its first requests is a robot's, or was answered by an error; --robots "
            "and history.robots say who is a customer"
        )
    found = propose(requests, considered, visitors)
    if not found.urls:
        raise HistoryError(f"{logs[0].file}: {_why_no_map(requests)}")
    return found


def _why_no_map(requests: RequestCounts) -> str:
    """Return why nothing looks like a step of a shop, and what to do."""
    [((method, path, _), count)] = requests.most_common(1)
    if count > _ONE_PATH * requests.total():
        return (
            f"{count / requests.total():.0%} of its first requests are {method} {path}: what tells them apart "
            "is not in the log. Let the server log the GraphQL operation's name, or what is sent (nginx: "
            "$request_body)"
        )
    shown = ", ".join(f"{method} {path}" for (method, path, _), _ in requests.most_common(5))
    return f"no path is called as steps of shops are, most: {shown}; give --event with history.urls"


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
    return streams[0] if len(streams) == 1 else _redirects_first(merge(*streams, key=_at_s))


def _at_s(seen: Seen) -> float:
    return seen[1].at_s


def _redirects_first(requests: Iterator[Seen]) -> Iterator[Seen]:
    """Yield requests of several files, of one instant redirects first: servers do not say what came before."""
    for _, together in groupby(requests, key=_at_s):
        yield from sorted(together, key=lambda seen: not 300 <= seen[1].status < 400)


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
        summary.other_heads += log.layout.is_other_head(text)
    else:
        summary.malformed += 1
        summary.quoted = summary.quoted or text.strip()[:160]


def _without_robots(spool: Path, people: Path, summary: LogSummary) -> None:
    """Write the events of people; count those of people and robots by minute and step.

    A form that was shown again, where its like leads on, is no step: it was sent in vain.
    """
    robots = pa.array(sorted(summary.robots), pa.int64())
    forms = pa.array(summary.forms_that_redirect(), pa.int32())
    with pa.parquet.ParquetWriter(people, _SCHEMA) as writer:
        for read in pa.parquet.ParquetFile(spool).iter_batches(_PART_EVENTS):
            batch = _without_forms(read, forms, summary)
            betrayed = pa.compute.is_in(batch["user_id"], value_set=robots)
            is_robot = pa.compute.or_(batch["is_robot"], betrayed)
            time = batch["event_time"].to_numpy(zero_copy_only=False)
            minute = time.astype("datetime64[m]").astype(int).tolist()
            step = batch["event_type"].to_pylist()
            summary.minutes.update(zip(minute, step, is_robot.to_pylist(), strict=True))
            steps = batch.filter(pa.compute.invert(is_robot))
            summary.times.add(steps)
            writer.write_batch(steps)


def _without_forms(batch: pa.RecordBatch, forms: pa.Array, summary: LogSummary) -> pa.RecordBatch:
    """Return events without the forms that were shown again; `forms`: the rules whose forms lead on else."""
    is_shown = pa.compute.is_in(batch["shown_by"], value_set=forms)
    summary.shown_again.update(batch.filter(is_shown)["event_type"].to_pylist())
    return batch.filter(pa.compute.invert(is_shown))


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


def _count_requests(
    logs: list[_Log], robots: RobotRules
) -> tuple[RequestCounts, RequestCounts, Visitors]:
    """Return how often each request was answered well in the files' first lines, how often after a pause, by whom.

    Robots, pictures, styles and scripts are left out.
    """
    counts, considered, visitors = RequestCounts(), RequestCounts(), Visitors()
    last_s: dict[tuple[str, str], float] = {}
    for log in logs:
        for request in log.first[: _FIRST_LINES // len(logs)]:
            if robots.word(request.agent) is not None:
                continue
            path, _, query = request.target.partition("?")
            if request.status >= 400 or is_asset(path):
                continue
            counts[request.method, path, query] += 1
            who = log.client.client(request.clients), request.agent
            visitors.setdefault((request.method, path, query), set()).add(hash(who))
            if request.at_s - last_s.get(who, -math.inf) >= _PAUSE_S:
                considered[request.method, path, query] += 1
            last_s[who] = request.at_s
    return counts, considered, visitors
