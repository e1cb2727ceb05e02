"""Every fault a person can write: found, placed, said in words, all of them at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gameday.errors import ScenarioError, UsageError
from gameday.scenario import bundled_scenarios, load_scenario
from tests.support.bad_documents import BAD, EDGE_STACKS

if TYPE_CHECKING:
    from tests.scenario.conftest import Bench

FORM = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<rest>\S.*)", re.DOTALL)


def placed(fault: str) -> re.Match[str]:
    found = FORM.fullmatch(fault)
    assert found, f"no file:line:column in {fault!r}"
    return found


def line_of(text: str, piece: str) -> int:
    assert text.count(piece) >= 1, f"{piece!r} does not stand in the text"
    return text[: text.index(piece)].count("\n") + 1


@pytest.mark.parametrize("case", BAD)
def test_a_fault_is_said_with_its_file_line_column_path_and_remedy(bench: Bench, case: str) -> None:
    old, new, at, says = BAD[case]
    text = bench.edited((old, new))
    faults = bench.faults_of(text)
    mine = [fault for fault in faults if re.search(says, placed(fault)["rest"])]
    assert mine, faults
    found = placed(mine[0])
    assert found["file"] == str(bench.folder / "fair.yaml")
    lines = text.splitlines()
    line, column = int(found["line"]), int(found["column"])
    assert line == line_of(text, at), (mine[0], lines[line - 1])
    assert 1 <= column <= len(lines[line - 1])
    assert lines[line - 1][column - 1] != " "


def test_the_valid_scenario_and_every_bundled_one_load(bench: Bench) -> None:
    assert bench.load().event.name == "fair-2027"
    assert "primeday" in bundled_scenarios()
    for name in bundled_scenarios():
        assert load_scenario(name).steps


def test_several_faults_are_all_reported_in_one_error_in_the_order_of_the_lines(
    bench: Bench,
) -> None:
    faults = bench.faults(
        ("half_life: 4m", "half_life: 4"),
        ("vcpu: 2", "vcpu: two"),
        ("patience: 9s", "patienc: 9s"),
        ("source: metrics", "source: magic"),
        ("- p99 of home < 800ms", "- p97 of home < 800ms"),
    )
    said = "\n".join(faults)
    for path in ("half_life", "vcpu", "patienc:", "patience: is missing", "source", "objectives.0"):
        assert path in said
    assert len(faults) == 6
    lines = [int(placed(fault)["line"]) for fault in faults]
    assert lines == sorted(lines)


def test_several_faults_between_blocks_are_all_reported_in_one_error(bench: Bench) -> None:
    faults = bench.faults(
        ("kind: match", "kind: mach"),
        ("product: console\n", "product: konsole\n"),
        ("launch: drop", "launch: drip"),
        ("step_time: {cart:", "step_time: {till:"),
        ("- p99 of home < 800ms", "- p99 of hme < 800ms"),
        ("share: {us: 0.9, in: 0.8}", "share: {us: 0.8, in: 0.7}"),
    )
    assert len(faults) == 7
    assert len(set(faults)) == 7


def test_a_duplicated_key_and_a_wrong_value_are_reported_together(bench: Bench) -> None:
    faults = bench.faults(
        ("patience: 9s", "patience: 9s\n    patience: 9s"), ("vcpu: 2", "vcpu: none")
    )
    assert len(faults) == 2


def test_the_error_text_is_its_faults_one_a_line(bench: Bench) -> None:
    text = bench.edited(("half_life: 4m", "half_life: 4"), ("vcpu: 2", "vcpu: two"))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(bench.write(text)))
    assert str(caught.value).splitlines() == caught.value.faults
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be a mapping"),
        ("# nothing but a remark\n", "must be a mapping"),
        ("- event\n- regions\n", "must be a mapping"),
        ("42\n", "must be a mapping"),
        ("just words\n", "must be a mapping"),
        ("event: {name: x\nregions: 3\n", "is not YAML"),
        ("event: [1, 2\n", "is not YAML"),
        ("event: x\n  regions: y\n", "is not YAML"),
        ("event:\n\t- tab\n", "is not YAML"),
        ("a: *nowhere\n", "is not YAML"),
        ('a: "never closed\n', "is not YAML"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        ("a: \x01\n", "is not YAML"),
        ("{}\n", "event: is missing"),
    ],
)
def test_a_file_that_is_no_scenario_is_a_fault_with_its_place(
    bench: Bench, text: str, says: str
) -> None:
    faults = bench.faults_of(text)
    assert all(placed(fault) for fault in faults)
    assert any(says in fault for fault in faults), faults


def test_a_syntax_error_names_its_own_line(bench: Bench) -> None:
    faults = bench.faults(("  us: {zone: America/Los_Angeles, stack: main}", "  us: {zone: ]}"))
    assert placed(faults[0])["line"] == str(line_of(bench.text, "  us: {zone"))


@pytest.mark.parametrize(
    "raw", [b"\x00\x01\x02\x03", b"\x89PNG\r\n\x1a\n\x00\xff", b"\xff\xfea\x00"]
)
def test_a_binary_file_is_a_fault(bench: Bench, raw: bytes) -> None:
    file = bench.folder / "fair.yaml"
    file.write_bytes(raw)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(file))
    assert [placed(fault)["line"] for fault in caught.value.faults] == ["1"]


def test_a_byte_order_mark_at_the_start_changes_nothing(bench: Bench) -> None:
    assert load_scenario(str(bench.write("\ufeff" + bench.text))) == bench.load()


def test_lines_that_end_in_crlf_load_alike(bench: Bench) -> None:
    file = bench.folder / "crlf.yaml"
    file.write_bytes(bench.text.replace("\n", "\r\n").encode())
    assert load_scenario(str(file)) == bench.load()


def test_an_alias_stands_for_its_anchor(bench: Bench) -> None:
    scenario = bench.load(
        ("think: {home: 10s, other: 5s}", "think: &pause {home: 10s, other: 5s}"),
        ("think: {other: 3s}", "think: *pause"),
    )
    assert scenario.journeys["fan"].think == scenario.journeys["visitor"].think


def test_an_alias_to_itself_is_a_fault_not_an_endless_walk(bench: Bench) -> None:
    assert bench.faults_of("event: &loop {name: *loop}\n")


def test_an_integer_too_long_to_read_is_a_fault(bench: Bench) -> None:
    assert bench.faults(("days: 400", "days: " + "9" * 5000))


@pytest.mark.parametrize(
    "edit",
    [
        ("start: 2027-07-13T00:00, duration: 24h", "start: 2027-07-13T00:00, duration: 99999999d"),
        (
            "start: 2027-07-13T00:00, duration: 24h",
            "start: 2027-07-13T00:00, duration: 1" + "0" * 400 + "s",
        ),
        ("start: 2027-07-13T00:00, duration: 24h", "start: 9999-12-31T00:00, duration: 48h"),
        ("start: 2026-06-01T20:00", "start: 9999-12-31T23:00"),
        ("start: 2026-07-14T00:00", "start: 0001-01-01T00:00"),
        ("until: 2027-05-01T00:00Z", "until: 0001-01-01T00:00+05:30"),
    ],
)
def test_a_time_beyond_the_calendar_is_a_fault(bench: Bench, edit: tuple[str, str]) -> None:
    assert all(placed(fault) for fault in bench.faults(edit))


def test_a_name_that_is_no_scenario_lists_the_near_one() -> None:
    with pytest.raises(
        ScenarioError, match="no scenario called 'primday'; did you mean 'primeday'"
    ):
        load_scenario("primday")


@pytest.mark.parametrize(
    "name",
    ["nowhere.yaml", "no/such/file", "", "a\0b", ".", "x" * 5000],
    ids=["yaml", "deep", "empty", "null byte", "folder", "5000 letters"],
)
def test_a_path_that_is_no_file_is_a_scenario_error(name: str) -> None:
    with pytest.raises(ScenarioError):
        load_scenario(name)


def test_a_folder_named_like_a_scenario_is_a_scenario_error(tmp_path: Path) -> None:
    (tmp_path / "fair.yaml").mkdir()
    with pytest.raises(ScenarioError):
        load_scenario(str(tmp_path / "fair.yaml"))


# What a later room would trip over must be said here: validate once, at the door.


def test_a_think_block_that_names_every_step_needs_no_other(bench: Bench) -> None:
    journey = bench.load(("think: {other: 3s}", "think: {cart: 3s}")).journeys["fan"]
    assert journey.think_s("cart") == 3.0


def test_a_service_only_a_product_calls_must_run_in_every_stack_that_sells_it(bench: Bench) -> None:
    faults = bench.faults(
        ("in: {zone: Asia/Kolkata, stack: main}", "in: {zone: Asia/Kolkata, stack: asia}"),
        (EDGE_STACKS, "stacks: {main: &f {instances: 8, instance: m8g.large}, asia: *f}"),
        ('        calls: [[stock, "price?"]]\n', ""),
    )
    assert any("services.stock.stacks: lacks stack 'asia'" in fault for fault in faults)


def test_a_service_time_of_nothing_is_a_fault(bench: Bench) -> None:
    assert "services.edge.time.mean" in bench.faults(("mean: 3ms", "mean: 0ms"))[0]


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (("crowd: {us: 1000, in: 500}", "crowd: {us: -1000, in: 500}"), "launches.drop.crowd.us"),
        (("stock: {us: 100, in: 50}", "stock: {us: -100, in: 50}"), "launches.drop.stock.us"),
        (("{us: 1000000, in: 500000}", "{us: -5, in: 500000}"), "sessions_per_day.us"),
        (
            ("share: {us: 0.9, in: 0.8}", f"share: {{us: 0.9, in: 0.8}}\n    hours: {[-1] * 24}"),
            "toys.hours",
        ),
        (
            ("share: {us: 0.9, in: 0.8}", f"share: {{us: 0.9, in: 0.8}}\n    hours: {[0] * 24}"),
            "toys.hours",
        ),
    ],
)
def test_a_count_or_weight_below_nothing_is_a_fault(
    bench: Bench, edit: tuple[str, str], path: str
) -> None:
    assert path in "\n".join(bench.faults(edit))


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (("source: metrics", "source: metrics\n  services: [egde]"), "observe.services.0"),
        (
            ("share: {us: 0.9, in: 0.8}", "share: {us: 0.9, in: 0.8, uk: 1.0}"),
            "products.toys.share.uk",
        ),
        (
            ("crowd: {us: 1000, in: 500}", "crowd: {us: 1000, in: 500, uk: 5}"),
            "launches.drop.crowd.uk",
        ),
        (
            ("think: {home: 10s, other: 5s}", "think: {hoem: 10s, other: 5s}"),
            "journeys.visitor.think.hoem",
        ),
        (("holidays: {us: US, in: IN}", "holidays: {us: USS, in: IN}"), "calendar.holidays.us"),
    ],
)
def test_every_dangling_name_is_a_fault(bench: Bench, edit: tuple[str, str], path: str) -> None:
    assert path in "\n".join(bench.faults(edit))


def test_a_prometheus_source_without_its_url_is_a_fault(bench: Bench) -> None:
    assert "observe" in "\n".join(bench.faults(("source: metrics", "source: prometheus")))


def test_a_guardrail_may_watch_a_service_that_there_is(bench: Bench) -> None:
    faults = bench.faults(("error rate of all steps > 60% for 20s", "utilisation of egde > 95%"))
    assert "guardrails.0.when: unknown service 'egde'; did you mean 'edge'?" in faults[0]


def test_a_regular_expression_that_does_not_compile_is_a_fault(bench: Bench) -> None:
    faults = bench.faults(('{jsonpath: "$.token"}', '{regex: "token=("}'))
    assert "steps.cart.exchanges.0.extract.token" in faults[0]


def test_a_word_a_template_names_is_checked_whatever_letters_an_extraction_may_have(
    bench: Bench,
) -> None:
    faults = bench.faults(('token: "{token}"', 'token: "{csrf-token}"'))
    assert "csrf-token" in faults[0]


@pytest.mark.parametrize(
    ("edit", "at"),
    [
        (('[[stock, "price?"]]', '[[stock, "prize?"]]'), "prize"),
        (('token: "{token}"', 'token: "{tokn}"'), "tokn"),
    ],
)
def test_a_dangling_name_in_an_exchange_is_placed_on_its_own_line(
    bench: Bench, edit: tuple[str, str], at: str
) -> None:
    text = bench.edited(edit)
    assert int(placed(bench.faults_of(text)[0])["line"]) == line_of(text, at)


def test_a_dangling_name_in_a_parallel_group_names_the_exchange_in_the_group(bench: Bench) -> None:
    edit = ("- path: /\n", "- - path: /\n        - path: /{who}\n")
    assert "steps.home.exchanges.0.1" in bench.faults(edit)[0]
