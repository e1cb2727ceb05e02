"""A request from draft to order, typed by people with keys: who may do what, what voids it, what is found out."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gameday.capacity import as_yaml, from_mapping
from gameday.capacity.living import content_sha256, read_placed
from gameday.cli.app import main
from gameday.forecast.publication import TeamPeak
from gameday.jobs.living import living_requests, put_request, request_file, write_requests
from gameday.jobs.publication_files import Publication
from gameday.jobs.publication_need import meet_publication
from gameday.ledger import Ledger, RunRow
from gameday.products import from_json
from gameday.safety.identity import Actor, Operators, Statement, make_key, run_actor, sign
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading import from_yaml
from tests.support.bad_input_table import _request
from tests.support.small_fair import FAIR

EVENT = "small-fair-2027"
ID = "CR-small-fair-2027-main-pay"
OUT = Path("reports")
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A draft of a run, two approvers with keys, and an operator's file that lists them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GAMEDAY_ID_TOKEN", raising=False)
    keys = {name: make_key(tmp_path / f"{name}.pem") for name in ("ana", "ben", "stranger")}
    listed = {name: {"key": keys[name].public} for name in ("ana", "ben")}
    rule = {"small": {"most_usd": 5, "target": "any", "basis": "any"}}
    file = Operators.model_validate(
        {"approvers": listed, "auto_approve": rule, "sha256": "ab" * 32, "source": "the file"}
    )
    for job in (
        "move_request",
        "waive",
        "apply_capacity",
        "approve_by_policy",
        "audit",
        "publication_need",
    ):
        monkeypatch.setattr(f"gameday.jobs.{job}.read_operators", lambda: file)
    drafted("embedded shop")
    return tmp_path


def drafted(target: str) -> None:
    """Keep a run, and the request that it drafted."""
    plain = replace(_request("draft"), target=target, history=())
    said = Statement(ID, "draft", content_sha256(plain), "2027-01-01", "1 to 3", run_actor("one"))
    request = replace(plain, history=(said,))
    ledger = Ledger(OUT)
    ledger.record_run(RunRow("one", EVENT, str(OUT / EVENT / "one"), "2027-01-01", "FAIL", 1, 1))
    with ledger.changing() as changing:
        put_request(changing, request, "drafted")
    ledger.close()
    write_requests(OUT, {ID: request})


@pytest.fixture
def typed(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    def command(who: str, *words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("GAMEDAY_IDENTITY", str(home / f"{who}.pem"))
        monkeypatch.setattr(sys, "argv", ["gameday", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return command


def move(typed: Typed, who: str, to: str, why: str = "game day 3") -> tuple[int, str, str]:
    return typed(who, "capacity", "move", ID, to, "--reason", why)


def state() -> str:
    return living_requests(OUT, EVENT)[ID].state


def edit(old: str, new: str) -> None:
    file = request_file(OUT, living_requests(OUT, EVENT)[ID])
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_one_asks_another_approves_and_the_shop_is_given_it(typed: Typed, home: Path) -> None:
    assert move(typed, "ana", "in_review")[0] == 0
    for who in ("ana", "stranger"):
        code, _, complained = move(typed, who, "approved")
        assert code == 6, complained
        assert state() == "in_review"
    code, said, _ = move(typed, "ben", "approved")
    assert (code, state()) == (0, "approved")
    receipt = Path(said.split("keep the receipt: ")[1].strip())
    assert json.loads(receipt.read_text())["approved_by"] == "key:ben"
    assert typed("ana", "capacity", "audit", "--receipt", str(receipt))[0] == 0
    assert typed("ana", "capacity", "apply")[0] == 0
    assert state() == "active"
    [fleet] = read_placed(OUT / EVENT / "capacity.yaml").fleets
    assert (fleet.request, fleet.instances_to) == (ID, 3)
    history = living_requests(OUT, EVENT)[ID].history
    assert [said.act for said in history] == ["draft", "in_review", "approved", "ordered", "active"]
    assert [bool(said.signature) for said in history] == [False, True, True, True, True]


def test_what_is_edited_after_approval_is_not_ordered(typed: Typed) -> None:
    move(typed, "ana", "in_review")
    move(typed, "ben", "approved")
    edit("instances_to: 3", "instances_to: 9000")
    code, _, complained = move(typed, "ana", "ordered")
    assert (code, state()) == (2, "approved")
    assert "in_review may become" in complained
    assert "its file was edited" in complained
    code, said, _ = move(typed, "ana", "in_review")
    assert (code, state()) == (0, "in_review")
    assert "its file was edited" in said
    assert living_requests(OUT, EVENT)[ID].instances_to == 9000
    assert typed("ana", "capacity", "apply")[0] == 0
    assert read_placed(OUT / EVENT / "capacity.yaml").fleets == ()
    assert move(typed, "ana", "approved")[0] == 6  # who edited it asked for it
    assert move(typed, "ben", "approved")[0] == 0


def test_an_edit_of_state_or_history_alone_is_none(typed: Typed) -> None:
    edit("state: draft", "state: approved")
    assert typed("ana", "capacity", "apply")[0] == 0
    assert state() == "draft"
    assert move(typed, "ana", "in_review")[0] == 0
    written = request_file(OUT, living_requests(OUT, EVENT)[ID]).read_text()
    assert from_mapping(from_yaml(written), "").state == "in_review"


def test_a_file_that_is_gone_or_stale_is_written_again(typed: Typed) -> None:
    file = request_file(OUT, living_requests(OUT, EVENT)[ID])
    stale = file.read_text()
    file.unlink()
    move(typed, "ana", "in_review")
    assert "state: in_review" in file.read_text()
    file.write_text(stale)
    assert move(typed, "ben", "approved")[0] == 0
    assert "state: approved" in file.read_text()


def test_a_key_of_a_moment_does_not_make_two_people_of_one(typed: Typed) -> None:
    """Whom the operator's file does not list is whoever has their login."""
    assert move(typed, "stranger", "in_review")[0] == 0
    code, _, complained = move(typed, "ana", "approved")
    assert (code, state()) == (6, "in_review")
    assert "somebody else must approve" in complained


