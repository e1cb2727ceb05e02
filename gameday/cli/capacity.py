"""`gameday capacity`: a run's requests, their moves, and the sheets they are ordered by."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import JsonOption
from gameday.cli.runs import OutOption, RunArgument
from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.capacity import CapacityRequest

__all__ = ["add_to"]


def _formats() -> str:
    """Return the formats there are, by their files: importing them would make every `--help` wait."""
    from gameday import capacity

    files = (Path(capacity.__path__[0]) / "exporters").glob("*.py")
    return " or ".join(sorted({file.stem for file in files} - {"__init__", "exporter"}))


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    group = typer.Typer(no_args_is_help=True, help="Orders for servers: show, move, export.")
    for verb in (show, move, export):
        group.command()(verb)
    app.add_typer(group, name="capacity")


def show(
    run: RunArgument = None, out: OutOption = Path("reports"), as_json: JsonOption = False
) -> None:
    """List a run's capacity requests with their state.

    Example: gameday capacity show
    """
    from gameday.jobs.move_request import requests_of
    from gameday.jobs.past_runs import run_folder

    folder = run_folder(run, out)
    requests = requests_of(folder)
    if as_json:
        rows = [_row(request) for request in requests]
        typer.echo(json.dumps({"schema_version": 1, "requests": rows}))
        return
    for r in requests:
        typer.echo(
            f"{r.id:<44}{r.state:<12}{r.instances_from:>5} -> {r.instances_to:<5}{r.instance:<14}"
            f"order by {r.latest_order:%Y-%m-%d}{'  LATE' if r.at_risk else ''}"
        )
        if r.schedule:
            typer.echo(f"    at work: {r.schedule_words}")
        typer.echo(f"    sized by {r.sized_by}")
        case = r.proven_for or f"all of {r.stack} placed"
        doubt = (
            "; its model was not compared with the run"
            if r.model == "not compared" and "not compared" not in r.proven
            else ""
        )
        typer.echo(f"    in the model, {case}: {r.proven}{doubt}")
    if not requests:
        typer.echo(f"none in {folder}")


def _row(request: CapacityRequest) -> dict[str, object]:
    """Return a request as `--json` has it."""
    from gameday.products import to_json

    return {
        "id": request.id,
        "state": request.state,
        "stack": request.stack,
        "service": request.service,
        "instance": request.instance,
        "from": request.instances_from,
        "to": request.instances_to,
        "latest_order": request.latest_order.isoformat(),
        "at_risk": request.at_risk,
        "model": request.model,
        "instance_hours": round(request.instance_hours, 1),
        "schedule": to_json(request)["schedule"],
        "sized_by": request.sized_by,
        "proven": request.proven,
        "proven_for": request.proven_for,
    }


def move(
    request: Annotated[str, typer.Argument(help="its id")],
    to: Annotated[str, typer.Argument(help="proposed, in_review, approved, rejected, ...")],
    reason: Annotated[str, typer.Option(help="why")],
    actor: Annotated[str | None, typer.Option(help="who; default the user's name")] = None,
    run: Annotated[str | None, typer.Option(help="run id or folder; default the newest")] = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Move a request to another state; who proposed it may not approve it.

    Example: gameday capacity move CR-primeday-2027-us-payment proposed --reason "game day 3"
    """
    from gameday.capacity import Move
    from gameday.jobs.move_request import move_request
    from gameday.jobs.past_runs import run_folder

    at = datetime.now(UTC).isoformat(timespec="seconds")
    asked = Move(at, actor or getpass.getuser(), to, reason)
    before, after = move_request(run_folder(run, out), request, asked)
    told = {"schema_version": 1, "id": after.id, "from": before.state, "to": after.state}
    typer.echo(json.dumps(told) if as_json else f"{after.id}: {before.state} -> {after.state}")


def export(
    to: Annotated[str, typer.Option(help=_formats())] = "csv",
    run: RunArgument = None,
    out: OutOption = Path("reports"),
) -> None:
    """Print a run's requests as an order sheet.

    Example: gameday capacity export --to csv > order.csv
    """
    from gameday.capacity import EXPORTERS
    from gameday.jobs.move_request import requests_of
    from gameday.jobs.past_runs import run_folder

    if to not in EXPORTERS:
        raise UsageError(f"--to: must be one of {', '.join(EXPORTERS)} (got '{to}')")
    typer.echo(EXPORTERS[to].export(requests_of(run_folder(run, out))), nl=False)
