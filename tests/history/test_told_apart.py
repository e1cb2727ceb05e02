"""What tells series apart in a file is used, or the file is refused: regions, steps, look-alikes, spellings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import HistoryError
from gameday.history import History, read_any_history, read_history
from gameday.scenario import Scenario
from gameday.vocabulary import Seed
from tests.support.small_shop import desk, load_small, small_shop

START = pd.Timestamp("2026-01-05T00:00Z")


def read(scenario: Scenario, file: Path) -> History:
    return read_history(scenario, file=file, seed=Seed(1))


def written(folder: Path, rows: list[dict[str, Any]], kind: str = "csv") -> Path:
    table, file = pd.DataFrame(rows), folder / f"past.{kind}"
    table.to_csv(file, index=False) if kind == "csv" else table.to_parquet(file)
    return file


def minutes(length: int, **columns: Any) -> list[dict[str, Any]]:
    """Return a row a minute; a column's value is the same in all, or told by a function of the minute."""
    return [
        {"time": (START + pd.Timedelta(minutes=m)).isoformat(), "count": 10 + m % 7}
        | {name: value(m) if callable(value) else value for name, value in columns.items()}
        for m in range(length)
    ]


@pytest.fixture
def one(tmp_path: Path) -> Scenario:
    """One region, eu, and one step, hit."""
    return load_small(tmp_path, desk())


@pytest.fixture
def three(tmp_path: Path) -> Scenario:
    """One region, three steps: home, product, checkout."""
    return load_small(tmp_path, small_shop())


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_step_column_is_read_though_no_one_named_it(
    three: Scenario, tmp_path: Path, kind: str
) -> None:
    rows = [
        row for n, step in enumerate(three.step_names) for row in minutes(3, step=step, count=n)
    ]
    np.testing.assert_array_equal(
        read(three, written(tmp_path, rows, kind)).counts[0], [[0] * 3, [1] * 3, [2] * 3]
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("column", "value"), [("region", "atlantis"), ("Region", "us"), ("step", "refund")]
)
def test_a_name_the_scenario_does_not_have_is_refused_with_its_share_though_no_one_named_the_column(
    one: Scenario, tmp_path: Path, kind: str, column: str, value: str
) -> None:
    known = {"region": "eu", "step": "hit"}[column.casefold()]
    rows = minutes(30, **{column: known, "count": 3}) + minutes(30, **{column: value, "count": 1})
    with pytest.raises(
        HistoryError, match=rf"{column}: unknown {column.casefold()} '{value}'.*{known}"
    ) as caught:
        read(one, written(tmp_path, rows, kind))
    assert f"'{value}' 25.0%, in 30 of 60 rows" in str(caught.value)


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    column=st.sampled_from(["country", "service", "stack", "page", "shop_no", "was_paid", "x"]),
    values=st.lists(
        st.sampled_from(["a", "b", "c", "1", "2", ""]), min_size=2, max_size=4, unique=True
    ),
    count=st.integers(1, 40),
    kind=st.sampled_from(["csv", "parquet"]),
    same=st.booleans(),
)
def test_rows_of_one_minute_that_an_unread_column_tells_apart_are_refused_by_its_name(
    one: Scenario, tmp_path: Path, column: str, values: list[str], count: int, kind: str, same: bool
) -> None:
    rows = [
        row
        for n, value in enumerate(values)
        for row in minutes(count, **{column: value, "count": 5 if same else n + 1})
    ]
    with pytest.raises(HistoryError, match=rf"column '{column}' tells them apart") as caught:
        read(one, written(tmp_path, rows, kind))
    assert "history.columns.region" in str(caught.value)


def test_an_unread_column_that_tells_nothing_apart_is_passed_over(
    one: Scenario, tmp_path: Path
) -> None:
    rows = minutes(60, country="DE", revenue=lambda m: 1.5 * m, id=lambda m: f"r{m}")
    again = [row | {"id": "r999", "revenue": 0.7} for row in rows[:2]]
    history = read(one, written(tmp_path, rows + again))
    assert np.nansum(history.counts) == sum(row["count"] for row in rows)
    assert any("2 rows stand there twice" in note for note in history.notes)


