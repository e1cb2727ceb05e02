"""`gameday capacity`: an event's requests as they stand, their moves, what they place, and order sheets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import JsonOption, LivesOption, OutOption, RunArgument
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
    group = typer.Typer(no_args_is_help=True, help="Orders for servers: show, move, apply, export.")
    for verb in (show, move, apply, export, audit):
        group.command()(verb)
    app.add_typer(group, name="capacity")


def _requests(run: str | None, event: str | None, out: Path) -> tuple[CapacityRequest, ...]:
    """Return what a run asked for; None: an event's requests as they stand."""
    from gameday.jobs.living import event_of, living_requests
    from gameday.jobs.move_request import requests_of
    from gameday.jobs.past_runs import run_folder

    if run is not None:
        return requests_of(run_folder(run, out))
    return tuple(living_requests(out, event_of(event, out)).values())


def show(
    run: RunArgument = None,
    event: LivesOption = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """List an event's capacity requests as they stand; of a RUN, as that run asked for them.

    Example: gameday capacity show --event primeday-2027
    """
    requests = _requests(run, event, out)
    if as_json:
        rows = [_row(request) for request in requests]
        typer.echo(json.dumps({"schema_version": 1, "requests": rows}))
        return
    for request in requests:
        for line in _lines(request):
            typer.echo(line)
    if not requests:
        typer.echo(
            "none; what a run asked for: `gameday capacity show RUN`" if run is None else "none"
        )


def _lines(request: CapacityRequest) -> list[str]:
    """Return a request in lines."""
    r = request
    owner = f", {r.owner}" if r.owner else ""
    lines = [
        f"{r.id:<44}{r.state:<12}{r.instances_from:>5} -> {r.instances_to:<5}{r.instance:<14}"
        f"order by {r.latest_order:%Y-%m-%d}{'  LATE' if r.at_risk else ''}{owner}"
    ]
    if r.schedule:
        lines.append(f"    at work: {r.schedule_words}")
    lines.append(f"    sized by {r.sized_by}")
    case = r.proven_for or f"all of {r.stack} placed"
    doubt = (
        "; its model was not compared with the run"
        if r.model == "not compared" and "not compared" not in r.proven
        else ""
    )
    lines.append(f"    in the model, {case}: {r.proven}{doubt}")
    if r.history:
        last = r.history[-1]
        lines.append(f"    revision {r.revision}, last {last.act} by {last.actor}: {last.reason}")
    lines += [f"    predicted for run {score.run}: {score.words}" for score in r.record]
    return lines


def _row(request: CapacityRequest) -> dict[str, object]:
    """Return a request as `--json` has it."""
    from gameday.products import to_json

    fields = to_json(request)
    return {
        "id": request.id,
        "revision": request.revision,
        "state": request.state,
        "owner": request.owner,
        "stack": request.stack,
        "service": request.service,
        "instance": request.instance,
        "from": request.instances_from,
        "to": request.instances_to,
        "latest_order": request.latest_order.isoformat(),
        "at_risk": request.at_risk,
        "model": request.model,
        "instance_hours": round(request.instance_hours, 1),
        "total_usd": round(request.total_usd, 2),
        "schedule": fields["schedule"],
        "sized_by": request.sized_by,
        "proven": request.proven,
        "proven_for": request.proven_for,
        "prediction": fields["prediction"],
        "record": fields["record"],
        "history": fields["history"],
    }


def move(
    request: Annotated[str, typer.Argument(help="its id")],
    to: Annotated[str, typer.Argument(help="in_review, approved, rejected, ordered, active, ...")],
    reason: Annotated[str, typer.Option(help="why")],
    event: LivesOption = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Move a request to another state, as who you are (`gameday identity show`).

    What was edited in its file is taken up first. Who asked for a request does not approve it.
    Example: gameday capacity move CR-primeday-2027-us-payment in_review --reason "game day 3"
    """
    from gameday.jobs.living import event_of
    from gameday.jobs.move_request import move_request

    done = move_request(out, event_of(event, out), request, to=to, reason=reason)
    if as_json:
        told = {"id": done.request.id, "from": done.before, "to": done.request.state}
        receipt = None if done.receipt is None else str(done.receipt)
        also = {"edited": done.edited, "receipt": receipt}
        typer.echo(json.dumps({"schema_version": 1, **told, **also}))
        return
    if done.edited:
        typer.echo(
            "its file was edited: that is what is asked for now, and no approval of before holds"
        )
    typer.echo(f"{done.request.id}: {done.before} -> {done.request.state}")
    if done.receipt is not None:
        typer.echo(f"keep the receipt: {done.receipt}")


def apply(
    event: LivesOption = None, out: OutOption = Path("reports"), as_json: JsonOption = False
) -> None:
    """Place approved requests in the embedded shop; the next replays are played with all that is active.

    In a target of yours nothing is placed: you do that, and say so with `move ... ordered` and `active`.
    Example: gameday capacity apply --event primeday-2027
    """
    from gameday.jobs.apply_capacity import apply_capacity
    from gameday.jobs.living import event_of

    done = apply_capacity(out, event_of(event, out))
    if as_json:
        placed = [request.id for request in done.placed]
        told = {"file": str(done.file), "placed": placed, "left": dict(done.left)}
        typer.echo(json.dumps({"schema_version": 1, **told}))
        return
    for r in done.placed:
        typer.echo(f"{r.id}: {r.instances_from} -> {r.instances_to} {r.instance}")
    for name, why in done.left:
        typer.echo(f"{name}: not placed: {why}")
    typer.echo(
        f"{len(done.placed)} requests are placed in {done.file}; the next replays of it read that"
    )


def export(
    to: Annotated[str, typer.Option(help=_formats())] = "csv",
    run: RunArgument = None,
    event: LivesOption = None,
    out: OutOption = Path("reports"),
) -> None:
    """Print an event's requests, as they stand, as an order sheet; of a RUN, as that run asked for them.

    Example: gameday capacity export --to csv > order.csv
    """
    from gameday.capacity import EXPORTERS
    from gameday.jobs.living import event_of
    from gameday.jobs.move_request import note_export

    if to not in EXPORTERS:
        raise UsageError(f"--to: must be one of {', '.join(EXPORTERS)} (got '{to}')")
    asked = _requests(run, event, out) if run is not None else None
    requests = note_export(out, event_of(event, out), to) if asked is None else asked
    typer.echo(EXPORTERS[to].export(requests), nl=False)


def audit(
    receipt: Annotated[
        list[Path] | None, typer.Option(help="of an approval: it must be in the chain as it says")
    ] = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Check the ledger: its chain is whole, every signature is its actor's, every move was legal.

    Exit code 1 where it is not.
    Example: gameday capacity audit --receipt CR-primeday-2027-us-payment.r1.receipt.json
    """
    from gameday.jobs.audit import audit_ledger

    done = audit_ledger(out, tuple(receipt or ()))
    if as_json:
        told = {"entries": done.entries, "head": done.head, "faults": list(done.faults)}
        typer.echo(json.dumps({"schema_version": 1, **told}))
    else:
        for fault in done.faults:
            typer.echo(fault)
        typer.echo(f"{done.entries} entries, {len(done.faults)} faults; head {done.head}")
    if done.faults:
        raise typer.Exit(1)
