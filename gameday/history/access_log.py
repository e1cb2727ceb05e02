"""Access logs to events: streamed, redirects folded, robots apart, malformed lines counted and quoted.

What is kept while reading does not grow with the log: who came within the last half hour, and whom behaviour
betrayed. Events go to a Parquet file, from which sessions are read as from a clickstream.
"""

from __future__ import annotations

import gzip
import re
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from gameday.errors import HistoryError
from gameday.history.access_lines import Line, format_of, parsers
from gameday.history.urls import Urls, propose, template_of
from gameday.scenario import Scenario

__all__ = ["LogSummary", "is_robot", "minute_table", "read_access_logs"]

_SCHEMA = pa.schema([("event_time", pa.timestamp("us", tz="UTC")), ("event_type", pa.string()),
                     ("user_id", pa.int64()), ("is_robot", pa.bool_())])  # fmt: skip
_PROPOSED_FROM = 50_000
"""Lines from whose paths a map is proposed."""
_LOOKED_AT = 200
"""First lines by which the format is told."""
_PART_EVENTS = 200_000
_HOP_S = 5.0
"""A request so soon after its visitor was sent on is the end of that redirect."""
_HOPS = frozenset((301, 302, 303, 307, 308))
_A_MINUTE = 90
"""Steps a minute that no person does. Ours: one and a half a second, for a minute."""
_A_SITTING = 500
"""Steps without half an hour's silence that no person does, however slowly. Ours."""
_SILENCE_S = 1800.0
_ROBOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|curl/|wget/|python-|java/|go-http|okhttp|libwww|headless|monitor|pingdom|uptime",
    re.IGNORECASE,
)
"""Words by which robots and programs name themselves."""


@lru_cache(maxsize=100_000)
def is_robot(agent: str) -> bool:
    """Return whether a user agent names itself a robot or a program."""
    return bool(_ROBOT.search(agent))


@dataclass(slots=True)
class LogSummary:
    """What was read."""

    lines: int = 0
    size: int = 0
    """Bytes, unpacked."""
    malformed: int = 0
    quoted: str = ""
    """The first malformed line."""
    no_step: int = 0
    """Requests that are no step: pictures, pages the map does not know."""
    hops: int = 0
    """Requests folded into the step that sent them."""
    failed: int = 0
    """Steps answered by 500 and above: they are kept as steps."""
    declared_robots: int = 0
    """Events of visitors that name themselves."""
    robots: set[int] = field(default_factory=set)
    """Visitors whom their pace, or asking for robots.txt, betrayed."""
    minutes: Counter[tuple[int, str, bool]] = field(default_factory=Counter)
    """(Minute since 1970, step, whether of robots) -> events."""
    proposed: dict[str, list[str]] = field(default_factory=dict)
    """Step -> templates, where there was no map."""


def read_access_logs(files: list[Path], scenario: Scenario | None, out: Path) -> LogSummary:
    """Write people's steps in access logs to `out`, a clickstream: columns event_time, event_type, user_id.

    The order in which files are given is no matter: they are read by the time of their first lines. Without a
    scenario a map is proposed from their first paths. HistoryError where a file cannot be read, or none of its
    first lines is of a known format; a malformed line is none of those.
    """
    summary = LogSummary()
    urls = Urls.of_scenario(scenario) if scenario is not None else None
    if urls is None:
        summary.proposed = propose(_paths(files))
        if not summary.proposed:
            raise HistoryError(
                f"{files[0]}: no path is called as steps of shops are; give --event with history.urls"
            )
        urls = Urls.of_proposal(summary.proposed)
    reader = _Reader(urls, summary)
    with tempfile.TemporaryDirectory(prefix="gameday-log-", dir=out.parent) as folder:
        spool = Path(folder) / "events.parquet"
        with pa.parquet.ParquetWriter(spool, _SCHEMA) as writer:
            for file in sorted(files, key=_first_s):
                for events in reader.parts(_lines(file, summary), _parser_of(file)):
                    columns = dict(zip(_SCHEMA.names, zip(*events, strict=True), strict=True))
                    writer.write_table(pa.table(columns, _SCHEMA))
        people = Path(folder) / "people.parquet"
        _without_robots(spool, people, summary)
        people.replace(out)
    return summary


def _without_robots(spool: Path, people: Path, summary: LogSummary) -> None:
    """Write the events of people; count everybody's by minute and step."""
    robots = pa.array(sorted(summary.robots), pa.int64())
    with pa.parquet.ParquetWriter(people, _SCHEMA) as writer:
        for batch in pa.parquet.ParquetFile(spool).iter_batches(_PART_EVENTS):
            is_robot = pa.compute.or_(
                batch["is_robot"], pa.compute.is_in(batch["user_id"], value_set=robots)
            )
            minutes = (
                batch["event_time"].to_numpy(zero_copy_only=False).astype("datetime64[m]")
            ).astype(int)
            rows = zip(
                minutes.tolist(), batch["event_type"].to_pylist(), is_robot.to_pylist(), strict=True
            )
            summary.minutes.update(rows)
            writer.write_batch(batch.filter(pa.compute.invert(is_robot)))


