"""The ledger gives back what it was given; a run's folder holds whole files or none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gameday.capacity import from_mapping, request_capacity
from gameday.errors import PreflightFailed
from gameday.history import History
from gameday.ledger import Ledger, RunFolder, RunRow
from tests.support import examples
from tests.support.small_runs import as_measured, busy_shop, played, records_of
from tests.support.small_shop import flat_demand

ROW = RunRow("r1", "small", "r1", "2026-03-10T00:00:00+00:00", "RUNNING", -1, 42)
"""A run whose folder does not matter."""
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    held = Ledger(tmp_path / "reports")
    yield held
    held.close()


@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(event=words, verdict=words, code=st.integers(-1, 9), pid=st.integers(1, 2**31))
def test_a_row_comes_back_as_it_went_in(
    event: str, verdict: str, code: int, pid: int, ledger: Ledger, tmp_path: Path
) -> None:
    folder = str(tmp_path / "reports" / "r1")
    row = replace(ROW, event=event, folder=folder, verdict=verdict, exit_code=code, pid=pid)
    ledger.record_run(row)
    assert ledger.runs() == [row]
    assert ledger.runs(event) == [row]


def test_a_run_noted_again_is_one_row_with_its_last_verdict(ledger: Ledger) -> None:
    ledger.record_run(ROW)
    ledger.record_run(replace(ROW, verdict="PASS", exit_code=0))
    assert [(row.verdict, row.exit_code) for row in ledger.runs()] == [("PASS", 0)]


def test_runs_come_newest_first_and_by_event(ledger: Ledger) -> None:
    for day, event in ((11, "a"), (13, "b"), (12, "a")):
        started = f"2026-03-{day}T00:00:00+00:00"
        ledger.record_run(replace(ROW, run_id=f"r{day}", event=event, started_utc=started))
    assert [row.run_id for row in ledger.runs()] == ["r13", "r12", "r11"]
    assert [row.run_id for row in ledger.runs("a")] == ["r12", "r11"]
    assert ledger.runs("c") == []


def test_findings_come_back_whole_and_worst_first(ledger: Ledger) -> None:
    found = [
        {"id": "b", "severity": "S3", "title": "ä", "value": {"mid": 0.1}},
        {"id": "z", "severity": "S1", "title": "x", "value": {"mid": None}},
        {"id": "a", "severity": "S3", "title": "'; DROP TABLE runs; --", "value": {}},
    ]
    ledger.record_results("r1", found, [{"id": "CR-1", "state": "draft"}])
    assert [json.loads(body) for body in ledger.findings("r1")] == [found[1], found[2], found[0]]
    assert ledger.findings("r2") == []


def test_two_processes_may_hold_the_ledger_at_once(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "reports")
    other.record_run(ROW)
    assert [row.run_id for row in ledger.runs()] == [ROW.run_id]
    other.close()


def test_the_ledger_outlives_the_process_that_wrote_it(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "reports")
    row = replace(ROW, folder=str(tmp_path / "reports" / "small" / "r1"))
    first.record_run(row)
    first.close()
    second = Ledger(tmp_path / "reports")
    assert second.runs() == [row]
    second.close()


@pytest.mark.parametrize("kind", ["below a file", "a file", "a folder in its place", "no database"])
def test_a_ledger_that_cannot_be_opened_fails_before_anything_is_sent(
    kind: str, tmp_path: Path
) -> None:
    reports = tmp_path / "reports"
    if kind == "below a file":
        reports.write_text("")
        reports = reports / "deep"
    elif kind == "a file":
        reports.write_text("")
    else:
        reports.mkdir()
        if kind == "no database":
            (reports / "ledger.sqlite3").write_bytes(b"no database at all" * 100)
        else:
            (reports / "ledger.sqlite3").mkdir()
    with pytest.raises(PreflightFailed, match="--out"):
        Ledger(reports)


@pytest.fixture
def folder(ledger: Ledger, tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "reports" / "small" / "r1", ledger)


def test_noting_a_run_writes_manifest_and_row_alike(folder: RunFolder, ledger: Ledger) -> None:
    folder.note(replace(ROW, verdict="PASS", exit_code=0), seed=7, command="gameday replay")
    manifest = json.loads((folder.path / "run.json").read_text())
    assert manifest["schema_version"] == 1
    assert (manifest["seed"], manifest["command"]) == (7, "gameday replay")
    [row] = ledger.runs()
    for name in ("run_id", "event", "verdict", "exit_code", "started_utc", "pid"):
        assert manifest[name] == getattr(row, name)


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    scenario = busy_shop(tmp_path_factory.mktemp("products"))
    plan = played(scenario, 5.0)
    demand = flat_demand(scenario, plan.forecast[:, :, 2:3].repeat(30, axis=2) * 20)
    history = History(
        demand.grid.part(0, 10),
        demand.regions,
        demand.steps,
        np.ones((1, 3, 10), np.float32),
        "synthetic",
        "0",
    )
    runs = records_of(scenario, plan, range(2))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    requests = request_capacity(scenario, demand, (), run="r1", now=now)
    return {
        "scenario": scenario,
        "plan": plan,
        "demand": demand,
        "history": history,
        "runs": runs,
        "requests": requests,
    }


def test_a_folder_holds_everything_the_run_was_played_from_and_showed(
    folder: RunFolder, ledger: Ledger, products: dict[str, Any]
) -> None:
    p, runs = products, products["runs"]
    folder.write_inputs(p["scenario"], p["demand"], p["history"], p["plan"])
    folder.write_records(measured=(as_measured(runs[0]),), predicted=runs, event=())
    assert p["requests"]
    summary = {
        "run_id": "r1",
        "findings": [{"id": "f", "severity": "S1"}],
        "requests": [{"id": r.id, "state": r.state} for r in p["requests"]],
    }
    folder.write_results(summary, p["requests"])
    names = {str(f.relative_to(folder.path)) for f in folder.path.rglob("*") if f.is_file()}
    assert names == {
        "scenario.json",
        "demand.parquet",
        "plan.parquet",
        "plan.json",
        "measured.parquet",
        "predicted.parquet",
        "findings.json",
        *(f"capacity/{r.id}.yaml" for r in p["requests"]),
    }
    written = json.loads((folder.path / "findings.json").read_text())
    assert [json.loads(body) for body in ledger.findings("r1")] == written
    assert set(pd.read_parquet(folder.path / "predicted.parquet")["replication"]) == {0, 1}
    table = pd.read_parquet(folder.path / "measured.parquet")
    planned = table.query("table == 'steps' and measure == 'planned'")["value"].sum()
    assert planned == runs[0].step_counts[:, :, 0].sum()
    played = pd.read_parquet(folder.path / "plan.parquet")["played"]
    assert played.sum() == p["plan"].played.sum()
    for request in p["requests"]:
        text = (folder.path / "capacity" / f"{request.id}.yaml").read_text()
        assert from_mapping(YAML(typ="safe", pure=True).load(text), "").id == request.id


def test_a_write_that_fails_leaves_the_old_file_whole_and_no_scrap(
    folder: RunFolder, products: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_records(predicted=products["runs"])
    before = (folder.path / "predicted.parquet").read_bytes()

    def half(self: pd.DataFrame, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    with pytest.raises(PreflightFailed, match="No space left"):
        folder.write_records(predicted=products["runs"][:1])
    assert (folder.path / "predicted.parquet").read_bytes() == before
    assert [p.name for p in folder.path.iterdir()] == ["predicted.parquet"]


def test_a_folder_that_cannot_be_made_fails_before_anything_is_sent(
    ledger: Ledger, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightFailed, match="--out"):
        RunFolder(tmp_path / "file" / "r1", ledger).note(ROW)
    assert ledger.runs() == []
