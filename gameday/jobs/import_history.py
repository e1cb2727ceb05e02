"""Journeys fitted to a shop's own log: written for a scenario to include, and how well they predict sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd

from gameday.errors import HistoryError, UsageError
from gameday.files import scratch_folder, write_whole
from gameday.history.exports import EXPORTS, Export, export_of
from gameday.history.importers import (
    Clickstream,
    MinuteCounts,
    SeriesGrains,
    Sessions,
    assess_grains,
    read_clickstream,
)
from gameday.history.readers import reader_of, table_writer
from gameday.jobs.access_logs import (
    AccessLogAnswer,
    AccessLogOrder,
    AccessLogs,
    events_of_log,
    read_logs,
    zone_of,
)
from gameday.products import WhereKnown, to_json
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading import to_yaml
from gameday.traffic.journeys import (
    PATIENCE,
    Calibration,
    ChainLosses,
    Conversion,
    FittedJourney,
    FittedPause,
    GoodnessByType,
    JourneyBlock,
    Proposal,
    calibrate,
    propose,
    session_table,
    walked,
)
from gameday.traffic.plan import ProductMix

__all__ = ["ImportAnswer", "ImportOrder", "Imported", "JourneyAnswer", "import_history"]


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """A log to import, a clickstream or access logs, and where what is found is written."""

    out: Path
    """YAML: journeys, and product types where the log has any."""
    clickstream: Path | None = None
    access_logs: AccessLogOrder = field(default_factory=AccessLogOrder)
    event: str | None = None
    """Whose regions, steps and `history.urls` it is for; a bundled scenario's name, or a YAML file."""
    export: str | None = None
    """Whose export a clickstream is, a name of `EXPORTS`; None: its columns tell."""
    columns: Mapping[str, str | None] = field(default_factory=dict)
    """Field of `Clickstream` -> its column in the log; None: there is none."""
    steps: Mapping[str, str] = field(default_factory=dict)
    """Event type in the log -> step; `*`: of all rows."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """Region in the log -> ours."""
    time_zone: str | None = None
    """Of times without an offset; None: UTC."""
    counts: Path | None = None
    """A table file to write: a history by the minute."""
    walks: str = "chain"
    """`sessions`: journeys play the observed sessions whole; they are written beside `out`."""


@dataclass(frozen=True, slots=True)
class PauseAnswer:
    """The law of the pause after a step, as `FittedPause`."""

    law: str
    """Its name."""
    count: int
    held_out: int
    log_likelihood: dict[str, float]
    distance: float | None
    quantiles: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class JourneyAnswer:
    """A journey and what it was fitted to, as `FittedJourney`."""

    name: str
    share: float
    sessions: int
    block: JourneyBlock
    regions: dict[str, float]
    hours: list[float] | None
    products: dict[str, float]
    counts: list[list[float]]
    """Transitions, rows by `rows`, columns by `columns`."""
    chances: list[list[float]]
    intervals: tuple[list[list[float]], list[list[float]]]
    """Of the chances, 95 %: lower ends, upper ends."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    pauses: dict[str, PauseAnswer]


@dataclass(frozen=True, slots=True)
class ImportAnswer:
    """What a log says of its customers, and where it was written."""

    journeys: tuple[JourneyAnswer, ...]
    products: tuple[ProductMix, ...]
    buys: tuple[Conversion, ...]
    held_out: GoodnessByType
    losses: ChainLosses
    notes: tuple[str, ...]
    written: str
    walks: str
    """`chain`, or `sessions`: what the journeys that were written play."""
    log: AccessLogAnswer | None
    """None: it was a clickstream."""
    doubts: tuple[str, ...] = ()
    """Why what was found may be wrong, each with what to write to change it."""
    counts: Annotated[tuple[SeriesGrains, ...] | None, WhereKnown] = None
    """How finely a clickstream's counts can be told, where they were written."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A log that was imported."""

    answer: ImportAnswer
    source: str
    """Name of the file with the events."""
    sessions: int
    order_step: str
    """The step that orders."""
    has_orders: bool
    """Whether any event is that step."""
    log_lines: tuple[str, ...]
    """What was read of access logs, in words; none for a clickstream."""


