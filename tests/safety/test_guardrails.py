"""Guardrails: crossed when the whole of their time is bad, silent on few samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.record.histograms import BINS, bin_of
from gameday.safety import GuardrailWatch
from gameday.safety.guardrails import Breach
from gameday.scenario import Scenario, load_scenario, parse_criterion

ERRORS = "error rate of all steps > 60% for 20s"
Report = tuple[float, Any, Any]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("primeday")


@pytest.fixture(scope="module")
def watch_of(scenario: Scenario) -> Callable[..., GuardrailWatch]:
    def make(*criteria: str) -> GuardrailWatch:
        guardrail = type(scenario.guardrails[0])
        made = [guardrail.model_construct(when=parse_criterion(c), then="stop") for c in criteria]
        return GuardrailWatch(scenario.model_copy(update={"guardrails": made}))

    return make


def report(
    watch: GuardrailWatch,
    *,
    step: str = "home",
    sent: int = 0,
    bad: int = 0,
    left: int = 0,
    latencies_s: Iterable[float] = (),
) -> tuple[Any, Any]:
    """Return one second's outcomes and latencies, all of one step."""
    outcomes = np.zeros((len(watch.steps), 3))
    latency = np.zeros((len(watch.steps), BINS))
    row = watch.steps.index(step)
    outcomes[row] = (sent, bad, left)
    for seconds in latencies_s:
        latency[row, bin_of(seconds)] += 1
    return outcomes, latency


def played(watch: GuardrailWatch, seconds: Iterable[dict[str, Any]]) -> Breach | None:
    """Add one report a second from t = 1 on and judge at the last."""
    now = 0.0
    for now, fields in enumerate(seconds, start=1):
        watch.add(float(now), *report(watch, **fields))
    return watch.crossed(float(now))


BAD = {"sent": 100, "bad": 90}
GOOD = {"sent": 100, "bad": 0}


def test_a_guardrail_bad_for_all_its_time_is_crossed(watch_of: Any) -> None:
    crossed = played(watch_of(ERRORS), [BAD] * 20)
    assert crossed is not None
    assert crossed.guardrail.when.text == ERRORS


@given(seconds=st.lists(st.integers(0, 59), min_size=25, max_size=60))
def test_a_run_below_the_bound_every_second_never_crosses(
    watch_of: Any, seconds: list[int]
) -> None:
    watch = watch_of(ERRORS)
    for now, bad in enumerate(seconds):
        watch.add(float(now), *report(watch, sent=100, bad=bad))
        assert watch.crossed(float(now)) is None


@given(before=st.integers(0, 40), extra=st.integers(0, 20))
def test_a_run_above_the_bound_every_second_crosses_after_its_time_whatever_came_before(
    watch_of: Any, before: int, extra: int
) -> None:
    assert played(watch_of(ERRORS), [GOOD] * before + [BAD] * (20 + extra)) is not None


