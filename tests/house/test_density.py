"""What a reader must hold is bounded: tokens, parameters, names past a door, circles, untyped results."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from tests.house.measures import HOUSE, Room, circles, functions, rooms_of, tokens_of_functions

MOST_TOKENS = 250
P90_TOKENS = 160
LONGER: dict[str, str] = {
    "cli/history.py:import_": "an option a parameter, each with its help",
    "cli/explain.py:explain": "an option a parameter, each with its help",
    "cli/learning.py:calibrate": "an option a parameter, each with its help",
    "cli/learning.py:drill": "an option a parameter, each with its help",
    "cli/loop.py:loop": "an option a parameter, each with its help",
    "cli/replay.py:replay": "an option a parameter, each with its help",
    "cli/serve.py:shop": "an option a parameter, each with its help",
    "cli/simulate.py:simulate": "an option a parameter, each with its help",
    "capacity/order.py:_request": "one line a field of the request",
    "forecast/publication/explain_minute.py:explain_forecast": "one line a field of the explanation",
    "history/traces/conclusions.py:_service": "one line a field of the service",
    "experiments/failures/losses.py:n_minus_one": "a public question: split, it would hand its keywords on",
    "experiments/failures/peak_case.py:peak_cases": "a public question: split, it would hand its keywords on",
    "experiments/rehearsal/cross_check.py:_check": "the reasons not to compare a queue with paper, in their order",
    "experiments/replications/replication.py:__call__": "one line a field of the replication",
    "jobs/rehearse.py:as_it_is": "one line a field of the rehearsal",
    "jobs/rehearse.py:rehearse": "a public verb: each option is a keyword",
    "jobs/replay.py:replay": "a public verb: each option is a keyword",
    "jobs/replay.py:_show": "what runs beside the load begins and ends in one order",
    "record/run_record.py:blank_record": "one line an array of the record",
    "report/run_summary.py:gather": "one line a field of the summary",
    "swarm/wire/pool.py:take": "the swarm's event loop: splitting costs speed",
}
"""Functions that are longer, each with the reason why it is not better split; at most 25."""
MOST_PARAMETERS = 8
OPTIONS = ("cli/",)
"""Verbs of the command: each option is a parameter, and typer reads them there."""
VERBS = {"replay", "rehearse"}
"""Public verbs for Python: each keyword is an option."""
KERNELS = "simulate/compiled/"
"""Machine code: splitting costs speed."""
MOST_DICTS = 16
MOST_UNFORMATTED = 30


@pytest.fixture(scope="module")
def rooms() -> dict[str, Room]:
    return rooms_of()


def sources() -> list[tuple[str, str]]:
    """Return (path below the package, text) of every module."""
    files = [f for f in sorted(HOUSE.rglob("*.py")) if "_bundled" not in f.parts]
    return [(str(f.relative_to(HOUSE)), f.read_text(encoding="utf-8")) for f in files]


def test_functions_are_short_but_for_those_with_a_reason(rooms: dict[str, Room]) -> None:
    assert len(LONGER) <= 25
    assert all(LONGER.values())
    found = {
        f"{path}:{name}": tokens
        for path, text in sources()
        if not path.startswith(KERNELS)
        for (name, _), tokens in tokens_of_functions(text).items()
        if tokens > MOST_TOKENS
    }
    assert found.keys() == LONGER.keys()
    tokens = sorted(count for room in rooms.values() for count in room.tokens)
    assert tokens[int(0.9 * len(tokens))] <= P90_TOKENS


def test_functions_take_few_parameters() -> None:
    found = []
    for path, text in sources():
        if path.startswith((*OPTIONS, KERNELS)):
            continue
        for node in functions(ast.parse(text)):
            arguments = node.args
            count = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
            if count > MOST_PARAMETERS and node.name not in VERBS:
                found.append(f"{path}:{node.lineno} {node.name}: {count}")
    assert not found


def test_results_have_types_and_only_json_is_a_dictionary_of_anything(
    rooms: dict[str, Room],
) -> None:
    assert sum(room.dicts for room in rooms.values()) <= MOST_DICTS


def test_only_true_tables_are_formatted_by_hand(rooms: dict[str, Room]) -> None:
    assert sum(room.unformatted for room in rooms.values()) <= MOST_UNFORMATTED


def test_rooms_are_entered_by_their_doors(rooms: dict[str, Room]) -> None:
    assert {name: room.past_doors for name, room in rooms.items() if room.past_doors} == {}


def test_no_room_holds_a_circle_of_imports() -> None:
    assert circles() == []


def test_no_room_shows_more_than_fifteen_files() -> None:
    families = {"policies", "events", "ingredients", "rules", "causes", "compiled", "jobs"}
    shown = {
        str(folder.relative_to(HOUSE)): len([f for f in folder.glob("*.py") if f.stem[0] != "_"])
        for folder in {Path(HOUSE, path).parent for path, _ in sources()} - {HOUSE}
    }
    most = {"cli": 28, "scenario/reading": 17}
    assert {
        name: count
        for name, count in shown.items()
        if count > most.get(name, 16) and name.split("/")[-1] not in families
    } == {}


def test_no_file_holds_the_marks_of_a_merge() -> None:
    done = subprocess.run(
        ["git", "grep", "-nE", "^(<{7}|>{7}) "],
        cwd=HOUSE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


def test_nothing_cites_what_is_not_in_the_repository() -> None:
    done = subprocess.run(
        ["git", "grep", "-nE", "DESIGN( |\\.md|§)|anchors/|the probe\\b"],
        cwd=HOUSE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    cited = [line for line in done.stdout.splitlines() if "tests/house/test_density.py" not in line]
    assert cited == []
