"""`gameday history import`: journeys from a shop's own logs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.log_import import events_of_log, order_step, read_logs
from gameday.errors import UsageError
from gameday.history.readers import readable_kinds, writable_kinds

if TYPE_CHECKING:
    from gameday.history.importers import Clickstream
    from gameday.scenario import Scenario
    from gameday.traffic.journeys import Calibration

__all__ = ["add_to"]

_COLUMNS = ("time", "event", "session", "user", "category", "region", "product", "price")


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    group = typer.Typer(no_args_is_help=True, help="What a shop's own logs say of its customers.")
    group.callback()(lambda: None)  # a group of one verb is still a group
    group.command("import")(import_)
    app.add_typer(group, name="history")


def import_(
    clickstream: Annotated[
        Path | None, typer.Option(help=f"{readable_kinds()}, a row an event")
    ] = None,
    access_log: Annotated[
        list[Path] | None,
        typer.Option(help="Common, Combined, nginx JSON, load balancer; gzip too; repeatable"),
    ] = None,
    event: Annotated[
        str | None, typer.Option(help="whose regions, steps and history.urls it is for")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help=f"as time=NAME,event=NAME; of {', '.join(_COLUMNS)}; a NAME may be none"),
    ] = None,
    regions: Annotated[
        str | None,
        typer.Option(
            help="regions of the log as ours: 'United Kingdom=uk,EIRE=ie'; others are left out"
        ),
    ] = None,
    steps: Annotated[
        str | None, typer.Option(help="event types as steps: view=product,purchase=checkout")
    ] = None,
    counts: Annotated[
        Path | None, typer.Option(help=f"{writable_kinds()} to write: a history, by the minute")
    ] = None,
    out: Annotated[Path, typer.Option(help="the YAML to write: journeys, products")] = Path(
        "journeys.yaml"
    ),
    page: Annotated[
        Path | None, typer.Option(help="HTML file: how well they tell sessions held out")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Fit journeys to a shop's own log, and say how well they tell the sessions they were not fitted to.

    Example: gameday history import --clickstream events.parquet --out journeys.yaml
    """
    _check(clickstream, access_log, mapped=bool(columns or steps or regions))
    from gameday.files import scratch_folder
    from gameday.scenario import load_scenario

    scenario = load_scenario(event) if event else None
    written = _Written(out, page, as_json, counts if clickstream is not None else None)
    if clickstream is not None:
        _import(clickstream, _how(columns, steps, regions, scenario), scenario, {}, written)
        return
    with scratch_folder("import") as folder:
        events = folder / "events.parquet"
        log = read_logs(access_log or [], scenario, events)
        if counts is not None:
            _write_counts(log["minutes"], counts)
        _import(events, events_of_log(scenario), scenario, log, written)


def _check(clickstream: Path | None, access_log: list[Path] | None, *, mapped: bool) -> None:
    """Raise UsageError where options do not belong together."""
    if (clickstream is None) == (not access_log):
        raise UsageError("give --clickstream FILE, or --access-log FILE (one of them)")
    if clickstream is None and mapped:
        raise UsageError(
            "--columns, --steps and --regions are for --clickstream; history.urls of --event maps access logs"
        )


@dataclass(frozen=True, slots=True)
class _Written:
    """Where what is found goes."""

    out: Path
    page: Path | None
    as_json: bool
    counts: Path | None
    """Of a clickstream; those of access logs are written where robots are told."""


def _import(
    events: Path, how: Clickstream, scenario: Scenario | None, log: dict[str, Any], to: _Written
) -> None:
    """Fit journeys to events, write them, and tell."""
    from gameday.files import write_whole
    from gameday.history.importers import MinuteCounts, assess_grains, read_clickstream
    from gameday.products import to_json
    from gameday.scenario.reading import to_yaml
    from gameday.traffic.journeys import calibrate, propose

    zones = {} if scenario is None else {n: region.zone for n, region in scenario.regions.items()}
    order = order_step(scenario)
    minutes = MinuteCounts() if to.counts is not None else None
    seen = read_clickstream(events, how, minutes)
    if strange := sorted(set(seen.regions) - set(zones)) if zones else []:
        raise UsageError(
            f"--columns region: the log has '{strange[0]}', the event {', '.join(zones)}; "
            f"say which is which, as in --regions '{strange[0]}={next(iter(zones))}'"
        )
    found = calibrate(seen, zones=zones, order=order)
    text = to_yaml(to_json(propose(found, list(zones))) | log.get("map", {}))
    write_whole(to.out, lambda path: path.write_text(text, encoding="utf-8"))
    told = _told(found) | {"schema_version": 2, "written": str(to.out), "log": log.get("told")}
    if minutes is not None and to.counts is not None:
        table = minutes.table()
        _write_counts(table, to.counts)
        told["counts"] = [to_json(series) for series in assess_grains(table)]
    if to.page is not None:
        from gameday.report import render_import

        told["page"] = str(
            render_import(told | {"of": events.name, "sessions": seen.count}, to.page)
        )
    if to.as_json:
        typer.echo(json.dumps(told, allow_nan=False))
        return
    for line in log.get("said", ()):
        typer.echo(line)
    _say(found, seen.count, order)
    if order not in seen.steps:
        typer.echo(f"  no event is the step {order}: nobody is told as a buyer")
    for row in told.get("counts", ()):
        typer.echo(_permitted(row))
    typer.echo(f"written: {to.out}" + (f"; how well: {to.page}" if to.page else ""))