@pytest.mark.parametrize("bad_s", [1, 5, 10, 15, 17])
def test_a_shorter_bad_spell_is_not_crossed(watch_of: Any, bad_s: int) -> None:
    assert played(watch_of(ERRORS), [BAD] * bad_s) is None
    assert played(watch_of(ERRORS), [GOOD] * 40 + [BAD] * (bad_s // 2)) is None


def test_a_spell_that_is_over_is_not_crossed(watch_of: Any) -> None:
    assert played(watch_of(ERRORS), [BAD] * 10 + [GOOD] * 10) is None
    assert played(watch_of(ERRORS), [GOOD] * 10 + [BAD] * 10) is None


def test_good_seconds_inside_the_time_keep_it_from_being_crossed(watch_of: Any) -> None:
    everything_failed = {"sent": 100, "bad": 100}
    spell = [everything_failed] * 8 + [GOOD] * 4 + [everything_failed] * 8
    assert played(watch_of(ERRORS), spell) is None


@given(sent=st.integers(0, 1))
def test_few_replies_are_no_evidence(watch_of: Any, sent: int) -> None:
    watch = watch_of("error rate of all steps > 60% for 20s")
    assert played(watch, [{"sent": sent, "bad": sent}] * 20) is None


def test_silence_is_not_crossed(watch_of: Any) -> None:
    watch = watch_of(ERRORS)
    assert watch.crossed(0.0) is None
    assert played(watch, [{}] * 60) is None


def test_old_reports_are_forgotten(watch_of: Any) -> None:
    watch = watch_of(ERRORS)
    assert played(watch, [BAD] * 20) is not None
    assert watch.crossed(100.0) is None


def test_a_criterion_without_a_time_looks_back_some_seconds_and_not_at_one(watch_of: Any) -> None:
    rule = "error rate of all steps > 60%"
    assert played(watch_of(rule), [BAD]) is None
    assert played(watch_of(rule), [BAD] * 6) is not None


def test_a_criterion_of_one_step_does_not_see_the_others(watch_of: Any) -> None:
    rule = "error rate of checkout > 60% for 10s"
    assert played(watch_of(rule), [BAD | {"step": "home"}] * 20) is None
    assert played(watch_of(rule), [BAD | {"step": "checkout"}] * 20) is not None


def test_all_steps_are_judged_together(watch_of: Any) -> None:
    watch = watch_of("error rate of all steps > 60% for 10s")
    for now in range(20):
        good, nothing = report(watch, step="home", sent=900)
        bad, _ = report(watch, step="cart", sent=100, bad=100)
        watch.add(float(now), good + bad, nothing)
    assert watch.crossed(19.0) is None


def test_customers_who_left_count_for_the_abandonment_rate_alone(watch_of: Any) -> None:
    left = {"sent": 100, "left": 90}
    assert played(watch_of("abandonment rate of home > 50% for 10s"), [left] * 20) is not None
    assert played(watch_of("error rate of home > 50% for 10s"), [left] * 20) is None


@pytest.mark.parametrize("metric", ["p50", "p90", "p95", "p99"])
def test_a_latency_quantile_is_read_from_the_histogram(watch_of: Any, metric: str) -> None:
    slow = {"sent": 100, "latencies_s": [2.0] * 100}
    fast = {"sent": 100, "latencies_s": [0.1] * 100}
    rule = f"{metric} of home > 1s for 10s"
    assert played(watch_of(rule), [slow] * 20) is not None
    assert played(watch_of(rule), [fast] * 20) is None


def test_a_p99_sees_the_two_in_a_hundred_a_p50_does_not(watch_of: Any) -> None:
    mixed = {"sent": 100, "latencies_s": [0.1] * 97 + [5.0] * 3}
    assert played(watch_of("p99 of home > 1s for 10s"), [mixed] * 20) is not None
    assert played(watch_of("p50 of home > 1s for 10s"), [mixed] * 20) is None


def test_a_latency_without_replies_is_not_crossed(watch_of: Any) -> None:
    assert played(watch_of("p99 of home > 1s for 10s"), [{"sent": 100}] * 20) is None


def test_the_first_crossed_in_the_scenarios_order_is_named(watch_of: Any) -> None:
    rules = ("error rate of cart > 60% for 10s", "error rate of home > 60% for 10s", ERRORS)
    crossed = played(watch_of(*rules), [BAD] * 20)
    assert crossed is not None
    assert crossed.guardrail.when.text == rules[1]


def test_without_guardrails_nothing_is_crossed(watch_of: Any) -> None:
    assert played(watch_of(), [BAD] * 60) is None


def test_a_guardrail_that_acted_needs_all_its_time_again(watch_of: Any) -> None:
    watch = watch_of(ERRORS)
    assert played(watch, [BAD] * 20) is not None
    acted = []
    for second in range(21, 64):
        watch.add(float(second), *report(watch, sent=BAD["sent"], bad=BAD["bad"]))
        if watch.crossed(float(second)) is not None:
            acted.append(second)
    assert acted
    assert acted[0] - 20 >= 18
    assert all(later - earlier >= 18 for earlier, later in itertools.pairwise(acted))


def test_a_service_that_is_over_its_bound_all_the_time_crosses_its_guardrail(watch_of: Any) -> None:
    watch = watch_of("utilisation of checkout > 90% for 10s", "queue of cart > 5 for 10s")
    crossed = {}
    for second in range(0, 13, 2):
        watch.add_services(
            float(second), {("us", "utilisation", "checkout"): 0.95, ("us", "queue", "cart"): 2}
        )
        if (breach := watch.crossed(float(second))) is not None:
            crossed[second] = breach.guardrail.when.subject
    assert list(crossed.values()) == ["checkout"]
    assert min(crossed) >= 8, "readings two seconds apart that span ten"


@pytest.mark.parametrize("dip", [0, 2, 4])
def test_one_good_reading_keeps_a_service_s_guardrail_from_acting(watch_of: Any, dip: int) -> None:
    watch = watch_of("utilisation of checkout > 90% for 10s")
    for number in range(6):
        value = 0.5 if number == dip else 0.99
        watch.add_services(2.0 * number, {("us", "utilisation", "checkout"): value})
    assert watch.crossed(10.0) is None or dip == 0
