"""What comes against what was forecast, while it comes: from a file that grows, or a Prometheus server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from gameday.errors import HistoryError, UsageError
from gameday.forecast.data import check_place
from gameday.forecast.publication import Alert, Plan, Tracker, TrackSummary
from gameday.history import ApiServer, minutes_from_prometheus, minutes_of_table
from gameday.history.readers import find_reader, readable_suffixes
from gameday.jobs.publication_files import kept_publication
from gameday.products import IsoInstant
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Note", "PrometheusQuery", "TrackAnswer", "TrackOrder", "track"]

_POLL_S = 5.0
_LEVELS, _PARTS = ("p50", "p10", "p90"), ("launch_p50", "organic_p10", "organic_p90")
"""Columns of a forecast that are tracked: what is expected in all, and what of it launches are."""
_MOST_NAMES = 5
"""Names that a message lists."""


@dataclass(frozen=True, slots=True)
class PrometheusQuery:
    """A server, and what it is asked of each series."""

    server: ApiServer
    query: str
    """PromQL of a minute's count; `$region`, and `$step` or `$team`, stand for the series' own."""


@dataclass(frozen=True, slots=True)
class TrackOrder:
    """A forecast to track, and where the actuals come from."""

    plan: Path
    """A publication's folder, or a forecast's Parquet file."""
    actuals: Path | PrometheusQuery
    """A table that grows, or a server."""
    region: str | None = None
    """None: all, as `step`."""
    step: str | None = None
    """A step or a team."""
    zone: str | None = None
    """Clock of times without an offset; None: that of the publication's history, or UTC."""
    follow: bool = False
    """Whether to go on until the plan ends."""
    wait_s: float | None = None
    """When to end at the latest, if it is followed; None: never."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was found in the actuals, told once."""

    text: str


@dataclass(frozen=True, slots=True)
class TrackAnswer:
    """How the forecast does so far."""

    until: IsoInstant
    """When the last tracked minute ends."""
    series: dict[str, TrackSummary]
    """`region step` -> how it does."""


class _Actuals(Protocol):
    """Where actuals come from."""

    def feed(self, tracker: Tracker) -> Iterator[Alert | Note]:
        """Give the tracker the whole minutes that are there by now; yield what is to be told."""


def track(order: TrackOrder) -> Iterator[Alert | Note | TrackAnswer]:
    """Yield alerts and notes as they come, and how the forecast does last.

    UsageError where what is asked does not fit the plan, HistoryError where a file cannot be read as asked.
    """
    plans = _plans(order)
    tracker, actuals = Tracker(plans), _actuals(order, plans)
    ends_s = float("inf") if order.wait_s is None else time.monotonic() + order.wait_s
    while True:
        yield from actuals.feed(tracker)
        has_ended = tracker.next_slot >= tracker.grid.slots
        if not order.follow or has_ended or time.monotonic() >= ends_s:
            break
        time.sleep(min(_POLL_S, max(0.0, ends_s - time.monotonic())))
    until = tracker.grid.instant(tracker.next_slot)
    yield TrackAnswer(until, {name: one.outlook() for name, one in tracker.series.items()})


def _plans(order: TrackOrder) -> list[Plan]:
    """Return what was forecast of each series that is tracked."""
    file, table = _forecast_table(order.plan)
    what = "team" if "team" in table.columns else "step"
    if missing := {"region", what, "slot_utc", *_LEVELS, *_PARTS} - set(table.columns):
        raise HistoryError(
            f"{file}: is no forecast, or one of an older version: no column {', '.join(sorted(missing))}; "
            "`gameday forecast publish` writes one"
        )
    plans = [
        _plan(f"{region} {step}", rows)
        for (region, step), rows in table.groupby(["region", what], sort=False, observed=True)
        if order.region in (None, region) and order.step in (None, step)
    ]
    if not plans:
        raise UsageError(
            f"{file}: forecasts nothing of {order.region or 'any region'}, {order.step or 'any step'}"
        )
    return plans


def _forecast_table(source: Path) -> tuple[Path, pd.DataFrame]:
    """Return the file of a forecast and what is in it; `source`: itself, or a publication's folder."""
    file = kept_publication(source).forecast_file() if source.is_dir() else source
    try:
        return file, pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise HistoryError(
            f"{file}: no forecast can be read there ({error}); `gameday forecast publish` writes one"
        ) from None


def _plan(name: str, rows: pd.DataFrame) -> Plan:
    """Return what was forecast of one series."""
    grid = TimeGrid(rows["slot_utc"].iloc[0].to_pydatetime(), len(rows))
    median, low, high = (rows[level].to_numpy(np.float64) for level in _LEVELS)
    launch, organic_low, organic_high = (rows[part].to_numpy(np.float64) for part in _PARTS)
    return Plan(name, grid, median, low, high, launch, (organic_low, organic_high))


def _actuals(order: TrackOrder, plans: list[Plan]) -> _Actuals:
    """Return where the actuals come from; UsageError where that does not fit the plans."""
    clock = _clock(order)
    if isinstance(order.actuals, Path):
        return _GrowingFile(order.actuals, clock, must_be=not order.follow)
    _check_query(order.actuals.query, [plan.name for plan in plans])
    return _Server(order.actuals)


def _clock(order: TrackOrder) -> str:
    """Return the zone of times without an offset: as asked, as the publication's history has it, or UTC."""
    if order.zone is not None:
        check_place(order.zone)
        return order.zone
    if not (order.plan / "publication.json").is_file():
        return "UTC"
    return kept_publication(order.plan).basis.scenario.history.time_zone


