"""Runs that were: `runs`, `report`, `findings`, `orders`, `compare`, and the running one: `watch`, `stop`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.lives import say_known
from gameday.cli.options import JsonOption, LivesOption, OutOption, RunArgument
from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.jobs.orders import Reconciled

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    for verb in (runs, report, findings, orders, compare, watch, stop):
        app.command()(verb)


def runs(
    event: Annotated[str | None, typer.Option(help="of one event, by its name")] = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first.

    Example: gameday runs
    """
    from dataclasses import asdict

    from gameday.jobs.past_runs import past_runs

    rows = past_runs(out, event)
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "runs": [asdict(row) for row in rows]}))
        return
    for row in rows:
        gone = "" if (Path(row.folder) / "run.json").is_file() else "  (is not there any more)"
        typer.echo(
            f"{row.run_id:<24}{row.event:<24}{row.verdict:<9}{row.exit_code:>3}  {row.folder}{gone}"
        )
    if not rows:
        where = out.absolute()
        typer.echo(f"no run yet under {where}" + ("" if out.is_dir() else ": no such folder"))


def report(
    run: RunArgument = None, out: OutOption = Path("reports"), as_json: JsonOption = False
) -> None:
    """Render a run's report again, or what is left of a run that was killed.

    Example: gameday report 20270713T090000-ab12
    """
    from gameday.jobs.past_runs import read_json, run_folder
    from gameday.report import render_remains, render_report
    from gameday.safety import is_playing

    folder = run_folder(run, out)
    verdict = read_json(folder / "run.json").get("verdict", "ABORTED")
    whole = folder / "summary.json"
    if whole.is_file():
        page = render_report(read_json(whole), folder)
    else:
        is_over = verdict == "RUNNING" and not is_playing(folder)
        page = render_remains(folder, verdict="ABORTED" if is_over else verdict)
    typer.echo(json.dumps({"schema_version": 1, "report": str(page)}) if as_json else str(page))


def _since(finding: dict[str, Any]) -> str:
    first = finding["first_breach_local"]
    return f", since {first}" if first else ""


def findings(
    run: RunArgument = None,
    known: Annotated[
        bool, typer.Option("--known", help="as they stand over all runs: owner, due, state")
    ] = False,
    event: LivesOption = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """List a run's findings, worst first; or all that are known of an event, as they stand.

    Example: gameday findings --known --event primeday-2027
    """
    from gameday.jobs.past_runs import run_summary

    if known:
        say_known(event, out, as_json=as_json)
        return

    found = run_summary(run, out)["findings"]
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "findings": found}))
        return
    for f in found:
        typer.echo(
            f"{f['severity']}  {f['title']}: {f['value']['mid']:.4g} {f['unit']} "
            f"(bound {f['bound']:g}), {f['doubt'] or f['basis']}{_since(f)}"
        )
    if not found:
        typer.echo("none")


def compare(
    first: Annotated[str, typer.Argument(help="run id or folder")],
    second: Annotated[str, typer.Argument(help="run id or folder")],
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Compare two runs: verdicts, objectives, findings, and conditions that differ.

    Example: gameday compare 20270701T090000-ab12 20270708T090000-cd34
    """
    from gameday.jobs.past_runs import run_summary
    from gameday.products import to_json
    from gameday.report import COMPARISON_SCHEMA_VERSION, compare_summaries

    compared = compare_summaries(run_summary(first, out), run_summary(second, out))
    if as_json:
        typer.echo(json.dumps(to_json(compared, schema_version=COMPARISON_SCHEMA_VERSION)))
        return
    for warning in compared.warnings:
        typer.echo(f"WARNING: {warning}")
    for name, (before, after) in compared.other_conditions.items():
        typer.echo(f"differs: {name}: {before} -> {after}")
    typer.echo(f"verdict: {compared.verdicts[0]} -> {compared.verdicts[1]}")
    for row in compared.objectives:
        typer.echo(f"{row.stack:<8}{row.objective:<34}{row.first:>12} -> {row.second}")
    for text, findings in (("new", compared.new_findings), ("gone", compared.gone_findings)):
        for finding in findings:
            typer.echo(f"{text}: {finding}")


def watch(
    run: RunArgument = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
    web: Annotated[bool, typer.Option("--web", help="show it on a page, until Ctrl-C")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="of the page, on 127.0.0.1; 0: a free one")
    ] = 0,
) -> None:
    """Follow a run's journal until it ends, or its numbers on a page.

    Example: gameday watch --web
    """
    from gameday.jobs.past_runs import read_json, run_folder
    from gameday.safety import is_playing

    folder = run_folder(run, out)
    if web:
        _serve(folder, port, as_json=as_json)
        return
    with (folder / "journal.jsonl").open(encoding="utf-8") as journal:
        while True:
            if line := journal.readline():
                _tell_entry(json.loads(line), as_json=as_json)
                continue
            manifest = read_json(folder / "run.json")
            if manifest["verdict"] != "RUNNING" or not is_playing(folder):
                break
            time.sleep(0.3)
    if manifest["verdict"] == "RUNNING":
        typer.echo(f"{manifest['run_id']} was killed: its journal has no end", err=True)


def _tell_entry(entry: dict[str, Any], *, as_json: bool) -> None:
    """Print a journal's entry."""
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, **entry}))
        return
    facts = {name: value for name, value in entry.items() if name not in ("at", "what")}
    shown = " ".join(f"{name}={value}" for name, value in facts.items())
    typer.echo(f"{entry['at'][11:19]}  {entry['what']}  {shown}")


