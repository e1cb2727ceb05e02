"""Who plays what: every session by one worker at any time, however workers come, go and fall silent."""

from __future__ import annotations

import time
from collections import Counter
from copy import deepcopy
from itertools import pairwise
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario
from gameday.swarm.control.master import Master
from gameday.swarm.control.run_spec import RunSpec
from gameday.swarm.control.session_assignment import SessionAssignment, assigned_sessions
from gameday.swarm.control.worker import LEASE_S, Worker
from gameday.swarm.engine.open_arrivals import Engine
from gameday.traffic import LoadPlan
from tests.support import examples
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_plan
from tests.support.small_stage import faults_of, recorded
from tests.support.virtual_customers import Asked, Target, VirtualClock, play, rough

EVER_S = -1e18
WORKERS = range(5)
History = list[tuple[float, list[int]]]
"""From when on, who plays; in order of time."""

instants = st.integers(-20, 120).map(lambda tenth: tenth / 10)
starts = st.lists(instants | st.floats(-2.0, 12.0), max_size=80).map(sorted)
histories: st.SearchStrategy[History] = st.builds(
    lambda first, later: [(EVER_S, first), *sorted(later, key=lambda assignment: assignment[0])],
    st.lists(st.sampled_from(WORKERS), unique=True),
    st.lists(st.tuples(instants, st.lists(st.sampled_from(WORKERS), unique=True)), max_size=8),
)


def deals_of(worker: int, history: History) -> tuple[SessionAssignment, ...]:
    return tuple(
        SessionAssignment(
            from_s, players.index(worker) if worker in players else -1, max(1, len(players))
        )
        for from_s, players in history
    )


def shares(history: History, at_s: Any) -> list[set[int]]:
    return [
        set(assigned_sessions(deals_of(w, history), np.array(at_s, float)).tolist())
        for w in WORKERS
    ]


def players_at(history: History, at_s: float) -> list[int]:
    return [players for from_s, players in history if from_s <= at_s][-1]


@given(history=histories, at_s=starts)
@settings(deadline=None)
def test_a_session_is_dealt_to_one_worker_and_to_none_only_where_nobody_plays(
    history: History, at_s: list[float]
) -> None:
    holders = Counter(session for share in shares(history, at_s) for session in share)
    wanted = [min(1, len(players_at(history, at))) for at in at_s]
    assert [holders[session] for session in range(len(at_s))] == wanted


@given(history=histories, at_s=starts, data=st.data())
@settings(deadline=None)
def test_a_new_deal_moves_no_session_that_starts_before_its_instant(
    history: History, at_s: list[float], data: st.DataObject
) -> None:
    until = data.draw(st.integers(1, len(history)))
    from_s = history[until][0] if until < len(history) else inf
    before, after = shares(history[:until], at_s), shares(history[: until + 1], at_s)
    early = {session for session, at in enumerate(at_s) if at < from_s}
    assert [share & early for share in before] == [share & early for share in after]


@given(history=histories, at_s=starts)
@settings(deadline=None)
def test_those_who_play_get_the_same_number_of_sessions_give_or_take_one_a_deal(
    history: History, at_s: list[float]
) -> None:
    mine = shares(history, at_s)
    for (from_s, players), (until, _) in pairwise([*history, (inf, [])]):
        during = {session for session, at in enumerate(at_s) if from_s <= at < until}
        counts = [len(mine[worker] & during) for worker in players]
        assert not counts or max(counts) - min(counts) <= 1


# The master who deals


class _Over(BaseException):
    """The story is told."""


