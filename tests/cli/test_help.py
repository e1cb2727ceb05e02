"""Every verb explains itself with an example; what is for programs parses; no escape codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.safety import Journal
from tests.support import by_night
from tests.support.small_fair import FAIR


def verbs_of(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of every verb, groups left out."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return [path]
    return [verb for name, sub in inner.items() for verb in verbs_of(sub, (*path, name))]


VERBS = verbs_of(typer.main.get_command(app))


VERSIONS = {"simulate": 3, "plan": 3, "replay": 3, "forecast": 2}
"""Of what is told as JSON; a dry run tells the plan."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("help")
    (folder / "fair.yaml").write_text(FAIR)
    return folder


def typed(place: Path, *arguments: str, **setting: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a program, its output going to pipes."""
    own = {"GAMEDAY_CACHE": str(place / "cache"), "TMPDIR": str(place), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "gameday.cli", *arguments],
        cwd=place,
        text=True,
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        env=os.environ | own | setting,
    )


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help_with_an_example_of_itself(verb: tuple[str, ...]) -> None:
    said = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*verb, "--help"], prog_name="gameday")
    assert said.exit_code == 0
    assert f"Example: gameday {' '.join(verb)}" in said.output
    assert "\x1b" not in said.output


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_the_short_help_flag_is_the_long_one(verb: tuple[str, ...]) -> None:
    runner = CliRunner(env={"COLUMNS": "200"})
    assert runner.invoke(app, [*verb, "-h"]).output == runner.invoke(app, [*verb, "--help"]).output


def test_every_option_says_what_it_is_for() -> None:
    def options(command: Any) -> list[tuple[str, str | None]]:
        found = [(p.name, getattr(p, "help", None)) for p in command.params if not p.hidden]
        return found + [
            o for sub in getattr(command, "commands", {}).values() for o in options(sub)
        ]

    silent = [name for name, help_ in options(typer.main.get_command(app)) if not help_]
    assert silent == []


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_that_tells_something_can_tell_it_as_json(verb: tuple[str, ...]) -> None:
    if verb in (("init",), ("schema",), ("capacity", "export")):
        pytest.skip("makes files, or is a format of its own")
    said = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*verb, "--help"])
    assert "--json" in said.output, "every verb has --json with a schema_version"


@pytest.mark.parametrize(
    "arguments",
    [
        by_night(("plan", "--event", "fair.yaml", "--json")),
        by_night(("forecast", "show", "--event", "fair.yaml", "--json")),
        by_night(
            ("forecast", "show", "--event", "fair.yaml", "--step", "home", "--per-minute", "--json")
        ),
        ("runs", "--json"),
        ("doctor", "--json"),
        ("replay", "--event", "fair.yaml", "--dry-run", "--json"),
    ],
    ids=" ".join,
)
def test_json_parses_and_carries_its_schema_version(
    place: Path, arguments: tuple[str, ...]
) -> None:
    said = typed(place, *arguments)
    codes = (0, 5) if arguments[0] == "doctor" else (0,)  # a machine busy with tests fails it
    assert said.returncode in codes, said.stderr
    version = 1 if "--per-minute" in arguments else VERSIONS.get(arguments[0], 1)
    assert json.loads(said.stdout)["schema_version"] == version
    assert "\x1b" not in said.stdout + said.stderr


def test_watching_a_run_that_is_over_tells_its_whole_journal_as_json_lines(place: Path) -> None:
    folder = place / "over"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"verdict": "PASS", "pid": 1}))
    with closing(Journal(folder / "journal.jsonl")) as journal:
        journal.write("targets", us="http://127.0.0.1:1")
        journal.write("done", verdict="PASS")
    told = [
        json.loads(line) for line in typed(place, "watch", "over", "--json").stdout.splitlines()
    ]
    assert [entry["what"] for entry in told] == ["targets", "done"]
    assert [entry["schema_version"] for entry in told] == [1, 1]
    assert told[0]["us"] == "http://127.0.0.1:1"


def test_the_schema_is_a_json_schema(place: Path) -> None:
    schema = json.loads(typed(place, "schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"event", "services", "journeys"} <= set(schema["properties"])


@pytest.mark.parametrize(
    "setting",
    [{}, {"FORCE_COLOR": ""}, {"TERM": "xterm-256color"}],
)
@pytest.mark.nightly
def test_output_without_a_terminal_has_no_escape_codes(
    place: Path, setting: dict[str, str]
) -> None:
    for arguments in (("--help",), ("plan", "--event", "fair.yaml"), ("runs",)):
        said = typed(place, *arguments, **setting)
        assert "\x1b" not in said.stdout + said.stderr


def test_a_rehearsal_is_told_as_json_and_its_progress_without_a_terminal_never_folded(
    place: Path,
) -> None:
    said = typed(place, "simulate", "--event", "fair.yaml", "--budget", "1", "--json", COLUMNS="40")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["schema_version"] == VERSIONS["simulate"]
    assert "\x1b" not in said.stdout + said.stderr
    assert not [
        line
        for line in said.stderr.splitlines()
        if line and line[0].islower() and "..." not in line
    ]


def test_help_answers_without_importing_the_heavy_libraries() -> None:
    code = (
        "import sys; sys.argv = ['gameday', '--help']\n"
        "from gameday.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('locust', 'pandas', 'numba', 'numpy') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip().endswith("[]")


def test_no_word_at_all_shows_the_help() -> None:
    said = CliRunner().invoke(app, [])
    assert "gameday replay --event primeday" in said.output


def test_an_end_of_pipe_is_no_error(place: Path) -> None:
    pipe = f"{sys.executable} -m gameday.cli schema | head -c 10"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", pipe], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
