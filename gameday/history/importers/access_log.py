"""From access logs to events: streamed, redirects folded, robots left out, malformed lines counted.

Events go to a Parquet file, from which sessions are read as from a clickstream.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from gameday.errors import HistoryError
from gameday.history.importers.access_lines import Line, format_of, locations, parsers
from gameday.history.importers.log_summary import LogSummary, minute_table
from gameday.history.importers.url_proposal import Proposed, RequestCounts, propose
from gameday.history.importers.urls import Urls
from gameday.history.importers.visits import HOPS, Event, Visits, is_robot
from gameday.scenario import Scenario

__all__ = ["LogSummary", "is_robot", "minute_table", "read_access_logs"]

_SCHEMA = pa.schema(
    [
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("event_type", pa.string()),
        ("user_id", pa.int64()),
        ("is_robot", pa.bool_()),
    ]
)
_PROPOSED_FROM = 50_000
"""Lines from whose paths a map is proposed."""
_LOOKED_AT = 200
"""First lines by which the format is told."""
_PART_EVENTS = 200_000


def read_access_logs(files: list[Path], scenario: Scenario | None, out: Path) -> LogSummary:
    """Write people's steps in access logs to `out`, a clickstream: columns event_time, event_type, user_id.

    The order in which files are given is no matter: they are read by the time of their first lines. Without a
    scenario a map is proposed from their first paths. HistoryError where a file cannot be read, or none of its
    first lines is of a known format; a malformed line is none of those.
    """
    summary = LogSummary()
    if scenario is not None:
        urls = Urls.of_scenario(scenario)
    else:
        found = _proposed(files)
        summary.proposed, summary.notes = found.urls, found.notes
        urls = Urls.of_proposal(found.urls)
    events = _parts(Visits(urls, summary), _merged(files, summary))
    with tempfile.TemporaryDirectory(prefix="gameday-log-", dir=out.parent) as folder:
        spool, people = Path(folder) / "events.parquet", Path(folder) / "people.parquet"
        _spool(events, spool)
        _without_robots(spool, people, summary)
        people.replace(out)
    return summary


def _spool(parts: Iterator[list[Event]], file: Path) -> None:
    """Write everybody's events: who is a robot is known only when all are read."""
    with pa.parquet.ParquetWriter(file, _SCHEMA) as writer:
        for events in parts:
            columns = dict(zip(_SCHEMA.names, zip(*events, strict=True), strict=True))
            writer.write_table(pa.table(columns, _SCHEMA))


def _proposed(files: list[Path]) -> Proposed:
    """Return the map proposed for the files' first requests; HistoryError where nothing looks like a shop."""
    found = propose(_count_requests(files))
    if not found.urls:
        raise HistoryError(
            f"{files[0]}: no path is called as steps of shops are; give --event with history.urls"
        )
    return found


def _parts(visits: Visits, lines: Iterator[tuple[Line, str]]) -> Iterator[list[Event]]:
    """Yield events, many at a time."""
    out: list[Event] = []
    for line, location in lines:
        event = visits.event(line, location)
        if event is not None:
            out.append(event)
            if len(out) >= _PART_EVENTS:
                yield out
                out = []
                visits.forget(line[0])
    if out:
        yield out


def _merged(files: list[Path], summary: LogSummary) -> Iterator[tuple[Line, str]]:
    """Yield the lines of all files by their time: several servers' logs are one."""
    streams = [_parsed(file, summary) for file in sorted(files, key=_first_s)]
    return streams[0] if len(streams) == 1 else merge(*streams, key=lambda pair: pair[0][0])


def _parsed(file: Path, summary: LogSummary) -> Iterator[tuple[Line, str]]:
    """Yield a file's lines, each with the target of its redirect; malformed lines are counted."""
    name = _parser_of(file)
    parse, location = parsers[name], locations[name]
    for text in _text(file):
        summary.lines += 1
        summary.size += len(text)
        line = parse(text)
        if line is not None:
            yield line, location(text) if line[4] in HOPS else ""
        elif text.strip():
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
            writer.write_batch(batch.filter(pa.compute.invert(is_robot)))


def _parser_of(file: Path) -> str:
    """Return the format of a file, a name of `parsers`; HistoryError where it is of none."""
    first = [line for line in islice(_text(file), _LOOKED_AT) if line.strip()]
    name = format_of(first)
    if name is None:
        shown = first[0].strip()[:120] if first else "it is empty"
        raise HistoryError(
            f"{file}: no line is of the Common or Combined format, nginx's JSON, or a load balancer's: {shown}"
        )
    return name


def _first_s(file: Path) -> float:
    """Return the time of the first line that tells one."""
    parse = parsers[_parser_of(file)]
    found = (parse(text) for text in islice(_text(file), _LOOKED_AT))
    return next((line[0] for line in found if line is not None), 0.0)


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


def _count_requests(files: list[Path]) -> RequestCounts:
    """Return how often each request was answered well in the files' first lines, robots left out."""
    counts: RequestCounts = Counter()
    for file in files:
        parse = parsers[_parser_of(file)]
        for text in islice(_text(file), _PROPOSED_FROM // len(files)):
            line = parse(text)
            if line is not None and line[4] < 400 and not is_robot(line[1][1]):
                path, _, query = line[3].partition("?")
                counts[line[2], path, query] += 1
    return counts
