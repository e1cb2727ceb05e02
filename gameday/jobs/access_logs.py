"""Access logs as events of a clickstream, and what was left out of them on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from gameday.errors import HistoryError, UsageError
from gameday.history.importers import (
    Clickstream,
    LogReading,
    LogSummary,
    RobotRules,
    StepTimes,
    describe_log,
    log_doubts,
    minute_table,
    read_access_logs,
    shared_addresses,
)
from gameday.history.log_lines import Hints
from gameday.scenario import Scenario

__all__ = [
    "AccessLogAnswer",
    "AccessLogOrder",
    "AccessLogs",
    "events_of_log",
    "read_logs",
    "zone_of",
]

_KINDS = ("robot", "customer")
_MOST_UNMAPPED = 20
"""Kinds of requests of no step that are told by name."""


@dataclass(frozen=True, slots=True)
class AccessLogOrder:
    """Access logs to read, and what a person says of them."""

    files: tuple[Path, ...] = ()
    log_format: str | None = None
    """The server's own format string, or a name of `NAMED_FORMATS`; None: told from the first lines."""
    client: str | None = None
    """The field that tells customers apart; None: told from the first lines."""
    robots: Mapping[str, str] = field(default_factory=dict)
    """Part of a user agent -> `robot` or `customer`; before `history.robots` of the scenario."""


@dataclass(frozen=True, slots=True)
class AccessLogAnswer:
    """What was read of access logs; counts of requests where nothing else is said."""

    layouts: tuple[str, ...]
    """Format strings, or fields and what each was taken for."""
    client: tuple[str, ...]
    """Fields by which customers were told apart."""
    customers_by_field: dict[str, int]
    """Field -> how many customers it tells in the first lines."""
    lines: int
    comments: int
    """Lines that are empty or begin with #."""
    not_http: int
    """Lines whose request is none."""
    malformed: int
    """Lines."""
    first_malformed: str
    no_step: int
    redirects_folded: int
    """Into the step that sent them."""
    failed: int
    """Steps answered by 500 and above."""
    steps_of_people: int
    steps_of_robots: int
    robots_by_behaviour: int
    """Visitors."""
    robots_by_name: dict[str, int]
    """Word in a user agent -> steps."""
    app_libraries: dict[str, int]
    """Library of apps in a user agent -> steps; they are kept."""
    pictures_styles_scripts: int
    of_no_step: dict[str, int]
    """Method and template -> requests, the most frequent first."""
    folded_into_steps: dict[str, int]
    """Step -> requests of its own beside the one it is counted by."""
    refused: int
    """Steps answered by 400 to 499."""
    shared_addresses: str | None
    """A sentence where most requests come from addresses that many share."""
    proposed: dict[str, list[str]]
    """Step -> rules of a map, where none was given."""
    times: tuple[StepTimes, ...]
    """How long the server took for people's steps, where its log says so."""
    doubts: tuple[str, ...]
    """Why the result may be wrong."""


@dataclass(frozen=True, slots=True)
class AccessLogs:
    """Access logs that were read; their events are in a file."""

    answer: AccessLogAnswer
    lines: tuple[str, ...]
    """What was read, left out and proposed, in words."""
    minutes: pd.DataFrame
    """Columns time, step, count, robots."""


def read_logs(
    order: AccessLogOrder, scenario: Scenario | None, events: Path, zone: tzinfo
) -> AccessLogs:
    """Read access logs and write their events to the Parquet file `events`.

    `scenario`: its `history.urls` name the steps; None: a map is proposed. UsageError where a file is missing,
    HistoryError where no step of a customer is left.
    """
    files = order.files
    if missing := [file for file in files if not file.is_file()]:
        raise UsageError(f"{missing[0]}: no such file; check --access-log")
    if again := _given_twice(files):
        raise UsageError(
            f"{again}: given twice (--access-log), or the same as another: give it once"
        )
    summary = read_access_logs([*files], scenario, events, _reading(order, scenario, zone))
    if summary.of_people == 0:
        raise HistoryError(
            f"{files[0]}: no step of a customer is left; "
            + "; ".join(line.strip() for line in (*log_doubts(summary), *describe_log(summary)))
        )
    return AccessLogs(_answer(summary), _lines(summary), minute_table(summary))


