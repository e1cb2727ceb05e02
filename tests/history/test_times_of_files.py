"""Times of files: every unit since 1970 is told by its size, and years that cannot be are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import HistoryError
from gameday.history import read_history
from gameday.history.importers.clickstream import Clickstream, read_clickstream
from gameday.history.importers.minutes import MinuteCounts
from gameday.history.instants import last_year, parsed_times
from gameday.vocabulary import Seed
from tests.support.small_shop import desk, load_small

SHOPPERS = Clickstream(category=None, product=None, price=None)
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def written(folder: Path, table: pd.DataFrame, kind: str = "csv") -> Path:
    file = folder / f"events.{kind}"
    table.to_csv(file, index=False) if kind == "csv" else table.to_parquet(file)
    return file


def visits(times: list[Any], event: str = "view") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "event_time": times,
            "event_type": event,
            "user_session": [f"s{n}" for n in range(len(times))],
            "user_id": "u",
        }
    )


@settings(deadline=None)
@given(
    instant=st.datetimes(datetime(1995, 1, 2), datetime(last_year(), 12, 30)),
    unit=st.sampled_from(list(UNITS)),
    as_text=st.booleans(),
)
def test_a_number_since_1970_is_one_instant_whatever_its_unit(
    instant: datetime, unit: str, as_text: bool
) -> None:
    whole = instant.replace(microsecond=0, tzinfo=UTC)
    number = int(whole.timestamp()) * UNITS[unit]
    [found] = parsed_times(pd.Series([str(number) if as_text else number]))
    assert abs(found - whole) < timedelta(milliseconds=1)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("unit", list(UNITS))
def test_events_in_any_unit_are_sessions_of_their_own_day(
    unit: str, kind: str, tmp_path: Path
) -> None:
    start = int(datetime(2026, 11, 2, 8, tzinfo=UTC).timestamp())
    minutes = MinuteCounts()
    file = written(tmp_path, visits([(start + 60 * n) * UNITS[unit] for n in range(50)]), kind)
    assert read_clickstream(file, SHOPPERS, minutes).count == 50
    table = minutes.table()
    assert table["time"].min() == pd.Timestamp("2026-11-02T08:00Z")
    assert table["time"].max() == pd.Timestamp("2026-11-02T08:49Z")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("unit", list(UNITS))
def test_a_history_may_count_its_time_in_any_unit(unit: str, kind: str, tmp_path: Path) -> None:
    start = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
    table = pd.DataFrame(
        {"time": [(start + 60 * n) * UNITS[unit] for n in range(5)], "count": range(5)}
    )
    file = written(tmp_path, table, kind)
    history = read_history(load_small(tmp_path, desk()), file=file, seed=Seed(1))
    assert history.grid.start == datetime(2026, 1, 5, tzinfo=UTC)
    np.testing.assert_array_equal(history.counts[0, 0], range(5))


STRANGE = [
    "2105-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "1994-12-31T23:59:00Z",
    f"{last_year() + 1}-01-01T00:00:00Z",
    4_260_000_000,
    20_261,
]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize("alone", [True, False])
def test_a_year_that_cannot_be_is_an_error_with_its_row_and_what_to_write(
    value: Any, kind: str, alone: bool, tmp_path: Path
) -> None:
    good: Any = 1_790_000_000 if isinstance(value, int) else "2026-01-05T00:00:00Z"
    times = [value] if alone else [good, good, value]
    file = written(tmp_path, visits(times), kind)
    said = rf"row {len(times)}: event_time: must be a time of 1995 to {last_year()} \(got '{value}'"
    with pytest.raises(HistoryError, match=said) as caught:
        read_clickstream(file, SHOPPERS)
    assert "since 1970" in str(caught.value)
    table = pd.DataFrame({"time": times, "count": 3})
    with pytest.raises(HistoryError, match=r"time: must be a time of 1995 to"):
        read_history(
            load_small(tmp_path, desk()), file=written(tmp_path, table, kind), seed=Seed(1)
        )


def test_a_timestamp_that_was_written_in_the_wrong_unit_is_refused(tmp_path: Path) -> None:
    times = pd.Series(np.array([1_790_000_000_000], "datetime64[s]"))
    with pytest.raises(HistoryError, match="must be a time of 1995"):
        read_clickstream(
            written(tmp_path, visits(list(times)).assign(event_time=times), "parquet"), SHOPPERS
        )


@pytest.mark.parametrize("suffix", [" UTC", " GMT", "Z", "UTC"])
def test_utc_may_stand_behind_a_time_in_words(suffix: str, tmp_path: Path) -> None:
    text = f"2026-01-05 00:01:00{suffix}"
    assert read_clickstream(written(tmp_path, visits([text])), SHOPPERS).at_s[0] == 1_767_571_260
    table = pd.DataFrame({"time": [text], "count": [3]})
    scenario = load_small(tmp_path, desk(), {"history": {"time_zone": "Asia/Kolkata"}})
    history = read_history(scenario, file=written(tmp_path, table), seed=Seed(1))
    assert history.grid.start == datetime(2026, 1, 5, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["02/11/2026 08:00", "11/02/2026", "2.11.2026 08:00", "Nov 2 2026"]
)
def test_a_date_whose_order_is_not_known_is_refused_and_quoted(text: str, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=rf"as: {text}.*2026-11-02T08:00:00Z"):
        read_clickstream(written(tmp_path, visits([text] * 3)), SHOPPERS)
    table = pd.DataFrame({"time": [text], "count": [3]})
    with pytest.raises(HistoryError, match="in another order are not guessed"):
        read_history(load_small(tmp_path, desk()), file=written(tmp_path, table), seed=Seed(1))


def test_an_order_of_several_articles_is_one_order_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, rows = datetime(2026, 11, 2, 8, tzinfo=UTC), []
    for n in range(40):
        at = start + timedelta(seconds=15 * (n // 4))  # four come at one instant
        rows += [(at + timedelta(seconds=k), "cart", f"p{k}", f"s{n}") for k in range(3)]
        rows += [(at + timedelta(seconds=9), "purchase", f"p{k}", f"s{n}") for k in range(3)]
    names = ["event_time", "event_type", "product_id", "user_session"]
    table = pd.DataFrame(rows, columns=names).assign(price=9.0)
    for part_rows in (250_000, 5):  # an order may lie across two parts
        monkeypatch.setattr("gameday.history.readers.parquet._PART_ROWS", part_rows)
        minutes = MinuteCounts()
        seen = read_clickstream(
            written(tmp_path, table, "parquet"), Clickstream(category=None), minutes
        )
        counts = dict(zip(seen.steps, np.bincount(seen.step), strict=True))
        assert counts == {"cart": 120, "checkout": 40}
        assert minutes.table().groupby("step")["count"].sum().to_dict() == counts
        assert any("80 rows of checkout are further articles" in note for note in seen.notes)