def import_history(order: ImportOrder) -> Imported:
    """Fit journeys to a log and write them; UsageError where the log cannot be read as asked.

    HistoryError where nothing of a customer is in it.
    """
    if order.counts is not None:
        table_writer("--counts", order.counts)  # before the work, not after it
    scenario = load_scenario(order.event) if order.event else None
    if order.clickstream is not None:
        return _import_clickstream(order, order.clickstream, scenario)
    with scratch_folder("import") as folder:
        events = folder / "events.parquet"
        logs = read_logs(order.access_logs, scenario, events, zone_of(order.time_zone))
        sessions = read_clickstream(events, events_of_log(scenario))
    imported = _fit(order, events.name, sessions, scenario, logs)
    if order.counts is not None:
        _write_counts(logs.minutes, order.counts)
    return imported


def _import_clickstream(order: ImportOrder, file: Path, scenario: Scenario | None) -> Imported:
    minutes = MinuteCounts() if order.counts is not None else None
    sessions = read_clickstream(file, _columns_and_names(order, file, scenario), minutes)
    imported = _fit(order, file.name, sessions, scenario)
    if minutes is None or order.counts is None:
        return imported
    table = minutes.table()
    _write_counts(table, order.counts)
    return replace(imported, answer=replace(imported.answer, counts=tuple(assess_grains(table))))


def _columns_and_names(order: ImportOrder, file: Path, scenario: Scenario | None) -> Clickstream:
    """Return how a clickstream is written; a type called as a step of the scenario is that step."""
    export = _export(order, file)
    columns: dict[str, Any] = {**order.columns}
    told = dict[str, str | None]()
    if export is not None:
        columns = {**export.found(reader_of(file).read_parts(file, ()).columns), **order.columns}
        told = {**export.steps}
    _check_columns(columns, {*told, *order.steps}, order)
    own = {step: step for step in scenario.steps} if scenario is not None else {}
    return Clickstream(
        **columns,
        is_session_of_user=export is not None and export.is_session_of_user,
        steps={**own, **told, **order.steps},
        known_steps=frozenset(scenario.steps) if scenario is not None else None,
        regions={**order.regions},
        zone=zone_of(order.time_zone),
    )


def _check_columns(columns: dict[str, Any], types: set[str], order: ImportOrder) -> None:
    """Raise UsageError where the columns cannot tell steps; `types` are those of events that are known."""
    if columns.get("time", "") is None:
        raise UsageError("--columns: time cannot be none")
    if columns.get("event", "") is None and "*" not in types:
        raise UsageError(
            "--columns: without an event type say which step all rows are: --steps '*=checkout'"
        )
    if order.regions and not columns.get("region"):
        raise UsageError("--regions needs the column that says them: --columns region=NAME")


def _export(order: ImportOrder, file: Path) -> Export | None:
    """Return the tool whose export a clickstream is: as said, or as its columns say where none are mapped."""
    if order.export is not None:
        if order.export not in EXPORTS:
            raise UsageError(f"--from: must be one of {', '.join(EXPORTS)} (got '{order.export}')")
        return EXPORTS[order.export]
    if order.columns:
        return None
    if not file.is_file():
        raise UsageError(f"{file}: no such file; check --clickstream")
    return export_of(reader_of(file).read_parts(file, ()).columns)


def _fit(
    order: ImportOrder,
    source: str,
    sessions: Sessions,
    scenario: Scenario | None,
    logs: AccessLogs | None = None,
) -> Imported:
    """Fit journeys to sessions and write them."""
    zones = {} if scenario is None else {n: region.zone for n, region in scenario.regions.items()}
    _check_regions(sessions, zones)
    order_step = _order_step(scenario)
    log = None if logs is None else logs.answer
    doubts = (*(() if log is None else log.doubts), *sessions.doubts)
    found = _calibrated(sessions, zones, order_step, doubts)
    proposal = propose(found, list(zones))
    if order.walks == "sessions":
        proposal = _with_sessions(proposal, found, order.out)
    _write_proposal(proposal, {} if log is None else log.proposed, order.out)
    return Imported(
        answer=_answer(order, found, log, doubts),
        source=source,
        sessions=sessions.count,
        order_step=order_step,
        has_orders=order_step in sessions.steps,
        log_lines=() if logs is None else logs.lines,
    )


