"""A kind of table file is one entry of the readers' list, and serves every place that takes an input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import HistoryError, UsageError
from gameday.history import read_any_history, read_history, readers
from gameday.history.importers import Clickstream, MinuteCounts, read_clickstream
from gameday.history.readers import READERS, TableFormat, reader_of
from gameday.vocabulary import Seed
from tests.support.small_shop import desk, load_small

MINUTES = 120
TIMES = pd.date_range("2026-02-20", periods=MINUTES, freq="min", tz="UTC")


def _read_lines(file: Path) -> pd.DataFrame:
    return pd.DataFrame([json.loads(line) for line in file.read_text().splitlines()])


def _write_lines(table: pd.DataFrame, file: Path) -> None:
    table.to_json(file, orient="records", lines=True, date_format="iso")


NDJSON = TableFormat("Lines", ".lines", _read_lines, write_table=_write_lines)
"""A kind that a contributor might add: what it reads and writes, and nothing else."""
ONLY_READ = TableFormat("Lines", ".lines", _read_lines)


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> TableFormat:
    """A throw-away kind, listed as the kinds of the program are."""
    monkeypatch.setattr(readers, "READERS", [*READERS, NDJSON])
    return NDJSON


def counts() -> pd.DataFrame:
    return pd.DataFrame({"time": TIMES.strftime("%Y-%m-%dT%H:%M:%SZ"), "count": range(MINUTES)})


def events() -> pd.DataFrame:
    rng, rows = np.random.default_rng(1), []
    for session in range(200):
        at = pd.Timestamp("2026-03-01", tz="UTC") + pd.Timedelta(minutes=session)
        for step in ["view"] * int(rng.integers(1, 6)) + ["cart", "purchase"] * (session % 5 == 0):
            rows.append((at.isoformat(), step, f"s{session}", "shoes.red"))
            at += pd.Timedelta(seconds=int(rng.integers(2, 50)))
    names = ["event_time", "event_type", "user_session", "category_code"]
    return pd.DataFrame(rows, columns=names)


def written(table: pd.DataFrame, folder: Path, kind: TableFormat) -> Path:
    file = folder / f"table{kind.suffix}"
    assert kind.write_table is not None
    kind.write_table(table, file)
    return file


@pytest.mark.parametrize("listed", [*READERS, NDJSON], ids=lambda listed: listed.name)
def test_every_kind_gives_back_a_table_whole_in_parts_and_while_it_grows(
    listed: TableFormat, tmp_path: Path
) -> None:
    table = events()
    file = written(table, tmp_path, listed)
    whole, growing = listed.read_table(file), listed.read_so_far(file)
    parts = listed.read_parts(file, ["event_time", "event_type", "not there"])
    assert list(whole.columns) == list(parts.columns) == list(table.columns)
    in_parts = pd.concat(parts.parts, ignore_index=True)
    assert growing is not None
    for name in ("event_time", "event_type"):
        for found in (whole, growing, in_parts):
            assert found[name].tolist() == table[name].tolist()


@pytest.mark.parametrize("listed", READERS, ids=lambda listed: listed.name)
def test_a_file_that_is_not_of_its_kind_is_refused_by_name(
    listed: TableFormat, tmp_path: Path
) -> None:
    file = tmp_path / f"torn{listed.suffix}"
    file.write_bytes(b"\x00\xff" if listed.suffix == ".parquet" else b"")
    for read in (listed.read_table, lambda f: [*listed.read_parts(f, ["a"]).parts]):
        with pytest.raises(HistoryError, match=f"torn{listed.suffix}: cannot be read"):
            read(file)


def test_the_forecast_s_history_may_be_of_a_kind_that_is_listed(
    kind: TableFormat, tmp_path: Path
) -> None:
    file = written(counts(), tmp_path, kind)
    described = read_history(load_small(tmp_path, desk()), file=file, seed=Seed(1))
    np.testing.assert_array_equal(described.counts[0, 0], np.arange(MINUTES))
    plain = read_any_history(file, time_zone="UTC")
    np.testing.assert_array_equal(plain.counts[0, 0], np.arange(MINUTES))


def test_a_clickstream_may_be_of_a_kind_that_is_listed(kind: TableFormat, tmp_path: Path) -> None:
    how = Clickstream(user=None, product=None, price=None)
    seen, known = (
        read_clickstream(written(events(), tmp_path, each), how) for each in (kind, READERS[0])
    )
    assert (seen.steps, seen.count) == (known.steps, 200)
    np.testing.assert_array_equal(seen.at_s, known.at_s)
    np.testing.assert_array_equal(seen.step, known.step)
    with pytest.raises(HistoryError, match=r"no column nothing; map it, .*\(has: event_time,"):
        read_clickstream(written(events(), tmp_path, kind), Clickstream(session="nothing"))


def test_an_import_may_read_and_write_a_kind_that_is_listed(
    kind: TableFormat, tmp_path: Path
) -> None:
    log, out = written(events(), tmp_path, kind), tmp_path / f"counts{kind.suffix}"
    typed("history", "import", "--clickstream", str(log), "--counts", str(out), cwd=tmp_path)
    minutes = MinuteCounts()
    read_clickstream(log, Clickstream(user=None, product=None, price=None), minutes)
    assert reader_of(out).read_table(out)["count"].sum() == minutes.table()["count"].sum()


def test_actuals_may_be_of_a_kind_that_is_listed(kind: TableFormat, tmp_path: Path) -> None:
    plan = pd.DataFrame({"region": "here", "step": "cart", "slot_utc": TIMES})
    levels = {"p10": 50.0, "p50": 60.0, "p90": 70.0, "organic_p10": 50.0, "organic_p90": 70.0}
    plan.assign(**levels, launch_p50=0.0).to_parquet(tmp_path / "plan.parquet")
    actuals = written(counts(), tmp_path, kind)
    said = typed(
        *("forecast", "track", "--plan", str(tmp_path / "plan.parquet")),
        *("--actuals", str(actuals), "--json"),
        cwd=tmp_path,
    )
    series = json.loads(said.splitlines()[-1])["series"]["here cart"]
    assert series["minutes"] == MINUTES


def test_where_a_kind_is_not_listed_all_places_name_those_that_are(
    kind: TableFormat, tmp_path: Path
) -> None:
    file = tmp_path / "table.xlsx"
    file.write_bytes(b"")
    listed = r"must end in \.csv or \.parquet or \.jsonl or \.lines"
    for read in (
        lambda: read_any_history(file, time_zone="UTC"),
        lambda: read_clickstream(file, Clickstream()),
    ):
        with pytest.raises(HistoryError, match=rf"{listed} \(got '\.xlsx'\)"):
            read()


def test_a_kind_that_is_only_read_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "READERS", [*READERS, ONLY_READ])
    log, out = written(events(), tmp_path, READERS[0]), tmp_path / "counts.lines"
    with pytest.raises(
        UsageError, match=r"--counts: must end in \.csv or \.parquet or \.jsonl \(got"
    ):
        typed("history", "import", "--clickstream", str(log), "--counts", str(out), cwd=tmp_path)


def typed(*arguments: str, cwd: Path) -> str:
    options = ["--out", str(cwd / "journeys.yaml")] if arguments[0] == "history" else []
    result = CliRunner().invoke(app, [*arguments, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output
