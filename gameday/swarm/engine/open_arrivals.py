"""The open-arrival engine of one worker: every due session goes out, whatever the target does."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil, floor

import gevent
import numpy as np
from locust.env import Environment

from gameday.record import SESSIONS
from gameday.scenario import Scenario
from gameday.swarm.control.run_spec import RunSpec
from gameday.swarm.control.session_assignment import SessionAssignment, assigned_sessions
from gameday.swarm.engine.customer import Cohort, Customer
from gameday.swarm.engine.step_player import StepPlayer
from gameday.swarm.engine.upcoming_sessions import UpcomingSessions
from gameday.swarm.script.cohorts import gather_population, open_pools
from gameday.swarm.script.python_users import PythonUsers
from gameday.swarm.tally.gauges import Gauges
from gameday.swarm.tally.samples import Tally
from gameday.swarm.wire.sockets import Sockets
from gameday.traffic import LoadPlan, Walks
from gameday.vocabulary import Array, Draw, draw_keyed, session_key

__all__ = ["Engine"]

_RAMP_DOWN_S = 3.0
"""After a stop, how long replies under way are waited for; 5 s are promised in all."""
_AHEAD_S = 0.005
"""The longest sleep: what falls due meanwhile is at most so late."""
_SWEEP_EVERY_S = 0.05
_COUNT_EVERY_S = 0.5
_LOOK_AHEAD_S = 1.0
"""Connections for the sessions of so many seconds to come are opened beforehand."""
_SPARE_CONNECTIONS = 1.5
"""Connections opened per one that Little's law asks for. Ours: arrivals come in bursts."""
_MOST_DUE = 256
"""Steps sent in a row before replies are heard again."""
_STARTED = SESSIONS.index("started")