def test_two_series_that_no_column_tells_apart_are_refused(one: Scenario, tmp_path: Path) -> None:
    rows = minutes(100, count=7) + minutes(100, count=900)
    with pytest.raises(HistoryError, match="100 minutes have two counts"):
        read(one, written(tmp_path, rows))


def test_case_and_blanks_are_no_other_name_and_are_said(three: Scenario, tmp_path: Path) -> None:
    words = ["home", " Product", "CHECKOUT "]
    rows = [
        row for n, step in enumerate(words) for row in minutes(3, step=step, region="EU", count=n)
    ]
    history = read(three, written(tmp_path, rows))
    np.testing.assert_array_equal(history.counts[0], [[0] * 3, [1] * 3, [2] * 3])
    assert any("region" in note and "'EU' as eu" in note for note in history.notes)
    assert any("' Product' as product" in note for note in history.notes)


@pytest.mark.parametrize("known", [True, False])
def test_two_spellings_of_one_region_in_one_minute_are_refused(
    one: Scenario, tmp_path: Path, known: bool
) -> None:
    file = written(tmp_path, minutes(50, region="eu", count=9) + minutes(50, region="EU", count=1))
    with pytest.raises(HistoryError, match="'region as written' tells them apart"):
        read(one, file) if known else read_any_history(file, time_zone="UTC")


def test_spellings_that_change_over_time_are_one_region_in_a_file_without_a_scenario(
    tmp_path: Path,
) -> None:
    rows = minutes(60, region=lambda m: "EU" if m < 20 else "eu ")
    history = read_any_history(written(tmp_path, rows), time_zone="UTC")
    assert history.regions == ("eu",)
    assert not np.isnan(history.counts).any()
    assert history.notes


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_without_a_region_are_refused_with_their_share(
    one: Scenario, tmp_path: Path, kind: str
) -> None:
    rows = minutes(40, region=lambda m: None if m % 4 == 0 else "eu", count=1)
    with pytest.raises(
        HistoryError, match=r"row 1: region: no region is given.*'' 25.0%, in 10 of 40 rows"
    ):
        read(one, written(tmp_path, rows, kind))


def test_a_column_a_series_is_refused_with_the_shape_to_write(
    one: Scenario, tmp_path: Path
) -> None:
    rows = [{"time": row["time"], "home": 3, "cart": 1} for row in minutes(30)]
    with pytest.raises(
        HistoryError, match=r"no column count.*home, cart are series.*time, region, step, count"
    ):
        read(one, written(tmp_path, rows))
    with pytest.raises(HistoryError, match=r"home, cart are series"):
        read_any_history(written(tmp_path, rows), time_zone="UTC")


def plan_of(folder: Path, regions: list[str]) -> Path:
    at = pd.date_range(START, periods=60, freq="min")
    parts = [
        pd.DataFrame(
            {
                "region": r,
                "step": "hit",
                "slot_utc": at,
                "p10": 9.0,
                "p50": 13.0,
                "p90": 17.0,
                "organic_p10": 9.0,
                "organic_p90": 17.0,
                "launch_p50": 0.0,
            }
        )
        for r in regions
    ]
    pd.concat(parts).to_parquet(folder / "plan.parquet")
    return folder / "plan.parquet"


def track(*args: Any) -> Any:
    return CliRunner().invoke(app, ["forecast", "track", *map(str, args)])


def test_track_refuses_actuals_that_an_unread_column_tells_apart(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["eu"])
    file = written(tmp_path, minutes(60, country="de") + minutes(60, country="fr"))
    result = track("--plan", plan, "--actuals", file)
    assert isinstance(result.exception, HistoryError)
    assert "column 'country' tells them apart" in str(result.exception)


def test_track_says_which_series_of_the_actuals_the_plan_does_not_have(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["eu", "us"])
    file = written(
        tmp_path, [r for name in ("EU", "us", "mars") for r in minutes(60, region=name, step="hit")]
    )
    result = track("--plan", plan, "--actuals", file, "--json")
    assert result.exit_code == 0
    assert "mars hit" in result.stderr
    assert '"eu hit": {"minutes": 60' in result.stdout