def minute_table(summary: LogSummary) -> pd.DataFrame:
    """Return counts a minute, columns time, step, count, robots: a history file, robots apart.

    Every minute from the first step to the last is there: one without a row would be one without a log.
    """
    minutes = sorted({minute for minute, _, _ in summary.minutes})
    steps = sorted({step for _, step, _ in summary.minutes})
    every = range(minutes[0], minutes[-1] + 1) if minutes else ()
    keys = [(minute, step) for minute in every for step in steps]
    return pd.DataFrame({
        "time": [datetime.fromtimestamp(60 * minute, UTC).isoformat() for minute, _ in keys],
        "step": [step for _, step in keys],
        "count": [summary.minutes[minute, step, False] for minute, step in keys],
        "robots": [summary.minutes[minute, step, True] for minute, step in keys],
    })  # fmt: skip


def _parser_of(file: Path) -> str:
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


def _lines(file: Path, summary: LogSummary) -> Iterator[str]:
    for line in _text(file):
        summary.lines += 1
        summary.size += len(line)
        yield line


def _paths(files: list[Path]) -> Counter[str]:
    """Count the templates of each file's first requests that were answered well."""
    asked = Counter[str]()
    for file in files:
        parse = parsers[_parser_of(file)]
        for text in islice(_text(file), _PROPOSED_FROM // len(files)):
            line = parse(text)
            if line is None or line[4] >= 400 or is_robot(line[1][1]):
                continue
            template = template_of(line[3].split("?", 1)[0])
            if template is not None:
                asked[template] += 1
    return asked


class _Visitor:
    """What is remembered of one who came lately."""

    __slots__ = ("hop_until_s", "minute", "number", "seen_s", "sitting", "stepped_s", "steps")

    def __init__(self, number: int) -> None:
        self.number, self.minute, self.steps, self.sitting = number, -1, 0, 0
        self.hop_until_s = self.seen_s = self.stepped_s = -1.0


class _Reader:
    """Lines in, events out; it remembers who came within half an hour."""

    def __init__(self, urls: Urls, summary: LogSummary) -> None:
        self._urls, self._summary = urls, summary
        self._visitors: dict[tuple[str, str], _Visitor] = {}

    def parts(self, lines: Iterator[str], name: str) -> Iterator[list[tuple[int, str, int, bool]]]:
        """Yield events, many at a time."""
        parse, summary = parsers[name], self._summary
        out: list[tuple[int, str, int, bool]] = []
        for text in lines:
            line = parse(text)
            if line is None:
                if text.strip():
                    summary.malformed += 1
                    summary.quoted = summary.quoted or text.strip()[:160]
                continue
            event = self._event(line)
            if event is not None:
                out.append(event)
                if len(out) >= _PART_EVENTS:
                    yield out
                    out = []
                    self._forget(line[0])
        if out:
            yield out

    def _event(self, line: Line) -> tuple[int, str, int, bool] | None:
        at_s, who, method, target, status = line
        summary = self._summary
        path = target.split("?", 1)[0]
        visitor = self._visitors.get(who)
        if visitor is None:
            digest = blake2b("|".join(who).encode(), digest_size=8).digest()
            visitor = self._visitors[who] = _Visitor(int.from_bytes(digest) >> 1)
        visitor.seen_s = at_s
        if path == "/robots.txt":
            summary.robots.add(visitor.number)
        if at_s <= visitor.hop_until_s and method == "GET":
            visitor.hop_until_s = at_s + _HOP_S if status in _HOPS else -1.0
            summary.hops += 1
            return None
        step = self._urls.step(method, path)
        if step is None:
            summary.no_step += 1
            return None
        visitor.hop_until_s = at_s + _HOP_S if status in _HOPS else -1.0
        summary.failed += status >= 500
        minute = int(at_s // 60)
        visitor.steps = visitor.steps + 1 if minute == visitor.minute else 1
        visitor.minute = minute
        visitor.sitting = 1 if at_s - visitor.stepped_s > _SILENCE_S else visitor.sitting + 1
        visitor.stepped_s = at_s
        if visitor.steps > _A_MINUTE or visitor.sitting > _A_SITTING:
            summary.robots.add(visitor.number)
        declared = is_robot(who[1])
        summary.declared_robots += declared
        return int(at_s * 1e6), step, visitor.number, declared

    def _forget(self, now_s: float) -> None:
        """Forget who has not come for half an hour: so much is kept and no more."""
        gone = [who for who, v in self._visitors.items() if v.seen_s < now_s - _SILENCE_S]
        for who in gone:
            del self._visitors[who]