class MasterInVirtualTime:
    """A Master with workers who speak to it in virtual time."""

    def __init__(self, plan: LoadPlan, expected: int) -> None:
        self.clock, self.said = VirtualClock(), list[tuple[float, str, Any]]()
        runner = SimpleNamespace(send_message=self._hear)
        spec = RunSpec("r1", LoadedScenario(""), {"main": "http://127.0.0.1:8001"}, expected, plan)
        self.master = Master(SimpleNamespace(runner=runner), spec, None)
        self._jobs: list[Any] = []
        self._heard: dict[str, float] = {}

    def _hear(self, what: str, facts: Any, who: str | None = None) -> None:
        ago = {who: self.clock.now_s - at for who, at in self._heard.items()}
        self.said.append((self.clock.now_s, what, deepcopy(facts) | {"ago": ago}))

    def say(self, what: str, worker: int) -> Any:
        message = SimpleNamespace(data={"who": f"w{worker}"})

        def speak(now: float) -> None:
            self._heard[message.data["who"]] = now
            getattr(self.master, f"on_{what}")(None, message)

        return speak

    def run(self, until_s: float) -> None:
        """Turn the clock until then."""

        def end(now: float) -> None:
            raise _Over

        begin = self.clock.now_s
        self.clock.at(begin + until_s, end)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("time", "monotonic", "perf_counter"):
                patch.setattr(time, name, lambda: self.clock.now_s)
            patch.setattr(gevent, "sleep", self.clock.sleep)
            patch.setattr(gevent, "spawn", self._jobs.append)
            try:
                while not self._jobs:
                    self.clock.sleep(0.01)
                self._jobs[0]()
            except _Over:
                pass

    def assignments(self) -> list[tuple[float, dict[str, Any], dict[str, float]]]:
        """Return when, from the window's start, who was dealt what, and how long each was silent."""
        zero = self.master.start_epoch_s + self.master.spec.plan.lead_in_s
        return [
            (at - zero, facts["deals"], facts["ago"])
            for at, what, facts in self.said
            if what == "gameday_deal"
        ]


spans = st.lists(st.floats(0.5, 14.0), max_size=4).map(sorted)
"""When a worker falls silent, speaks again, and so on."""


@given(
    joins=st.lists(st.floats(0.5, 8.0), max_size=2),
    silences=st.lists(spans, min_size=4, max_size=4),
    expected=st.integers(1, 2),
)
@settings(max_examples=examples(60), deadline=None)
def test_whoever_comes_goes_or_falls_silent_the_masters_deals_share_every_session_out_once(
    joins: list[float], silences: list[list[float]], expected: int, everything: Scenario
) -> None:
    plan = flat_plan(everything, 3.0, slots=4, lead_in=1, speed=20.0)
    at_s, master = plan.arrivals().at_s, MasterInVirtualTime(plan, expected)
    for worker, ready in enumerate([*[0.0] * expected, *joins]):
        master.clock.at(master.clock.now_s + ready, master.say("ready", worker))
        for beat in range(1, 45):
            at = ready + 0.4 * beat
            if sum(edge < at for edge in silences[worker]) % 2 == 0:
                master.clock.at(master.clock.now_s + at, master.say("alive", worker))
    master.run(18.0)
    before: dict[str, set[int]] = {}
    for now_s, assignments, ago in master.assignments():
        after = {
            who: set(
                assigned_sessions(
                    tuple(SessionAssignment(*assignment) for assignment in mine), at_s
                ).tolist()
            )
            for who, mine in assignments.items()
        }
        holders = Counter(session for share in after.values() for session in share)
        assert not holders or max(holders.values()) == 1
        started = set(range(int(np.searchsorted(at_s, now_s, side="right"))))
        for who, share in after.items():
            assert share & started == before.get(who, set() if before else share) & started
        for who, mine in assignments.items():
            plays = SessionAssignment(*mine[-1]).turn >= 0
            assert plays if ago[who] < LEASE_S else ago[who] < 3.0 or not plays
        if any(SessionAssignment(*mine[-1]).turn >= 0 for mine in assignments.values()):
            last = max(SessionAssignment(*mine[-1]).from_s for mine in assignments.values())
            assert {s for s, at in enumerate(at_s) if at >= last} <= set(holders)
        before = after
    assert master.assignments()