def _check_query(query: str, series: list[str]) -> None:
    """Raise UsageError where a query would tell several series of the plan the same counts."""
    regions, steps = (set(names) for names in zip(*(n.split(" ", 1) for n in series), strict=True))
    for flag, names, words in (
        ("region", regions, ("$region",)),
        ("step", steps, ("$step", "$team")),
    ):
        if len(names) > 1 and not any(word in query for word in words):
            raise UsageError(
                f"--query: says nothing of {' or '.join(words)}, and the plan has {len(names)} of them "
                f"({', '.join(sorted(names)[:_MOST_NAMES])}): each would be given the same counts; write a label "
                f'as {flag}="{words[0]}", or choose one with --{flag}'
            )


@dataclass(frozen=True, slots=True)
class _Server:
    """Actuals that a Prometheus server has."""

    asked: PrometheusQuery

    def feed(self, tracker: Tracker) -> Iterator[Alert]:
        """Give the tracker the minutes that are over by now; yield the alerts they cause."""
        now_min = int(datetime.now(UTC).timestamp() // 60)
        first = tracker.grid.epoch_min + tracker.next_slot
        last = min(now_min, tracker.grid.epoch_min + tracker.grid.slots)
        if last <= first:
            return
        queries = {}
        for name in tracker.series:
            region, step = name.split(" ", 1)
            query = self.asked.query.replace("$region", region).replace("$step", step)
            queries[name] = query.replace("$team", step)
        counts = minutes_from_prometheus(self.asked.server, queries, first, last)
        yield from tracker.feed(counts, tracker.next_slot, last - first)


@dataclass(frozen=True, slots=True)
class _GrowingFile:
    """Actuals in a file that is read again and again while it grows."""

    file: Path
    clock: str
    """IANA zone of times without an offset."""
    must_be: bool
    """Whether a file that is not there is an error."""
    told: set[str] = field(default_factory=set)
    """Notes that were told."""

    def feed(self, tracker: Tracker) -> Iterator[Alert | Note]:
        """Give the tracker the whole minutes that are in the file by now; yield alerts, and notes not yet told."""
        table = self._table()
        if table is None:
            return
        minutes, notes = minutes_of_table(table, str(self.file), self.clock)
        yield from self._notes(f"{self.file}: {note}" for note in notes)
        if minutes.empty:
            yield from self._notes([f"{self.file}: holds no minute"])
            return
        names = _names_of_plan(tracker)
        minutes["name"] = [names.get(name.casefold(), name) for name in minutes["name"]]
        last = _whole_slots(tracker, minutes)
        if last <= tracker.next_slot:
            yield from self._notes([f"{self.file}: holds no whole minute of the plan yet"])
            return
        counts = _counts(tracker, minutes, last)
        yield from self._notes(self._strange(tracker, minutes, counts))
        yield from tracker.feed(counts, tracker.next_slot, last - tracker.next_slot)

    def _table(self) -> pd.DataFrame | None:
        """Return what the file holds now, but for a last line not yet whole; None where there is nothing."""
        if not self.file.is_file():
            if self.must_be:
                raise HistoryError(
                    f"{self.file}: no such file; check --actuals, or wait for it with --follow"
                )
            return None
        reader = find_reader(self.file)
        if reader is None:
            raise HistoryError(f"{self.file}: must end in {readable_suffixes()}")
        return reader.read_so_far(self.file)

    def _strange(
        self, tracker: Tracker, minutes: pd.DataFrame, counts: dict[str, Array]
    ) -> list[str]:
        """Return a note of series that the plan has not; HistoryError where it has none of them."""
        names = {str(name) for name in minutes["name"]}
        if not counts:
            has, planned = ", ".join(sorted(names)[:3]), ", ".join(list(tracker.series)[:3])
            raise HistoryError(
                f"{self.file}: names no series of the plan (it has {has}; the plan {planned})"
            )
        others = ", ".join(sorted(names - set(counts))[:_MOST_NAMES])
        return [f"{self.file}: not tracked, the plan has none: {others}"] if others else []

    def _notes(self, lines: Iterable[str]) -> Iterator[Note]:
        """Yield what was not told before."""
        for line in lines:
            if line not in self.told:
                self.told.add(line)
                yield Note(line)


def _names_of_plan(tracker: Tracker) -> dict[str, str]:
    """Return what files may call a plan's series, in lower case: unnamed where there is no second one."""
    named = [name.split(" ", 1) for name in tracker.series]
    names = {name.casefold(): name for name in tracker.series}
    if len({region for region, _ in named}) == 1:
        names |= {f"all {step}".casefold(): f"{region} {step}" for region, step in named}
    return names | ({"all count": next(iter(tracker.series))} if len(named) == 1 else {})


def _whole_slots(tracker: Tracker, minutes: pd.DataFrame) -> int:
    """Return how many slots of the plan are whole in columns minute, name, count.

    The last minute may still be growing, unless all series have it and the plan ends with it.
    """
    slot = (minutes["minute"] - tracker.grid.epoch_min).to_numpy(np.int64)
    last = min(int(slot.max()), tracker.grid.slots)
    is_end = last == tracker.grid.slots - 1
    return last + (is_end and set(tracker.series) <= set(minutes["name"][slot == last]))


def _counts(tracker: Tracker, minutes: pd.DataFrame, last: int) -> dict[str, Array]:
    """Return the counts of the plan's series from the tracker's next slot to `last`, NaN where unknown."""
    begin, counts = tracker.next_slot, {}
    for name, rows in minutes.groupby("name", observed=True):
        if name in tracker.series:
            row = np.full(last - begin, np.nan)
            slot = (rows["minute"] - tracker.grid.epoch_min).to_numpy(np.int64) - begin
            is_inside = (slot >= 0) & (slot < last - begin)
            row[slot[is_inside]] = rows["count"].to_numpy(float)[is_inside]
            counts[str(name)] = row
    return counts
