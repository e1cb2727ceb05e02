"""Files: each declared once, written whole or not at all."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from pathlib import Path

import pytest

from gameday.errors import PreflightFailed
from gameday.files import (
    RUN_FILES,
    cache_folder,
    remove_scratch,
    reports_readme,
    scratch_folder,
    write_whole,
)


def left_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "run.json", lambda part: part.write_text("{}"))
    assert left_in(tmp_path) == ["run.json"]
    assert (tmp_path / "run.json").read_text() == "{}"


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "capacity" / "CR-1.yaml", lambda part: part.write_text("a: 1"))
    assert left_in(tmp_path / "capacity") == ["CR-1.yaml"]


def test_the_part_has_the_suffix_of_the_file_so_that_writers_know_the_format(
    tmp_path: Path,
) -> None:
    seen: list[Path] = []

    def write(part: Path) -> None:
        seen.append(part)
        part.write_text("x")

    write_whole(tmp_path / "plan.parquet", write)
    assert seen[0].suffix == ".parquet"
    assert seen[0].parent == tmp_path
    assert seen[0].name.startswith(".")


def spoil(part: Path) -> None:
    part.write_text("half")
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_no_half_of_the_new(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("old")
    with pytest.raises(PreflightFailed, match=r"run\.json: cannot be written \(No space left"):
        write_whole(tmp_path / "run.json", spoil)
    assert left_in(tmp_path) == ["run.json"]
    assert (tmp_path / "run.json").read_text() == "old"


def test_a_full_disk_is_no_fault_for_an_optional_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "cache.bin", spoil, optional=True)
    assert left_in(tmp_path) == []


def test_a_writer_that_fails_leaves_no_half_written_part_behind(tmp_path: Path) -> None:
    def fail(part: Path) -> None:
        part.write_text("half")
        raise ValueError("a column is missing")

    with pytest.raises(ValueError, match="column"):
        write_whole(tmp_path / "plan.parquet", fail)
    assert left_in(tmp_path) == []


def test_a_file_where_a_folder_should_be_fails_in_words(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(PreflightFailed, match="--out"):
        write_whole(tmp_path / "taken" / "run.json", lambda part: part.write_text("{}"))


def test_no_two_files_of_a_run_have_one_name_and_all_have_a_version_and_a_maker() -> None:
    names = [file.name for file in RUN_FILES]
    assert len(set(names)) == len(names)
    assert all(file.version >= 1 and file.made_by and file.meaning for file in RUN_FILES)
    for file in RUN_FILES:
        columns = [column.name for column in file.columns]
        assert len(set(columns)) == len(columns)


def test_every_file_of_a_run_is_named_by_the_design() -> None:
    named = {file.name for file in RUN_FILES}
    assert named >= {
        "run.json",
        "demand.parquet",
        "plan.parquet",
        "predicted.parquet",
        "measured.parquet",
        "findings.json",
        "capacity/CR-*.yaml",
        "report.html",
        "summary.md",
        "junit.xml",
        "journal.jsonl",
    }


def test_the_readme_of_reports_lists_every_file_and_every_column() -> None:
    text = reports_readme()
    for file in RUN_FILES:
        assert f"| `{file.name}` | {file.version} | {file.made_by} |" in text
        for column in file.columns:
            assert re.search(rf"^\| {re.escape(column.name)} \|", text, re.MULTILINE)
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {4, 5}


def test_the_cache_is_where_it_is_asked_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("GAMEDAY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "gameday"


def test_a_cache_that_cannot_be_made_falls_back_to_one_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("GAMEDAY_CACHE", str(tmp_path / "taken" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = cache_folder()
    assert folder.is_dir()
    assert folder.name.startswith("gameday-scratch-cache-")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_temporary_folder_of_a_killed_process_is_swept_by_the_next_and_no_other_is(
    temporary: Path,
) -> None:
    with scratch_folder("living") as living:
        if not os.fork():
            with scratch_folder("killed") as folder:
                (folder / "orders.db").write_text("x")
                os.kill(os.getpid(), signal.SIGKILL)
        os.wait()
        assert len(left_in(temporary)) == 2
        (temporary / "gameday-of-a-person").mkdir()
        with scratch_folder("next") as following:
            there = sorted([living.name, following.name, "gameday-of-a-person"])
            assert left_in(temporary) == there
    assert left_in(temporary) == ["gameday-of-a-person"]


def test_a_temporary_folder_that_is_swept_while_it_is_made_is_made_again(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = tempfile.mkdtemp, list[str]()

    def swept_once(prefix: str) -> str:
        made.append(make(prefix=prefix))
        if len(made) == 1:
            os.rmdir(made[0])
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", swept_once)
    with scratch_folder("model") as folder:
        assert str(folder) == made[1]
        assert left_in(temporary) == [folder.name]


def test_who_leaves_without_unwinding_removes_its_temporary_folders_first(temporary: Path) -> None:
    with scratch_folder("shop") as folder:
        remove_scratch()
        assert not folder.exists()
    assert left_in(temporary) == []


def test_the_program_makes_temporary_folders_in_one_place_only() -> None:
    sources = Path(__file__).parents[2] / "gameday"
    makers = {
        str(file.relative_to(sources))
        for file in sources.rglob("*.py")
        if re.search(r"mkdtemp|TemporaryDirectory\(", file.read_text())
    }
    assert makers == {
        "files.py",
        "history/importers/access_log.py",
    }  # the latter inside one of these
