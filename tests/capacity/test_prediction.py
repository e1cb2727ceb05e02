"""What an order says the next run will show is scored by that run; what is placed is as the orders have it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.capacity import CapacityRequest, as_yaml, from_mapping, with_order
from gameday.capacity.living import (
    Prediction,
    Score,
    fallen,
    placed_of,
    predicted_by,
    read_placed,
    scored,
    write_placed,
)
from gameday.capacity.schedule import ScheduledStep
from gameday.errors import UsageError
from gameday.findings import Evidence
from gameday.findings.tables import service_rows
from gameday.scenario import Scenario
from gameday.scenario.reading import from_yaml
from gameday.vocabulary import TimeGrid
from tests.capacity.test_verify import demand_of
from tests.support.bad_input_table import _request
from tests.support.small_runs import as_measured, busy_shop, evidence_of, played, records_of

START = datetime(2027, 7, 13, tzinfo=UTC)


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return busy_shop(tmp_path_factory.mktemp("predictions"))


@pytest.fixture(scope="module")
def evidence(scenario: Scenario) -> Evidence:
    plan = played(scenario)
    runs = records_of(scenario, plan, range(8))
    return evidence_of(scenario, plan, as_measured(runs[0]), runs[1:])


@pytest.fixture(scope="module")
def prediction(evidence: Evidence) -> Prediction:
    return predicted_by(service_rows(evidence), evidence.plan, "main", "stock")


def score_of(prediction: Prediction, evidence: Evidence) -> Score:
    return scored(
        prediction,
        service_rows(evidence),
        evidence.plan,
        run="r2",
        stack="main",
        service="stock",
    )


def test_a_run_of_the_model_itself_is_within_what_the_model_predicts(
    prediction: Prediction, evidence: Evidence
) -> None:
    assert [n.measure for n in prediction.numbers] == ["utilisation", "p50", "p99", "error_rate"]
    assert all(n.low <= n.mid <= n.high for n in prediction.numbers)
    score = score_of(prediction, evidence)
    assert (len(score.held), score.missed) == (4, ())
    assert score.words == "4 of 4 numbers within their interval"


def test_a_service_that_works_twice_as_long_misses_its_prediction(
    prediction: Prediction, evidence: Evidence, tmp_path: Path
) -> None:
    slow = {"services": {"stock": {"time": {"law": "deterministic", "mean": "80ms"}}}}
    real = busy_shop(tmp_path, slow)
    run = as_measured(records_of(real, evidence.plan, range(1))[0])
    score = score_of(prediction, replace(evidence, measured=run))
    assert any(line.startswith("utilisation predicted ") for line in score.missed)
    assert "outside: " in score.words


def test_a_run_played_otherwise_scores_nothing_and_says_so(
    prediction: Prediction, evidence: Evidence
) -> None:
    other = replace(evidence, plan=replace(evidence.plan, quantile=0.99))
    score = score_of(prediction, other)
    assert (score.held, score.missed) == ((), ())
    assert "p50" in score.why_not or "p99" in score.why_not
    assert score.words.startswith("not scored: it is of ")
    assert score_of(Prediction(why_not="cut short"), evidence).words == "not scored: cut short"


def test_prediction_and_score_stand_in_a_requests_file(
    prediction: Prediction, evidence: Evidence
) -> None:
    score = score_of(prediction, evidence)
    request = replace(_request("active"), prediction=prediction, record=(score,))
    back = from_mapping(from_yaml(as_yaml(request)), "here")
    assert back.record == (score,)
    assert back.prediction.minutes == prediction.minutes
    assert score_of(back.prediction, evidence).words == score.words


# --- what is placed ------------------------------------------------------------------------------


def order(*instances: int, most: int = 60) -> CapacityRequest:
    """Return an order of 30 to `most` instances, `instances` of them hour by hour from the event's start."""
    steps = tuple(
        ScheduledStep(START + timedelta(hours=n), START + timedelta(hours=n + 1), count, "sale")
        for n, count in enumerate(instances)
    )
    plain = {"instances_from": 30, "instances_to": most, "schedule": steps}
    return replace(_request("active"), **plain)  # type: ignore[arg-type]


