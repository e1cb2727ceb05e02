"""Guardrails fail closed: what waits counts by its age, and what cannot be read is a breach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.errors import UsageError
from gameday.record.histograms import BINS, bin_of
from gameday.safety import GuardrailWatch, check_guardrails
from gameday.safety.guardrails import Breach
from gameday.scenario import Scenario, load_scenario, parse_criterion
from gameday.swarm.tally.observe import Sample
from gameday.swarm.tally.sampler import service_numbers
from tests.support.small_shop import flat_plan

SLOW = "p95 of home > 2s for 10s"
BUSY = "utilisation of checkout > 90% for 10s"
GOOD, BAD = 0.5, 0.99


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("primeday")


def with_guardrails(scenario: Scenario, *criteria: str) -> Scenario:
    kind = type(scenario.guardrails[0])
    made = [kind.model_construct(when=parse_criterion(text), then="stop") for text in criteria]
    return scenario.model_copy(update={"guardrails": made})


@pytest.fixture(scope="module")
def watch_of(scenario: Scenario) -> Callable[..., GuardrailWatch]:
    def make(*criteria: str, **options: Any) -> GuardrailWatch:
        return GuardrailWatch(with_guardrails(scenario, *criteria), **options)

    return make


def hear(
    watch: GuardrailWatch,
    now_s: float,
    *,
    replies: int = 0,
    took_s: float = 0.1,
    waiting: int = 0,
    age_s: float = 0.0,
    worker: int = 0,
) -> None:
    """Add a worker's report: replies to `home`, and steps of it that wait, all of one age."""
    outcomes = np.zeros((len(watch.steps), 3))
    latency, ages = np.zeros((2, len(watch.steps), BINS))
    row = watch.steps.index("home")
    outcomes[row, 0], latency[row, bin_of(took_s)] = replies, replies
    ages[row, bin_of(age_s)] = waiting
    watch.add(now_s, outcomes, latency, ages, worker=worker)


def first_breach(
    watch: GuardrailWatch, until_s: int, tell: Callable[[float], None]
) -> tuple[float, Breach] | None:
    for second in range(until_s):
        tell(float(second))
        if (breach := watch.crossed(float(second))) is not None:
            return float(second), breach
    return None


def test_a_target_that_falls_silent_crosses_a_latency_guardrail_after_its_bound_and_its_time(
    watch_of: Any,
) -> None:
    """It answers for 5 s, then never: nobody's patience has to end first."""
    watch = watch_of(SLOW)
    found = first_breach(
        watch,
        60,
        lambda now: hear(
            watch,
            now,
            replies=30 if now < 5 else 0,
            waiting=int(30 * max(0, now - 5)),
            age_s=now - 5,
        ),
    )
    assert found is not None
    assert found[0] <= 5 + 2 + 10 + 2, "the bound, the time, and two reports"
    assert found[1].text == f"guardrail crossed: {SLOW}"


@given(age_s=st.floats(0.0, 1.9), waiting=st.integers(1, 500))
def test_what_waits_less_than_the_bound_never_crosses_it(
    watch_of: Any, age_s: float, waiting: int
) -> None:
    watch = watch_of(SLOW)
    found = first_breach(
        watch, 30, lambda now: hear(watch, now, replies=30, waiting=waiting, age_s=age_s)
    )
    assert found is None


def test_a_step_that_waits_counts_once_however_often_its_worker_tells_of_it(watch_of: Any) -> None:
    watch = watch_of("p95 of home > 2s for 10s")
    found = first_breach(watch, 40, lambda now: hear(watch, now, replies=100, waiting=4, age_s=5.0))
    assert found is None, "four among hundreds are no p95"


def test_every_workers_waiting_steps_count(watch_of: Any) -> None:
    watch = watch_of(SLOW)

    def tell(now: float) -> None:
        for worker in range(2):
            hear(watch, now, waiting=12, age_s=now, worker=worker)

    assert first_breach(watch, 40, tell) is not None, "24 wait, 12 a worker"


def test_a_step_that_nobody_comes_to_though_the_plan_sends_it_cannot_be_read(watch_of: Any) -> None:
    rule = "error rate of checkout > 5% for 10s"
    watch = watch_of(rule, expected=lambda step, from_s, to_s: 10 * (to_s - from_s))
    found = first_breach(watch, 30, lambda now: hear(watch, now, replies=30))
    assert found is not None
    assert found[0] == 10.0
    assert found[1].text.startswith(f"guardrail cannot be read: {rule}: in 10 s no customer came")


