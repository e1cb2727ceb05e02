"""The open-arrival engine of one worker: every due session goes out, whatever the target does."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import gevent
from gevent.pool import Group

from gameday import __version__
from gameday.scenario import Scenario
from gameday.swarm.brief import Brief
from gameday.swarm.client import Client, Reply
from gameday.swarm.customer import Customer
from gameday.swarm.tally import Tally
from gameday.traffic import PlannedStep, Walks

__all__ = ["Engine"]

_RAMP_DOWN_S = 3.0
"""After a stop, how long replies under way are waited for; 5 s are promised in all."""
_AHEAD_S = 0.005
"""The longest sleep before a session that is due: keeps lateness under it when idle."""


class Engine:
    """Plays this worker's share of the plan's sessions: every n-th, by the order of arrival."""

    def __init__(
        self, brief: Brief, scenario: Scenario, on_reply: Callable[[str, str, float, Reply, str], None]
    ) -> None:  # fmt: skip
        self.scenario, self.plan, self.run_id = scenario, brief.plan, brief.run_id
        self.on_reply, self.tally, self.stopping = on_reply, Tally(), False
        headers = {
            "X-Gameday-Run": brief.run_id, "X-Synthetic": "1", "Accept-Encoding": "identity",
            "User-Agent": f"gameday/{__version__} (load test; run {brief.run_id})",
        }  # fmt: skip
        self.clients = {stack: Client(url, headers) for stack, url in brief.targets.items()}
        self.walks = Walks(scenario, brief.plan)
        self.arrivals = brief.plan.arrivals()
        self._t0 = 0.0
        self._customers = Group()
        self._cpu_from = (0.0, 0.0)

    def now_s(self) -> float:
        """Return wall seconds since the window's start (negative in the lead-in)."""
        return time.perf_counter() - self._t0

    def prepare(self, index: int, workers: int) -> None:
        """Lay out this worker's sessions before the clock starts."""
        self.tally.worker = index
        stacks = self.scenario.stack_names
        self._queue: list[tuple[float, Customer, list[PlannedStep], list[int]]] = []
        for session in range(index, len(self.arrivals.at_s), workers):
            region = self.plan.regions[self.arrivals.region[session]]
            stack = self.scenario.regions[region].stack
            if stack not in self.clients:
                continue  # another target's customers
            walk = self.walks.planned(self.arrivals, session)
            slots = [self.plan.slot_of(step.at_s) for step in walk]
            walk = [w for w, slot in zip(walk, slots, strict=True) if slot < self.plan.window.slots]
            customer = Customer(
                self, self.clients[stack], stacks.index(stack), region,
                self.walks.journey(self.arrivals, session),
                self.walks.product(self.arrivals, session), session,
            )  # fmt: skip
            at = float(self.arrivals.at_s[session])
            self._queue.append((at, customer, walk, slots[: len(walk)]))

    def run(self, start_epoch_s: float) -> None:
        """Play from `start_epoch_s` (the lead-in's beginning); return when all sessions ended."""
        gc.collect()
        gc.freeze()
        wait = start_epoch_s - time.time()
        self._t0 = time.perf_counter() + wait + self.plan.lead_in_s
        self._cpu_from = (time.process_time(), time.perf_counter())
        for at, customer, walk, slots in self._queue:
            while (early := at - self.now_s()) > 0 and not self.stopping:
                gevent.sleep(min(early, 0.2) if early > _AHEAD_S else early)
            if self.stopping:
                break
            began = self.plan.slot_of(at)
            self.tally.session(customer.stack, "started", began)
            self._customers.spawn(customer.walk, walk, slots, began)
        self._drain()
        gc.unfreeze()

    def _drain(self) -> None:
        """Wait for replies under way: as long as patience, or the ramp-down after a stop."""
        patience = max(journey.patience for journey in self.scenario.journeys.values())
        until = self.plan.duration_s + patience + 1.0
        while len(self._customers) and self.now_s() < until and not self.stopping:
            gevent.sleep(0.05)
        if self.stopping:
            self._customers.join(timeout=_RAMP_DOWN_S)
        self._customers.kill(block=True, timeout=1.0)

    def stop(self) -> None:
        """Send no new session; let replies under way come in."""
        self.stopping = True

    def end_now(self) -> None:
        """Send nothing more at all: Locust's own Stop."""
        self.stopping = True
        self._customers.kill(block=False)

    def busy_share(self) -> float:
        """Return the share of a core this process used since the last call."""
        cpu, wall = time.process_time(), time.perf_counter()
        before_cpu, before_wall = self._cpu_from
        self._cpu_from = (cpu, wall)
        return (cpu - before_cpu) / max(wall - before_wall, 1e-9)
