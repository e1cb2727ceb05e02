"""The journal: every line is JSON, appended at once, never lost, never rewritten."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.errors import PreflightFailed
from gameday.safety import Journal


def strict(line: str) -> dict[str, Any]:
    """Read one line as RFC 8259 has it: no NaN, no Infinity."""

    def no_such(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    read = json.loads(line, parse_constant=no_such)
    assert isinstance(read, dict)
    return read


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [strict(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "journal.jsonl"


@given(
    what=st.text(max_size=20),
    value=st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.lists(st.integers(), max_size=3),
        st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    ),
)
def test_whatever_is_written_is_one_line_of_json_and_reads_back(
    tmp_path_factory: pytest.TempPathFactory, what: str, value: object
) -> None:
    file = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal = Journal(file)
    journal.write(what, value=value)
    journal.close()
    [line] = lines_of(file)
    assert (line["what"], line["value"]) == (what, value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_json_cannot_write_still_makes_a_line_of_json(file: Path, number: float) -> None:
    journal = Journal(file)
    journal.write("measured", p99_s=number)
    journal.close()
    assert len(lines_of(file)) == 1


def test_what_json_does_not_know_is_written_as_its_text(file: Path) -> None:
    journal = Journal(file)
    journal.write("wrote", path=Path("/tmp/x"), error=ValueError("why"))
    journal.close()
    assert lines_of(file)[0]["path"] == "/tmp/x"
    assert lines_of(file)[0]["error"] == "why"


def test_a_line_is_on_disk_before_the_next_is_written(file: Path) -> None:
    journal = Journal(file)
    for n in range(3):
        journal.write("slot", slot=n)
        assert [line["slot"] for line in lines_of(file)] == list(range(n + 1))
    journal.close()


def test_a_second_journal_appends_and_leaves_what_stands(file: Path) -> None:
    for n in range(2):
        journal = Journal(file)
        journal.write("opened", time=n)
        journal.close()
    assert [line["time"] for line in lines_of(file)] == [0, 1]


def test_each_line_says_when_in_utc_and_never_goes_back(file: Path) -> None:
    journal = Journal(file)
    for _ in range(5):
        journal.write("tick")
    journal.close()
    times = [datetime.fromisoformat(line["at"]) for line in lines_of(file)]
    assert all(t.utcoffset() == timedelta(0) for t in times)
    assert times == sorted(times)


def test_a_text_with_line_breaks_stays_one_line(file: Path) -> None:
    journal = Journal(file)
    journal.write("said", text="one\ntwo\r\nthree\u2028four")
    journal.close()
    assert file.read_bytes().count(b"\n") == 1


def test_a_journal_that_cannot_be_written_fails_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(PreflightFailed, match="--out") as caught:
        Journal(tmp_path / "taken" / "journal.jsonl")
    assert caught.value.exit_code == 5
