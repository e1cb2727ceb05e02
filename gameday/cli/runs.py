"""Runs that were: `runs`, `report`, `findings`, `compare`, and the running one: `watch`, `stop`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.ledger import RunRow

__all__ = ["OutOption", "add_to", "last_summary", "run_folder"]

OutOption = Annotated[Path, typer.Option(help="folder of all runs")]
RunArgument = Annotated[str | None, typer.Argument(help="run id or its folder; default the newest")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    for verb in (runs, report, findings, compare, watch, stop):
        app.command()(verb)


def _rows(out: Path, event: str | None = None) -> list[RunRow]:
    """Return the ledger's runs; one that nobody plays any more and that has no end was aborted."""
    from dataclasses import replace

    from gameday.ledger import Ledger

    if not (out / "ledger.sqlite3").is_file():
        return []
    ledger = Ledger(out)
    rows = ledger.runs(event)
    ledger.close()
    _forget_killed(out)
    return [
        replace(row, verdict="ABORTED", exit_code=4)
        if row.verdict == "RUNNING" and not _plays(Path(row.folder))
        else row
        for row in rows
    ]


def _plays(folder: Path) -> bool:
    from gameday.safety import is_playing

    return is_playing(folder)


def _forget_killed(out: Path) -> None:
    """Leave no secret of a run that was killed: what it holds of feeds and headers is masked now."""
    if next(out.glob("*/*/*swarm*.json"), None) is not None:
        from gameday.swarm.control import forget_killed

        forget_killed(out)


def run_folder(run: str | None, out: Path) -> Path:
    """Return a run's folder; UsageError says where was looked for one that is not there."""
    if run is not None and (Path(run) / "run.json").is_file():
        return Path(run)
    rows = [row for row in _rows(out) if run in (None, row.run_id)]
    if not rows:
        what = "no run yet" if run is None else f"no run '{run}'"
        also = "" if run is None else f", nor is there a run in the folder {Path(run).absolute()}"
        raise UsageError(f"{what} under {out.absolute()}{also}; see `gameday runs`, or give --out")
    folder = Path(rows[0].folder)
    if not (folder / "run.json").is_file():
        raise UsageError(
            f"run '{rows[0].run_id}' is not in {folder.absolute()} any more, where {out.absolute()} has it; "
            "where it was moved, give its folder"
        )
    return folder


def runs(
    event: Annotated[str | None, typer.Option(help="of one event, by its name")] = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first.

    Example: gameday runs
    """
    from dataclasses import asdict

    rows = _rows(out, event)
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
    from gameday.report import render_remains, render_report

    folder = run_folder(run, out)
    verdict = _json(folder / "run.json").get("verdict", "ABORTED")
    whole = folder / "summary.json"
    if whole.is_file():
        page = render_report(_json(whole), folder)
    else:
        is_over = verdict == "RUNNING" and not _plays(folder)
        page = render_remains(folder, verdict="ABORTED" if is_over else verdict)
    typer.echo(json.dumps({"schema_version": 1, "report": str(page)}) if as_json else str(page))


def _json(file: Path) -> dict[str, Any]:
    """Return a run's JSON file; UsageError if it is not what we wrote."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read ({error}); run again") from None
    if not isinstance(data, dict):
        raise UsageError(f"{file}: is not what a run leaves; run again")
    return data


def _summary(run: str | None, out: Path) -> dict[str, Any]:
    file = run_folder(run, out) / "summary.json"
    if not file.is_file():
        raise UsageError(f"{file.parent}: the run did not end; nothing was judged")
    return _json(file)


def last_summary(out: Path, event: str) -> dict[str, Any] | None:
    """Return the summary of an event's newest run that left one; None if there is none."""
    for row in _rows(out, event):
        if (Path(row.folder) / "summary.json").is_file():
            return _json(Path(row.folder) / "summary.json")
    return None


def _since(finding: dict[str, Any]) -> str:
    first = finding["first_breach_local"]
    return f", since {first}" if first else ""


def findings(
    run: RunArgument = None, out: OutOption = Path("reports"), as_json: JsonOption = False
) -> None:
    """List a run's findings, worst first.

    Example: gameday findings --json
    """
    found = _summary(run, out)["findings"]
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
    from gameday.report import compare_summaries

    data = compare_summaries(_summary(first, out), _summary(second, out))
    if as_json:
        typer.echo(json.dumps(data))
        return
    for warning in data["warnings"]:
        typer.echo(f"WARNING: {warning}")
    for name, (one, other) in data["other_conditions"].items():
        typer.echo(f"differs: {name}: {one} -> {other}")
    typer.echo(f"verdict: {data['verdicts'][0]} -> {data['verdicts'][1]}")
    for row in data["objectives"]:
        typer.echo(f"{row['stack']:<8}{row['objective']:<34}{row['first']:>12} -> {row['second']}")
    for name, text in (("new_findings", "new"), ("gone_findings", "gone")):
        for finding in data[name]:
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
    folder = run_folder(run, out)
    if web:
        _serve(folder, port, as_json=as_json)
        return
    with (folder / "journal.jsonl").open(encoding="utf-8") as journal:
        while True:
            if line := journal.readline():
                entry = json.loads(line)
                if as_json:
                    typer.echo(json.dumps({"schema_version": 1, **entry}))
                    continue
                facts = {k: v for k, v in entry.items() if k not in ("at", "what")}
                shown = " ".join(f"{k}={v}" for k, v in facts.items())
                typer.echo(f"{entry['at'][11:19]}  {entry['what']}  {shown}")
                continue
            manifest = _json(folder / "run.json")
            if manifest["verdict"] != "RUNNING" or not _plays(folder):
                break
            time.sleep(0.3)
    if manifest["verdict"] == "RUNNING":
        typer.echo(f"{manifest['run_id']} was killed: its journal has no end", err=True)


def _serve(folder: Path, port: int, *, as_json: bool) -> None:
    """Serve a run's page and say where."""
    from gameday.live import serve_page

    def ready(url: str) -> None:
        typer.echo(
            json.dumps({"schema_version": 1, "url": url}) if as_json else f"{folder.name}: {url}"
        )

    steps = list(_json(folder / "scenario.json")["steps"])
    serve_page(folder, steps, port=port, ready=ready)


def stop(
    run: RunArgument = None, out: OutOption = Path("reports"), as_json: JsonOption = False
) -> None:
    """Ask the running run to ramp down and end, within 5 seconds.

    Example: gameday stop
    """
    from gameday.safety import ask_to_stop

    folder = run_folder(run, out)
    manifest = _json(folder / "run.json")
    if manifest["verdict"] != "RUNNING" or not _plays(folder):
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
