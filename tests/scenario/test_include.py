"""Includes: what stands here wins, every fault keeps its own file, no circle is walked."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import ScenarioError
from gameday.scenario import load_scenario
from gameday.scenario.reading import yaml_source as read
from gameday.scenario.reading.yaml_source import read_document
from tests.support import examples

if TYPE_CHECKING:
    from tests.scenario.conftest import Bench

CAPACITY = "capacity:\n  instances:\n    m8g.large: {hourly_usd: 0.1, vcpu: 2}\n"
OBJECTIVES = "objectives:\n  - p99 of home < 800ms\n  - error rate of all steps < 1%\n"


def split(bench: Bench, *, below: str = CAPACITY, include: str = "[parts/capacity.yaml]") -> str:
    """Write the capacity block in a file of its own; return the path of the main one."""
    bench.write(below, "parts/capacity.yaml")
    return str(bench.write(f"include: {include}\n" + bench.edited((CAPACITY, ""))))


def test_a_scenario_split_in_files_is_the_scenario_in_one(bench: Bench) -> None:
    assert load_scenario(split(bench)) == bench.load()


def test_a_key_of_the_including_file_wins_and_mappings_merge(bench: Bench) -> None:
    bench.write("capacity:\n  zones_lost: 2\n  lead_time_days: 9\n", "under.yaml")
    edited = bench.edited(("capacity:\n", "capacity:\n  zones_lost: 0\n"))
    scenario = load_scenario(str(bench.write("include: [under.yaml]\n" + edited)))
    assert scenario.capacity.zones_lost == 0
    assert scenario.capacity.lead_time_days == 9


def test_the_first_of_two_includes_wins(bench: Bench) -> None:
    bench.write("replay: {speed: 3}\n", "one.yaml")
    bench.write("replay: {speed: 4, peak: 10m}\n", "two.yaml")
    scenario = load_scenario(str(bench.write("include: [one.yaml, two.yaml]\n" + bench.text)))
    assert (scenario.replay.speed, scenario.replay.peak) == (3, 600)


def test_a_list_is_replaced_not_joined(bench: Bench) -> None:
    bench.write("objectives: [p50 of home < 1s, p50 of cart < 1s, p90 of cart < 1s]\n", "o.yaml")
    scenario = load_scenario(str(bench.write("include: [o.yaml]\n" + bench.text)))
    assert [c.metric for c in scenario.objectives] == ["p99", "error rate"]


def test_an_include_may_include_and_two_may_include_the_same(bench: Bench) -> None:
    bench.write(CAPACITY, "deep/capacity.yaml")
    bench.write("include: [deep/capacity.yaml]\n", "a.yaml")
    bench.write("include: [deep/capacity.yaml]\n", "b.yaml")
    text = "include: [a.yaml, b.yaml]\n" + bench.edited((CAPACITY, ""))
    assert load_scenario(str(bench.write(text))) == bench.load()


def test_include_is_no_key_of_the_scenario(bench: Bench) -> None:
    split(bench)
    assert "include" not in read_document(bench.folder / "fair.yaml").data


def test_a_fault_below_names_the_file_it_stands_in(bench: Bench) -> None:
    file = split(bench, below="# prices\n" + CAPACITY.replace("vcpu: 2", "vcpu: two"))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file)
    where = bench.folder / "parts" / "capacity.yaml"
    assert caught.value.faults[0].startswith(f"{where}:4:")


def test_faults_of_several_files_are_reported_together(bench: Bench) -> None:
    bench.write(CAPACITY.replace("vcpu: 2", "vcpu: two"), "parts/capacity.yaml")
    bench.write(OBJECTIVES.replace("p99", "p98"), "parts/objectives.yaml")
    text = bench.edited((CAPACITY, ""), (OBJECTIVES, ""), ("half_life: 4m", "half_life: 4"))
    head = "include: [parts/capacity.yaml, parts/objectives.yaml, parts/none.yaml]\n"
    faults = bench.faults_of(head + text)
    assert len(faults) == 4
    said = "\n".join(faults)
    half_life = (head + text)[: (head + text).index("half_life")].count("\n") + 1
    own = (f"fair.yaml:{half_life}:", "fair.yaml:1:")
    for piece in ("capacity.yaml:3:", "objectives.yaml:2:", *own):
        assert piece in said


def test_a_missing_include_is_a_fault_at_its_name(bench: Bench) -> None:
    faults = bench.faults_of("include:\n  - gone.yaml\n" + bench.text)
    assert faults == [f"{bench.folder}/fair.yaml:2:5: include.0: no such file (got 'gone.yaml')"]


@pytest.mark.parametrize(
    "wrong", ["parts/capacity.yaml", "{a: b}", "[1]", "[[a.yaml]]", "5", "null"]
)
def test_an_include_that_is_no_list_of_files_is_a_fault(bench: Bench, wrong: str) -> None:
    faults = bench.faults_of(f"include: {wrong}\n" + bench.text)
    assert faults == [f"{bench.folder}/fair.yaml:1:1: include: must be a list of files"]


def test_a_file_that_includes_itself_is_a_fault(bench: Bench) -> None:
    faults = bench.faults_of("include: [./fair.yaml]\n" + bench.text)
    assert len(faults) == 1
    assert "fair.yaml:1:11: include.0: './fair.yaml' includes itself" in faults[0]


def test_a_circle_of_includes_is_a_fault_in_the_file_that_closes_it(bench: Bench) -> None:
    bench.write("include: [b.yaml]\n", "a.yaml")
    bench.write("# comment\ninclude: [fair.yaml]\n", "b.yaml")
    faults = bench.faults_of("include: [a.yaml]\n" + bench.text)
    assert len(faults) == 1
    assert faults[0].startswith(f"{bench.folder}/b.yaml:2:11: ")


def test_a_folder_as_include_is_a_fault(bench: Bench) -> None:
    (bench.folder / "parts").mkdir()
    assert "no such file" in bench.faults_of("include: [parts]\n" + bench.text)[0]


@pytest.mark.parametrize("name", ['"a\\0b.yaml"', "x" * 5000], ids=["null byte", "5000 letters"])
def test_an_include_no_file_system_can_hold_is_a_fault(bench: Bench, name: str) -> None:
    assert "include.0" in bench.faults_of(f"include: [{name}]\n" + bench.text)[0]


def test_a_broken_include_reports_its_own_syntax_error(bench: Bench) -> None:
    with pytest.raises(ScenarioError, match=r"capacity\.yaml:2:.*is not YAML"):
        load_scenario(split(bench, below="capacity: [\n  }\n"))


def test_an_empty_include_is_a_fault_in_that_file(bench: Bench) -> None:
    with pytest.raises(ScenarioError, match=r"capacity\.yaml:1:1: must be a mapping"):
        load_scenario(split(bench, below="# nothing\n"))


def written(folder: Path, files: list[tuple[dict[str, Any], list[int]]]) -> Path:
    """Write files that say some keys and include those of the given numbers; return the first."""
    for number, (keys, includes) in enumerate(files):
        data = keys | {"include": [f"{below}.yaml" for below in includes]}
        (folder / f"{number}.yaml").write_text(json.dumps(data))
    return folder / "0.yaml"


def test_a_file_is_read_once_however_many_files_include_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels, reads = 12, list[str]()
    files: list[tuple[dict[str, Any], list[int]]] = []
    for level in range(levels):  # two that include the next two each: 2^levels ways down
        below = [2 * level + 2, 2 * level + 3] if level + 1 < levels else []
        files += [({f"left{level}": level}, below), ({f"right{level}": level}, below)]
    true_read = read._read_file

    def counting(source: read._Source) -> read.Document:
        reads.append(source.file.name)
        return true_read(source)

    monkeypatch.setattr(read, "_read_file", counting)
    document = read_document(written(tmp_path, files))
    assert len(reads) == len(set(reads)) == 2 * levels - 1
    assert len(document.data) == 2 * levels - 1
    assert document.faults == []


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_files_that_share_includes_say_what_they_would_say_each_read_anew(data: Any) -> None:
    count = data.draw(st.integers(1, 6))
    scalar = st.integers(0, 9)
    value = st.one_of(scalar, st.dictionaries(st.sampled_from("xyz"), scalar, max_size=3))
    files = [
        (
            data.draw(st.dictionaries(st.sampled_from("abc"), value, max_size=3)),
            data.draw(st.lists(st.integers(number + 1, count), max_size=3)),
        )
        for number in range(count)
    ] + [({"a": 1}, [])]

    def each_anew(number: int) -> Any:
        said: Any = files[number][0]
        for below in files[number][1]:
            said = read._merged(said, each_anew(below))
        return said

    with tempfile.TemporaryDirectory() as folder:
        document = read_document(written(Path(folder), files))
    assert document.data == each_anew(0)


def test_includes_far_too_deep_are_a_fault_and_no_crash(tmp_path: Path) -> None:
    files: list[tuple[dict[str, Any], list[int]]] = [({}, [n + 1]) for n in range(400)]
    document = read_document(written(tmp_path, [*files, ({}, [])]))
    assert [text for _, text in document.faults] == [
        "include.0: more than 60 files include one another in a row"
    ]