class Engine:
    """Plays this worker's share of the plan's sessions."""

    lease_until = float("inf")
    """Beyond this instant nothing is sent: the master may have given our sessions to others."""
    _most_starts_per_s: float | None = None
    """Session starts that a guardrail leaves, all workers together; None: all."""
    _first_unstarted = 0
    """The lowest session number that has not been started."""
    _stopped_at = 0.0
    _swept = _counted = _looked = 0.0
    """When the engine last swept its pools, counted its samples and opened connections ahead."""

    def __init__(
        self, spec: RunSpec, scenario: Scenario, environment: Environment | None = None
    ) -> None:
        self.scenario, self.plan, self.spec = scenario, spec.plan, spec
        self.sockets = Sockets()
        self.tally = _tally_of(scenario, self.plan)
        self.arrivals, walks = self.plan.arrivals(), Walks(scenario, self.plan)
        self._upcoming = UpcomingSessions(self.arrivals)
        self.pools = open_pools(scenario, spec, self.sockets)
        population = gather_population(scenario, spec, self.pools, self.tally, walks, self.arrivals)
        self._cohort_of = population.cohort_of
        self.exchanges = population.exchanges
        """Every exchange by its number."""
        self.python_users = PythonUsers(scenario, environment, str(spec.loaded.folder))
        self.player = self._step_player(population.cohorts)
        self.gauges = Gauges(self.player, self.python_users, self.pools)
        self.on_count: Callable[[Array, dict[tuple[int, str], int]], None] = (
            lambda samples, faults: None
        )
        """Hears of the exchanges that ended, a few times a second, and of those that failed."""

    def _step_player(self, cohorts: tuple[Cohort, ...]) -> StepPlayer:
        """Return the player of steps, wired to the pools and the Python users."""
        player = StepPlayer(self.plan, cohorts, self.tally)
        player.on_end = self.python_users.dismiss
        player.begin_python_step = self._begin_python_step
        for pool in self.pools.values():
            pool.connect_to(player.replied, player.failed)
        return player

    def assign(self, assignments: tuple[SessionAssignment, ...]) -> None:
        """Take the sessions that are assigned to this worker, from the next start on."""
        sessions = assigned_sessions(assignments, self.arrivals.at_s)
        cohorts = self._cohort_of[self.arrivals.region[sessions], self.arrivals.journey[sessions]]
        self._upcoming.assign(sessions[cohorts >= 0], self._first_unstarted)

    @property
    def t0(self) -> float:
        """The window's start on the engine's clock."""
        return self.player.t0

    def now_s(self) -> float:
        """Return wall seconds since the window's start (negative in the lead-in)."""
        return time.perf_counter() - self.player.t0

    def set_clock(self, start_epoch_s: float) -> None:
        """Let the lead-in begin at `start_epoch_s` of this machine's clock."""
        gc.collect()
        gc.freeze()
        ahead_s = start_epoch_s - time.time()
        self.player.start_clock(time.perf_counter() + ahead_s + self.plan.lead_in_s)

    def run(self) -> None:
        """Play until every session has ended."""
        with _rare_garbage_collection():
            self.sockets.watch_from(gevent.get_hub())
            self.sockets.after_turn = self.send_due
            self.gauges.read()
            try:
                while not self._is_over():
                    now = time.perf_counter()
                    self._keep_house(now)
                    sent = self.send_due()
                    is_idle = self.player.stopping or now > self.lease_until
                    pause = _AHEAD_S if is_idle else self._next_due() - time.perf_counter()
                    gevent.sleep(min(max(pause, 0.0), _AHEAD_S) if sent < _MOST_DUE else 0.0)
            finally:
                self.python_users.close()
                self.count()
                self.sockets.close()

    def _is_over(self) -> bool:
        now, player = time.perf_counter(), self.player
        if player.stopping:
            return player.awake == 0 or now > self._stopped_at + _RAMP_DOWN_S
        if player.awake or player.sleeping or self._upcoming:
            patience = max(journey.patience for journey in self.scenario.journeys.values())
            return now > player.t0 + self.plan.duration_s + patience + 1.0
        return now > player.t0 + (self.arrivals.at_s[-1] if len(self.arrivals.at_s) else 0.0)

    def send_due(self) -> int:
        """Send what is due; return how many steps that were."""
        player, clock, sent = self.player, time.perf_counter, 0
        if player.stopping:
            return 0
        now = clock()
        upcoming, sleeping, wake = self._upcoming, player.sleeping, player.sleeping.wake
        while sent < _MOST_DUE and now <= self.lease_until:
            start = upcoming.next_s() + player.t0
            if start <= now:
                self._start(upcoming.chunk.pop()[1], start, now)
                sent += 1
            customer = wake(now) if sleeping else None
            if customer is not None:
                player.awake += 1
                player.begin_step(customer, customer.due, clock())
                sent += 1
            elif start > now:
                break
            now = clock()
        if sent and player.awake > self.gauges.most_awake:
            self.gauges.most_awake = player.awake
        return sent

    def _start(self, session: int, due: float, now: float) -> None:
        """Start a session: its first step is due."""
        player, at_s = self.player, self.arrivals.at_s.item(session)
        number = self._cohort_of[self.arrivals.region[session], self.arrivals.journey[session]]
        cohort = player.cohorts[number]
        customer = Customer(cohort, session_key(self.plan.seed.root, session), session)
        customer.position = customer.tries = customer.retry_reason = customer.tries_at_reason = 0
        customer.step = cohort.course.first(customer.key)
        customer.nominal_s, customer.start_slot = at_s, floor(at_s / self.plan.slot_wall_s)
        customer.jar = customer.memory = None
        self._first_unstarted = session + 1
        if self._most_starts_per_s is not None and self._is_held(customer):
            player.hold(customer)
            return
        self.tally.session(cohort.stack, _STARTED, customer.start_slot + self.plan.lead_in)
        player.awake += 1
        player.begin_step(customer, due, now)

    def hold(self, starts_per_s: float) -> None:
        """Start no more than so many sessions a wall second, all workers together."""
        self._most_starts_per_s = starts_per_s

    def _is_held(self, customer: Customer) -> bool:
        """Return whether a session is among those held back: by a draw, the same on any worker."""
        slot = max(0, customer.start_slot + self.plan.lead_in)
        planned_per_s = self.plan.played[:, :, slot].sum() / self.plan.slot_wall_s
        kept = (self._most_starts_per_s or 0.0) / max(planned_per_s, 1e-9)
        return bool(draw_keyed(customer.key, 0, 0, Draw.HOLD) >= kept)

    def _begin_python_step(self, customer: Customer, due: float, now: float) -> None:
        def over(customer: Customer, sent: float) -> None:
            self.player.step_over(customer, due, sent, time.perf_counter(), 0)

        self.python_users.play(customer, time.perf_counter, over)

    def _next_due(self) -> float:
        start = self._upcoming.next_s() + self.player.t0
        return min(start, self.player.sleeping.timers.next_s())

    def _keep_house(self, now: float) -> None:
        """Sweep, count and open connections where it is time; raise a fault of our own code in the hub."""
        if self.sockets.fault is not None:
            raise self.sockets.fault
        if now - self._swept > _SWEEP_EVERY_S:
            self._swept = now
            for pool in self.pools.values():
                pool.sweep(now)
        if now - self._counted > _COUNT_EVERY_S:
            self._counted = now
            self.count()
        if now - self._looked > _LOOK_AHEAD_S / 4:
            self._looked = now
            self.open_ahead(now)

    def count(self) -> None:
        """Count what was sampled, and tell who wants to hear of it."""
        samples, faults = self.tally.count(), self.tally.exchange_faults
        if len(samples) or faults:
            self.on_count(samples, faults)
            faults.clear()

    def open_ahead(self, now: float) -> None:
        """Open connections for the sessions about to start: their number by Little's law."""
        at_s = now - self.player.t0
        coming = self._upcoming.between(at_s, at_s + _LOOK_AHEAD_S)
        for stack, pool in self.pools.items():
            starts = int(np.isin(self.arrivals.region[coming], self._regions(stack)).sum())
            response_s = max(n.mean_s for n in self.plan.nominal[stack].values())
            busy = pool.count - len(pool.idle)
            needed = _SPARE_CONNECTIONS * starts / _LOOK_AHEAD_S * response_s
            pool.open_ahead(busy + ceil(needed) + 1 if starts else 0, now)

    def _regions(self, stack: str) -> list[int]:
        """Return the indices of the regions whose customers meet this stack."""
        return [
            index
            for index, region in enumerate(self.plan.regions)
            if self.scenario.regions[region].stack == stack
        ]

    def stop(self) -> None:
        """Send no new step; let replies under way come in."""
        if not self.player.stopping:
            self._stopped_at = time.perf_counter()
            self.player.stopping = True

    def end_now(self) -> None:
        """Stop at once, without waiting for replies under way: Locust's own Stop."""
        self.stop()
        self._stopped_at = -_RAMP_DOWN_S


def _tally_of(scenario: Scenario, plan: LoadPlan) -> Tally:
    return Tally(
        stacks=len(scenario.stack_names),
        steps=len(plan.steps),
        lead_in=plan.lead_in,
        slot_wall_s=plan.slot_wall_s,
        t0=0.0,
    )


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Let the cyclic collector run rarely: each full pass would make every due step late."""
    thresholds = gc.get_threshold()
    gc.set_threshold(50_000, 10, 1_000_000)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
