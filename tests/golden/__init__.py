"""Texts made from the code: written by `make golden`, held to it by `make check` and a test."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.files import reports_readme
from gameday.scenario import scenario_schema

__all__ = ["made", "stale"]

TOP = Path(__file__).parents[2]


def made() -> dict[Path, str]:
    """Return file -> the text it must hold."""
    schema = json.dumps(json.loads(scenario_schema(indent=1)), indent=1, sort_keys=True) + "\n"
    return {
        TOP / "reports" / "README.md": reports_readme(),
        TOP / "tests" / "golden" / "scenario.schema.json": schema,
        TOP / "tests" / "golden" / "help.txt": _help(),
    }


def _help() -> str:
    runner = CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"})
    verbs: list[list[str]] = [[]]
    verbs += [[c.name or c.callback.__name__] for c in app.registered_commands if c.callback]
    for group in app.registered_groups:
        verbs += [[group.name or ""]]
        commands = group.typer_instance.registered_commands if group.typer_instance else []
        verbs += [[group.name or "", c.name or c.callback.__name__] for c in commands if c.callback]
    parts = []
    for verb in verbs:
        said = runner.invoke(app, [*verb, "--help"], prog_name="gameday").output
        parts.append("$ " + " ".join(["gameday", *verb, "--help"]) + "\n" + said)
    return "\n".join(parts)


def stale() -> list[Path]:
    """Return the files whose text is not what the code makes."""
    return [file for file, text in made().items() if not file.is_file() or file.read_text() != text]
