"""The loop on a small fair: what is short is found, ordered by rule, placed, and verified by the next run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.program import Bench, Run
from tests.support.small_fair import SMALL_PAY, Edit

pytestmark = [pytest.mark.slow, pytest.mark.alone]

EIGHT: Edit = ("replay: {peak: 5m", "replay: {peak: 8m")
TEAM: Edit = (
    "objectives:\n",
    "teams: {paying: {contact: x, services: [pay], steps: [checkout]}}\n\nobjectives:\n",
)
EVENT = "small-fair-2027"
ID = f"CR-{EVENT}-main-pay"


@pytest.fixture(scope="module")
def looped(kept_bench: Bench) -> Run:
    """Give the loop of a fair with one cashier."""
    fair = kept_bench.scenario(*SMALL_PAY, EIGHT, TEAM)
    words = ("loop", "--event", fair, "--max-rounds", "3", "--json", "--quiet")
    return kept_bench.says(*words, "--out", str(kept_bench.out))


def told(bench: Bench, *words: str) -> dict[str, Any]:
    run = bench.says(*words, "--json", "--out", str(bench.out))
    assert run.code == 0, run.complained
    answer: dict[str, Any] = json.loads(run.said)
    return answer


def test_a_fair_with_one_cashier_passes_in_the_second_round(looped: Run) -> None:
    assert looped.code == 0, looped.complained
    loop = json.loads(looped.said)
    assert loop["end"] == "passed"
    assert [each["verdict"] for each in loop["rounds"]] == ["FAIL", "PASS"]
    first, second = loop["rounds"]
    assert [line.split(":")[0] for line in first["approved"]] == [ID]  # nothing that is not short
    assert (first["placed"], second["placed"]) == (1, 1)
    assert "fixed" in second["lives"]
    assert "1 request verified" in second["lives"]


def test_the_request_tells_its_whole_life_and_its_prediction_was_scored(
    looped: Run, kept_bench: Bench
) -> None:
    [request] = told(kept_bench, "capacity", "show")["requests"]
    assert (request["id"], request["state"], request["owner"]) == (ID, "verified", "paying")
    assert [said["act"] for said in request["history"]] == [
        *("draft", "in_review", "approved", "ordered", "active", "confirmed", "verified")
    ]
    [score] = request["record"]
    assert len(score["held"]) + len(score["missed"]) == 4
    assert score["run"] == json.loads(looped.said)["rounds"][1]["run"]


def test_the_trace_has_every_stage_but_the_export_and_the_ledger_is_whole(
    looped: Run, kept_bench: Bench
) -> None:
    assert told(kept_bench, "trace", ID)["missing"] == ["export"]
    assert told(kept_bench, "capacity", "audit")["faults"] == []


def test_every_finding_of_the_first_round_is_fixed_with_owner_and_date(
    looped: Run, kept_bench: Bench
) -> None:
    known = told(kept_bench, "findings", "--known")["findings"]
    assert known
    assert {finding["state"] for finding in known} == {"fixed"}
    assert {f["owner"] for f in known if "pay" in f["subject"].split()} == {"paying"}
    assert {finding["due"] for finding in known} == {"2027-06-29"}


def test_the_second_round_was_played_with_what_was_placed_and_says_so(
    looped: Run, kept_bench: Bench
) -> None:
    folders = {folder.name: folder for folder in kept_bench.folders()}
    first, second = (each["run"] for each in json.loads(looped.said)["rounds"])
    manifests = [json.loads((folders[run] / "run.json").read_text()) for run in (first, second)]
    assert "capacity" not in manifests[0]["sha256"]
    assert len(manifests[1]["sha256"]["capacity"]) == 64
    assert manifests[0]["sha256"]["scenario"] == manifests[1]["sha256"]["scenario"]
    played = json.loads((folders[second] / "scenario.json").read_text())
    assert played["services"]["pay"]["stacks"]["main"]["instances"] > 1
    report = (folders[second] / "report.html").read_text()
    assert "Since the runs before" in report
