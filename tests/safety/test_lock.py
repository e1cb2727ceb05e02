"""One run at a time: the second is told of the first, and nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gameday.errors import PreflightFailed
from gameday.safety import one_run_at_a_time

HOLDER = """
import sys
from pathlib import Path
from gameday.safety import one_run_at_a_time
with one_run_at_a_time("run-of-another-process", Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gameday.lock"


def test_a_second_holder_is_refused_and_told_who_is_first(file: Path) -> None:
    with one_run_at_a_time("first-run", file):
        with (
            pytest.raises(PreflightFailed, match="first-run") as caught,
            one_run_at_a_time("b", file),
        ):
            pytest.fail("two runs at once")
        assert caught.value.exit_code == 5
        assert "gameday stop" in str(caught.value)


def test_the_refused_leaves_the_firsts_name_in_place(file: Path) -> None:
    with one_run_at_a_time("first-run", file):
        for _ in range(2):
            with pytest.raises(PreflightFailed, match="first-run"), one_run_at_a_time("b", file):
                pass


def test_the_lock_is_free_after_the_run(file: Path) -> None:
    for run in ("a", "b", "c"):
        with one_run_at_a_time(run, file):
            assert file.read_text() == run


def test_the_lock_is_free_after_a_run_that_failed(file: Path) -> None:
    with pytest.raises(RuntimeError, match="broke"), one_run_at_a_time("a", file):
        raise RuntimeError("broke")
    with one_run_at_a_time("b", file):
        pass


def test_a_shorter_name_leaves_nothing_of_a_longer_one(file: Path) -> None:
    with one_run_at_a_time("a-very-long-run-name", file):
        pass
    with one_run_at_a_time("b", file):
        assert file.read_text() == "b"


def test_a_holder_in_another_process_is_named_and_killed_leaves_the_lock_free(file: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(file)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(PreflightFailed, match="run-of-another-process"),
            one_run_at_a_time("b", file),
        ):
            pass
        holder.kill()
        holder.wait()
    with one_run_at_a_time("b", file):
        pass


def test_two_locks_of_two_files_do_not_meet(tmp_path: Path) -> None:
    with one_run_at_a_time("a", tmp_path / "a"), one_run_at_a_time("b", tmp_path / "b"):
        pass
