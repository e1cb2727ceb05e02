"""Counts a minute from a Prometheus server, written as a history file."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from gameday.errors import HistoryError, UsageError
from gameday.files import write_whole
from gameday.history import ApiServer, minutes_from_prometheus
from gameday.history.readers import table_writer
from gameday.scenario import Scenario, load_scenario
from gameday.vocabulary import Array

__all__ = ["MetricsImported", "MetricsOrder", "SeriesImported", "import_metrics"]

_REGION = "$region"
_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'|`[^`]*`')
"""Values of labels: what stands in them is no part of a query's arithmetic."""
_A_SECOND = re.compile(r"\bi?rate\s*\(")
_TIMES = re.compile(r"\*\s*60\b|\b60\s*\*")
_WINDOW = re.compile(r"\bincrease\s*\([^\[]*\[\s*(\w+)\s*[\]:]")
_PARTS = re.compile(r"/|\*")
_MOST_UNKNOWN = 0.02
"""Share of minutes without a count beyond which a series is doubted. Ours."""


@dataclass(frozen=True, slots=True)
class MetricsOrder:
    """A server to ask, and where what it answers is written."""

    server: ApiServer
    queries: Mapping[str, str]
    """Step -> PromQL of a minute's count; `$region` stands for each region of the event."""
    counts: Path
    """A table file to write: a history by the minute."""
    event: str | None = None
    """Whose regions and steps it is for; a bundled scenario's name, or a YAML file."""
    last_s: float = 60 * 86400.0
    """How much of the past is asked for. Default: what a forecast by the week needs at the least; ours."""
    now_s: float = field(default_factory=time.time)
    """Since 1970."""


@dataclass(frozen=True, slots=True)
class SeriesImported:
    """One region's counts of one step."""

    region: str
    step: str
    minutes: int
    """With a count."""
    unknown: int
    """Minutes between the first count and the last without one."""
    total: float
    largest: float
    """Of a minute."""


@dataclass(frozen=True, slots=True)
class MetricsImported:
    """What a server told, and where it was written."""

    series: tuple[SeriesImported, ...]
    written: str
    doubts: tuple[str, ...]
    """Why it may be wrong, each with what to do."""


def import_metrics(order: MetricsOrder) -> MetricsImported:
    """Ask for counts and write them; UsageError where what is asked does not fit the event.

    HistoryError where the server does not answer, or no series has a count.
    """
    write = table_writer("--counts", order.counts)  # before the work, not after it
    queries = _queries(order)
    last_min = int(order.now_s // 60)
    first_min = last_min - round(order.last_s / 60)
    found = minutes_from_prometheus(
        order.server,
        {f"{region} {step}": q for (region, step), q in queries.items()},
        first_min,
        last_min,
    )
    tables, series = [], []
    for region, step in queries:
        counts = found[f"{region} {step}"]
        tables.append(_table(region, step, counts, first_min))
        series.append(_series(region, step, counts))
    if all(row.minutes == 0 for row in series):
        raise HistoryError(
            f"{order.server.url}: no query has a count in the last {order.last_s / 86400:g} days; try one in the "
            "server's own page"
        )
    table = pd.concat(tables, ignore_index=True)
    write_whole(order.counts, lambda path: write(table, path))
    return MetricsImported(
        tuple(series), str(order.counts), (*_query_doubts(order.queries), *_doubts(series))
    )


def _queries(order: MetricsOrder) -> dict[tuple[str, str], str]:
    """Return (region, step) -> what is asked."""
    scenario = load_scenario(order.event) if order.event else None
    regions = _regions(order, scenario)
    if scenario is not None and (strange := sorted(set(order.queries) - set(scenario.steps))):
        raise UsageError(
            f"--query: the event has no step '{strange[0]}'; it has {', '.join(scenario.steps)}"
        )
    return {
        (region, step): promql.replace(_REGION, region)
        for region in regions
        for step, promql in order.queries.items()
    }


def _regions(order: MetricsOrder, scenario: Scenario | None) -> tuple[str, ...]:
    """Return the regions that are asked for; UsageError where queries cannot tell them apart."""
    names = ("all",) if scenario is None else scenario.region_names
    told = [_REGION in promql for promql in order.queries.values()]
    if scenario is None and any(told):
        raise UsageError(f"--query: {_REGION} needs --event, whose regions it stands for")
    if len(names) > 1 and not all(told):
        raise UsageError(
            f"--query: the event has {len(names)} regions ({', '.join(names)}), which would all get the same "
            f'counts; write the label that tells them, as {{region="{_REGION}"}}'
        )
    return names


def _table(region: str, step: str, counts: Array, first_min: int) -> pd.DataFrame:
    """Return the minutes that have a count."""
    known = np.flatnonzero(np.isfinite(counts))
    at = pd.to_datetime(60 * (first_min + known), unit="s", utc=True)
    return pd.DataFrame({"time": at, "region": region, "step": step, "count": counts[known]})


def _series(region: str, step: str, counts: Array) -> SeriesImported:
    known = np.flatnonzero(np.isfinite(counts))
    span = known[-1] - known[0] + 1 if len(known) else 0
    return SeriesImported(
        region,
        step,
        minutes=len(known),
        unknown=int(span - len(known)),
        total=float(counts[known].sum()),
        largest=float(counts[known].max(initial=0.0)),
    )


def _query_doubts(queries: Mapping[str, str]) -> Iterator[str]:
    """Yield which queries do not tell what comes in a minute."""
    for step, written in queries.items():
        promql = _QUOTED.sub("", written)
        if _A_SECOND.search(promql) and not _TIMES.search(promql):
            yield (
                f"{step}: rate() tells what comes in a second, and counts are of a minute: write "
                "increase(NAME[1m]), or rate(NAME[1m]) * 60"
            )
        windows = set(_WINDOW.findall(promql)) - {"1m", "60s", "60000ms"}
        if windows and not _PARTS.search(promql):
            yield (
                f"{step}: increase over {', '.join(sorted(windows))} each minute counts what comes more, or less, "
                "than once: write increase(NAME[1m])"
            )


def _doubts(series: list[SeriesImported]) -> Iterator[str]:
    for row in series:
        if row.minutes == 0:
            yield f"{row.region} {row.step}: no count at all; check its query"
        elif row.unknown > _MOST_UNKNOWN * (row.minutes + row.unknown):
            share = row.unknown / (row.minutes + row.unknown)
            yield (
                f"{row.region} {row.step}: {row.unknown} minutes ({share:.1%}) have no count: the server kept "
                "none, or a counter began anew, or nothing happened: `or vector(0)` behind the query "
                "makes those zeros"
            )
