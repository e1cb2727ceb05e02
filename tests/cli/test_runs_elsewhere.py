"""Runs are found from any folder and after they were moved; one that is not there is an error that says where."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from gameday.capacity import as_yaml
from gameday.cli.app import main
from gameday.jobs.living import put_request
from gameday.ledger import Ledger, RunRow
from gameday.safety import Journal
from gameday.safety.journal import is_playing
from tests.support.bad_input_table import _request

EVENT = "small-fair-2027"
SUMMARY = {
    "findings": [],
    "verdict": {"name": "PASS", "exit_code": 0},
    "objectives": [],
    "conditions": {},
}
BY_RUN = [
    ("capacity", "show"),
    ("capacity", "export"),
    ("findings",),
    ("report",),
    ("watch",),
    ("stop",),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a run as a replay without --out leaves it, in the working folder; return that folder."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    left(Path("reports"), "one", "PASS")
    return home


def left(reports: Path, run_id: str, verdict: str) -> Path:
    """Write a run that ended with a verdict, and one request; return its folder."""
    folder = reports / EVENT / run_id
    (folder / "capacity").mkdir(parents=True)
    (folder / "run.json").write_text(
        json.dumps({"run_id": run_id, "verdict": verdict, "pid": os.getpid(), "event": EVENT})
    )
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    (folder / "journal.jsonl").write_text("")
    request = _request("in_review")
    (folder / "capacity" / f"{request.id}.yaml").write_text(as_yaml(request))
    ledger = Ledger(reports)
    row = RunRow(run_id, EVENT, str(folder), "2027-01-01", verdict, 0, os.getpid())
    ledger.record_run(row)
    with ledger.changing() as changing:
        put_request(changing, request, "in_review")
    ledger.close()
    return folder


def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    """Return exit code, output and messages of a command."""
    monkeypatch.setattr(sys, "argv", ["gameday", *words])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


@pytest.mark.parametrize("run", [(), ("one",)])
def test_requests_are_shown_from_another_folder_and_after_all_runs_were_moved(
    run: tuple[str, ...],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = typed(monkeypatch, capsys, "capacity", "export", *run)
    assert here[0] == 0
    assert _request("in_review").id in here[1]
    monkeypatch.chdir(tmp_path)
    out = ("--out", "home/reports")
    assert typed(monkeypatch, capsys, "capacity", "export", *run, *out) == here
    (home / "reports").rename(tmp_path / "archive")
    assert typed(monkeypatch, capsys, "capacity", "export", *run, "--out", "archive") == here


def test_the_ledger_of_an_older_version_with_folders_from_there_on_is_read(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(Path("reports") / "ledger.sqlite3") as ledger:
        ledger.execute("UPDATE runs SET folder = 'reports/' || folder")
    monkeypatch.chdir(tmp_path)
    code, said, _ = typed(monkeypatch, capsys, "findings", "--out", "home/reports")
    assert (code, said) == (0, "none\n")


@pytest.mark.parametrize("verb", BY_RUN, ids=" ".join)
def test_a_run_that_is_not_there_is_an_error_that_says_where_was_looked(
    verb: tuple[str, ...],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said, complained = typed(monkeypatch, capsys, *verb, "elsewhere/two")
    assert (code, said) == (2, "")
    assert str(home / "reports") in complained
    assert str(home / "elsewhere" / "two") in complained


@pytest.mark.parametrize("verb", BY_RUN, ids=" ".join)
def test_a_run_that_was_moved_away_alone_is_found_by_its_folder_and_not_by_its_id(
    verb: tuple[str, ...],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (home / "reports" / EVENT / "one").rename(home / "kept")
    code, said, complained = typed(monkeypatch, capsys, *verb, "one")
    assert (code, said) == (2, "")
    assert f"is not in {home / 'reports' / EVENT / 'one'} any more" in complained
    if verb[0] in ("capacity", "findings"):
        assert typed(monkeypatch, capsys, *verb, "kept")[0] == 0


def test_a_list_without_runs_names_the_folder_it_looked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    said = typed(monkeypatch, capsys, "runs")
    assert said == (0, f"no run yet under {tmp_path / 'reports'}: no such folder\n", "")


def test_a_move_of_a_request_is_kept_in_the_ledger_of_its_runs_and_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    request = _request("in_review")
    monkeypatch.chdir(tmp_path)
    words = ("capacity", "move", request.id, "draft", "--reason", "no", "--out", "home/reports")
    assert typed(monkeypatch, capsys, *words)[0] == 0
    ledger = Ledger(home / "reports")
    assert [entry.state for entry in ledger.entries()] == ["in_review", "draft"]
    ledger.close()
    written = home / "reports" / EVENT / "requests" / f"{request.id}.yaml"
    assert "state: draft" in written.read_text()


def test_a_run_plays_while_its_journal_is_held_and_no_longer(tmp_path: Path) -> None:
    assert not is_playing(tmp_path)
    journal = Journal(tmp_path / "journal.jsonl")
    assert is_playing(tmp_path)
    journal.close()
    assert not is_playing(tmp_path)


def test_a_killed_run_whose_process_number_is_another_s_now_was_aborted(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = left(Path("reports"), "two", "RUNNING")  # its number is this process's, which lives
    listed = json.loads(typed(monkeypatch, capsys, "runs", "--json")[1])["runs"]
    assert {row["run_id"]: row["verdict"] for row in listed} == {"one": "PASS", "two": "ABORTED"}
    code, _, complained = typed(monkeypatch, capsys, "stop", "two")
    assert (code, complained) == (2, "two is not running (it was killed)\n")
    assert "was killed" in typed(monkeypatch, capsys, "watch", "two")[2]
    journal = Journal(folder / "journal.jsonl")
    assert typed(monkeypatch, capsys, "stop", "two")[0] == 0
    journal.close()