def _calibrated(
    sessions: Sessions, zones: dict[str, str], order_step: str, doubts: tuple[str, ...]
) -> Calibration:
    """Return journeys fitted to sessions; HistoryError where they are too few, with why that may be."""
    try:
        return calibrate(sessions, zones=zones, order=order_step)
    except HistoryError as error:
        raise HistoryError("; ".join((str(error), *doubts))) from None


def _with_sessions(proposal: Proposal, found: Calibration, out: Path) -> Proposal:
    """Return the proposal with journeys that play observed sessions, and write those beside it."""
    file = out.with_name(f"{out.stem}-sessions.parquet")
    table = session_table(found)
    write_whole(file, lambda path: table.to_parquet(path, index=False))
    blocks = {
        name: walked(block, file.name)
        for name, block in proposal.journeys.items()
        if isinstance(block, JourneyBlock)
    }
    return replace(proposal, journeys=blocks)


def _check_regions(sessions: Sessions, zones: dict[str, str]) -> None:
    """Raise UsageError where a log has regions that the scenario has not; `zones` are the scenario's."""
    if strange := sorted(set(sessions.regions) - set(zones)) if zones else []:
        raise UsageError(
            f"--columns region: the log has '{strange[0]}', the event {', '.join(zones)}; "
            f"say which is which, as in --regions '{strange[0]}={next(iter(zones))}'"
        )


def _order_step(scenario: Scenario | None) -> str:
    """Return the step that orders: what the scenario says of its steps, else what they are called."""
    steps = {} if scenario is None else scenario.steps
    placing = [name for name, step in steps.items() if step.places_order]
    named = [name for name in ("checkout", "order") if name in (placing or steps)]
    return next(iter([*named, *placing]), "checkout")


def _write_proposal(proposal: Proposal, urls: dict[str, list[str]], file: Path) -> None:
    """Write what a scenario includes; `urls`: step -> rules of a map that was proposed, if any was."""
    text = to_yaml(to_json(proposal) | ({"history": {"urls": urls}} if urls else {}))
    write_whole(file, lambda path: path.write_text(text, encoding="utf-8"))


def _write_counts(table: pd.DataFrame, file: Path) -> None:
    """Write counts a minute as a history file."""
    write = table_writer("--counts", file)
    write_whole(file, lambda path: write(table, path))


def _answer(
    order: ImportOrder, found: Calibration, log: AccessLogAnswer | None, doubts: tuple[str, ...]
) -> ImportAnswer:
    return ImportAnswer(
        journeys=tuple(_journey(journey) for journey in found.journeys),
        products=found.products,
        buys=found.buys,
        held_out=found.held_out,
        losses=found.losses,
        notes=found.notes,
        written=str(order.out),
        walks=order.walks,
        log=log,
        doubts=(
            *doubts,
            *(() if order.walks == "sessions" else _doubts(found)),
        ),
    )


def _doubts(found: Calibration) -> Iterator[str]:
    """Yield what the fitted journeys tell otherwise than the sessions held out."""
    for step, fit in found.held_out.misfits.items():
        yield (
            f"{step}: the journeys bring {fit.ever_told:.2%} of sessions there, of those held out "
            f"{fit.ever_seen:.2%} came ({fit.ever_low:.2%} to {fit.ever_high:.2%}): what comes next depends on "
            "more than the step before; `--walks sessions` plays the sessions whole"
        )


def _journey(journey: FittedJourney) -> JourneyAnswer:
    low, high = journey.intervals()
    return JourneyAnswer(
        name=journey.name,
        share=journey.share,
        sessions=journey.sessions,
        block=journey.block(PATIENCE),
        regions=journey.regions,
        hours=journey.hours,
        products=journey.products,
        counts=journey.counts.tolist(),
        chances=journey.chances.tolist(),
        intervals=(low.tolist(), high.tolist()),
        rows=("start", *journey.steps),
        columns=(*journey.steps, "exit"),
        pauses={step: _pause(pause) for step, pause in journey.pauses.items()},
    )


def _pause(pause: FittedPause) -> PauseAnswer:
    return PauseAnswer(
        law=pause.name,
        count=pause.count,
        held_out=pause.held_out,
        log_likelihood=pause.log_likelihood,
        distance=pause.distance,
        quantiles=pause.quantiles,
    )