@given(
    counts=st.lists(st.integers(30, 60), min_size=1, max_size=6),
    first=st.integers(-60, 360),
    minutes=st.integers(1, 240),
)
def test_what_is_placed_is_the_fewest_of_its_minutes_as_the_order_has_it(
    counts: list[int], first: int, minutes: int
) -> None:
    request = order(*counts)
    grid = TimeGrid(START + timedelta(minutes=first), minutes)
    [fleet] = placed_of("e", (request,)).fleets

    def at_work(minute: int) -> int:
        hour = (first + minute) // 60
        return counts[hour] if 0 <= hour < len(counts) else 30

    fewest = min(at_work(minute) for minute in range(minutes))
    assert fleet.instances_in(grid.start, grid.end) == fewest
    assert request.instances_in(grid.start, grid.end) == fewest
    changes = placed_of("e", (request,)).changes_within(grid)
    assert bool(changes) >= (len({at_work(minute) for minute in range(minutes)}) > 1)


def test_a_file_gives_back_what_was_placed_and_an_edited_one_nothing(tmp_path: Path) -> None:
    placed = placed_of("e", (order(40, 60), order()))
    file = tmp_path / "capacity.yaml"
    write_placed(placed, file)
    assert read_placed(file) == placed
    for old, new in (("60", "61"), ("stack: main", "stack: other"), ("event: e", "event: f")):
        file.write_text(file.read_text().replace(old, new, 1))
        if old == "event: e":
            assert read_placed(file).event == "f"  # whose event it is, is asked of the scenario
            continue
        with pytest.raises(UsageError, match="edited after it was written"):
            read_placed(file)
        write_placed(placed, file)


@pytest.mark.parametrize("text", ["", "a: [", "kind: PlacedCapacity\nversion: 2", "- x"])
def test_a_file_that_is_no_placed_capacity_is_refused_with_the_remedy(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "capacity.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"capacity\.yaml.*`gameday capacity apply` writes it"):
        read_placed(file)


def test_what_does_not_fit_a_scenario_says_where(scenario: Scenario) -> None:
    own = scenario.services["stock"].stacks["main"].instances
    fits = replace(order(), service="stock", instances_from=own, event=scenario.event.name)
    assert placed_of(scenario.event.name, (fits,)).faults(scenario) == []
    for wrong, said in (
        (replace(fits, instances_from=own + 1), "had "),
        (replace(fits, service="gone"), "no gone in main"),
        (replace(fits, stack="eu"), "no stock in eu"),
    ):
        [fault] = placed_of(scenario.event.name, (wrong,)).faults(scenario)
        assert said in fault
    assert "is of event other" in placed_of("other", (fits,)).faults(scenario)[0]


def test_a_load_that_falls_out_of_its_band_is_noticed(scenario: Scenario) -> None:
    demand = demand_of(scenario)
    from gameday.capacity.sizing import offered_by_quantile

    level = scenario.capacity.quantile
    number = list(scenario.services).index("stock")
    peak = float(offered_by_quantile(scenario, demand, (level,))[level]["main"][number].max())
    sized = f"p{100 * level:g}"
    same, more = (
        replace(order(), service="stock", sized_for=sized, offered={sized: times * peak})
        for times in (1.0, 1.3)
    )
    assert fallen(placed_of("e", (same,)), scenario, demand) == ()
    assert "busy servers at the peak became" in fallen(placed_of("e", (more,)), scenario, demand)[0]


def test_placing_gives_a_model_the_same_fleets_as_the_orders(scenario: Scenario) -> None:
    request = replace(order(40, 50), service="stock")
    minutes = TimeGrid(START, 120)
    ordered = with_order(scenario, (request,), minutes)
    [(place, count)] = placed_of("e", (request,)).instances_in(minutes).items()
    assert place == ("main", "stock")
    assert ordered.services["stock"].stacks["main"].instances == count == 40
