"""Reads what goes on in a worker at this moment: how busy it is, how many customers, what limits it."""

from __future__ import annotations

import time

from gameday.swarm.engine.open_steps import open_steps
from gameday.swarm.engine.step_player import StepPlayer
from gameday.swarm.script.python_users import PythonUsers
from gameday.swarm.tally.reports import GaugeReading
from gameday.swarm.wire.pool import Pool

__all__ = ["Gauges"]


class Gauges:
    """Reads one worker; what is counted is counted from one `read` to the next."""

    def __init__(
        self, player: StepPlayer, python_users: PythonUsers, pools: dict[str, Pool]
    ) -> None:
        self._player, self._python_users, self._pools = player, python_users, pools.values()
        self._cpu_from = (time.process_time(), time.perf_counter())
        self._read_at = time.perf_counter()
        self._issued = 0
        self.most_awake = 0
        """The most customers with a step under way."""

    def read(self) -> GaugeReading:
        """Return every gauge."""
        requests = self._new_requests()
        most_awake, self.most_awake = max(self.most_awake, self._player.awake), 0
        seconds = max(time.perf_counter() - self._read_at, 1e-3)
        self._read_at += seconds
        return GaugeReading(
            seconds,
            requests,
            self.busy_share(),
            self._player.awake,
            most_awake,
            waiting=len(self._player.sleeping),
            sockets=sum(pool.count for pool in self._pools),
            queued=sum(len(pool.queue) for pool in self._pools),
            limits=self.limits(),
            open=open_steps(self._pools, self._python_users.playing, time.perf_counter()),
        )

    def _new_requests(self) -> int:
        """Return how many requests went out since the last call."""
        issued = sum(pool.issued for pool in self._pools)
        requests = issued - self._issued + self._python_users.requests
        self._issued, self._python_users.requests = issued, 0
        return requests

    def busy_share(self) -> float:
        """Return the share of a core this process used since the last call."""
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        before_cpu_s, before_wall_s = self._cpu_from
        self._cpu_from = (cpu_s, wall_s)
        return (cpu_s - before_cpu_s) / max(wall_s - before_wall_s, 1e-9)

    def limits(self) -> dict[str, int]:
        """Return what of ours, or the target's listen backlog, held requests back, and how often."""
        counts: dict[str, int] = {}
        for pool in self._pools:
            ours = (("sockets", pool.held), *pool.hindrances.items())
            for name, n in (*ours, ("the target's listen backlog", pool.slow_connects)):
                counts[name] = counts.get(name, 0) + n
        return {name: n for name, n in counts.items() if n}
