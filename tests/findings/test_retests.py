"""Every finding of the runs before is fixed, open, worse, or not tested and why; waivers end with their day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.errors import UsageError
from gameday.findings import Evidence, Finding, find, judge, run_rules
from gameday.findings.living import KnownFinding, Retest, RetestOf, retest, waived, waived_now
from gameday.findings.search import finding_id
from gameday.products import from_json, to_json
from gameday.safety.identity import Actor, Statement
from gameday.scenario import Scenario
from tests.support.small_runs import as_measured, busy_shop, evidence_of, played, record_of

TODAY = date(2026, 3, 1)
DUE = date(2026, 3, 10)
MORE = {"services": {n: {"servers_per_instance": 40} for n in ("edge", "stock", "pay")}}
TEAMS = {"teams": {"paying": {"contact": "x", "services": ["edge"], "steps": ["checkout"]}}}


def seen(scenario: Scenario, per_s: float, seed: int = 1) -> Evidence:
    plan = played(scenario, per_s)
    return evidence_of(scenario, plan, as_measured(record_of(scenario, plan, seed)), ())


def after_run(
    evidence: Evidence, known: dict[str, KnownFinding], run: str, **more: Any
) -> dict[str, Retest]:
    tests = run_rules(evidence)
    of = replace(RetestOf(run, TODAY, DUE, "embedded shop"), **more)
    out = retest(known, find(evidence, tests), evidence, tests, of)
    return {each.finding.id: each for each in out}


def kept(retests: dict[str, Retest]) -> dict[str, KnownFinding]:
    return {name: from_json(KnownFinding, to_json(r.finding)) for name, r in retests.items()}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return busy_shop(tmp_path_factory.mktemp("retests"), TEAMS)


@pytest.fixture(scope="module")
def overrun(scenario: Scenario) -> Evidence:
    return seen(scenario, 90.0)


@pytest.fixture(scope="module")
def first(overrun: Evidence) -> dict[str, Retest]:
    return after_run(overrun, {}, "r1")


def test_what_nobody_found_before_is_new_and_carries_owner_and_date(
    first: dict[str, Retest], overrun: Evidence
) -> None:
    assert {finding.id for finding in find(overrun)} == set(first)
    assert len(first) >= 2
    for each in first.values():
        known = each.finding
        assert (each.tested, known.state, known.due) == ("new", "open", DUE)
        assert (known.first_run, known.found_in, known.tested_in) == ("r1", "r1", "r1")
    assert {r.finding.owner for n, r in first.items() if n.endswith("-edge")} == {"paying"}


def test_the_same_run_again_finds_it_open(first: dict[str, Retest], overrun: Evidence) -> None:
    again = after_run(overrun, kept(first), "r2")
    assert {r.tested for r in again.values()} == {"open"}
    assert {r.finding.first_run for r in again.values()} == {"r1"}
    assert {r.finding.found_in for r in again.values()} == {"r2"}


def test_more_servers_at_the_same_load_fix_what_was_measured(
    first: dict[str, Retest], tmp_path: Path
) -> None:
    better = seen(busy_shop(tmp_path, {**TEAMS, **MORE}), 90.0)
    measured = {n: r.finding for n, r in first.items() if r.finding.rule != "disagreement"}
    after = after_run(better, measured, "r2")
    said = {name: after[name] for name in measured}
    assert {r.tested for r in said.values()} == {"fixed"}, {n: r.why for n, r in said.items()}
    assert {r.finding.state for r in said.values()} == {"fixed"}
    assert all("bound" in r.why for r in said.values())
    again = after_run(seen(busy_shop(tmp_path, TEAMS), 90.0), kept(said), "r3")
    assert {again[name].tested for name in measured} == {"again"}
    assert {again[name].finding.first_run for name in measured} == {"r1"}


def test_at_half_the_load_nothing_is_fixed(first: dict[str, Retest], scenario: Scenario) -> None:
    half = after_run(seen(scenario, 38.0), kept(first), "r2")
    for name in first:
        assert half[name].tested == "not tested"
        assert "42% of the load" in half[name].why
        assert half[name].finding.state == "open"
        assert half[name].finding.tested_in == "r1"


def test_a_target_that_met_less_than_was_planned_was_not_tested(
    first: dict[str, Retest], overrun: Evidence
) -> None:
    calm = replace(overrun, load_share=0.4, measured=None)
    after = after_run(calm, kept(first), "r2")
    assert {r.tested for r in after.values()} == {"not tested"}


def test_an_invalid_run_tests_nothing_and_says_so(first: dict[str, Retest], tmp_path: Path) -> None:
    better = seen(busy_shop(tmp_path, {**TEAMS, **MORE}), 90.0)
    after = after_run(better, kept(first), "r2", faults=("the generator was late",))
    untested = [r for name, r in after.items() if name in first]
    assert {r.tested for r in untested} == {"not tested"}
    assert all("the generator was late" in r.why for r in untested)


def test_a_finding_whose_test_is_gone_is_not_tested(
    first: dict[str, Retest], overrun: Evidence
) -> None:
    [known, *_] = kept(first).values()
    other = replace(known, id="saturation-main-gone", rule="saturation", subject="gone")
    after = after_run(overrun, {other.id: other}, "r2")[other.id]
    assert (after.tested, after.finding.state) == ("not tested", "open")
    assert "made no test saturation of gone" in after.why


def test_a_finding_that_is_graver_is_worse_and_ends_its_waiver(
    first: dict[str, Retest], overrun: Evidence
) -> None:
    known = {name: replace(f, severity="S4") for name, f in kept(first).items()}
    known = {name: waive(f) for name, f in known.items()}
    after = after_run(overrun, known, "r2")
    worse = [r for r in after.values() if r.finding.severity < "S4"]
    assert worse
    assert {r.tested for r in worse} == {"worse"}
    assert {r.finding.state for r in worse} == {"open"}


def test_a_number_wholly_beyond_the_one_before_is_worse(
    first: dict[str, Retest], overrun: Evidence
) -> None:
    known = {name: replace(f, low=f.low - 9, high=f.low - 8) for name, f in kept(first).items()}
    assert {r.tested for r in after_run(overrun, known, "r2").values()} == {"worse"}


# --- waivers -------------------------------------------------------------------------------------


def waive(finding: KnownFinding, days: int = 5) -> KnownFinding:
    ana = Actor("key", "ed25519:x", "ana", "ana")
    said = Statement(finding.id, "waived", "0" * 64, "2026-03-01T00:00:00+00:00", "known", ana)
    return waived(finding, TODAY + timedelta(days=days), said, TODAY)


def test_a_waiver_holds_to_its_last_day(first: dict[str, Retest], overrun: Evidence) -> None:
    known = {name: waive(finding) for name, finding in kept(first).items()}
    for finding in known.values():
        assert waived_now(finding, TODAY + timedelta(days=5))
        assert not waived_now(finding, TODAY + timedelta(days=6))
    now = after_run(overrun, known, "r2")
    late = after_run(overrun, known, "r3", today=TODAY + timedelta(days=6))
    assert {r.finding.state for r in now.values()} == {"waived"}
    assert {r.finding.state for r in late.values()} == {"open"}


def test_what_is_fixed_or_over_cannot_be_waived(first: dict[str, Retest]) -> None:
    [known, *_] = kept(first).values()
    with pytest.raises(UsageError, match="is fixed"):
        waive(replace(known, state="fixed"))
    with pytest.raises(UsageError, match="today or later"):
        waive(known, days=-1)


def test_a_waived_warning_warns_of_nothing_and_a_miss_stays_a_miss(overrun: Evidence) -> None:
    def verdict(findings: tuple[Finding, ...], waived: frozenset[str]) -> str:
        return judge(findings, end="complete", why="", faults=(), unmeasured=(), waived=waived).name

    found = find(overrun)
    missed = tuple(f for f in found if f.rule == "missed_objective")
    [other, *_] = (replace(f, severity="S2") for f in found if f.rule == "saturation")
    every = frozenset(f.id for f in found)
    assert missed
    assert (verdict(missed, frozenset()), verdict(missed, every)) == ("FAIL", "FAIL")
    assert (verdict((other,), frozenset()), verdict((other,), every)) == ("WARN", "PASS")


def test_a_tests_id_is_that_of_the_finding_it_makes(overrun: Evidence) -> None:
    tests = run_rules(overrun)
    ids = {finding_id(rule, test) for rule, made in tests.items() for test in made}
    assert {finding.id for finding in find(overrun, tests)} <= ids