def _write_counts(table: Any, file: Path) -> None:
    """Write counts a minute as a history file."""
    from gameday.files import write_whole
    from gameday.history.readers import find_reader, writable_suffixes

    kind = find_reader(file)
    write = None if kind is None else kind.write_table
    if write is None:
        raise UsageError(f"--counts: must end in {writable_suffixes()} (got '{file.name}')")
    write_whole(file, lambda path: write(table, path))


def _permitted(row: dict[str, Any]) -> str:
    """Return how finely counts can be told, in a line."""
    seen = [
        f"{minutes} min: {one['mean']:.3g} a bin, {one['empty']:.0%} empty, chance alone {one['noise']:+.0%}, "
        f"dispersion {one['dispersion']:.2g}"
        for minutes, one in row["grains"].items()
        if one
    ]
    finest = f"{row['finest_min']} min" if row["finest_min"] else "none, not even a day"
    return f"{row['region']} {row['step']}, {row['count']} events; {'; '.join(seen)}. Finest grain: {finest}"


def _how(
    columns: str | None, steps: str | None, regions: str | None, scenario: Scenario | None
) -> Clickstream:
    """Return how a clickstream is written; a type called as a step of the scenario is that step."""
    from gameday.history.importers import Clickstream

    named = _pairs("--columns", columns)
    if unknown := sorted(set(named) - set(_COLUMNS)):
        raise UsageError(f"--columns: unknown '{unknown[0]}'; there are {', '.join(_COLUMNS)}")
    chosen: dict[str, Any] = {k: None if v == "none" else v for k, v in named.items()}
    mapped = _pairs("--steps", steps)
    if chosen.get("time", "") is None:
        raise UsageError("--columns: time cannot be none")
    if chosen.get("event", "") is None and "*" not in mapped:
        raise UsageError(
            "--columns: without an event type say which step all rows are: --steps '*=checkout'"
        )
    if regions and not chosen.get("region"):
        raise UsageError("--regions needs the column that says them: --columns region=NAME")
    own = {step: step for step in scenario.steps} if scenario is not None else {}
    return Clickstream(**chosen, steps=own | mapped, regions=_pairs("--regions", regions))


def _pairs(flag: str, text: str | None) -> dict[str, str]:
    out = {}
    for part in filter(None, (text or "").split(",")):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (name and equals and value):
            raise UsageError(f"{flag}: must read NAME=VALUE,NAME=VALUE (got '{part}')")
        out[name] = value
    return out


def _told(found: Calibration) -> dict[str, Any]:
    """Return all of it in plain data, for programs and for the page."""
    from gameday.products import to_json

    return {
        "journeys": [
            {
                "name": one.name,
                "share": one.share,
                "sessions": one.sessions,
                "block": to_json(one.block("8s")),
                "regions": one.regions,
                "hours": one.hours,
                "products": one.products,
                "counts": one.counts.tolist(),
                "chances": one.chances.tolist(),
                "intervals": [side.tolist() for side in one.intervals()],
                "rows": ["start", *one.steps],
                "columns": [*one.steps, "exit"],
                "pauses": {
                    step: {
                        "law": p.name,
                        "count": p.count,
                        "held_out": p.held_out,
                        "log_likelihood": p.log_likelihood,
                        "distance": p.distance,
                        "quantiles": {level: list(pair) for level, pair in p.quantiles.items()},
                    }
                    for step, p in one.pauses.items()
                },
            }
            for one in found.journeys
        ],
        "products": [asdict(one) for one in found.products],
        "buys": [to_json(row) for row in found.buys],
        "held_out": to_json(found.held_out),
        "notes": list(found.notes),
    }


def _say(found: Calibration, sessions: int, order_step: str) -> None:
    typer.echo(f"{sessions} sessions")
    for note in found.notes:
        typer.echo(f"  {note}")
    typer.echo(f"{'journey':<16} {'share':>8} {'fitted to':>10}  pauses")
    for one in found.journeys:
        laws = ", ".join(f"{step}: {p.name}" for step, p in one.pauses.items())
        typer.echo(f"{one.name:<16} {one.share:>8.1%} {one.sessions:>10}  {laws}")
    for row in found.buys[:3]:
        seen = row.product_type
        what = "sessions" if seen == "all" else f"sessions that saw {seen}"
        typer.echo(
            f"of {row.sessions} {what} {row.buying} bought: {row.share:.2%} "
            f"({row.low:.2%} to {row.high:.2%})"
        )
    held = found.held_out
    typer.echo(f"of {held.sessions} sessions held out (95 % interval):")
    typer.echo(f"{'step':<16} {'mix told':>9} {'seen':>8} {'ever told':>10} {'seen':>8}")
    for step, fit in held.steps.items():
        typer.echo(
            f"{step:<16} {fit.mix_told:>9.2%} {fit.mix_seen:>8.2%} {fit.ever_told:>10.2%} "
            f"{fit.ever_seen:>8.2%} ({fit.ever_low:.2%} to {fit.ever_high:.2%})"
        )
    length = held.length
    typer.echo(
        f"steps a session: told {length.mean_told:.2f}, seen {length.mean_seen:.2f}; largest gap of their "
        f"distributions {length.distance:.3f} (chance alone: {length.chance:.3f})"
    )
    for name, of_type in held.types.items():
        order, length = of_type.steps.get(order_step), of_type.length
        if order is not None:
            typer.echo(
                f"held out, about {name} ({of_type.sessions}): bought told {order.ever_told:.2%}, seen "
                f"{order.ever_seen:.2%} ({order.ever_low:.2%} to {order.ever_high:.2%}); steps told "
                f"{length.mean_told:.2f}, seen {length.mean_seen:.2f}, gap "
                f"{length.distance:.3f} (chance: {length.chance:.3f})"
            )
