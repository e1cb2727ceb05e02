"""What goes on in a worker at this moment, for whoever watches: how busy, how many, what limits it."""

from __future__ import annotations

import time
from typing import Any

from gameday.swarm.engine.open_steps import open_steps
from gameday.swarm.engine.step_player import Play
from gameday.swarm.script.python_users import Hands
from gameday.swarm.wire.pool import Pool

__all__ = ["Gauges"]


class Gauges:
    """Reads one worker; what is counted is counted from one `read` to the next."""

    def __init__(self, play: Play, hands: Hands, pools: dict[str, Pool]) -> None:
        self._play, self._hands, self._pools = play, hands, pools.values()
        self._cpu_from = (time.process_time(), time.perf_counter())
        self._read_at = time.perf_counter()
        self._issued = 0
        self.most_awake = 0
        """The most customers with a step under way."""

    def read(self) -> dict[str, Any]:
        """Return every gauge."""
        issued = sum(pool.issued for pool in self._pools)
        requests = issued - self._issued + self._hands.requests
        self._issued = issued
        most_awake, self.most_awake = max(self.most_awake, self._play.awake), 0
        self._hands.requests = 0
        seconds = max(time.perf_counter() - self._read_at, 1e-3)
        self._read_at += seconds
        return {
            "seconds": seconds,
            "requests": requests,
            "busy": self.busy_share(),
            "awake": self._play.awake,
            "most_awake": most_awake,
            "waiting": len(self._play.rows),
            "sockets": sum(pool.count for pool in self._pools),
            "queued": sum(len(pool.queue) for pool in self._pools),
            "limits": self.limits(),
            "open": open_steps(self._pools, self._hands.playing, time.perf_counter()),
        }

    def busy_share(self) -> float:
        """Return the share of a core this process used since the last call."""
        cpu, wall = time.process_time(), time.perf_counter()
        before_cpu, before_wall = self._cpu_from
        self._cpu_from = (cpu, wall)
        return (cpu - before_cpu) / max(wall - before_wall, 1e-9)

    def limits(self) -> dict[str, int]:
        """Return what of ours, or the target's listen backlog, held requests back, and how often."""
        out: dict[str, int] = {}
        for pool in self._pools:
            ours = (("sockets", pool.held), *pool.limits.items())
            for name, n in (*ours, ("the target's listen backlog", pool.slow_connects)):
                out[name] = out.get(name, 0) + n
        return {name: n for name, n in out.items() if n}
