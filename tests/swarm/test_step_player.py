"""Playing a step: what goes out when, what it waits for, what becomes of it, and who tries again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.record.histograms import percentile
from gameday.record.run_record import LATENCIES, SESSION_ENDS, SESSIONS, RunRecord
from gameday.scenario import Scenario
from gameday.swarm.engine.open_arrivals import Engine
from gameday.vocabulary import Draw, draw_keyed, session_key
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_plan
from tests.support.small_stage import alone, lone_step, one_session, recorded, total
from tests.support.virtual_customers import Answer, Asked, Run, Target, play, rough


def by_path(**answers: Answer) -> Target:
    """Return a target that answers `/name` as given."""
    return Target(lambda asked: answers[asked.path.strip("/").split("?")[0]])


def ended(record: RunRecord) -> str:
    """Return how the only step ended."""
    kinds = ("done", "failed", "check_failed", "sold_out", "abandoned")
    return " ".join(kind for kind in kinds for _ in range(total(record, kind)))


def seconds_of(record: RunRecord, kind: str) -> float:
    """Return a latency of the only step there was."""
    rows = record.latency[0, :, LATENCIES.index(kind)].sum(axis=(0, 1))
    assert rows.sum() == 1
    return percentile(rows, 0.5)


def faults(run: Run) -> list[str]:
    return [
        why for report in run.reports for _, _, why, n in report.counts.faults for _ in range(n)
    ]


GROUPS: list[Any] = [
    {"path": "/one"},
    [{"path": "/two"}, {"path": "/three"}],
    {"path": "/four"},
]


def test_exchanges_go_out_in_sequence_and_those_of_a_group_together(tmp_path: Path) -> None:
    target = by_path(
        one=Answer(seconds=1.0),
        two=Answer(seconds=0.5),
        three=Answer(seconds=2.0),
        four=Answer(seconds=0.25),
    )
    run, record = alone(lone_step(tmp_path, *GROUPS), target)
    first = target.asked[0].at_s
    sent = {asked.path: asked.at_s - first for asked in target.asked}
    assert sent == pytest.approx({"/one": 0.0, "/two": 1.0, "/three": 1.0, "/four": 3.0})
    assert ended(record) == "done"
    assert seconds_of(record, "response") == pytest.approx(3.25, rel=0.01)
    assert seconds_of(record, "service") == pytest.approx(3.25, rel=0.01)
    took = {int(n): done - due for rows in run.exchanges for n, due, done, _ in rows}
    assert took == pytest.approx({0: 1.0, 1: 0.5, 2: 2.0, 3: 0.25}, abs=0.001)


def test_a_required_exchange_that_fails_ends_the_step_once_its_group_is_back(
    tmp_path: Path,
) -> None:
    target = by_path(
        one=Answer(), two=Answer(500, seconds=0.5), three=Answer(seconds=2.0), four=Answer()
    )
    run, record = alone(lone_step(tmp_path, *GROUPS), target)
    assert [asked.path for asked in target.asked] == ["/one", "/two", "/three"]
    assert (ended(record), faults(run)) == ("failed", ["status_500"])
    assert seconds_of(record, "response") == pytest.approx(2.01, rel=0.01)


def test_of_several_bad_outcomes_the_first_to_come_names_the_step(tmp_path: Path) -> None:
    target = by_path(
        one=Answer(), two=Answer(404, seconds=1.0), three=Answer(fault="connection_reset")
    )
    run, record = alone(lone_step(tmp_path, *GROUPS), target)
    assert (ended(record), faults(run)) == ("failed", ["connection_reset"])
    assert run.exchange_faults == {(1, "status_404"): 1, (2, "connection_reset"): 1}


@pytest.mark.parametrize("bad", [Answer(500), Answer(fault="connection_reset"), Answer(404)])
def test_an_optional_exchange_is_not_waited_for_and_never_fails_the_step(
    bad: Answer, tmp_path: Path
) -> None:
    """The step lasts to its last required exchange; the optional one counts for itself alone."""
    exchanges = [[{"path": "/one"}, {"path": "/two", "required": False}], {"path": "/three"}]
    target = by_path(
        one=Answer(seconds=1.0), two=bad._replace(seconds=3.0), three=Answer(seconds=4.0)
    )
    run, record = alone(lone_step(tmp_path, *exchanges), target)
    assert ended(record) == "done"
    assert target.asked[-1].at_s - target.asked[0].at_s == pytest.approx(1.0)
    assert seconds_of(record, "response") == pytest.approx(5.0, rel=0.01)
    assert sum(run.exchange_faults.values()) == 1
    took = {int(n): done - due for rows in run.exchanges for n, due, done, _ in rows}
    assert took == pytest.approx({0: 1.0, 1: 3.0, 2: 4.0}, abs=0.001)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_group_without_a_required_exchange_holds_nothing_up(place: int, tmp_path: Path) -> None:
    exchanges: list[Any] = [{"path": "/one"}, {"path": "/two"}]
    exchanges.insert(place, {"path": "/ad", "required": False})
    target = by_path(one=Answer(seconds=1.0), two=Answer(seconds=1.0), ad=Answer(404, seconds=3.0))
    _, record = alone(lone_step(tmp_path, *exchanges), target)
    assert [asked.path for asked in target.asked] == [exchange["path"] for exchange in exchanges]
    assert ended(record) == "done"
    assert seconds_of(record, "response") == pytest.approx(2.0, rel=0.01)


def test_an_optional_exchange_beyond_patience_makes_nobody_leave(tmp_path: Path) -> None:
    exchanges = [[{"path": "/one"}, {"path": "/two", "required": False}]]
    target = by_path(one=Answer(seconds=7.9), two=Answer(seconds=9.0))
    _, record = alone(lone_step(tmp_path, *exchanges), target)
    assert ended(record) == "done"


def test_a_failure_of_an_optional_exchange_is_told_under_its_own_name(tmp_path: Path) -> None:
    exchanges = [[{"path": "/one"}, {"path": "/two", "required": False}]]
    _, record = alone(lone_step(tmp_path, *exchanges), by_path(one=Answer(), two=Answer(500)))
    assert ended(record) == "done"
    assert record.notes == ("home: 1 exchanges failed, not required: status_500",)


def test_a_check_of_latency_counts_from_the_first_hop(tmp_path: Path) -> None:
    checked = {"path": "/one", "check": {"latency": "1s"}}
    target = by_path(one=Answer(302, ("Location: /two",), seconds=0.8), two=Answer(seconds=0.4))
    run, record = alone(lone_step(tmp_path, checked), target)
    assert (ended(record), faults(run)) == ("check_failed", ["latency"])


def test_what_we_hold_back_inside_a_step_is_our_lateness_and_no_service_time(
    tmp_path: Path,
) -> None:
    target = by_path(
        one=Answer(seconds=1.0),
        two=Answer(seconds=1.0, held_s=3.0),
        three=Answer(seconds=1.0, held_s=1.0),
        four=Answer(seconds=1.0, held_s=5.0),
    )
    _, record = alone(lone_step(tmp_path, *GROUPS), target)
    assert ended(record) == "done", "patience does not run while we hold an exchange back"
    assert seconds_of(record, "response") == pytest.approx(11.0, rel=0.01)
    assert seconds_of(record, "lateness") == pytest.approx(8.0, rel=0.01)
    assert seconds_of(record, "service") == pytest.approx(3.0, rel=0.01)


def test_an_exchange_that_fails_on_the_spot_leaves_the_others_to_go_out(tmp_path: Path) -> None:
    refused = Answer(fault="connection_refused", seconds=0.0)
    exchanges = [[{"path": "/one"}, {"path": "/two", "required": False}], {"path": "/three"}]
    target = by_path(one=refused, two=refused, three=Answer())
    _, record = alone(lone_step(tmp_path, *exchanges), target)
    assert [asked.path for asked in target.asked] == ["/one", "/two"]
    assert ended(record) == "failed"


@pytest.mark.parametrize("grouped", [False, True])
def test_a_customer_who_runs_out_of_patience_leaves_and_what_comes_later_is_nobodys(
    grouped: bool, tmp_path: Path
) -> None:
    exchanges: list[Any] = [{"path": "/one"}, {"path": "/two"}, {"path": "/three"}]
    target = by_path(
        one=Answer(seconds=4.0), two=Answer(seconds=7.0, status=500), three=Answer(seconds=9.0)
    )
    run, record = alone(lone_step(tmp_path, *[exchanges] if grouped else exchanges), target)
    assert (ended(record), faults(run)) == ("abandoned", ["patience"])
    assert seconds_of(record, "response") == pytest.approx(8.0, rel=0.01)
    assert record.session_counts[0, SESSIONS.index("abandoned")].sum() == 1
    assert len(target.asked) == (3 if grouped else 2)


def test_what_our_own_bound_on_sockets_holds_back_is_late_and_keeps_its_patience(
    tmp_path: Path,
) -> None:
    target = Target(lambda asked: Answer(seconds=7.0, held_s=2.0))
    _, record = alone(lone_step(tmp_path, {"path": "/"}), target)
    assert ended(record) == "done"
    assert seconds_of(record, "lateness") == pytest.approx(2.0, rel=0.01)
    assert seconds_of(record, "service") == pytest.approx(7.0, rel=0.01)
    assert seconds_of(record, "response") == pytest.approx(9.0, rel=0.01)


@pytest.mark.parametrize(
    "late",
    [Answer(), Answer(fault="connection_reset"), Answer(302, ("Location: /one",))],
    ids=["reply", "fault", "redirect"],
)
def test_what_was_held_back_and_comes_after_its_customer_has_left_is_nobodys(
    late: Answer, tmp_path: Path
) -> None:
    target = by_path(one=Answer(seconds=9.0), two=late._replace(held_s=9.0))
    scenario = lone_step(tmp_path, [{"path": "/one"}, {"path": "/two"}])
    plan = flat_plan(scenario, 1.0, slots=8, speed=20.0)
    run = play(scenario, plan, target)
    record, sessions = recorded(scenario, plan, run), plan.played.sum()
    assert record.imbalances() == []
    assert set(faults(run)) == {"patience"}
    assert total(record, "abandoned") == record.session_counts[0, SESSION_ENDS].sum() == sessions
    assert len(target.asked) == 2 * sessions
    assert set(run.exchange_faults) == {(0, "patience")}


def test_a_sessions_delay_is_what_replies_took_above_the_plan(tmp_path: Path) -> None:
    scenario = lone_step(tmp_path, {"path": "/"})
    nominal_s = one_session(scenario).nominal["main"]["home"].mean_s
    _, record = alone(scenario, Target(lambda asked: Answer(seconds=3.0 + nominal_s)))
    assert record.session_delay[0].sum() == 1
    assert percentile(record.session_delay[0], 0.5) == pytest.approx(3.0, rel=0.01)


def test_a_value_that_a_reply_gave_is_said_later_in_the_session_and_by_nobody_else(
    tmp_path: Path,
) -> None:
    token = {"extract": {"token": {"header": "X-Token"}}}
    scenario = busy_shop(
        tmp_path,
        {
            "journeys": {"shopper": {"next": {"home": {"product": 1.0, "exit": 0.0}}}},
            "steps": {
                "home": {"exchanges": [{"path": "/", **token}]},
                "product": {"exchanges": [{"path": "/of/{token}"}, {"path": "/new", **token}]},
                "checkout": {"exchanges": [{"path": "/by/{token}"}]},
            },
        },
    )

    def answer(asked: Asked) -> Answer:
        return Answer(headers=(f"X-Token: {asked.session}-{asked.place}",), seconds=1.0)

    target = Target(answer)
    play(scenario, flat_plan(scenario, 8.0, slots=4, speed=20.0), target)
    said = [asked for asked in target.asked if "/of/" in asked.path or "/by/" in asked.path]
    assert {asked.step for asked in said} == {"product", "checkout"}
    for asked in said:
        assert asked.path.split("/")[2] == f"{asked.session}-{asked.place - 1}"


def test_where_no_pause_is_planned_the_next_step_goes_out_with_the_last_ones_end(
    tmp_path: Path,
) -> None:
    scenario = busy_shop(
        tmp_path,
        {
            "journeys": {
                "shopper": {
                    "think": {"other": "0s"},
                    "patience": "2s",
                    "next": {"home": {"product": 1.0, "exit": 0.0}},
                }
            },
        },
    )
    target = Target(lambda asked: Answer(201 if asked.method == "POST" else 200, seconds=1.0))
    plan = flat_plan(scenario, 2.0, slots=8, speed=20.0)
    record = recorded(scenario, plan, play(scenario, plan, target))
    first = {asked.session: asked.at_s for asked in target.asked if not asked.place}
    assert max(asked.place for asked in target.asked) >= 3
    for asked in target.asked:
        assert asked.at_s - first[asked.session] == pytest.approx(asked.place)
    assert total(record, "abandoned") == 0  # patience is a step's, not the session's


def test_a_flight_that_went_out_twice_once_may_do_so_again_in_the_next_step(
    tmp_path: Path,
) -> None:
    """Its first connection proved stale; that says nothing of the next one."""
    scenario = busy_shop(tmp_path, {"journeys": {"shopper": {"think": {"other": "0s"}}}})
    target = Target(stale=True)
    play(scenario, flat_plan(scenario, 2.0, slots=3, speed=20.0), target)
    assert {asked.place for asked in target.asked} > {0, 1}
    assert not any(asked.resent for asked in target.asked)


def test_lateness_is_what_lies_between_due_and_sent_and_response_counts_from_due(
    tmp_path: Path,
) -> None:
    """A worker without its master's word sends nothing; what was due meanwhile is late, not lost."""
    scenario = lone_step(tmp_path, {"path": "/"})
    plan = flat_plan(scenario, 20.0, slots=3, speed=20.0)
    until: list[float] = []

    def hush(engine: Engine, worker: int) -> None:
        engine.lease_until = engine.t0 + 3.0

    def speak(engine: Engine, worker: int) -> None:
        engine.lease_until = float("inf")

    target = Target(lambda asked: Answer(seconds=0.5))
    run = play(scenario, plan, target, happens={3.0: hush, 5.0: speak})
    record = recorded(scenario, plan, run)
    until += [asked.at_s for asked in target.asked if 3.0 < asked.at_s < 5.0]
    assert until == []
    response, service, lateness = record.latency[0].sum(axis=(0, 2))
    assert percentile(lateness, 1.0) == pytest.approx(2.0, abs=0.1)
    assert percentile(lateness, 0.5) < 0.001
    assert percentile(response, 1.0) == pytest.approx(2.5, abs=0.1)
    assert percentile(service, 1.0) == pytest.approx(0.5, abs=0.01)
    assert total(record, "lost") == 0


