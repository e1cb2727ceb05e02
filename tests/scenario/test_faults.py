"""Every fault a person can write: found, placed, said in words, all of them at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gameday.errors import ScenarioError, UsageError
from gameday.scenario import bundled_scenarios, load_scenario

if TYPE_CHECKING:
    from conftest import Bench

FORM = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<rest>\S.*)", re.DOTALL)
EDGE_STACKS = "stacks: {main: {instances: 8, instance: m8g.large}}"
LAST_STEP = "check: {status: [200], sold_out: 409}"

# id: (old text, new text, text whose line the fault names, what the fault says)
BAD: dict[str, tuple[str, str, str, str]] = {
    # keys
    "unknown key at the top, near": ("objectives:", "objectivs:", "objectivs:", r"objectivs: .*did you mean 'objectives'\?"),
    "unknown key in a block": ("half_life: 4m", "halflife: 4m", "halflife: 4m", r"launches\.drop\.halflife: is not a field here; did you mean 'half_life'\?"),
    "unknown key behind a union": ("time: {law: exponential, mean: 3ms}", "time: {law: exponential, maen: 3ms}", "maen", r"services\.edge\.time\.maen: .*did you mean 'mean'\?"),
    "unknown key in an exchange": ("method: POST", "methd: POST", "methd", r"steps\.cart\.exchanges\.1\.methd: .*did you mean 'method'\?"),
    "missing key": ("    patience: 8s\n", "", "visitor:\n    start", r"journeys\.visitor\.patience: is missing; add `patience:`"),
    "missing block": ("capacity:\n  instances:\n    m8g.large: {hourly_usd: 0.1, vcpu: 2}\n", "", "event: {", r"capacity: is missing"),
    "duplicated key": ("    patience: 9s\n", "    patience: 9s\n    patience: 10s\n", "patience: 10s", r"journeys\.fan\.patience: written twice; first at line \d+"),
    "name in capitals": ("  toys:", "  Toys:", "Toys:", r"products"),
    # scalars: JSON's only
    "1:30 stays a string": ("days: 400", "days: 1:30", "days: 1:30", r"history\.synthetic\.days: .*\(got 1:30\)"),
    "no stays a string": ("- path: /\n", "- path: /\n        required: no\n", "required: no", r"steps\.home\.exchanges\.0\.required: .*\(got no\)"),
    "yes stays a string": ("- path: /\n", "- path: /\n        required: yes\n", "required: yes", r"\(got yes\)"),
    "hexadecimal stays a string": ("days: 400", "days: 0x190", "0x190", r"\(got 0x190\)"),
    "octal stays a string": ("days: 400", "days: 0400", "0400", r"\(got 0400\)"),
    "a float where an integer stands": ("vcpu: 2", "vcpu: 2.5", "vcpu: 2.5", r"capacity\.instances\.m8g\.large\.vcpu"),
    "a string where a number stands": ("vcpu: 2", 'vcpu: "2"', "vcpu:", r"vcpu: .*\(got 2\)"),
    "a number where text stands": ("path: /token", "path: 7", "path: 7", r"steps\.cart\.exchanges\.0\.path: .*\(got 7\)"),
    "null where a block stands": ("calendar:\n  events:", "replay: null\ncalendar:\n  events:", "replay: null", r"replay: .*\(got nothing\)"),
    # units
    "a duration without unit": ("patience: 8s", "patience: 8", "patience: 8", r"journeys\.visitor\.patience: must be a duration with its unit.*\(got 8\)"),
    "a wrong unit": ("half_life: 4m", "half_life: 4weeks", "half_life: 4weeks", r"half_life: must be a duration.*\(got 4weeks\)"),
    "a negative duration": ("patience: 8s", "patience: -8s", "patience: -8s", r"must be a duration"),
    "a patience of nothing": ("patience: 8s", "patience: 0s", "patience: 0s", r"greater than 0 \(got 0s\)|greater than 0"),
    "an instant without offset": ("until: 2027-05-01T00:00Z", "until: 2027-05-01T00:00", "until:", r"history\.until: must be an instant with its offset"),
    "a local time with an offset": ("start: 2027-07-13T00:00,", "start: 2027-07-13T00:00Z,", "event: {", r"event\.start: must be a local time without offset"),
    "a day that is not": ("start: 2027-07-13T00:00,", "start: 2027-02-30T00:00,", "event: {", r"event\.start: "),
    "an unknown zone": ("zone: Asia/Kolkata", "zone: Asia/Kolkatta", "Kolkatta", r"regions\.in\.zone: must be an IANA time zone.*\(got Asia/Kolkatta\)"),
    "a zone that is a folder": ("zone: Asia/Kolkata", "zone: America", "zone: America,", r"regions\.in\.zone: must be an IANA time zone"),
    "a zone that is a number": ("zone: Asia/Kolkata", "zone: 5", "zone: 5", r"regions\.in\.zone: must be an IANA time zone"),
    "a quantile out of form": ("capacity:\n", "capacity:\n  quantile: 0.9\n", "quantile: 0.9", r"capacity\.quantile: must be a quantile.*\(got 0\.9\)"),
    "a share above one": ("again: 0.5", "again: 1.5", "again: 1.5", r"on_failure\.again: .*\(got 1\.5\)"),
    # names
    "unknown kind of event": ("kind: match", "kind: mach", "kind: mach", r"calendar\.events\.1\.kind: unknown kind of event 'mach'; did you mean 'match'\?"),
    "unknown kind of the event": ("event: {name: fair-2027, kind: sale", "event: {name: fair-2027, kind: party", "kind: party", r"event\.kind: unknown kind of event 'party'; use one of: sale"),
    "unknown region of an event": ("regions: [us]", "regions: [uk]", "regions: [uk]", r"calendar\.events\.1\.regions\.0: unknown region 'uk'"),
    "the event in some regions only": ("event: {name: fair-2027,", "event: {regions: [us], name: fair-2027,", "event: {", r"event\.regions: must be absent"),
    "unknown region of holidays": ("holidays: {us: US, in: IN}", "holidays: {us: US, uk: GB}", "holidays:", r"calendar\.holidays\.uk: unknown region 'uk'"),
    "unknown region of history": ("{us: 1000000, in: 500000}", "{us: 1000000, in: 500000, uk: 1}", "sessions_per_day:", r"sessions_per_day\.uk: unknown region 'uk'"),
    "a region history lacks": ("{us: 1000000, in: 500000}", "{us: 1000000}", "sessions_per_day:", r"sessions_per_day: lacks region 'in'"),
    "unknown journey of history": ("journeys: {visitor: 1.0}", "journeys: {vistor: 1.0}", "vistor", r"history\.synthetic\.journeys\.vistor: unknown journey 'vistor'; did you mean 'visitor'\?"),
    "a launch's journey in history": ("journeys: {visitor: 1.0}", "journeys: {visitor: 0.5, fan: 0.5}", "fan: 0.5", r"history\.synthetic\.journeys\.fan: unknown journey 'fan'"),
    "unknown product of a launch": ("product: console\n", "product: konsole\n", "konsole", r"launches\.drop\.product: unknown product 'konsole'; did you mean 'console'\?"),
    "unknown region of a launch": ("at: {us: 2027-07-13T18:00,", "at: {uk: 2027-07-13T18:00,", "at: {uk", r"launches\.drop\.at\.uk: unknown region 'uk'"),
    "a crowd a region lacks": ("crowd: {us: 1000, in: 500}", "crowd: {us: 1000}", "crowd:", r"launches\.drop\.crowd: lacks region 'in', which `at` names"),
    "a stock a region lacks": ("stock: {us: 100, in: 50}", "stock: {in: 50}", "stock: {in", r"launches\.drop\.stock: lacks region 'us'"),
    "unknown step of a product": ("calls: {cart: [stock]}", "calls: {crat: [stock]}", "crat", r"products\.console\.calls\.crat: unknown step 'crat'; did you mean 'cart'\?"),
    "unknown service of a product": ("calls: {cart: [stock]}", "calls: {cart: [stocks]}", "[stocks]", r"products\.console\.calls\.cart: unknown service 'stocks'"),
    "unknown first step": ("start: {home: 1.0}", "start: {hame: 1.0}", "hame", r"journeys\.visitor\.start\.hame: unknown step 'hame'"),
    "unknown next step": ("home: {cart: 0.25, exit: 0.75}", "home: {cort: 0.25, exit: 0.75}", "cort", r"journeys\.visitor\.next\.home\.cort: unknown step 'cort'"),
    "unknown row": ("      cart: {exit: 1.0}\n", "      cart: {exit: 1.0}\n      till: {exit: 1.0}\n", "till", r"journeys\.visitor\.next\.till: unknown step 'till'"),
    "a step without a row": ("      cart: {exit: 1.0}\n", "", "next:\n      home", r"journeys\.visitor\.next: lacks a row for step 'cart'"),
    "a step without a think time": ("think: {other: 3s}", "think: {home: 3s}", "think: {home: 3s}", r"journeys\.fan\.think: lacks step 'cart'; name it, or give `other`"),
    "unknown launch of a journey": ("launch: drop", "launch: drip", "launch: drip", r"journeys\.fan\.launch: unknown launch 'drip'; did you mean 'drop'\?"),
    "unknown entry": ("  home:\n    exchanges:", "  home:\n    entry: egde\n    exchanges:", "egde", r"steps\.home\.entry: unknown service 'egde'; did you mean 'edge'\?"),
    "unknown service of a call": ('[[stock, "price?"]]', '[[stock, "prize?"]]', "- method: POST", r"steps\.cart\.exchanges\.1.*: unknown service 'prize'; did you mean 'price'\?"),
    "unknown service below a call": ('[[stock, "price?"]]', "[{stock: [prise]}]", "- method: POST", r"steps\.cart\.exchanges\.1: unknown service 'prise'"),
    "a call with two names": ('[[stock, "price?"]]', "[{stock: [], price: []}]", "calls: [{", r"a call is a service, or one service"),
    "calls that are no list": ('[[stock, "price?"]]', "stock", "calls: stock", r"must be a list of calls"),
    "unknown word in a template": ('token: "{token}"', 'token: "{tokn}"', "- method: POST", r"steps\.cart\.exchanges\.1: unknown template word 'tokn'; did you mean 'token'\?"),
    "unknown word in a path": ("path: /token", "path: /token/{who}", "path: /token/", r"steps\.cart\.exchanges\.0: unknown template word 'who'"),
    "unknown stack": (EDGE_STACKS, "stacks: {main: {instances: 8, instance: m8g.large}, mian: {instances: 8, instance: m8g.large}}", "mian", r"services\.edge\.stacks\.mian: unknown stack 'mian'; did you mean 'main'\?"),
    "a stack a called service lacks": ("in: {zone: Asia/Kolkata, stack: main}", "in: {zone: Asia/Kolkata, stack: asia}", "stacks: {main: {instances: 8", r"services\.edge\.stacks: lacks stack 'asia', whose customers call it"),
    "unknown instance type": (EDGE_STACKS, "stacks: {main: {instances: 8, instance: m8g.lage}}", "m8g.lage}", r"services\.edge\.stacks\.main\.instance: unknown instance type 'm8g\.lage'; did you mean 'm8g\.large'\?"),
    "unknown step of a step time": ("step_time: {cart:", "step_time: {cartt:", "step_time:", r"services\.stock\.step_time\.cartt: unknown step 'cartt'"),
    "unknown law": ("{law: exponential, mean: 3ms}", "{law: exponental, mean: 3ms}", "exponental", r"services\.edge\.time: unknown value 'exponental'; did you mean 'exponential'\?"),
    "no law": ("{law: exponential, mean: 3ms}", "{mean: 3ms}", "time: {mean: 3ms}", r"services\.edge\.time: needs its '?law"),
    # sums and ends
    "products that do not sum to 1": ("share: {us: 0.9, in: 0.8}", "share: {us: 0.8, in: 0.8}", "products:", r"products: shares in region 'us' sum to 0\.9, not 1"),
    "journeys that do not sum to 1": ("journeys: {visitor: 1.0}", "journeys: {visitor: 0.9}", "journeys: {visitor: 0.9}", r"history\.synthetic\.journeys: sums to 0\.9, not 1"),
    "a row that does not sum to 1": ("home: {cart: 0.25, exit: 0.75}", "home: {cart: 0.25, exit: 0.70}", "visitor:\n    start", r"journeys\.visitor: next\.home sums to 0\.95; its chances must sum to 1"),
    "a start that does not sum to 1": ("start: {home: 1.0}", "start: {home: 0.5}", "visitor:\n    start", r"journeys\.visitor: start sums to 0\.5"),
    "a session that never ends": ("cart: {cart: 0.5, exit: 0.5}", "cart: {cart: 1.0}", "fan:\n", r"journeys\.fan: a session at cart could never reach exit"),
    # time
    "a start DST skips": ("event: {name: fair-2027, kind: sale, start: 2027-07-13T00:00,", "event: {name: fair-2027, kind: sale, start: 2028-03-12T02:30,", "event: {", r"event\.start: 2028-03-12T02:30 does not exist in America/Los_Angeles \(clocks jump to 03:30\); choose another minute"),
    "a start DST repeats": ("event: {name: fair-2027, kind: sale, start: 2027-07-13T00:00,", "event: {name: fair-2027, kind: sale, start: 2028-11-05T01:30,", "event: {", r"event\.start: 2028-11-05T01:30 happens twice in America/Los_Angeles"),
    "a past start DST skips": ("start: 2026-06-01T20:00", "start: 2026-03-08T02:00", "cup-2026", r"calendar\.events\.1\.start: 2026-03-08T02:00 does not exist"),
    "a launch DST repeats": ("at: {us: 2027-07-13T18:00,", "at: {us: 2027-11-07T01:00,", "at: {us: 2027-11", r"launches\.drop\.at\.us: 2027-11-07T01:00 happens twice"),
    "history after the start": ("until: 2027-05-01T00:00Z", "until: 2027-07-12T18:31Z", "until:", r"history\.until: is after the event's start; a forecast must not know its event"),
    # exchanges
    "extraction with two places": ('{jsonpath: "$.token"}', '{jsonpath: "$.token", header: X-Token}', "extract:", r"steps\.cart\.exchanges\.0\.extract\.token: name exactly one of jsonpath, regex, css, header"),
    "extraction with no place": ('{jsonpath: "$.token"}', "{}", "extract:", r"extract\.token: name exactly one of"),
    "a form and json": ("method: POST\n", "method: POST\n        form: {a: b}\n", "- method: POST", r"steps\.cart\.exchanges\.1: an exchange has a form or a json body, not both"),
    "an unknown method": ("method: POST", "method: PSOT", "PSOT", r"steps\.cart\.exchanges\.1\.method: unknown value 'PSOT'; did you mean 'POST'\?"),
    "a path without a slash": ("path: /token", "path: token", "path: token", r"exchanges\.0\.path: must match \^/ \(got token\)"),
    "no exchanges": ("exchanges:\n      - path: /\n", "exchanges: []\n", "exchanges: []", r"steps\.home\.exchanges: must be a list of exchanges"),
    "no required exchange": ("- path: /\n", "- path: /\n        required: false\n", "exchanges:\n      - path: /\n", r"steps\.home\.exchanges: needs at least one required exchange"),
    # criteria
    "a criterion that is no sentence": ("- p99 of home < 800ms", "- p99 home under 800ms", "under", r"objectives\.0: must read METRIC of SUBJECT"),
    "an unknown metric": ("- p99 of home < 800ms", "- p98 of home < 800ms", "p98", r"objectives\.0: unknown metric 'p98'; use one of p50"),
    "a criterion of an unknown step": ("- p99 of home < 800ms", "- p99 of hme < 800ms", "hme", r"objectives\.0: unknown step 'hme'; did you mean 'home'\?"),
    "a criterion of an unknown service": ("- p99 of home < 800ms", "- queue of stok < 10", "stok", r"objectives\.0: unknown service 'stok'; did you mean 'stock'\?"),
    "a latency without unit": ("- p99 of home < 800ms", "- p99 of home < 800", "- p99 of home < 800", r"objectives\.0: must be a duration"),
    "a rate without percent": ("- error rate of all steps < 1%", "- error rate of all steps < 0.01", "0.01", r"objectives\.1: a rate is written in percent"),
    "a guardrail of an unknown step": ("error rate of all steps > 60% for 20s", "error rate of hom > 60% for 20s", "hom >", r"guardrails\.0\.when: unknown step 'hom'"),
    # observe
    "a wrong source": ("source: metrics", "source: metric", "source: metric\n", r"observe\.source: unknown value 'metric'; did you mean 'metrics'\?"),
}  # fmt: skip


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


@pytest.mark.parametrize("raw", [b"\x00\x01\x02\x03", b"\x89PNG\r\n\x1a\n\x00\xff", b"\xff\xfea\x00"])
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
        ("start: 2027-07-13T00:00, duration: 24h", "start: 2027-07-13T00:00, duration: 1" + "0" * 400 + "s"),
        ("start: 2027-07-13T00:00, duration: 24h", "start: 9999-12-31T00:00, duration: 48h"),
        ("start: 2026-06-01T20:00", "start: 9999-12-31T23:00"),
        ("start: 2026-07-14T00:00", "start: 0001-01-01T00:00"),
        ("until: 2027-05-01T00:00Z", "until: 0001-01-01T00:00+05:30"),
    ],
)  # fmt: skip
def test_a_time_beyond_the_calendar_is_a_fault(bench: Bench, edit: tuple[str, str]) -> None:
    assert all(placed(fault) for fault in bench.faults(edit))


def test_a_name_that_is_no_scenario_lists_the_near_one() -> None:
    with pytest.raises(ScenarioError, match="no scenario called 'primday'; did you mean 'primeday'"):
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
        (("share: {us: 0.9, in: 0.8}", f"share: {{us: 0.9, in: 0.8}}\n    hours: {[-1] * 24}"), "toys.hours"),
        (("share: {us: 0.9, in: 0.8}", f"share: {{us: 0.9, in: 0.8}}\n    hours: {[0] * 24}"), "toys.hours"),
    ],
)  # fmt: skip
def test_a_count_or_weight_below_nothing_is_a_fault(
    bench: Bench, edit: tuple[str, str], path: str
) -> None:
    assert path in "\n".join(bench.faults(edit))


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (("source: metrics", "source: metrics\n  services: [egde]"), "observe.services.0"),
        (("share: {us: 0.9, in: 0.8}", "share: {us: 0.9, in: 0.8, uk: 1.0}"), "products.toys.share.uk"),
        (("crowd: {us: 1000, in: 500}", "crowd: {us: 1000, in: 500, uk: 5}"), "launches.drop.crowd.uk"),
        (("think: {home: 10s, other: 5s}", "think: {hoem: 10s, other: 5s}"), "journeys.visitor.think.hoem"),
        (("holidays: {us: US, in: IN}", "holidays: {us: USS, in: IN}"), "calendar.holidays.us"),
    ],
)  # fmt: skip
def test_every_dangling_name_is_a_fault(bench: Bench, edit: tuple[str, str], path: str) -> None:
    assert path in "\n".join(bench.faults(edit))


def test_a_prometheus_source_without_its_url_is_a_fault(bench: Bench) -> None:
    assert "observe" in "\n".join(bench.faults(("source: metrics", "source: prometheus")))


def test_a_guardrail_that_no_watch_can_judge_is_a_fault(bench: Bench) -> None:
    faults = bench.faults(("error rate of all steps > 60% for 20s", "utilisation of edge > 95%"))
    assert "guardrails.0.when" in faults[0]


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