def _given_twice(files: Sequence[Path]) -> Path | None:
    """Return a file that holds what another one does; None where there is none."""
    by_size: dict[int, list[Path]] = {}
    for file in files:
        if size := file.stat().st_size:
            by_size.setdefault(size, []).append(file)
    seen = set[str]()
    for file in (file for alike in by_size.values() if len(alike) > 1 for file in alike):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest in seen:
            return file
        seen.add(digest)
    return None


def zone_of(time_zone: str | None) -> tzinfo:
    """Return a zone by its name, UTC where there is none; UsageError where it is no zone's."""
    try:
        return ZoneInfo(time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(
            f"--time-zone: must be an IANA time zone, such as Europe/Berlin (got '{time_zone}')"
        ) from None


def _reading(order: AccessLogOrder, scenario: Scenario | None, zone: tzinfo) -> LogReading:
    """Return how the logs are read; UsageError where a word of `robots` is none."""
    if wrong := [f"{part}={kind}" for part, kind in order.robots.items() if kind not in _KINDS]:
        raise UsageError(
            f"--robots: must read PART-OF-A-USER-AGENT=robot or =customer (got '{wrong[0]}')"
        )
    declared = {} if scenario is None else scenario.history.robots
    said = tuple((part, kind == "robot") for part, kind in {**declared, **order.robots}.items())
    return LogReading(Hints(order.log_format, order.client, zone), RobotRules(said))


def events_of_log(scenario: Scenario | None) -> Clickstream:
    """Return how events of an access log are read: the map has named their steps already."""
    every: dict[str, str | None] = {} if scenario is None else {s: s for s in scenario.steps}
    has_cart = scenario is None or "cart" in scenario.steps
    needs = {"checkout": "cart"} if has_cart else {}
    return Clickstream(session=None, category=None, steps=every, needs=needs, is_row_an_order=True)


def _answer(summary: LogSummary) -> AccessLogAnswer:
    return AccessLogAnswer(
        layouts=tuple(summary.layouts),
        client=tuple(choice.name for choice in summary.clients),
        customers_by_field={
            way: count for choice in summary.clients for way, count in choice.told.items()
        },
        lines=summary.lines,
        comments=summary.comments,
        not_http=summary.not_http,
        malformed=summary.malformed,
        first_malformed=summary.quoted,
        no_step=summary.no_step,
        redirects_folded=summary.hops,
        failed=summary.failed,
        steps_of_people=summary.of_people,
        steps_of_robots=summary.of_robots,
        robots_by_behaviour=len(summary.robots),
        robots_by_name=dict(summary.robot_words),
        app_libraries=dict(summary.app_words),
        pictures_styles_scripts=summary.assets,
        of_no_step=dict(summary.unmapped.most_common(_MOST_UNMAPPED)),
        folded_into_steps=dict(summary.parts),
        refused=summary.refused,
        shared_addresses=shared_addresses(summary),
        proposed=summary.proposed,
        times=summary.times.rows(),
        doubts=tuple(log_doubts(summary)),
    )


def _lines(summary: LogSummary) -> tuple[str, ...]:
    """Return what was read, and the map that was proposed where none was given, in words."""
    if not summary.proposed:
        return tuple(describe_log(summary))
    return (
        *describe_log(summary),
        "  no --event: a map was proposed; read it over under history.urls of what is written",
        *(f"  {step}: {', '.join(rules)}" for step, rules in summary.proposed.items()),
        *(f"  {note}" for note in summary.notes),
    )
