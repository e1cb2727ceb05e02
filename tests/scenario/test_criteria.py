"""The one grammar of objectives and guardrails: read back as written, refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.scenario import Criterion, parse_criterion
from gameday.scenario.criteria import METRICS

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True)
METRIC = st.sampled_from(sorted(METRICS))
OPS = st.sampled_from(["<", "<=", ">", ">="])
PAUSES = st.sampled_from(["", " for 30s", " for 500ms", " for 2m", "  for 1.5 h"])
PAUSE_S = {"": 0.0, " for 30s": 30.0, " for 500ms": 0.5, " for 2m": 120.0, "  for 1.5 h": 5400.0}


def value_text(metric: str, number: int) -> tuple[str, float]:
    """Return how a bound of this metric is written, and what it means."""
    unit = METRICS[metric]
    if unit == "s":
        return f"{number}ms", number / 1000
    return (f"{number / 10}%", number / 1000) if unit == "share" else (str(number), float(number))


@given(metric=METRIC, subject=NAMES, op=OPS, number=st.integers(0, 9999), pause=PAUSES)
def test_a_criterion_says_what_was_written(
    metric: str, subject: str, op: str, number: int, pause: str
) -> None:
    written, value = value_text(metric, number)
    criterion = parse_criterion(f"{metric} of {subject} {op} {written}{pause}")
    assert (criterion.metric, criterion.subject, criterion.op) == (metric, subject, op)
    assert criterion.value == pytest.approx(value)
    assert criterion.for_s == PAUSE_S[pause]
    assert criterion.is_of_service == (metric in ("utilisation", "queue"))


@given(metric=METRIC, subject=NAMES, op=OPS, number=st.integers(0, 9999), pause=PAUSES)
def test_the_text_of_a_criterion_reads_back_as_itself(
    metric: str, subject: str, op: str, number: int, pause: str
) -> None:
    first = parse_criterion(f"{metric} of {subject}{op}{value_text(metric, number)[0]}{pause}")
    assert parse_criterion(first.text) == first
    assert parse_criterion(first) is first


@given(number=st.floats(0, 10), bound=st.integers(0, 10000))
def test_the_four_comparisons_are_two_pairs_of_opposites(number: float, bound: int) -> None:
    below, at_most, above, at_least = (
        parse_criterion(f"p99 of home {op} {bound}ms").holds(number)
        for op in ("<", "<=", ">", ">=")
    )
    assert below is not at_least
    assert above is not at_most
    assert below <= at_most
    assert above <= at_least


def test_a_number_that_is_none_never_holds() -> None:
    for op in ("<", "<=", ">", ">="):
        assert not parse_criterion(f"p99 of home {op} 1s").holds(float("nan"))


def test_the_bound_itself_holds_only_with_an_equals_sign() -> None:
    assert parse_criterion("p99 of home <= 800ms").holds(0.8)
    assert not parse_criterion("p99 of home < 800ms").holds(0.8)


def test_all_steps_may_be_the_subject() -> None:
    criterion = parse_criterion("error rate of all steps > 60% for 20s")
    assert criterion == Criterion(
        "error rate of all steps > 60% for 20s", "error rate", "all steps", ">", 0.6, 20.0
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("", "must read METRIC of SUBJECT"),
        ("p99 of home", "must read"),
        ("p99 home < 1s", "must read"),
        ("p99 of home = 1s", "must read"),
        ("p99 of home == 1s", "must read"),
        ("p99 of home < 1s for", "must read"),
        ("p99 of home < 1s for 30", "must read"),
        ("p99 of home < -1s", "must read"),
        ("p99 of home < 1s and p50 of home < 1s", "must read"),
        ("p99 of Home < 1s", "must read"),
        (800, "must read"),
        (None, "must read"),
        (["p99 of home < 1s"], "must read"),
        ("p98 of home < 1s", "unknown metric 'p98'; use one of p50"),
        ("latency of home < 1s", "unknown metric 'latency'"),
        ("p99 of home < 1", "duration with its unit"),
        ("p99 of home < 1%", "duration with its unit"),
        ("p99 of home < 1weeks", "duration with its unit"),
        ("p99 of home < 1s for 5weeks", "duration with its unit"),
        ("p99 of home < 1.2.3s", "duration with its unit"),
        ("error rate of home < 1", "written in percent, such as 1%"),
        ("error rate of home < 10ms", "written in percent"),
        ("error rate of home < 1.2.3%", "written in percent"),
        ("error rate of home < .%", "written in percent"),
        ("queue of edge < 10s", "a count has no unit"),
        ("queue of edge < 10%", "a count has no unit"),
        ("queue of edge < 1.", "a count has no unit"),
    ],
)
def test_a_criterion_out_of_form_is_refused_and_says_which_part(wrong: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_criterion(wrong)


@given(text=st.text("p9 of<>=%.0123smh allqueue-", max_size=40))
def test_any_text_is_a_criterion_or_a_value_error(text: str) -> None:
    try:
        criterion = parse_criterion(text)
    except ValueError:
        return
    assert criterion.metric in METRICS
    assert criterion.value >= 0
