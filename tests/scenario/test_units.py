"""Units at the door: what is written is what is meant, to the last digit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gameday.scenario.units import (
    Duration,
    Instant,
    LocalTime,
    Name,
    Quantile,
    ZoneName,
    local_to_utc,
    parse_duration,
)

UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
ZONES = (
    "UTC",
    "America/Los_Angeles",
    "America/New_York",
    "Europe/London",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
)
ORDINARY = st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31)).map(
    lambda t: t.replace(second=0, microsecond=0)
)


def written(kind: Any, value: object) -> object:
    """Return what a scenario gets for `value`; strict, from JSON, as the loader does it."""
    return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)


def utc_or_words(local: datetime, zone: str) -> tuple[datetime | None, str]:
    try:
        return local_to_utc(local, zone), ""
    except ValueError as error:
        return None, str(error)


@given(
    whole=st.integers(0, 10**6),
    unit=st.sampled_from(sorted(UNITS_S)),
    gap=st.sampled_from(["", " "]),
)
def test_a_whole_number_of_any_unit_is_that_many_seconds(whole: int, unit: str, gap: str) -> None:
    if whole * UNITS_S[unit] <= 36500 * 86400:  # a hundred years: beyond is refused
        assert parse_duration(f"{whole}{gap}{unit}") == whole * UNITS_S[unit]
    else:
        with pytest.raises(ValueError, match="at most"):
            parse_duration(f"{whole}{gap}{unit}")


@given(milliseconds=st.integers(0, 10**9))
def test_a_duration_written_in_ms_or_in_s_is_the_same_to_a_part_in_a_billion(
    milliseconds: int,
) -> None:
    in_s = f"{milliseconds // 1000}.{milliseconds % 1000:03d}s"
    assert parse_duration(f"{milliseconds}ms") == pytest.approx(parse_duration(in_s), rel=1e-9)


@given(seconds=st.integers(0, 10**7).map(lambda n: n / 100))
def test_seconds_written_and_read_come_back(seconds: float) -> None:
    assert parse_duration(f"{seconds:.2f}s") == seconds


@given(text=st.text(max_size=10))
def test_text_that_is_no_duration_is_a_value_error_or_seconds_not_below_0(text: str) -> None:
    said = ""
    try:
        assert parse_duration(text) >= 0
    except ValueError as error:
        said = str(error)
    assert said == "" or "such as 40ms" in said


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "5",
        "s",
        "-5s",
        "+5s",
        "5 m s",
        "1h30m",
        "1:30",
        "5 seconds",
        ".5s",
        "5.s",
        "1e3s",
        "5S",
        "5H",
        5,
        5.0,
        None,
        True,
        ["5s"],
        {"s": 5},
    ],
)
def test_a_duration_without_exactly_one_known_unit_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="duration with its unit"):
        parse_duration(wrong)


@given(local=ORDINARY, zone=st.sampled_from(ZONES))
def test_a_local_time_is_refused_or_comes_back_from_utc_unchanged(
    local: datetime, zone: str
) -> None:
    instant, said = utc_or_words(local, zone)
    if instant is None:
        assert zone in said
        return
    assert instant.tzinfo is UTC
    assert instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local


@given(moment=ORDINARY, zone=st.sampled_from(ZONES))
def test_every_utc_instant_comes_back_from_its_local_time_unless_that_happens_twice(
    moment: datetime, zone: str
) -> None:
    instant = moment.replace(tzinfo=UTC)
    local = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    found, said = utc_or_words(local, zone)
    assert found == instant or "happens twice" in said


@given(local=ORDINARY, minutes=st.integers(1, 60 * 24 * 300))
def test_in_a_zone_without_dst_local_time_and_utc_run_alike(local: datetime, minutes: int) -> None:
    later = local + timedelta(minutes=minutes)
    gap = local_to_utc(later, "Asia/Kolkata") - local_to_utc(local, "Asia/Kolkata")
    assert gap == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("local", "zone", "says"),
    [
        (datetime(2027, 3, 14, 2, 0), "America/Los_Angeles", "does not exist .*jump to 03:00"),
        (datetime(2027, 3, 14, 2, 59), "America/Los_Angeles", "does not exist .*jump to 03:59"),
        (datetime(2027, 11, 7, 1, 0), "America/Los_Angeles", "happens twice"),
        (datetime(2027, 11, 7, 1, 59), "America/Los_Angeles", "happens twice"),
        (datetime(2027, 3, 28, 1, 30), "Europe/London", "does not exist"),
        (datetime(2011, 12, 30, 12, 0), "Pacific/Apia", "does not exist"),
        (datetime(2027, 10, 3, 2, 15), "Australia/Lord_Howe", "does not exist .*jump to 02:45"),
    ],
)
def test_a_time_the_clocks_skip_or_repeat_is_refused_in_words(
    local: datetime, zone: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        local_to_utc(local, zone)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        (datetime(2027, 3, 14, 1, 59), datetime(2027, 3, 14, 9, 59)),
        (datetime(2027, 3, 14, 3, 0), datetime(2027, 3, 14, 10, 0)),
        (datetime(2027, 11, 7, 0, 59), datetime(2027, 11, 7, 7, 59)),
        (datetime(2027, 11, 7, 2, 0), datetime(2027, 11, 7, 10, 0)),
    ],
)
def test_the_minutes_beside_a_clock_change_are_sound(local: datetime, utc: datetime) -> None:
    assert local_to_utc(local, "America/Los_Angeles") == utc.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "good", "value"),
    [
        (Duration, "1.5s", 1.5),
        (LocalTime, "2027-07-13T00:00", datetime(2027, 7, 13)),
        (LocalTime, "2027-07-13T00:00:30", datetime(2027, 7, 13, 0, 0, 30)),
        (Instant, "2027-05-01T02:00+02:00", datetime(2027, 5, 1, tzinfo=UTC)),
        (Instant, "2027-05-01T00:00Z", datetime(2027, 5, 1, tzinfo=UTC)),
        (Quantile, "p90", 0.9),
        (Quantile, "p99.9", 0.999),
        (ZoneName, "Asia/Kolkata", "Asia/Kolkata"),
        (Name, "sign-in", "sign-in"),
    ],
)
def test_a_quantity_as_it_is_written_is_read(kind: object, good: str, value: object) -> None:
    read = written(kind, good)
    assert read == pytest.approx(value) if isinstance(value, float) else read == value


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (LocalTime, "2027-07-13"),
        (LocalTime, "2027-07-13 00:00"),
        (LocalTime, "2027-07-13T24:01"),
        (LocalTime, "2027-07-13T00:00Z"),
        (LocalTime, 20270713),
        (LocalTime, None),
        (Instant, "2027-05-01T00:00"),
        (Instant, "2027-05-01"),
        (Instant, "soon"),
        (Instant, 0),
        (Quantile, "p0"),
        (Quantile, "p100"),
        (Quantile, "90"),
        (Quantile, 0.9),
        (Quantile, "p"),
        (ZoneName, "Mars/Olympus"),
        (ZoneName, ""),
        (ZoneName, "../../etc/passwd"),
        (ZoneName, None),
        (ZoneName, 5),
        (ZoneName, ["UTC"]),
        (ZoneName, "/etc/localtime"),
        (Name, "Home"),
        (Name, "1st"),
        (Name, ""),
        (Name, "a b"),
        (Name, "a" * 41),
        (Name, "é"),
        (Name, "a\n"),
    ],
)
def test_a_quantity_out_of_form_is_refused(kind: object, wrong: object) -> None:
    with pytest.raises(ValidationError):
        written(kind, wrong)