def test_a_worker_that_was_held_up_is_bound_by_when_its_master_spoke_not_by_when_it_hears(
    everything: Scenario,
) -> None:
    """While it stood still it was taken for lost, and what starts since then is another's."""
    master = MasterInVirtualTime(flat_plan(everything, 1.0, slots=4, speed=20.0), 1)
    master.clock.at(master.clock.now_s, master.say("ready", 0))
    master.run(2.0)
    spoken_s, _, pulse = next(said for said in master.said if said[1] == "gameday_pulse")
    worker = Worker(SimpleNamespace(runner=SimpleNamespace(client_id="w0")))
    engine: Any = SimpleNamespace(lease_until=spoken_s)
    worker.engine = engine
    with pytest.MonkeyPatch.context() as patch:
        for name in ("time", "monotonic", "perf_counter"):
            patch.setattr(time, name, lambda: spoken_s + 5.0)
        worker.on_pulse(None, SimpleNamespace(data=pulse))
    assert engine.lease_until <= spoken_s + LEASE_S + 0.1


# The workers who play


def told(target: Target) -> list[Any]:
    """Return what was asked, whoever asked it."""
    return sorted(
        (asked.session, asked.place, asked.tries, asked.hops, asked.number, asked.request)
        for asked in target.asked
    )


@pytest.mark.parametrize("seed", range(6))
def test_one_two_and_five_workers_ask_a_target_that_answers_alike_for_the_same_bytes(
    seed: int, everything: Scenario
) -> None:
    plan = flat_plan(everything, 3.0, slots=4, lead_in=1, speed=20.0, seed=seed)
    targets = {workers: rough(seed) for workers in (1, 2, 5)}
    runs = {n: play(everything, plan, target, workers=n) for n, target in targets.items()}
    assert len(targets[1].asked) > 100
    assert told(targets[1]) == told(targets[2]) == told(targets[5])
    records = [recorded(everything, plan, run) for run in runs.values()]
    for record in records[1:]:
        np.testing.assert_array_equal(record.step_counts, records[0].step_counts)
        np.testing.assert_array_equal(record.session_counts, records[0].session_counts)


def test_another_seed_asks_for_other_bytes(everything: Scenario) -> None:
    targets = [rough(1), rough(1)]
    for seed, target in enumerate(targets):
        plan = flat_plan(everything, 3.0, slots=4, speed=20.0, seed=seed)
        play(everything, plan, target)
    assert told(targets[0]) != told(targets[1])


@given(
    history=histories.filter(lambda history: all(players for _, players in history)),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=15, deadline=None)
def test_whoever_joins_or_leaves_every_session_is_played_once_and_by_its_holder(
    history: History, seed: int, everything: Scenario
) -> None:
    """Each deal is told half a second before it holds; who leaves ends what was begun."""
    plan = flat_plan(everything, 2.0, slots=4, lead_in=1, speed=20.0, seed=seed)
    alone, together = rough(seed), rough(seed)
    play(everything, plan, alone)

    def hear(until: int) -> Any:
        def assign(engine: Engine, worker: int) -> None:
            engine.assign(deals_of(worker, history[:until]))

        return assign

    run = play(
        everything,
        plan,
        together,
        workers=len(WORKERS),
        assignments={worker: deals_of(worker, history[:1]) for worker in WORKERS},
        happens={history[k - 1][0] - 0.5 + k * 1e-6: hear(k) for k in range(2, len(history) + 1)},
    )
    assert told(alone) == told(together)
    record = recorded(everything, plan, run)
    assert record.imbalances() == []
    assert faults_of(record) == ()


def test_the_customers_of_a_stack_without_a_target_are_nobodys_to_play(tmp_path: Path) -> None:
    stacks = {stack: {"instances": 8, "zones": 1, "instance": "box"} for stack in ("main", "asia")}
    changes = {
        "regions": {"in": {"zone": "Asia/Kolkata", "stack": "asia"}},
        "history": {"synthetic": {"sessions_per_day": {"in": 1000}}},
        "services": {name: {"stacks": stacks} for name in ("edge", "stock", "pay")},
    }
    scenario = busy_shop(tmp_path, changes)
    plan = flat_plan(scenario, 3.0, slots=3, speed=20.0)
    region_of = plan.arrivals().region
    target = Target()
    run = play(scenario, plan, target, stacks=("asia",))
    played = {asked.session for asked in target.asked}
    assert played == set(np.flatnonzero(region_of == plan.regions.index("in")).tolist())
    assert {row[0] for report in run.reports for row in report.counts.steps} == {1}
    first: Asked = target.asked[0]
    assert first.header("Host") == "127.0.0.1:8002"
