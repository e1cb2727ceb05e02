"""The open-arrival engine of one worker: every due session goes out, whatever the target does."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from math import ceil, floor

import gevent
import numpy as np
from locust.env import Environment

from gameday.record import SESSIONS
from gameday.scenario import Scenario
from gameday.swarm.control.run_spec import Brief
from gameday.swarm.control.session_assignment import Deal, dealt
from gameday.swarm.engine.customer import Customer
from gameday.swarm.engine.step_player import Play
from gameday.swarm.script.cohorts import gather_company, open_pools
from gameday.swarm.script.python_users import Hands
from gameday.swarm.tally.gauges import Gauges
from gameday.swarm.tally.samples import Tally
from gameday.swarm.wire.sockets import Sockets
from gameday.traffic import Walks
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
_MOST_DUE = 256
"""Steps sent in a row before replies are heard again."""
_STARTED = SESSIONS.index("started")


class Engine:
    """Plays this worker's share of the plan's sessions."""

    def __init__(
        self, brief: Brief, scenario: Scenario, environment: Environment | None = None
    ) -> None:
        self.scenario, self.plan, self.brief = scenario, brief.plan, brief
        self.sockets = Sockets()
        plan = brief.plan
        self.tally = Tally(
            stacks=len(scenario.stack_names),
            steps=len(plan.steps),
            lead_in=plan.lead_in,
            slot_wall_s=plan.slot_wall_s,
            t0=0.0,
        )
        self.arrivals, self.walks = plan.arrivals(), Walks(scenario, plan)
        self.pools = open_pools(scenario, brief, self.sockets)
        company = gather_company(scenario, brief, self.pools, self.tally, self.walks, self.arrivals)
        self._cast_of = company.cast_of
        self.hands = Hands(scenario, environment, str(brief.loaded.folder))
        self.play = Play(plan, company.casts, self.tally)
        self.play.on_end = self.hands.dismiss
        self.play.begin_by_hand = self._begin_by_hand
        for pool in self.pools.values():
            pool.connect_to(self.play.replied, self.play.failed)
        self.lines = company.lines
        """Every exchange by its number."""
        self.on_count: Callable[[Array, dict[tuple[int, str], int]], None] = (
            lambda samples, faults: None
        )
        """Hears of the exchanges that ended, a few times a second, and of those that failed."""
        self.lease_until = float("inf")
        """Beyond this instant nothing is sent: the master may have dealt our sessions to others."""
        self._mine = np.zeros(0, np.int64)
        self._mine_at_s = np.zeros(0)
        self._next = 0
        self._chunk: list[tuple[float, int]] = []
        self.gauges = Gauges(self.play, self.hands, self.pools)
        self._swept = self._counted = self._looked = 0.0

    def deal(self, deals: tuple[Deal, ...]) -> None:
        """Take the sessions that the deals give to this worker, from the next start on."""
        mine = dealt(deals, self.arrivals.at_s)
        casts = self._cast_of[self.arrivals.region[mine], self.arrivals.journey[mine]]
        mine = mine[casts >= 0]
        self._mine, self._chunk = mine, []
        self._mine_at_s = self.arrivals.at_s[mine]
        self._next = int(np.searchsorted(mine, self._begun))

    _begun = 0
    """The lowest session number that has not been started."""

    @property
    def t0(self) -> float:
        """The window's start on the engine's clock."""
        return self.play.t0

    def now_s(self) -> float:
        """Return wall seconds since the window's start (negative in the lead-in)."""
        return time.perf_counter() - self.play.t0

    def set_clock(self, start_epoch_s: float) -> None:
        """Let the lead-in begin at `start_epoch_s` of this machine's clock."""
        gc.collect()
        gc.freeze()
        ahead = start_epoch_s - time.time()
        self.play.start_clock(time.perf_counter() + ahead + self.plan.lead_in_s)

    def run(self) -> None:
        """Play until every session has ended; nothing but playing is on the clock."""
        thresholds = gc.get_threshold()
        gc.set_threshold(50_000, 10, 1_000_000)
        self.sockets.watch_from(gevent.get_hub())
        self.sockets.after_turn = self.send_due
        self.gauges.read()
        try:
            while not self._is_over():
                if self.sockets.fault is not None:
                    raise self.sockets.fault
                now = time.perf_counter()
                self._keep_house(now)
                sent = self.send_due()
                is_idle = self.play.stopping or now > self.lease_until
                pause = _AHEAD_S if is_idle else self._next_due() - time.perf_counter()
                gevent.sleep(min(max(pause, 0.0), _AHEAD_S) if sent < _MOST_DUE else 0.0)
        finally:
            self.hands.close()
            self.count()
            self.sockets.close()
            gc.set_threshold(*thresholds)
            gc.unfreeze()

    def _is_over(self) -> bool:
        now = time.perf_counter()
        if self.play.stopping:
            return self.play.awake == 0 or now > self._stopped_at + _RAMP_DOWN_S
        if self._next < len(self._mine) or self._chunk or self.play.rows or self.play.awake:
            patience = max(journey.patience for journey in self.scenario.journeys.values())
            return now > self.play.t0 + self.plan.duration_s + patience + 1.0
        return now > self.play.t0 + (self.arrivals.at_s[-1] if len(self.arrivals.at_s) else 0.0)

    def send_due(self) -> int:
        """Send what is due; return how many steps that were."""
        play, clock, sent = self.play, time.perf_counter, 0
        if play.stopping:
            return 0
        now = clock()
        rows, wake = play.rows, play.rows.wake
        while sent < _MOST_DUE and now <= self.lease_until:
            at = self._next_start_s()
            if at <= now:
                self._start(self._chunk.pop()[1], at, now)
                sent += 1
            customer = wake(now) if rows else None
            if customer is not None:
                play.awake += 1
                play.begin_step(customer, customer.due, clock())
                sent += 1
            elif at > now:
                break
            now = clock()
        if sent and play.awake > self.gauges.most_awake:
            self.gauges.most_awake = play.awake
        return sent

    def _next_start_s(self) -> float:
        """Return when the next session starts, on the engine's clock; infinite after the last."""
        if not self._chunk:
            if self._next >= len(self._mine):
                return float("inf")
            numbers = self._mine[self._next : self._next + 2048]
            self._next += len(numbers)
            times = self.arrivals.at_s[numbers]
            self._chunk = list(zip(times.tolist(), numbers.tolist(), strict=True))[::-1]
        return self._chunk[-1][0] + self.play.t0

    def _start(self, session: int, at: float, now: float) -> None:
        """Start a session: its first step is due."""
        play, at_s = self.play, self.arrivals.at_s.item(session)
        number = self._cast_of[self.arrivals.region[session], self.arrivals.journey[session]]
        cast = play.casts[number]
        customer = Customer(cast, session_key(self.plan.seed.root, session), session)
        customer.place = customer.tries = customer.mood = customer.since = 0
        customer.step = cast.course.first(customer.key)
        customer.nominal_s, customer.began = at_s, floor(at_s / self.plan.slot_wall_s)
        customer.jar = customer.memory = None
        self._begun = session + 1
        if self._most_starts is not None and self._is_held(customer):
            play.hold(customer)
            return
        self.tally.session(cast.stack, _STARTED, customer.began + self.plan.lead_in)
        play.awake += 1
        play.begin_step(customer, at, now)

    def hold(self, starts_per_s: float) -> None:
        """Start no more than so many sessions a wall second, all workers together."""
        self._most_starts = starts_per_s

    _most_starts: float | None = None

    def _is_held(self, customer: Customer) -> bool:
        """Return whether a session is among those held back: by a draw, the same on any worker."""
        slot = max(0, customer.began + self.plan.lead_in)
        planned_per_s = self.plan.played[:, :, slot].sum() / self.plan.slot_wall_s
        kept = (self._most_starts or 0.0) / max(planned_per_s, 1e-9)
        return bool(draw_keyed(customer.key, 0, 0, Draw.HOLD) >= kept)

    def _begin_by_hand(self, customer: Customer, due: float, now: float) -> None:
        def over(customer: Customer, sent: float) -> None:
            self.play.step_over(customer, due, sent, time.perf_counter(), 0)

        self.hands.play(customer, time.perf_counter, over)

    def _next_due(self) -> float:
        return min(self._next_start_s(), self.play.rows.calendar.next_s())

    def _keep_house(self, now: float) -> None:
        """Do what need not be done for every step."""
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
        samples, faults = self.tally.count(), self.tally.line_faults
        if len(samples) or faults:
            self.on_count(samples, faults)
            faults.clear()

    def open_ahead(self, now: float) -> None:
        """Open connections for the sessions about to start."""
        at_s = now - self.play.t0
        first, last = np.searchsorted(self._mine_at_s, [at_s, at_s + _LOOK_AHEAD_S])
        coming = self._mine[first:last]
        for stack, pool in self.pools.items():
            regions = [
                r
                for r, region in enumerate(self.plan.regions)
                if self.scenario.regions[region].stack == stack
            ]
            mine = int(np.isin(self.arrivals.region[coming], regions).sum())
            response = max(n.mean_s for n in self.plan.nominal[stack].values())
            busy = pool.count - len(pool.idle)
            pool.open_ahead(
                busy + ceil(1.5 * mine / _LOOK_AHEAD_S * response) + 1 if mine else 0, now
            )

    def stop(self) -> None:
        """Send no new step; let replies under way come in."""
        if not self.play.stopping:
            self._stopped_at = time.perf_counter()
            self.play.stopping = True

    def end_now(self) -> None:
        """Wait for nothing more: Locust's own Stop."""
        self.stop()
        self._stopped_at = -_RAMP_DOWN_S

    _stopped_at = 0.0