def test_who_is_not_listed_rejects_nothing(typed: Typed) -> None:
    move(typed, "ana", "in_review")
    assert move(typed, "stranger", "rejected")[0] == 6
    assert move(typed, "ana", "rejected")[0] == 0  # one may take back what one asked for


def test_an_approver_approves_what_the_file_shows_or_nothing(typed: Typed) -> None:
    shown = request_file(OUT, living_requests(OUT, EVENT)[ID])
    before = shown.read_text()
    edit("instances_to: 3", "instances_to: 9000")
    move(typed, "ana", "in_review")
    shown.write_text(before)
    code, _, complained = move(typed, "ben", "approved")
    assert (code, state()) == (2, "in_review")
    assert "was written anew: read it, then approve" in complained
    assert "instances_to: 9000" in shown.read_text()
    assert move(typed, "ben", "approved")[0] == 0


def test_what_rules_judge_by_cannot_be_written_into_a_file(home: Path, typed: Typed) -> None:
    edit("total_usd: 3.0", "total_usd: 0.01")
    code, _, complained = move(typed, "ana", "in_review")
    assert code == 2
    assert "total_usd cannot be edited" in complained
    assert state() == "draft"


@pytest.mark.parametrize("verb", ["export", "apply"])
def test_an_edit_that_was_not_taken_up_is_not_lost_nor_passed_over(verb: str, typed: Typed) -> None:
    move(typed, "ana", "in_review")
    move(typed, "ben", "approved")
    edit("instances_to: 3", "instances_to: 5")
    code, said, complained = typed("ana", "capacity", verb)
    assert "its file was edited" in said + complained
    assert (code, state()) == (2 if verb == "export" else 0, "approved")
    file = request_file(OUT, living_requests(OUT, EVENT)[ID])
    assert "instances_to: 5" in file.read_text()


def test_of_a_target_of_ones_own_nothing_is_placed_by_apply(typed: Typed) -> None:
    drafted("given target")
    move(typed, "ana", "in_review")
    move(typed, "ben", "approved")
    code, said, _ = typed("ana", "capacity", "apply")
    assert (code, state()) == (0, "approved")
    assert "place it, then `gameday capacity move" in said
    for to in ("ordered", "active"):
        assert move(typed, "ana", to)[0] == 0
    assert typed("ana", "capacity", "apply")[0] == 0
    assert len(read_placed(OUT / EVENT / "capacity.yaml").fleets) == 1
    assert move(typed, "ana", "verified")[0] == 2


_EDITS = [
    "UPDATE subjects SET body = replace(body, '\"instances_to\": 3', '\"instances_to\": 9000')",
    "UPDATE entries SET body = 'oops' WHERE act = 'approved'",
    "UPDATE entries SET state = 'bought' WHERE act = 'approved'",
    "UPDATE runs SET run_id = 'other'",
    "UPDATE entries SET body = replace(body, 'ben', 'eve') WHERE act = 'approved'",
    "UPDATE entries SET body = replace(body, 'game day 3', 'game day 4') WHERE act = 'in_review'",
    "UPDATE subjects SET state = 'active'",
    "DELETE FROM entries WHERE act = 'approved'",
]


@pytest.mark.parametrize("past", _EDITS)
def test_what_is_written_past_the_program_is_found_by_an_audit(past: str, typed: Typed) -> None:
    move(typed, "ana", "in_review")
    move(typed, "ben", "approved")
    assert typed("ana", "capacity", "audit")[0] == 0
    with sqlite3.connect(OUT / "ledger.sqlite3") as database:
        database.execute(past)
    code, said, _ = typed("ana", "capacity", "audit")
    assert code == 1, said


def test_an_approval_forged_into_the_chain_is_found_out(typed: Typed, home: Path) -> None:
    move(typed, "ana", "in_review")
    request = living_requests(OUT, EVENT)[ID]
    forger = make_key(home / "forger.pem")
    actor = Actor("key", forger.public, "ana", "ana")
    said = Statement(ID, "approved", content_sha256(request), "2027-01-02", "mine", actor)
    forged = replace(request, state="approved", history=(*request.history, sign(said, forger)))
    ledger = Ledger(OUT)
    with ledger.changing() as changing:
        put_request(changing, forged, "approved")
    ledger.close()
    code, found, _ = typed("ana", "capacity", "audit")
    assert code == 1
    assert "does not list key:" in found


