"""Standard streams that are closed, full or no longer read never change what an exit code says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_CHILDREN = """
import json, os, sys
from types import SimpleNamespace
from pathlib import Path
from gameday import live, report
from gameday.jobs import replay
from gameday.cli import main

def of_kind(kind):
    if kind == "full":
        return os.open("/dev/full", os.O_WRONLY)
    if kind == "unread":
        read_end, write_end = os.pipe()
        os.close(read_end)
        return write_end
    return os.open(kind, os.O_WRONLY | os.O_CREAT)

def play(number, typed, verdict, streams):
    judged = SimpleNamespace(verdict=SimpleNamespace(exit_code=verdict))
    played = SimpleNamespace(played=None)
    replay.replay_order = lambda *_: replay.Replayed(judged, Path("runs/one"), played)
    report.summary_json = lambda *_: {"verdict": {"exit_code": verdict}}
    for fd, kind in {"2": f"{number}.txt", **streams}.items():
        if kind == "closed":  # as the interpreter finds it when it starts
            name = ["stdin", "stdout", "stderr"][int(fd)]
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)
            os.close(int(fd))
        else:
            os.dup2(of_kind(kind), int(fd))
    sys.argv = ["gameday", *typed]
    main()

codes = []
for number, case in enumerate(json.loads(sys.argv[1])):
    pid = os.fork()
    if not pid:
        play(number, *case)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(json.dumps(codes))
"""
"""Runs each case in a child of its own, standard error in a file; the imports are made once."""

_REPLAY = ["replay", "--event", "primeday", "--json", "--quiet"]
VERDICTS = [
    (_REPLAY, code, {"1": kind})
    for kind, code in (("full", 0), ("full", 1), ("unread", 1), ("unread", 10), ("closed", 0))
]
LISTS = [(["runs"], 0, {"1": kind}) for kind in ("full", "unread")]
CLOSED = [
    (_REPLAY, 10, {"2": "closed"}),
    (_REPLAY, 1, {"0": "closed", "1": "closed", "2": "closed"}),
]
SILENCED = [(["findings", "gone"], 0, {"2": kind}) for kind in ("full", "closed")]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """Return of every case its exit code and what it wrote to standard error."""
    folder, cases = tmp_path_factory.mktemp("streams"), [*VERDICTS, *LISTS, *CLOSED, *SILENCED]
    done = subprocess.run(
        [sys.executable, "-c", _CHILDREN, json.dumps(cases)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    files = [Path(folder / f"{number}.txt") for number in range(len(cases))]
    said = [file.read_text() if file.is_file() else "" for file in files]
    return list(zip(json.loads(done.stdout.splitlines()[-1]), said, strict=True))


def test_a_verdict_keeps_its_code_whatever_becomes_of_standard_output(
    ended: list[tuple[int, str]],
) -> None:
    for (_, verdict, streams), (code, said) in zip(VERDICTS, ended, strict=False):
        assert code == verdict, (streams, said)
        assert said.startswith("standard output cannot be written"), (streams, said)
        assert "the report is runs/one/report.html" in said
        assert len(said.splitlines()) == 1, said


def test_a_list_that_cannot_be_printed_ends_with_9_and_a_word(
    ended: list[tuple[int, str]],
) -> None:
    for code, said in ended[len(VERDICTS) :][: len(LISTS)]:
        assert code == 9, said
        assert said.startswith("standard output cannot be written")
        assert "Traceback" not in said


def test_closed_streams_leave_a_verdict_as_it_is(ended: list[tuple[int, str]]) -> None:
    assert [code for code, _ in ended[len(VERDICTS) + len(LISTS) :][:2]] == [10, 1]


def test_a_message_that_standard_error_will_not_take_keeps_its_code(
    ended: list[tuple[int, str]],
) -> None:
    assert [code for code, _ in ended[-len(SILENCED) :]] == [2] * len(SILENCED)
