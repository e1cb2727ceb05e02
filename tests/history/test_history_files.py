"""Files of counts: what is read, what is mended and said, what is refused and how."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.errors import HistoryError
from gameday.history import History, read_history
from gameday.scenario import Scenario
from gameday.vocabulary import Seed
from tests.support import examples
from tests.support.small_shop import desk, load_small, small_shop

Rows = list[tuple[Any, ...]]


def read(scenario: Scenario, file: Path) -> History:
    return read_history(scenario, file=file, seed=Seed(1))


def csv(folder: Path, text: str) -> Path:
    file = folder / "past.csv"
    file.write_text(text, encoding="utf-8")
    return file


def written(
    folder: Path, kind: str, rows: Rows, names: tuple[str, ...] = ("time", "count")
) -> Path:
    table = pd.DataFrame(rows, columns=list(names))
    file = folder / f"past.{kind}"
    if kind == "csv":
        table.to_csv(file, index=False)
    else:
        table.to_parquet(file)
    return file


@pytest.fixture
def one(tmp_path: Path) -> Scenario:
    """One region, one step: a file needs only times and counts."""
    return load_small(tmp_path, desk())


@pytest.fixture
def zoned(tmp_path: Path) -> Callable[[str], Scenario]:
    return lambda zone: load_small(tmp_path, desk(), {"history": {"time_zone": zone}})


def refusal(scenario: Scenario, file: Path) -> str:
    with pytest.raises(HistoryError) as caught:
        read(scenario, file)
    assert caught.value.exit_code == 2
    assert str(file) in str(caught.value)
    return str(caught.value)


# --- laws ---------------------------------------------------------------------------------------


@settings(
    deadline=None,
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    cells=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 2), st.integers(0, 999)),
        min_size=1,
        max_size=60,
        unique_by=lambda c: (c[0], c[1]),
    ),
    kind=st.sampled_from(["csv", "parquet"]),
    order=st.randoms(use_true_random=False),
)
def test_every_count_lands_in_its_own_cell_whatever_the_order_of_rows(
    tmp_path: Path, cells: list[tuple[int, int, int]], kind: str, order: Any
) -> None:
    scenario = load_small(tmp_path, small_shop(), {"history": {"columns": {"step": "what"}}})
    start = datetime(2026, 1, 5, tzinfo=UTC)
    first = min(minute for minute, _, _ in cells)
    ends = [
        (m, s, 1) for m in (first, 31) for s in range(3) if (m, s) not in {c[:2] for c in cells}
    ]
    whole = [*cells, *ends]
    order.shuffle(whole)
    rows = [
        ((start + pd.Timedelta(minutes=m)).isoformat(), scenario.step_names[s], n)
        for m, s, n in whole
    ]
    history = read(scenario, written(tmp_path, kind, rows, ("time", "what", "count")))
    assert history.grid.start == start + pd.Timedelta(minutes=first)
    assert history.grid.slots == 32 - first
    assert np.nansum(history.counts) == sum(n for _, _, n in whole)
    assert int((~np.isnan(history.counts)).sum()) == len(whole)
    for minute, step, count in whole:
        assert history.counts[0, step, minute - first] == count


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seconds=st.lists(st.integers(0, 299), min_size=1, max_size=40, unique=True),
    count=st.integers(0, 50),
)
def test_rows_finer_than_a_minute_are_summed(
    tmp_path: Path, seconds: list[int], count: int
) -> None:
    scenario = load_small(tmp_path, desk())
    start = pd.Timestamp("2026-01-05T00:00Z")
    rows = [((start + pd.Timedelta(seconds=s)).isoformat(), count) for s in seconds]
    history = read(scenario, written(tmp_path, "csv", rows))
    minutes = np.bincount([s // 60 for s in seconds])
    held = minutes[minutes.nonzero()[0][0] :]
    np.testing.assert_array_equal(np.nan_to_num(history.counts[0, 0]), held * count)


# --- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_time_with_an_offset_is_that_instant(one: Scenario, tmp_path: Path, kind: str) -> None:
    file = written(tmp_path, kind, [("2026-01-05T05:30:00+05:30", 7), ("2026-01-05T00:01Z", 8)])
    history = read(one, file)
    assert history.grid.start == datetime(2026, 1, 5, tzinfo=UTC)
    np.testing.assert_array_equal(history.counts[0, 0], [7, 8])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_time_without_an_offset_is_read_in_the_declared_zone(
    zoned: Callable[[str], Scenario], tmp_path: Path, kind: str
) -> None:
    file = written(tmp_path, kind, [("2026-01-05T09:00", 7), ("2026-01-05 09:01:00", 8)])
    history = read(zoned("America/New_York"), file)
    assert history.grid.start == datetime(2026, 1, 5, 14, tzinfo=UTC)
    np.testing.assert_array_equal(history.counts[0, 0], [7, 8])


def test_offsets_written_as_hours_alone_may_change_with_the_clocks(
    one: Scenario, tmp_path: Path
) -> None:
    text = "time,count\n2025-10-26T02:59:00+02,3\n2025-10-26T02:00:00+01,4\n"
    np.testing.assert_array_equal(read(one, csv(tmp_path, text)).counts[0, 0], [3, 4])


def test_parquet_timestamps_with_and_without_zone_mean_the_same_instant(
    zoned: Callable[[str], Scenario], tmp_path: Path
) -> None:
    local = pd.date_range("2026-01-05T09:00", periods=3, freq="min")
    naive = read(
        zoned("Asia/Kolkata"), written(tmp_path, "parquet", list(zip(local, range(3), strict=True)))
    )
    aware_rows = list(zip(local.tz_localize("Asia/Kolkata"), range(3), strict=True))
    aware = read(zoned("UTC"), written(tmp_path, "parquet", aware_rows))
    assert naive.grid == aware.grid
    np.testing.assert_array_equal(naive.counts, aware.counts)


def test_rows_in_an_hour_that_dst_skips_are_left_out_and_said(
    zoned: Callable[[str], Scenario], tmp_path: Path
) -> None:
    text = "time,count\n2025-03-30T01:59,1\n2025-03-30T02:30,50\n2025-03-30T03:00,2\n"
    history = read(zoned("Europe/Berlin"), csv(tmp_path, text))
    np.testing.assert_array_equal(history.counts[0, 0], [1, 2])
    assert any("1 rows" in note and "Europe/Berlin" in note for note in history.notes)


def test_an_hour_that_dst_repeats_is_read_from_the_order_of_rows(
    zoned: Callable[[str], Scenario], tmp_path: Path
) -> None:
    hour = [f"2025-10-26T02:{m:02}" for m in range(60)]
    rows = [*((t, 1) for t in hour), *((t, 2) for t in hour), ("2025-10-26T03:00", 3)]
    history = read(zoned("Europe/Berlin"), written(tmp_path, "csv", rows))
    assert history.grid.start == datetime(2025, 10, 26, tzinfo=UTC)
    np.testing.assert_array_equal(history.counts[0, 0], [1] * 60 + [2] * 60 + [3])
    assert not history.notes


def test_an_hour_that_dst_repeats_is_left_out_and_said_where_order_does_not_tell(
    zoned: Callable[[str], Scenario], tmp_path: Path
) -> None:
    text = "time,count\n2025-10-26T01:59,1\n2025-10-26T02:30,50\n2025-10-26T03:00,2\n"
    history = read(zoned("Europe/Berlin"), csv(tmp_path, text))
    assert np.nansum(history.counts) == 3
    assert history.grid.slots == 122
    assert any("1 rows" in note and "Europe/Berlin" in note for note in history.notes)


def test_two_steps_at_one_ambiguous_minute_are_never_told_apart_by_their_order(
    tmp_path: Path,
) -> None:
    changes = {"history": {"time_zone": "Europe/Berlin", "columns": {"step": "step"}}}
    scenario = load_small(tmp_path, small_shop(), changes)
    rows = [
        (t, step, 1)
        for t in ("2025-10-26T01:59", "2025-10-26T03:00")
        for step in scenario.step_names
    ]
    rows[3:3] = [("2025-10-26T02:30", "home", 50), ("2025-10-26T02:30", "product", 60)]
    history = read(scenario, written(tmp_path, "csv", rows, ("time", "step", "count")))
    given = ~np.isnan(history.counts[0, :2]) & (history.counts[0, :2] > 1)
    assert list(given[0]) == list(given[1])


def test_parquet_rows_without_a_time_are_left_out_and_said(one: Scenario, tmp_path: Path) -> None:
    for zone in (None, "UTC"):
        times = [
            pd.Timestamp("2026-01-05", tz=zone),
            pd.NaT,
            pd.Timestamp("2026-01-05T00:01", tz=zone),
        ]
        table = pd.DataFrame({"time": pd.Series(times), "count": [1, 2, 3]})
        table.to_parquet(tmp_path / "past.parquet")
        history = read(one, tmp_path / "past.parquet")
        np.testing.assert_array_equal(history.counts[0, 0], [1, 3])
        assert any("1 rows without a time" in note for note in history.notes), zone


# --- duplicates and gaps ------------------------------------------------------------------------


def test_a_row_that_stands_there_twice_is_kept_once_and_said(one: Scenario, tmp_path: Path) -> None:
    text = "time,count\n2026-01-05T00:00Z,7\n2026-01-05T00:00Z,7\n2026-01-05T00:01Z,1\n"
    history = read(one, csv(tmp_path, text))
    np.testing.assert_array_equal(history.counts[0, 0], [7, 1])
    assert any("1 rows stand there twice" in note for note in history.notes)


@pytest.mark.parametrize("given", [(7, 9), (9, 7, 9), (5, 6, 7, 9)])
def test_of_counts_that_contradict_the_last_row_is_kept_and_said(
    one: Scenario, tmp_path: Path, given: tuple[int, ...]
) -> None:
    rows = [("2026-01-05T00:00Z", count) for count in given]
    history = read(one, written(tmp_path, "csv", rows))
    np.testing.assert_array_equal(history.counts[0, 0], [9])
    assert any("the later row was kept" in note for note in history.notes)


def test_a_gap_is_not_known_and_said_with_its_count_and_longest(
    one: Scenario, tmp_path: Path
) -> None:
    minutes = [0, 1, 5, 6, 17]
    rows = [(f"2026-01-05T00:{m:02}Z", 4) for m in minutes]
    history = read(one, written(tmp_path, "csv", rows))
    assert list(np.flatnonzero(~np.isnan(history.counts[0, 0]))) == minutes
    assert history.notes == ("eu hit: 13 minutes not known in 2 gaps, the longest 10 min",)


def test_an_empty_count_is_not_known_rather_than_nothing(one: Scenario, tmp_path: Path) -> None:
    text = "time,count\n2026-01-05T00:00Z,4\n2026-01-05T00:01Z,\n2026-01-05T00:02Z,4\n"
    history = read(one, csv(tmp_path, text))
    assert np.isnan(history.counts[0, 0, 1])
    assert any("1 rows without a count" in note for note in history.notes)


def test_parquet_counts_may_be_nullable_integers(one: Scenario, tmp_path: Path) -> None:
    times = pd.date_range("2026-01-05", periods=3, freq="min", tz="UTC")
    table = pd.DataFrame({"time": times, "count": pd.array([4, None, 6], dtype="Int64")})
    table.to_parquet(tmp_path / "past.parquet")
    history = read(one, tmp_path / "past.parquet")
    np.testing.assert_array_equal(history.counts[0, 0], [4, np.nan, 6])


def test_parquet_names_may_be_dictionary_encoded(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop(), {"history": {"columns": {"step": "step"}}})
    table = pd.DataFrame(
        {
            "time": ["2026-01-05T00:00Z"] * 3,
            "step": pd.Categorical(["checkout", "home", "product"]),
            "count": [3, 1, 2],
        }
    )
    table.to_parquet(tmp_path / "past.parquet")
    history = read(scenario, tmp_path / "past.parquet")
    np.testing.assert_array_equal(history.counts[0, :, 0], [1, 2, 3])


# --- columns ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_may_have_any_names_and_others_are_passed_over(tmp_path: Path, kind: str) -> None:
    columns = {"time": "ts", "count": "n", "region": "land", "step": "what"}
    scenario = load_small(tmp_path, small_shop(), {"history": {"columns": columns}})
    rows = [("2026-01-05T00:00Z", "eu", step, n, "x") for n, step in enumerate(scenario.step_names)]
    file = written(tmp_path, kind, rows, ("ts", "land", "what", "n", "else"))
    history = read(scenario, file)
    np.testing.assert_array_equal(history.counts[0, :, 0], [0, 1, 2])
    assert history.source == file.name
    assert len(history.sha256) == 64


def test_a_file_with_a_byte_order_mark_is_read(one: Scenario, tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    file.write_bytes(b"\xef\xbb\xbftime,count\r\n2026-01-05T00:00Z,4\r\n")
    np.testing.assert_array_equal(read(one, file).counts[0, 0], [4])


# --- refusals -----------------------------------------------------------------------------------


def test_a_missing_file_is_refused(one: Scenario, tmp_path: Path) -> None:
    assert "--history" in refusal(one, tmp_path / "nowhere.csv")


def test_a_folder_is_refused(one: Scenario, tmp_path: Path) -> None:
    (tmp_path / "past.csv").mkdir()
    refusal(one, tmp_path / "past.csv")


def test_an_unknown_suffix_is_refused_with_the_known_ones(one: Scenario, tmp_path: Path) -> None:
    file = tmp_path / "past.xlsx"
    file.write_bytes(b"PK")
    text = refusal(one, file)
    assert ".csv" in text
    assert ".parquet" in text
    assert "got '.xlsx'" in text


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00t\x00i", b"time,count\n2026-01-05T00:00Z,1,2,3\nx,1\n", b"\x00" * 40],
)
def test_what_is_not_csv_is_refused(one: Scenario, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "past.csv"
    file.write_bytes(content)
    refusal(one, file)


@pytest.mark.parametrize("content", [b"", b"time,count\n", b"PAR1" + b"\x00" * 40 + b"PAR1"])
def test_what_is_not_parquet_is_refused(one: Scenario, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "past.parquet"
    file.write_bytes(content)
    assert "Parquet" in refusal(one, file)


def test_a_missing_column_is_refused_with_what_there_is_and_where_to_map_it(
    one: Scenario, tmp_path: Path
) -> None:
    text = refusal(one, csv(tmp_path, "when,count\n2026-01-05T00:00Z,1\n"))
    assert "no column time" in text
    assert "history.columns" in text
    assert "when, count" in text


def test_several_steps_without_a_step_column_are_refused(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    text = refusal(scenario, csv(tmp_path, "time,count\n2026-01-05T00:00Z,1\n"))
    assert "history.columns.step" in text


def test_an_unknown_step_is_refused_with_its_row_and_the_known_ones(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop(), {"history": {"columns": {"step": "step"}}})
    text = "time,step,count\n2026-01-05T00:00Z,home,1\n2026-01-05T00:00Z,hme,1\n"
    said = refusal(scenario, csv(tmp_path, text))
    assert "row 2" in said
    assert "unknown step 'hme'" in said
    assert "home, product, checkout" in said


@pytest.mark.parametrize("count", ["-1", "many", "inf", "nan", "1,5", "-0.5", "1e999"])
def test_a_count_that_is_no_count_is_refused_with_its_row(
    one: Scenario, tmp_path: Path, count: str
) -> None:
    text = f'time,count\n2026-01-05T00:00Z,3\n2026-01-05T00:01Z,"{count}"\n'
    said = refusal(one, csv(tmp_path, text))
    assert "row 2" in said
    assert f"got '{count}'" in said


@pytest.mark.parametrize("time", ["yesterday", "", "05/01/2026", "2026-13-01T00:00Z"])
def test_a_time_that_is_no_time_is_refused_with_its_row(
    one: Scenario, tmp_path: Path, time: str
) -> None:
    said = refusal(one, csv(tmp_path, f"time,count\n2026-01-05T00:00Z,3\n{time},3\n"))
    assert "row 2" in said
    assert f"got '{time}'" in said


def test_times_with_and_without_offset_in_one_file_are_refused(
    one: Scenario, tmp_path: Path
) -> None:
    said = refusal(one, csv(tmp_path, "time,count\n2026-01-05T00:00Z,3\n2026-01-05T00:01,3\n"))
    assert "row 2" in said
    assert "offset" in said


def test_a_file_of_no_rows_is_refused(one: Scenario, tmp_path: Path) -> None:
    assert "no rows" in refusal(one, csv(tmp_path, "time,count\n"))


def test_a_step_without_any_count_is_refused_with_the_file_s_name(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop(), {"history": {"columns": {"step": "step"}}})
    text = "time,step,count\n2026-01-05T00:00Z,home,1\n2026-01-05T00:00Z,product,1\n"
    assert "checkout" in refusal(scenario, csv(tmp_path, text))


def test_a_past_that_begins_after_what_may_be_known_is_refused(
    one: Scenario, tmp_path: Path
) -> None:
    assert "history.until" in refusal(one, csv(tmp_path, "time,count\n2026-03-01T00:00Z,3\n"))


# --- the product --------------------------------------------------------------------------------


def test_what_was_known_before_an_instant_ends_there(one: Scenario, tmp_path: Path) -> None:
    rows = [(f"2026-01-05T00:{m:02}Z", m) for m in range(30)]
    history = read(one, written(tmp_path, "csv", rows))
    for minute in (-5, 0, 1, 17, 30, 99):
        instant = history.grid.start + pd.Timedelta(minutes=minute).to_pytimedelta()
        known = history.known_before(instant)
        assert known.grid.slots == min(max(minute, 0), 30)
        np.testing.assert_array_equal(known.counts[0, 0], range(min(max(minute, 0), 30)))


def test_counts_during_a_grid_are_given_only_when_all_of_it_is_held(
    one: Scenario, tmp_path: Path
) -> None:
    rows = [(f"2026-01-05T00:{m:02}Z", m) for m in range(30)]
    history = read(one, written(tmp_path, "csv", rows))
    part = history.during(history.grid.part(10, 5))
    assert part is not None
    np.testing.assert_array_equal(part[0, 0], range(10, 15))
    assert history.during(history.grid.part(-1, 5)) is None
    assert history.during(history.grid.part(26, 5)) is None