def _serve(folder: Path, port: int, *, as_json: bool) -> None:
    """Serve a run's page and say where."""
    from gameday.jobs.past_runs import read_json
    from gameday.live import serve_page

    def ready(url: str) -> None:
        typer.echo(
            json.dumps({"schema_version": 1, "url": url}) if as_json else f"{folder.name}: {url}"
        )

    steps = list(read_json(folder / "scenario.json")["steps"])
    serve_page(folder, steps, port=port, ready=ready)


def stop(
    run: RunArgument = None, out: OutOption = Path("reports"), as_json: JsonOption = False
) -> None:
    """Ask the running run to ramp down and end, within 5 seconds.

    Example: gameday stop
    """
    from gameday.jobs.past_runs import read_json, run_folder
    from gameday.safety import ask_to_stop, is_playing

    folder = run_folder(run, out)
    manifest = read_json(folder / "run.json")
    if manifest["verdict"] != "RUNNING" or not is_playing(folder):
        verdict = manifest["verdict"]
        ended = "it was killed" if verdict == "RUNNING" else f"it ended {verdict}"
        raise UsageError(f"{manifest['run_id']} is not running ({ended})")
    try:
        ask_to_stop(folder)
    except OSError as error:
        remedy = f"end it by its process: kill -INT {manifest['pid']}"
        raise UsageError(f"{folder}: cannot be written ({error.strerror}); {remedy}") from None
    asked = {"schema_version": 1, "asked_to_stop": manifest["run_id"]}
    typer.echo(json.dumps(asked) if as_json else f"asked {manifest['run_id']} to stop")


_MOST_ORDERS = 10
"""Orders that are named."""


def orders(
    run: RunArgument = None,
    reconcile: Annotated[
        Path | None, typer.Option(help="CSV of the shop's own orders, with their keys or numbers")
    ] = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Name the file of a run's orders, or compare them with the shop's; exit code 1 where one is lost or twice.

    Example: gameday orders --reconcile export.csv
    """
    from gameday.jobs.orders import reconcile as compare
    from gameday.jobs.past_runs import run_folder
    from gameday.products import to_json

    if reconcile is None:
        file = run_folder(run, out) / "orders.csv"
        if not file.is_file():
            raise UsageError(
                f"{file}: is not there: the run ended before its load, placed no order, or is an older one; "
                "`gameday runs` lists the others"
            )
        told = {"schema_version": 1, "orders": str(file)}
        typer.echo(json.dumps(told) if as_json else str(file))
        return
    found = compare(run, reconcile, out)
    if as_json:
        typer.echo(json.dumps(to_json(found, schema_version=1)))
    else:
        _say_orders(found)
    raise typer.Exit(found.exit_code)


def _say_orders(found: Reconciled) -> None:
    typer.echo(
        f"run {found.run}: {found.placed} orders placed, {found.confirmed} confirmed, {found.unknown} without a "
        f"good reply; compared by {found.matched_by} with column '{found.column}'"
    )
    for words, names in (
        ("confirmed, and not in the shop", found.confirmed_missing),
        ("in the shop more than once", found.twice),
        ("in the shop though the customer never heard so", found.unknown_there),
    ):
        more = f" and {len(names) - _MOST_ORDERS} more" if len(names) > _MOST_ORDERS else ""
        told = f": {', '.join(names[:_MOST_ORDERS])}{more}" if names else ""
        typer.echo(f"  {len(names)} {words}{told}")
    typer.echo(f"  {found.not_of_run} rows of the shop's file are not of this run")
    for note in found.notes:
        typer.echo(f"  {note}")
