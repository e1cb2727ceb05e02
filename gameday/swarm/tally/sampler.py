"""Threads that read the target's own metrics, so that a slow target delays nothing else."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from gameday.swarm.control.run_spec import RunSpec
from gameday.swarm.tally.counters import grown, is_continuous, total
from gameday.swarm.tally.observe import Observer, Sample

__all__ = ["GuardSampler", "Sampler", "service_numbers"]

_GUARD_EVERY_S = 2.0


class Sampler(threading.Thread):
    """Samples at every slot's boundary, for the record."""

    def __init__(self, observer: Observer, spec: RunSpec, t0: float, samples: list[Sample]) -> None:
        super().__init__(name="sampler", daemon=True)
        self.observer, self.plan, self.t0, self.samples = observer, spec.plan, t0, samples
        self.over = threading.Event()

    def run(self) -> None:
        """Sample until the grid's end or until `finish`."""
        for slot in range(self.plan.grid.slots + 1):
            due = self.t0 + slot * self.plan.slot_wall_s
            if self.over.wait(max(0.0, due - time.time())):
                return
            if time.time() < due + self.plan.slot_wall_s or slot == self.plan.grid.slots:
                self._take()

    def _take(self) -> None:
        sample = self.observer.read()
        if sample is not None:
            self.samples.append(sample)

    def finish(self) -> None:
        """Stop, and take one last sample after the drain."""
        self.over.set()
        self.join(10.0)
        self._take()


class GuardSampler(threading.Thread):
    """Samples every other second, for guardrails on services."""

    def __init__(
        self, observer: Observer, tell: Callable[[float, dict[tuple[str, str, str], float]], None]
    ) -> None:
        super().__init__(name="guard-sampler", daemon=True)
        self.observer, self.tell = observer, tell
        self.over = threading.Event()

    def run(self) -> None:
        """Tell the services' numbers until `over` is set."""
        before: Sample | None = None
        while not self.over.wait(_GUARD_EVERY_S):
            now = self.observer.read_now()
            if now is not None and before is not None:
                self.tell(now.at_s, service_numbers(before, now))
            before = now


def service_numbers(before: Sample, now: Sample) -> dict[tuple[str, str, str], float]:
    """Return (stack, metric, service) -> its utilisation or queue between two samples.

    What a sample lacks, or holds as no number, is absent.
    """
    numbers: dict[tuple[str, str, str], float] = {}
    elapsed_s = now.at_s - before.at_s
    for (stack, service, series), instances in now.values.items():
        value = total(instances)
        if series == "queue":
            numbers[stack, "queue", service] = value
        elif series == "capacity" and value > 0 and elapsed_s > 0:
            numbers[stack, "utilisation", service] = _utilisation(before, now, stack, service)
    return {key: number for key, number in numbers.items() if math.isfinite(number)}


def _utilisation(before: Sample, now: Sample, stack: str, service: str) -> float:
    """Return the share of a service's servers in use: as counted, or else the gauge of this moment."""
    servers = total(now.values.get((stack, service, "capacity")))
    key = (stack, service, "busy_seconds")
    busy_s = before.values.get(key), now.values.get(key)
    if is_continuous(*busy_s):
        share = grown(*busy_s) / ((now.at_s - before.at_s) * servers)
        if not math.isnan(share):
            return share
    return total(now.values.get((stack, service, "in_use"))) / servers
