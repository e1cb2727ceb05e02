"""What lives is kept whole or not at all: every act in one chain, whoever writes and whenever they are killed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.errors import PreflightFailed
from gameday.ledger import Act, Ledger
from tests.support import examples
from tests.support.ledger_writers import LEGAL, Killed, killed_writers

names = st.text("abc", min_size=1, max_size=2)
acts = st.lists(st.tuples(names, names, st.sampled_from(["open", "fixed", "worse"])), max_size=12)


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    held = Ledger(tmp_path / "reports")
    yield held
    held.close()


def put(ledger: Ledger, subject: str, act: str, body: dict[str, Any], event: str = "e") -> None:
    with ledger.changing() as changing:
        kept = json.dumps({"id": subject, **body})
        changing.put(Act(event, "finding", subject, act, act, json.dumps(body)), kept)


@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(done=acts)
def test_every_act_is_in_the_chain_in_its_order_and_the_last_is_the_state(
    done: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("reports"))
    for number, (event, subject, act) in enumerate(done):
        put(ledger, subject, act, {"n": number}, event)
    entries = ledger.entries()
    assert [(e.event, e.subject, e.act) for e in entries] == done
    assert [e.number for e in entries] == list(range(1, len(done) + 1))
    assert ledger.faults() == []
    for event, subject, _ in done:
        last = max(n for n, row in enumerate(done) if row[:2] == (event, subject))
        assert json.loads(ledger.subjects(event, "finding")[subject]) == {"id": subject, "n": last}
    ledger.close()


_EDITS = [
    "UPDATE entries SET act = 'fixed' WHERE number = 2",
    "UPDATE entries SET body = '{}' WHERE number = 1",
    "UPDATE entries SET previous = sha256 WHERE number = 3",
    "UPDATE entries SET number = 9 WHERE number = 3",
    "DELETE FROM entries WHERE number = 2",
    "UPDATE entries SET subject = 'z' WHERE number = 3",
    "UPDATE subjects SET state = 'fixed' WHERE subject = 'a'",
    "DELETE FROM subjects WHERE subject = 'b'",
    "INSERT INTO subjects VALUES ('e', 'finding', 'z', 'open', '{}')",
]


@pytest.mark.parametrize("edit", _EDITS)
def test_whatever_is_written_past_the_program_is_found_out(
    edit: str, ledger: Ledger, tmp_path: Path
) -> None:
    for subject in "abc":
        put(ledger, subject, "open", {"n": 1})
    assert ledger.faults() == []
    with sqlite3.connect(tmp_path / "reports" / "ledger.sqlite3") as database:
        database.execute(edit)
    assert ledger.faults()


def test_a_chain_rewritten_whole_has_another_head(tmp_path: Path) -> None:
    """The head that an approver keeps is then in no entry: that is what a receipt is for."""
    heads = []
    for reason in ("was", "is"):
        ledger = Ledger(tmp_path / reason)
        put(ledger, "a", "open", {"why": reason})
        put(ledger, "b", "open", {})
        heads.append([entry.sha256 for entry in ledger.entries()])
        assert ledger.faults() == []
        ledger.close()
    assert not set(heads[0]) & set(heads[1])


def test_what_fails_inside_leaves_nothing(ledger: Ledger) -> None:
    put(ledger, "a", "open", {})

    def fail_halfway() -> None:
        with ledger.changing() as changing:
            changing.put(Act("e", "finding", "b", "open", "open", "{}"), "{}")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert [entry.subject for entry in ledger.entries()] == ["a"]
    assert ledger.subjects("e", "finding").keys() == {"a"}


_OLD = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, event TEXT NOT NULL, folder TEXT NOT NULL, started_utc TEXT NOT NULL,
    verdict TEXT NOT NULL, exit_code INTEGER NOT NULL, pid INTEGER NOT NULL
) STRICT;
CREATE TABLE findings (
    run_id TEXT NOT NULL, finding TEXT NOT NULL, severity TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (run_id, finding)
) STRICT;
CREATE TABLE requests (
    run_id TEXT NOT NULL, request TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (run_id, request)
) STRICT;
INSERT INTO runs VALUES ('r1', 'e', 'e/r1', '2026-01-01', 'PASS', 0, 1);
INSERT INTO findings VALUES ('r1', 'f', 'S1', '{}');
"""


def test_a_ledger_of_before_there_were_versions_keeps_its_rows(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    with sqlite3.connect(tmp_path / "reports" / "ledger.sqlite3") as old:
        old.executescript(_OLD)
    for _ in range(2):
        ledger = Ledger(tmp_path / "reports")
        assert [row.run_id for row in ledger.runs()] == ["r1"]
        assert ledger.findings("r1") == ["{}"]
        put(ledger, "a", "open", {})
        ledger.close()


def test_a_ledger_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    Ledger(tmp_path / "reports").close()
    file = tmp_path / "reports" / "ledger.sqlite3"
    with sqlite3.connect(file) as database:
        database.execute("UPDATE alembic_version SET version_num = '99'")
    with pytest.raises(PreflightFailed, match="newer gameday"):
        Ledger(tmp_path / "reports")


_OPEN = """
import sys
from pathlib import Path
from gameday.ledger import Ledger
Ledger(Path(sys.argv[1])).close()
"""


def test_processes_that_open_a_new_ledger_at_once_all_can(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(tmp_path / "reports")]
    openers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    assert [opener.communicate(timeout=60)[1] for opener in openers] == [b""] * 4
    assert [opener.returncode for opener in openers] == [0] * 4


def test_writers_killed_at_any_moment_leave_no_lost_doubled_or_illegal_state(
    tmp_path: Path,
) -> None:
    """The short form of `make bench-capacity`'s 200 kills of 8 writers."""
    outcome: Killed = killed_writers(tmp_path / "reports", kills=6, writers=3, seed=1)
    assert outcome.faults == ()
    assert outcome.acknowledged > 0
    assert outcome.entries >= outcome.acknowledged


def test_the_bench_finds_out_a_state_that_is_illegal(tmp_path: Path) -> None:
    outcome = killed_writers(tmp_path / "reports", kills=1, writers=2, seed=2)
    assert outcome.faults == ()
    ledger = Ledger(tmp_path / "reports")
    last = ledger.entries()[-1]
    wrong = next(state for state in LEGAL if state not in LEGAL[last.state] and state != last.state)
    with ledger.changing() as changing:
        changing.put(Act(last.event, "finding", last.subject, wrong, wrong, "{}"), "{}")
    ledger.close()
    assert killed_writers(tmp_path / "reports", kills=0, writers=0, seed=3).faults


def test_a_reader_sees_whole_acts_while_somebody_writes(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, "a", "open", {})
    with ledger.changing() as changing:
        changing.put(Act("e", "finding", "a", "fixed", "fixed", "{}"), "{}")
        other = Ledger(tmp_path / "reports")
        assert [entry.act for entry in other.entries()] == ["open"]
        other.close()
    assert [entry.act for entry in ledger.entries()] == ["open", "fixed"]