def test_a_step_that_the_plan_hardly_sends_may_be_unseen(watch_of: Any) -> None:
    rule = "error rate of checkout > 5% for 10s"
    watch = watch_of(rule, expected=lambda step, from_s, to_s: 1.0 * (to_s - from_s))
    assert first_breach(watch, 60, lambda now: hear(watch, now, replies=30)) is None


def readings(watch: GuardrailWatch, now: float, **stacks: float | None) -> None:
    """Add a reading of checkout's utilisation by stack; None: it could not be read."""
    if now % 2 == 0:
        watch.add_services(
            now,
            {
                (stack, "utilisation", "checkout"): value
                for stack, value in stacks.items()
                if value is not None
            },
        )


@pytest.mark.parametrize("what", ["nothing", "no series", "not a number", "infinite"])
def test_a_service_that_cannot_be_read_is_a_breach_after_its_time_and_says_why(
    watch_of: Any, what: str
) -> None:
    watch = watch_of(BUSY)
    watch.start(0.0)
    value = {"no series": None, "not a number": np.nan, "infinite": np.inf}.get(what)

    def tell(now: float) -> None:
        if what != "nothing":
            readings(watch, now, us=value)

    found, second = None, 0
    while found is None and second < 60:
        tell(float(second))
        found = watch.crossed(float(second), {"us": "http://127.0.0.1:1/metrics: refused"})
        second += 1
    assert found is not None
    assert 10 <= second - 1 <= 15
    assert found.text.startswith(f"guardrail cannot be read: {BUSY}: stack us had no good reading")
    assert "/metrics: refused" in found.text


def test_a_stack_that_cannot_be_read_is_not_hidden_by_one_that_can(watch_of: Any) -> None:
    watch = watch_of(BUSY)
    found = first_breach(watch, 40, lambda now: readings(watch, now, us=GOOD, **{"in": None}))
    assert found is not None
    assert "stack in" in found[1].unread


@given(pattern=st.lists(st.sampled_from([GOOD, BAD, None]), min_size=20, max_size=40))
def test_a_service_acts_only_where_no_reading_of_its_time_was_good_and_always_there(
    watch_of: Any, pattern: list[float | None]
) -> None:
    watch, good_s = watch_of("utilisation of checkout > 90% for 10s"), 0.0
    for number, value in enumerate(pattern):
        now = 2.0 * number
        readings(watch, now, us=value, **{"in": GOOD})
        good_s = now if value == GOOD else good_s
        breach = watch.crossed(now)
        if breach is not None:
            assert now - good_s >= 8.0
            return
        assert now - good_s < 16.0, "silence and trouble are seen within the time and two samples"


def test_readings_that_come_slowly_are_enough_where_they_are_good(watch_of: Any) -> None:
    watch = watch_of(BUSY)

    def tell(now: float) -> None:
        if now % 8 == 0:
            readings(watch, now, us=GOOD, **{"in": GOOD})

    assert first_breach(watch, 60, tell) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_absent_and_never_a_reading(bad: float) -> None:
    def sample(at_s: float, **values: float) -> Sample:
        return Sample(
            at_s, {("us", "checkout", name): {"": value} for name, value in values.items()}
        )

    sound = {"capacity": 4.0, "busy_seconds": 1.0, "queue": 3.0}
    for name in sound:
        after = sound | {"busy_seconds": 5.0, name: bad}
        read = service_numbers(sample(0.0, **sound), sample(2.0, **after))
        assert all(np.isfinite(value) for value in read.values())
        assert ("us", "queue" if name == "queue" else "utilisation", "checkout") not in read or (
            name == "capacity" and bad == np.inf
        )


def test_a_guardrail_longer_than_the_run_is_refused_with_the_seconds_and_the_speed(
    scenario: Scenario,
) -> None:
    plan = flat_plan(scenario, 1.0, slots=4, lead_in=2, speed=20.0)  # of 3 s each
    check_guardrails(with_guardrails(scenario, "error rate of all steps > 5% for 12s"), plan)
    with pytest.raises(UsageError) as refused:
        check_guardrails(with_guardrails(scenario, "error rate of all steps > 5% for 13s"), plan)
    said = str(refused.value)
    assert "guardrails.0.when" in said
    assert "the run lasts 12 s at 20x" in said
    assert "play at 18.4x or slower" in said, "240 s of event in 13 s, rounded down"
    assert refused.value.exit_code == 2