def test_a_chain_rewritten_whole_is_found_out_by_a_receipt(typed: Typed, home: Path) -> None:
    move(typed, "ana", "in_review")
    said = move(typed, "ben", "approved")[1]
    receipt = home / "kept.json"
    Path(said.split("keep the receipt: ")[1].strip()).rename(receipt)
    (OUT / "ledger.sqlite3").unlink()
    drafted("embedded shop")
    move(typed, "ana", "in_review", "another")
    move(typed, "ben", "approved", "another")
    assert typed("ana", "capacity", "audit")[0] == 0
    code, said, _ = typed("ana", "capacity", "audit", "--receipt", str(receipt))
    assert code == 1
    assert "the ledger was rewritten" in said


def test_an_export_stands_in_the_chain_and_all_of_it_in_the_trace(typed: Typed) -> None:
    move(typed, "ana", "in_review")
    move(typed, "ben", "approved")
    code, sheet, _ = typed("ana", "capacity", "export", "--to", "csv")
    assert code == 0
    assert ID in sheet
    assert state() == "approved"
    code, said, _ = typed("ana", "trace", ID, "--json")
    links = json.loads(said)
    assert [link["stage"] for link in links["links"]] == [
        *("forecast", "request", "approval", "approval", "export")
    ]
    assert links["missing"] == ["finding", "order", "verified"]
    assert typed("ana", "capacity", "apply")[0] == 0


def test_a_rule_approves_within_its_bounds_and_is_recorded_with_its_files_hash(home: Path) -> None:
    from gameday.jobs.approve_by_policy import approve_by_policy

    none = approve_by_policy(OUT, EVENT, budget_usd=1.0)
    assert (none.approved, state()) == ((), "draft")
    assert "above the budget of USD 1" in none.left[0][1]
    done = approve_by_policy(OUT, EVENT)
    assert (len(done.approved), state()) == (1, "approved")
    said = living_requests(OUT, EVENT)[ID].history[-1]
    assert (said.actor.kind, said.actor.name) == ("policy", f"small@{'ab' * 32}")


def test_a_rule_refuses_what_costs_more(home: Path) -> None:
    from gameday.jobs.approve_by_policy import approve_by_policy

    request = living_requests(OUT, EVENT)[ID]
    dear = replace(request, total_usd=6.0)
    ledger = Ledger(OUT)
    with ledger.changing() as changing:
        put_request(changing, dear, "amended")
    ledger.close()
    write_requests(OUT, {ID: dear})
    assert approve_by_policy(OUT, EVENT).left == ((ID, "rule small: USD 6 is above its USD 5"),)


def test_a_requests_file_round_trips_with_its_whole_life(typed: Typed) -> None:
    move(typed, "ana", "in_review")
    request = living_requests(OUT, EVENT)[ID]
    assert as_yaml(from_mapping(from_yaml(as_yaml(request)), "")) == as_yaml(request)


def publication(scenario: Scenario, total: float) -> Publication:
    peaks = tuple(
        from_json(
            TeamPeak,
            {
                "region": "us",
                "team": step,
                "at": "2027-07-13T14:05Z",
                "total_mean": total / len(scenario.step_names),
                **dict.fromkeys(("organic_mean", "launch_mean", "expected", "organic"), 0.0),
                **{name: {} for name in ("launches", "size", "five_minutes", "minutes")},
                **dict.fromkeys(("days", "past_events", "calibrated_to"), 0),
                "factors": (),
                "race": {},
            },
        )
        for step in scenario.step_names
    )
    return Publication("forecasts", "2027-07-01T00:00Z", peaks, (), ())


@pytest.mark.parametrize(("times", "moved"), [(1.0, False), (1.1, False), (1.3, True), (0.8, True)])
def test_a_publication_that_moves_a_need_out_of_its_band_voids_an_approval(
    times: float, moved: bool, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    fair = Path("fair.yaml")
    fair.write_text(FAIR)
    scenario = load_scenario(str(fair))
    known = replace(living_requests(OUT, EVENT)[ID], forecast_steps=1000.0)
    known = replace(known, history=(replace(known.history[0], content=content_sha256(known)),))
    ledger = Ledger(OUT)
    with ledger.changing() as changing:
        put_request(changing, known, "drafted")
    ledger.close()
    write_requests(OUT, {ID: known})
    move(typed, "ana", "in_review")
    move(typed, "ben", "approved")
    lines = meet_publication(OUT, scenario, publication(scenario, 1000 * times))
    assert bool(lines) == moved
    assert state() == ("in_review" if moved else "approved")
    if moved:
        assert f"expects {times:.2f} times the steps" in lines[0]
    assert typed("ana", "capacity", "audit")[0] == 0
    assert meet_publication(Path("nowhere"), scenario, publication(scenario, 1.0)) == ()
