"""What a run teaches: `calibrate`, `explain` and `drill`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import (
    DemandOption,
    DurationOption,
    EventOption,
    HistoryOption,
    JsonOption,
    LogFormatOption,
    OutOption,
    QuantileOption,
    ScaleOption,
    SeedOption,
    SpeedOption,
    WindowOption,
    asked_of,
)
from gameday.cli.texts.replayed import station_words

if TYPE_CHECKING:
    from gameday.calibrate import Parameter, PredictionScore, Unidentified
    from gameday.experiments.diagnosis import Drill
    from gameday.jobs.calibrate import Calibrated
    from gameday.jobs.explain_finding import ExplainedFinding
    from gameday.record.intervals import Interval

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    for verb in (calibrate, explain, drill):
        app.command()(verb)


def calibrate(
    evidence: Annotated[
        list[str] | None,
        typer.Argument(
            help="runs (ids or folders), access logs with request times, traces (files or folders), the oldest "
            "first; default the newest run"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="YAML file for the overlay")] = Path("calibrated.yaml"),
    event: Annotated[
        str | None,
        typer.Option(
            help="the scenario; default the one that a run notes, logs and traces need it"
        ),
    ] = None,
    reports: OutOption = Path("reports"),
    log_format: LogFormatOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Learn a target's servers and times from runs, logs and traces; `--calibration FILE` lets the model use them.

    Example: gameday calibrate --out calibrated.yaml
    """
    from gameday.jobs.calibrate import CalibrationOrder
    from gameday.jobs.calibrate import calibrate as run
    from gameday.products import to_json
    from gameday.vocabulary import Seed

    order = CalibrationOrder(tuple(evidence or ()), out, reports, event, log_format, Seed(seed))
    done = run(order, lambda line: typer.echo(line, err=True))
    if as_json:
        rows = [to_json(row) for row in done.calibration.parameters]
        told = {
            "schema_version": 1,
            "written": str(done.written),
            "scenario_sha256": done.calibration.scenario_sha256,
            "parameters": rows,
            "drift": [to_json(row) for row in done.drift],
            "equivalents": [to_json(station) for station in done.calibration.equivalents],
            "score": None if done.score is None else to_json(done.score),
            "unidentified": [to_json(row) for row in done.calibration.unidentified],
            "notes": list(done.calibration.notes),
        }
        typer.echo(json.dumps(told))
    else:
        _say_calibrated(done)
    if done.is_doubted:
        raise typer.Exit(10)


def _say_calibrated(done: Calibrated) -> None:
    calibration = done.calibration
    differing = calibration.differing
    for station in done.calibration.equivalents:
        typer.echo(station_words(station))
    if calibration.parameters:
        borne_out = len(calibration.parameters) - len(differing)
        typer.echo(f"{borne_out} of {len(calibration.parameters)} parameters are as declared")
    for row in differing:
        typer.echo(f"  {_line(row)}")
    if done.drift:
        typer.echo("changed since the evidence before it:")
        for row in done.drift:
            typer.echo(f"  {_line(row, 'before')}")
    if calibration.unidentified:
        typer.echo("cannot be told from this evidence, what widens an order most first:")
        for unknown in calibration.unidentified:
            typer.echo(f"  {_unknown_line(unknown)}")
    for note in calibration.notes:
        typer.echo(f"  {note}")
    if done.score is not None:
        _say_score(done.score)
    typer.echo(f"written: {done.written}; gameday replay --calibration {done.written}")


def _say_score(score: PredictionScore) -> None:
    """Print how well half of the slots were predicted by a model that was fitted on the other half."""
    rows = sum(metric.rows for metric in score.metrics)
    typer.echo(
        f"calibrated on every other slot; of {rows} numbers measured in the others, {_per_cent(score.held)} "
        f"lie in the model's 95 % prediction intervals, {_per_cent(score.near)} in them or as near as HTTP and "
        "scrapes can tell (8 % + 2 ms of a p50, 15 % + 2 ms of a p99, 3 points of a utilisation)"
    )
    for metric in score.metrics:
        unit = "percentage points" if metric.metric == "utilisation" else "%"
        typer.echo(f"  {metric.metric}: mean absolute error {100 * metric.mean_error:.1f} {unit}")
    if score.is_doubtful:
        typer.echo(
            "doubt: surely fewer than nine in ten lie so near, so this evidence refutes the model as calibrated "
            "too; observe more services, or play a ladder (exit code 10)"
        )


def _unknown_line(row: Unidentified) -> str:
    line = f"{row.stack} {row.service}: {row.what}: {row.why}; add {row.add}"
    if row.widens is None:
        return line
    return f"{line} (an order may differ by {row.widens:.0%} if the declared number is up to 1.5 x off)"


