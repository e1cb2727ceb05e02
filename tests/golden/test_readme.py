"""README's outputs are what its commands printed: altered or stale ones are faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden import readme
from tests.golden.readme import BLOCKS, Block, faults, kept, printed

REPEATABLE = [block for block in BLOCKS if block.is_repeatable]


def test_readme_holds_what_its_commands_printed_last() -> None:
    assert faults() == []


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A README of one block that was just made."""
    text = "all is well\nand stays so"
    (tmp_path / "show.txt").write_text(f"{readme.stamp()}\n{text}\n")
    page = tmp_path / "README.md"
    page.write_text(
        f"# x\n<!-- made: show -->\n```console\n{text}\n```\n<!-- /made: {readme.stamp()} -->\n"
    )
    monkeypatch.setattr(readme, "README", page)
    monkeypatch.setattr(readme, "BLOCKS", (Block("show", (), list),))
    monkeypatch.setattr(readme, "kept_file", lambda block: tmp_path / f"{block.name}.txt")
    return page


def test_a_fresh_block_has_no_fault_even_in_strict(copy: Path) -> None:
    assert faults(strict=True) == []


@pytest.mark.parametrize(
    ("old", "new"), [("all is well", "all is better"), ("and stays so", "and stays so\nfor ever")]
)
def test_a_block_that_was_altered_by_hand_is_a_fault(copy: Path, old: str, new: str) -> None:
    copy.write_text(copy.read_text().replace(old, new))
    assert "does not hold what was printed last" in " ".join(faults())


@pytest.mark.parametrize("part", ["version ", "seed ", "scenario "])
def test_a_block_of_another_version_seed_or_scenario_is_a_fault(copy: Path, part: str) -> None:
    for file in (copy, copy.with_name("show.txt")):
        file.write_text(file.read_text().replace(part, f"{part}9"))
    assert "was made from" in " ".join(faults())


def test_a_block_of_other_sources_is_a_fault_only_where_one_is_strict(copy: Path) -> None:
    for file in (copy, copy.with_name("show.txt")):
        file.write_text(file.read_text().replace("sources ", "sources 9"))
    assert faults() == []
    assert readme.warnings() == faults(strict=True) == ["show: was made from other sources"]


def test_making_a_block_leaves_what_stands_around_it(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readme, "printed", lambda block: r"now: \1 and \g<2>")
    readme.make([])
    assert copy.read_text().startswith(
        "# x\n<!-- made: show -->\n```console\nnow: \\1 and \\g<2>\n```\n"
    )
    assert faults(strict=True) == []


def test_of_a_replay_the_second_stacks_services_and_the_runs_own_folder_are_left_out() -> None:
    (replay,) = (block for block in BLOCKS if block.name == "replay")
    said = [
        "",
        "PASS (exit code 0)",
        "us     edge      33.1 % / 34.8 %",
        "in     edge      - / -",
        "in     cart      1.0 % / 1.1 %",
        "  in checkout: 21 -> 75 box",
        "report: reports/primeday-2027/20270101T000000-ab12/report.html",
    ]
    assert replay.shape(said) == [
        "PASS (exit code 0)",
        "us     edge      33.1 % / 34.8 %",
        "(the same for the stack `in`)",
        "  in checkout: 21 -> 75 box",
        "report: reports/primeday-2027/RUN/report.html",
    ]


@pytest.mark.nightly
def test_no_block_was_made_from_other_sources() -> None:
    assert faults(strict=True) == []


@pytest.mark.nightly
@pytest.mark.parametrize("block", REPEATABLE, ids=lambda block: block.name)
def test_a_command_of_readme_prints_today_what_readme_says(block: Block) -> None:
    made = kept(block)
    assert made is not None
    assert printed(block) == made[1]
