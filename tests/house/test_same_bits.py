"""The comparison of two commits sees what differs, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.house.same_bits import FILES, TOLD, differences, numbers


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return what two equal commits left."""
    for name in ("old", "new"):
        run = tmp_path / name / "runs" / "primeday" / "1"
        run.mkdir(parents=True)
        for told in TOLD:
            (tmp_path / name / f"{told}.json").write_text(
                json.dumps({"wape": 0.25, "took_s": len(name), "rows": [{"p50": 3.0}]})
            )
        for file in FILES:
            pd.DataFrame({"slot": [0, 1], "p50": [1.0, float("nan")]}).to_parquet(run / file)
        (run / "findings.json").write_text(
            json.dumps({"findings": [{"rule": "peak_not_borne", "severity": "S1"}]})
        )
    return tmp_path / "old", tmp_path / "new"


def test_equal_commits_do_not_differ_whatever_their_times(folders: tuple[Path, Path]) -> None:
    assert differences(*folders) == []


def test_a_number_a_column_and_a_finding_that_differ_are_told(folders: tuple[Path, Path]) -> None:
    old, new = folders
    (new / "backtest.json").write_text(json.dumps({"wape": 0.26, "rows": []}))
    run = next((new / "runs").glob("*/*"))
    pd.DataFrame({"slot": [0, 1], "p50": [1.0, 2.0]}).to_parquet(run / FILES[0])
    (run / "findings.json").write_text('{"findings": []}')
    assert differences(old, new) == [
        "backtest: .rows[0].p50 is only in one of them",
        "backtest: .wape was 0.25 and is 0.26",
        f"{FILES[0]}: column p50 differs",
        "findings: [('peak_not_borne', 'S1')] became []",
    ]


def test_numbers_are_named_by_where_they_stand_and_prose_is_none() -> None:
    assert numbers({"a": [1, "two", {"b": None}], "took_s": 9}) == {".a[0]": 1, ".a[2].b": None}