def _line(row: Parameter, declared: str = "declared") -> str:
    band = row.measured
    interval = f" ({band.low:.4g} to {band.high:.4g})" if band.low < band.high else ""
    return (
        f"{row.stack} {row.service} {row.name}: {band.mid:.4g}{interval}, {declared} {row.declared:.4g}; "
        f"by {row.by}"
    )


def explain(
    finding: Annotated[str, typer.Argument(help="id of a finding, or a part that no other has")],
    run: Annotated[
        str | None, typer.Option(help="run id or its folder; default the newest")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="HTML file: the same with its picture; default in the run's folder"),
    ] = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Explain one finding: what was measured, why it is the cause, how severe it is, what to do.

    Example: gameday explain slower_service
    """
    from gameday.jobs.explain_finding import explain_finding
    from gameday.jobs.past_runs import run_summary
    from gameday.products import to_json
    from gameday.report import render_finding

    found = explain_finding(finding, run, out)
    told = to_json(found, schema_version=1)
    file = page or found.folder / f"explain-{found.id}.html"
    written = render_finding(told, run_summary(run, out), file)
    if as_json:
        typer.echo(json.dumps(told | {"page": str(written)}))
        return
    _say_finding(found)
    typer.echo(f"picture: {written}")


def _say_finding(found: ExplainedFinding) -> None:
    typer.echo(f"{found.severity} {found.title}")
    typer.echo(f"  {found.severity}: {found.because}")
    typer.echo(f"  {found.measured}")
    for step in found.steps:
        typer.echo(f"  - {step}")
    if found.cause:
        typer.echo(f"  follows from: {found.cause}")
    for title, lines in (("symptoms", found.symptoms), ("follows from it", found.follows)):
        for line in lines:
            typer.echo(f"  {title}: {line}")
    typer.echo(f"  what to do: {found.what_to_do}")
    for line in found.answered_by:
        typer.echo(f"  answered by {line}")


def drill(
    event: EventOption,
    faults: Annotated[
        int, typer.Option(min=1, max=10_000, help="hidden ones, all kinds in turn")
    ] = 52,
    window: WindowOption = "peak",
    speed: SpeedOption = None,
    duration: DurationOption = None,
    scale: ScaleOption = "auto",
    quantile: QuantileOption = None,
    history: HistoryOption = None,
    demand: DemandOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Hide faults in the model of a scenario, and say how many a replay would name; send nothing.

    Example: gameday drill --event primeday --faults 300
    """
    from gameday.jobs.drill import drill_order
    from gameday.jobs.one_run.order import Order, Past
    from gameday.live import Show
    from gameday.products import to_json
    from gameday.vocabulary import Seed

    order = Order(
        event=event,
        seed=Seed(seed),
        out=Path("reports"),
        asked=asked_of(window, speed, duration, scale, quantile),
        past=Past(history, demand),
    )
    found = drill_order(order, faults, Show())
    if as_json:
        told = to_json(found, schema_version=1)
        for row, attempt in zip(told["attempts"], found.attempts, strict=True):
            row["fault"].pop("fields")
            row |= {"service_right": attempt.is_service_right, "kind_right": attempt.is_kind_right}
        typer.echo(json.dumps(told))
    else:
        _say_drill(found)


def _say_drill(found: Drill) -> None:
    tried = len(found.attempts)
    typer.echo(
        f"{tried} faults hidden in the model: the right service first {_share(found.service_right)}, the right "
        f"kind too {_share(found.kind_right)}; in {found.false} of {found.healthy} runs without a fault "
        "a cause was named (a false alarm)"
    )
    for score in found.kinds:
        typer.echo(
            f"  {score.kind:<20} service {score.service_right} of {score.tried}, kind {score.kind_right}"
        )
    for kind in found.not_felt:
        typer.echo(
            f"  {kind:<20} not tried: no service has it, or nobody would notice it in this window"
        )
    worst = [score for score in found.services if score.service_right < score.tried]
    for service in worst[:5]:
        taken = ", ".join(f"{name} {count}" for name, count in service.taken_for)
        typer.echo(
            f"faults in {service.stack} {service.service}: {service.service_right} of {service.tried} named; "
            f"taken for {taken}"
        )
    for line in found.advice:
        typer.echo(line)


def _share(interval: Interval) -> str:
    return f"in {_per_cent(interval)}"


def _per_cent(interval: Interval) -> str:
    if interval.mid is None or interval.low is None or interval.high is None:
        return "none"
    return f"{interval.mid:.0%} ({interval.low:.0%} to {interval.high:.0%})"
