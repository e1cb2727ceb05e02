"""What lives over runs, as the terminal tells it: findings as they stand, waivers, and the chain of each."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import JsonOption, LivesOption, OutOption
from gameday.errors import UsageError

__all__ = ["add_to", "say_known"]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    for verb in (waive, trace):
        app.command()(verb)


def say_known(event: str | None, out: Path, *, as_json: bool) -> None:
    """Print an event's findings as they stand, the worst that are open first."""
    from gameday.jobs.living import event_of, living_findings
    from gameday.products import to_json

    known = living_findings(out, event_of(event, out))
    ordered = sorted(known.values(), key=lambda f: (f.state == "fixed", f.severity, f.id))
    if as_json:
        rows = [to_json(finding) for finding in ordered]
        typer.echo(json.dumps({"schema_version": 1, "findings": rows}))
        return
    for f in ordered:
        until = f" until {f.waiver.until}" if f.state == "waived" and f.waiver else ""
        typer.echo(
            f"{f.severity} {f.state}{until}  {f.id}: {f.owner or 'nobody'} answers, due {f.due}"
        )
        typer.echo(f"    {f.title}; {f.said}")
    if not ordered:
        typer.echo("none")


def waive(
    finding: Annotated[str, typer.Argument(help="its id")],
    until: Annotated[str, typer.Option(help="last day on which it may stand, as 2027-06-30")],
    reason: Annotated[str, typer.Option(help="why it may")],
    event: LivesOption = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Let a finding stand until a day, as an approver of its team; it warns of nothing until then.

    Example: gameday waive lost_zone-us-search --until 2027-06-30 --reason "search may be slow"
    """
    from gameday.jobs.living import event_of
    from gameday.jobs.waive import waive_finding

    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"--until: must be a day, as 2027-06-30 (got '{until}')") from None
    after = waive_finding(out, event_of(event, out), finding, until=day, reason=reason)
    told = {"schema_version": 1, "id": after.id, "state": after.state, "until": str(day)}
    typer.echo(json.dumps(told) if as_json else f"{after.id}: waived until {day}")


def trace(
    subject: Annotated[str, typer.Argument(help="id of a finding or a request")],
    event: LivesOption = None,
    out: OutOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Follow a finding or a request: forecast, finding, request, approval, order, export, run that verified it.

    Example: gameday trace CR-primeday-2027-us-payment
    """
    from gameday.jobs.living import event_of
    from gameday.jobs.trace import trace as follow
    from gameday.products import to_json

    found = follow(out, event_of(event, out), subject)
    if as_json:
        typer.echo(json.dumps(to_json(found, schema_version=1)))
        return
    for link in found.links:
        typer.echo(f"{link.stage:<9}{link.at[:16]:<17}{link.subject}: {link.what} [{link.by}]")
    if found.missing:
        typer.echo(f"nothing yet: {', '.join(found.missing)}")