# Connections


@settings(max_examples=10, deadline=None)
@given(reuse=st.sampled_from([0.0, 0.3, 0.8, 1.0]), seed=st.integers(0, 10**6))
def test_only_a_sessions_first_exchanges_may_find_no_open_connection_by_a_draw_of_the_session(
    reuse: float, seed: int, everything: Scenario
) -> None:
    connections = everything.replay.connections.model_copy(update={"reuse": reuse})
    update = {"replay": everything.replay.model_copy(update={"connections": connections})}
    plan = flat_plan(everything, 2.0, slots=3, speed=20.0, seed=seed)
    target = rough(seed)
    play(everything.model_copy(update=update), plan, target)
    for asked in target.asked:
        key = session_key(seed, asked.session)
        is_first = asked.place == asked.hops == 0 and asked.number in (0, 1, 2, 4, 5)
        mine = draw_keyed(key, 0, 0, Draw.CONNECTION) >= reuse
        assert asked.alone == (is_first and mine)


def test_a_session_dealt_to_nobody_here_is_not_played(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    plan = flat_plan(scenario, 2.0, slots=2, speed=20.0)
    empty = replace(plan, played=np.zeros_like(plan.played))
    target = Target()
    run = play(scenario, empty, target)
    assert target.asked == []
    assert recorded(scenario, empty, run).imbalances() == []


def test_redirects_that_were_followed_are_counted_by_step(tmp_path: Path) -> None:
    scenario = lone_step(tmp_path, {"path": "/a"}, {"path": "/b"})
    target = by_path(
        a=Answer(302, ("Location: /c",)),
        b=Answer(200),
        c=Answer(302, ("Location: /d",)),
        d=Answer(200),
    )
    _, record = alone(scenario, target)
    assert record.redirects == {"home": 2}
    assert [asked.path for asked in target.asked] == ["/a", "/c", "/d", "/b"]
