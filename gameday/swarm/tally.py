"""What a worker counted since it last said so: sparse, additive, cheap to send."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from gameday.run_record import bin_of

__all__ = ["Tally"]


class Tally:
    """Counts and latencies since the last `take`. Keys are plain, to travel as JSON or msgpack."""

    def __init__(self) -> None:
        self.worker = self.number = 0
        self._clear()

    def _clear(self) -> None:
        self.steps: dict[tuple[int, int, str, int], int] = defaultdict(int)
        self.sessions: dict[tuple[int, str, int], int] = defaultdict(int)
        self.latency: dict[tuple[int, int, int, int, int], int] = defaultdict(int)
        self.delay: dict[tuple[int, int], int] = defaultdict(int)
        self.faults: dict[tuple[int, int, str], int] = defaultdict(int)
        self.orders: list[tuple[int, str, str]] = []

    def step(self, stack: int, step: int, what: str, slot: int) -> None:
        """Count one step."""
        self.steps[stack, step, what, slot] += 1

    def session(self, stack: int, what: str, slot: int) -> None:
        """Count one session."""
        self.sessions[stack, what, slot] += 1

    def times(self, stack: int, step: int, slot: int, seconds: tuple[float, float, float]) -> None:
        """Add a step's response time, service time and lateness."""
        for kind, value in enumerate(seconds):
            self.latency[stack, step, kind, slot, int(bin_of(value))] += 1

    def ended_late(self, stack: int, seconds: float) -> None:
        """Add a session's delay against its plan."""
        self.delay[stack, int(bin_of(max(0.0, seconds)))] += 1

    def fault(self, stack: int, step: int, why: str) -> None:
        """Count a reason why a step was not done."""
        self.faults[stack, step, why] += 1

    def order(self, stack: int, key: str, what: str) -> None:
        """Note what became of an order: confirmed or unknown."""
        self.orders.append((stack, key, what))

    def take(self) -> dict[str, Any]:
        """Return all counts as lists and begin anew."""
        out = {
            "worker": self.worker,
            "number": self.number,
            "steps": [[*key, n] for key, n in self.steps.items()],
            "sessions": [[*key, n] for key, n in self.sessions.items()],
            "latency": [[*key, n] for key, n in self.latency.items()],
            "delay": [[*key, n] for key, n in self.delay.items()],
            "faults": [[*key, n] for key, n in self.faults.items()],
            "orders": [list(order) for order in self.orders],
        }
        self.number += 1
        self._clear()
        return out
