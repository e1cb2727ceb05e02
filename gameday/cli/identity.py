"""`gameday identity`: who you are to this program, and the key that you sign with."""

from __future__ import annotations

import json

import typer

from gameday.cli.options import JsonOption

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    group = typer.Typer(no_args_is_help=True, help="Who you are: show it, make a key to sign with.")
    for verb in (show, new):
        group.command()(verb)
    app.add_typer(group, name="identity")


def show(as_json: JsonOption = False) -> None:
    """Say who you are, and whether the operator's file lets you approve.

    Example: gameday identity show
    """
    from gameday.safety.identity import current_actor, read_operators

    operators = read_operators()
    actor, key = current_actor(operators)
    told = {
        "kind": actor.kind,
        "name": actor.name,
        "user": actor.user,
        "approver": actor.person or None,
        "operators": operators.source,
        "key_file": key and str(key.file),
    }
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, **told}))
        return
    typer.echo(f"{actor.kind}: {actor.name}")
    typer.echo(f"operating system's user: {actor.user}")
    if actor.person:
        typer.echo(f"approver '{actor.person}' in {operators.source}")
    else:
        typer.echo(f"approves nothing: not among the approvers ({operators.source})")
    if key is None and actor.kind == "user":
        typer.echo("no key: moves are not signed; `gameday identity new` makes one")


def new(as_json: JsonOption = False) -> None:
    """Make an Ed25519 key that only you can read, and print the line that the operator's file needs.

    Example: gameday identity new
    """
    from gameday.safety.identity import key_file, make_key

    key = make_key(key_file())
    if as_json:
        told = {"key_file": str(key.file), "public": key.public}
        typer.echo(json.dumps({"schema_version": 1, **told}))
        return
    typer.echo(f"key: {key.file}; keep it to yourself")
    typer.echo("for the operator's file, under `approvers`, with your name:")
    typer.echo(f'  YOUR-NAME: {{key: "{key.public}"}}')
