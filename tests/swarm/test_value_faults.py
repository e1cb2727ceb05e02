"""Faults in values, feeds and the files beside a scenario: all said at the door, each with its place."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from gameday.errors import ScenarioError
from gameday.scenario import load_scenario
from tests.support.small_shop import merged, small_shop

FORM = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<rest>\S.*)", re.DOTALL)
PEOPLE = "name,city\nada,London\n"


def shop(folder: Path, changes: dict[str, Any]) -> tuple[Path, str]:
    """Write a scenario beside its feed; return its file and text."""
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "visitors.py").write_text("import base\nclass Shopper(base.Visitor): ...\n")
    (folder / "broken.py").write_text("class Shopper(\n")
    text = json.dumps(merged(small_shop(), {"feeds": FEED} | changes), indent=1)
    file = folder / "small.yaml"
    file.write_text(text)
    return file, text


def faults_of(folder: Path, changes: dict[str, Any]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(shop(folder, changes)[0]))
    return caught.value.faults


FEED = {"people": {"file": "people.csv"}}


def home(**exchange: Any) -> dict[str, Any]:
    return {"steps": {"home": {"exchanges": [{"path": "/"} | exchange]}}}


def value(**rules: Any) -> dict[str, Any]:
    return {"values": {"color": rules}}


# id: (changes, text whose line the fault names, what it says)
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown word": (
        home(path="/{colour}") | value(choice=["red"]),
        '"path": "/{colour}"',
        r"steps\.home\.exchanges\.0\.path: unknown template word 'colour'; did you mean 'color'\?",
    ),
    "unknown word in a body": (
        home(method="POST", body="<a>{nothing}</a>"),
        '"body":',
        r"steps\.home\.exchanges\.0\.body: unknown template word 'nothing'",
    ),
    "a feed without its column": (
        home(path="/{people}"),
        '"path": "/{people}"',
        r"steps\.home\.exchanges\.0\.path: unknown template word 'people'",
    ),
    "unknown feed": (
        home(path="/{poeple.name}"),
        '"path": "/{poeple',
        r"steps\.home\.exchanges\.0\.path: unknown feed 'poeple'; did you mean 'people'\?",
    ),
    "unknown column": (
        home(query={"who": "{people.nmae}"}),
        '"query":',
        r"steps\.home\.exchanges\.0\.query: feed 'people' has no column 'nmae'; did you mean 'name'\?",
    ),
    "unknown column in json": (
        home(method="POST", json={"a": ["{people.age}"]}),
        '"json":',
        r"steps\.home\.exchanges\.0\.json: feed 'people' has no column 'age'",
    ),
    "unknown column in a group": (
        {"steps": {"home": {"exchanges": [[{"path": "/"}, {"path": "/{people.age}"}]]}}},
        '"path": "/{people.age}"',
        r"steps\.home\.exchanges\.0\.1\.path: feed 'people' has no column 'age'",
    ),
    "missing file": (
        {"feeds": {"people": {"file": "nowhere.csv"}}},
        '"file": "nowhere.csv"',
        r"feeds\.people\.file: cannot be read \(.*nowhere\.csv.*\); a CSV with a heading, or Parquet",
    ),
    "a folder": (
        {"feeds": {"people": {"file": "."}}},
        '"file": "."',
        r"feeds\.people\.file: cannot",
    ),
    "no name of a file": (
        {"feeds": {"people": {"file": "a\0b"}}},
        '"file": "a',
        r"feeds\.people\.file: cannot be read",
    ),
    "an empty name": ({"feeds": {"people": {"file": ""}}}, '"file": ""', r"feeds\.people\.file"),
    "unknown pick": (
        {"feeds": {"people": {"pick": "in trun"}}},
        '"pick"',
        r"feeds\.people\.pick: unknown value 'in trun'; did you mean 'in turn'\?",
    ),
    "missing certificates": (
        {"replay": {"connections": {"ca_file": "ca.pem"}}},
        '"ca_file"',
        r"replay\.connections\.ca_file: cannot be read",
    ),
    "a word of every customer": (
        {"values": {"customer": {"choice": ["a"]}}},
        '"customer": {',
        r"values\.customer: is a word every customer has already",
    ),
    "unknown product": (
        value(by_product={"toy": 1}),
        '"toy": 1',
        r"values\.color\.by_product\.toy: unknown product",
    ),
    "two sources": (
        value(choice=["a"], whole=[1, 2]),
        '"color"',
        r"values\.color: name exactly one of choice, whole, counter, by_product",
    ),
    "no source": (value(drawn="session"), '"color"', r"values\.color: name exactly one of"),
    "nothing to choose": (
        value(choice=[]),
        '"choice"',
        r"values\.color\.choice.*: must name at least one value",
    ),
    "no weights": (
        value(choice={}),
        '"choice"',
        r"values\.color\.choice.*: must name at least one value",
    ),
    "a weight of nothing": (
        value(choice={"red": 0}),
        '"red": 0',
        r"values\.color\.choice\.red: .*greater than 0",
    ),
    "high below low": (
        value(whole=[3, 2]),
        '"color"',
        r"values\.color: whole: low is above high \(got \[3, 2\]\)",
    ),
    "weights beyond all numbers": (
        value(choice={"red": 1e308, "blue": 1e308}),
        '"choice"',
        r"values\.color\.choice.*: the weights add up to no finite number",
    ),
    "a bound beyond what a draw can reach": (
        value(whole=[0, 10**17]),
        '"color"',
        r"values\.color: whole: beyond 4503599627370496 .*exact",
    ),
    "a status that no reply has": (
        home(check={"status": [200, 1000]}),
        "1000",
        r"steps\.home\.exchanges\.0\.check\.status\.1: .*599",
    ),
    "a check that cannot pass": (
        home(check={"status": []}),
        '"status"',
        r"steps\.home\.exchanges\.0\.check\.status: ",
    ),
    "a check that cannot fail": (
        home(check={"body_contains": ""}),
        '"body_contains"',
        r"steps\.home\.exchanges\.0\.check\.body_contains: ",
    ),
    "a header without a name": (
        home(extract={"word": {"header": ""}}),
        '"header"',
        r"steps\.home\.exchanges\.0\.extract\.word\.header: ",
    ),
    "a header that is the client's to say": (
        home(headers={"content-length": "7"}),
        '"headers"',
        r"steps\.home\.exchanges\.0\.headers: content-length: the client says this itself",
    ),
    "certificates that are none": (
        {"replay": {"connections": {"ca_file": "people.csv"}}},
        '"ca_file"',
        r"replay\.connections\.ca_file: cannot be read \(.*\); certificates to trust, in PEM",
    ),
    "no such module": (
        {"steps": {"home": {"python": "nowhere:Shopper"}}},
        '"python"',
        r"steps\.home\.python: no module 'nowhere' beside the scenario \(nowhere\.py\), nor installed",
    ),
    "a module without the class": (
        {"steps": {"home": {"python": "visitors:Shoper"}}},
        '"python"',
        r"steps\.home\.python: visitors\.py has no class 'Shoper'; did you mean 'Shopper'\?",
    ),
    "a module that is no Python": (
        {"journeys": {"shopper": {"python": "broken:Shopper"}}},
        '"python"',
        r"journeys\.shopper\.python: broken\.py cannot be read \(.*line 1\)",
    ),
    "a bound that is no number": (value(whole=[1.5, 2]), "1.5", r"values\.color\.whole"),
    "a step of nothing": (value(counter={"by": 0}), '"by": 0', r"values\.color\.counter\.by"),
    "unknown rule of drawing": (
        value(choice=["a"], drawn="once"),
        '"drawn"',
        r"values\.color\.drawn: unknown value 'once'",
    ),
    "unknown field": (value(chioce=["a"]), '"chioce"', r"values\.color\.chioce: .*'choice'"),
    "two bodies": (
        home(method="POST", body="a", form={"a": "b"}),
        '"path": "/"',
        r"steps\.home\.exchanges\.0: an exchange has a form, a json body or a body, not several",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_fault_is_said_with_its_file_line_column_path_and_remedy(
    case: str, tmp_path: Path
) -> None:
    changes, at, says = BAD[case]
    faults = faults_of(tmp_path, changes)
    mine = [
        found
        for fault in faults
        if (found := FORM.fullmatch(fault)) and re.match(says, found["rest"])
    ]
    assert mine, faults
    file, text = shop(tmp_path, changes)
    assert mine[0]["file"] == str(file)
    line, column = int(mine[0]["line"]), int(mine[0]["column"])
    there = text.splitlines()[line - 1]
    wanted = text[: text.index(at)].count("\n") + 1
    assert abs(line - wanted) <= ("exchanges.0:" in mine[0]["rest"]), there
    assert there[column - 1] != " "


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"choice": {"red": 0}}, "values.color.choice.red: "),
        ({"choice": ["red", None]}, "values.color.choice.1: "),
        ({"whole": [1]}, "values.color.whole: "),
    ],
    ids=str,
)
def test_one_slip_in_a_value_is_one_fault_that_says_what_to_do(
    rules: dict[str, Any], says: str, tmp_path: Path
) -> None:
    [fault] = faults_of(tmp_path, value(**rules))
    assert says.split(": ")[0] in fault
    assert "is missing; add `1:`" not in fault


FILES: dict[str, bytes] = {
    "nothing": b"",
    "a heading alone": b"name,city\n",
    "binary": bytes(range(256)) * 4,
    "latin-1": "name,city\nJos\u00e9,M\u00fcnchen\n".encode("latin-1"),
    "a ragged row": b"name,city\nada,London,1843\n",
    "a broken quote": b'name,city\n"ada,London\n',
    "columns of one name": b"name,name\nada,London\n",
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_is_no_table_is_a_fault_at_the_feed(what: str, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_bytes(FILES[what])
    [fault] = faults_of(tmp_path, {"feeds": {"people": {"file": "odd.csv"}}})
    assert re.search(r":\d+:\d+: feeds\.people\.file: (cannot be read|has no rows)", fault)


def test_a_parquet_file_that_is_none_is_a_fault_at_the_feed(tmp_path: Path) -> None:
    (tmp_path / "odd.parquet").write_bytes(b"name,city\nada,London\n")
    [fault] = faults_of(tmp_path, {"feeds": {"people": {"file": "odd.parquet"}}})
    assert "feeds.people.file: cannot be read" in fault


def test_a_file_too_large_for_every_worker_to_hold_is_a_fault_with_the_bound(
    tmp_path: Path,
) -> None:
    (tmp_path / "huge.csv").touch()
    os.truncate(tmp_path / "huge.csv", (64 << 20) + 1)
    [fault] = faults_of(tmp_path, {"feeds": {"people": {"file": "huge.csv"}}})
    assert "64 MiB" in fault


def test_faults_in_values_feeds_and_templates_are_all_said_at_once(tmp_path: Path) -> None:
    faults = faults_of(
        tmp_path,
        {
            "values": {"region": {"choice": ["a"]}, "n": {"by_product": {"toy": 1}}},
            "feeds": {"gone": {"file": "gone.csv"}},
        }
        | home(path="/{colour}/{people.age}/{nowhere.x}"),
    )
    assert len(faults) == 6
    assert all(FORM.fullmatch(fault) for fault in faults)


def test_a_feed_lies_beside_its_scenario_wherever_one_stands_or_where_its_whole_path_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for file in ("people.csv", str(tmp_path / "people.csv")):
        changes = {"feeds": {"people": {"file": file}}} | home(path="/{people.name}")
        assert load_scenario(str(shop(tmp_path, changes)[0])).feeds["people"].file == file


@pytest.mark.parametrize(
    "rules",
    [
        {"extract": {"token": {"jsonpath": "$.a["}}},
        {"extract": {"token": {"jsonpath": ""}}},
        {"extract": {"token": {"css": "a[["}}},
        {"extract": {"token": {"css": "@href"}}},
        {"check": {"jsonpath": {"$.a[": 1}}},
    ],
    ids=str,
)
def test_an_expression_that_cannot_be_read_is_a_fault_and_no_crash_at_the_first_reply(
    rules: dict[str, Any], tmp_path: Path
) -> None:
    [fault] = faults_of(tmp_path, home(**rules))
    assert "steps.home.exchanges.0" in fault


@pytest.mark.parametrize(
    "module",
    [
        "class Shopper: ...",
        "from base import Shopper",
        "from base import *",
        "import base as Shopper",
        "if 1:\n    class Shopper: ...",
        "Shopper = make()",
    ],
)
def test_a_class_that_a_module_may_give_is_left_to_who_imports_it(
    module: str, tmp_path: Path
) -> None:
    (tmp_path / "given.py").write_text(module)
    file, _ = shop(tmp_path, {"steps": {"home": {"python": "given:Shopper"}}})
    assert load_scenario(str(file)).steps["home"].python == "given:Shopper"
