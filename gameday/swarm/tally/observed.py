"""From samples of the targets' metrics to attempts, loads and visits by slot; what is missing stays NaN."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from gameday.record import ATTEMPTS, LOADS, InstanceLoad, RunRecord, bin_of
from gameday.swarm.tally.counters import (
    Instances,
    grown,
    grown_buckets,
    is_continuous,
    labels_of,
    risen,
    total,
)
from gameday.swarm.tally.observe import Key, Observer, Sample

__all__ = ["fold_samples"]

_LOAD_COUNTERS = {
    "queue_s": "queue_seconds",
    "lookups": "cache_lookups",
    "hits": "cache_hits",
    "repeats": "repeats",
}
_OVER = 1.1
"""Busy seconds above what all servers could work, by so much, after a restart: it was not counted from zero. Ours:
what two clocks may differ by over a slot."""
_IN_FLIGHT = ATTEMPTS.index("in_flight")


def fold_samples(
    record: RunRecord, samples: list[Sample], observer: Observer, first_s: float
) -> None:
    """Fill a record's attempts, loads and visits; `first_s` is when its first slot began, s since the epoch.

    A slot in which a counter's growth cannot be told (a restart behind a sum, an instance that went, a sample
    without a value) stays NaN, not observed.
    """
    record.attempts[:] = record.loads[:] = np.nan
    for stack in record.stacks:
        seen = [sample for sample in samples if any(key[0] == stack for key in sample.values)]
        if len(seen) < 2:
            continue
        for service in observer.services.get(stack, []):
            is_whole = observer.rules.source == "metrics"
            _Folding(record, stack, service, is_whole=is_whole).fold(seen, first_s)


class _Folding:
    """Folds the samples of one service of one stack."""

    def __init__(self, record: RunRecord, stack: str, service: str, *, is_whole: bool) -> None:
        """`is_whole`: what a sample does not hold was not there; a server of series may have missed it."""
        self.record, self.name = record, (stack, service)
        self.index = record.stacks.index(stack), record.services.index(service)
        self.ever: dict[str, set[str]] | None = {} if is_whole else None
        self.is_continuous = True

    def fold(self, samples: list[Sample], first_s: float) -> None:
        """Add what happened between any two samples to the slot of their middle; the drain to the last slot."""
        record = self.record
        for before, after in pairwise(samples):
            self._meet(before)
            middle = (before.at_s + after.at_s) / 2 - first_s
            slot = min(int(middle / record.slot_wall_s), record.grid.slots - 1)
            self._fold_attempts(before, after, slot)
            if after.at_s - before.at_s < 2 * record.slot_wall_s:
                self._fold_loads(before, after, slot)
            self._fold_visits(before, after, slot)
        self._fold_in_flight(samples)
        self._fold_instances(samples)

    def _fold_instances(self, samples: list[Sample]) -> None:
        """Note what each instance did, where several are told apart by the labels of their counters."""
        worked, ended = (
            self._grown_by_instance(samples, name) for name in ("busy_seconds", "done")
        )
        both = [name for name in worked if name in ended and labels_of(name)]
        if len(both) > 1:
            self.record.instances.extend(
                InstanceLoad(*self.name, labels_of(name), worked[name], ended[name])
                for name in both
            )

    def _grown_by_instance(self, samples: list[Sample], series: str) -> dict[str, float]:
        """Return instance -> by how much its counter grew over all samples; unknown parts are left out."""
        grown_by: dict[str, float] = {}
        for before, after in pairwise(samples):
            old, new = self._pair(before, after, series)
            for name in set(old or ()) & set(new or ()):
                rise = risen((old or {})[name], (new or {})[name])
                if not math.isnan(rise):
                    grown_by[name] = grown_by.get(name, 0.0) + rise
        return dict(sorted(grown_by.items()))

    def _key(self, series: str) -> Key:
        return (*self.name, series)

    def _meet(self, sample: Sample) -> None:
        """Remember which instances were seen, series by series."""
        if self.ever is not None:
            for (stack, service, series), instances in sample.values.items():
                if (stack, service) == self.name:
                    self.ever.setdefault(series, set()).update(instances)

    def _known(self, series: str) -> set[str] | None:
        return None if self.ever is None else self.ever.get(series, set())

    def _pair(
        self, before: Sample, after: Sample, series: str
    ) -> tuple[Instances | None, Instances | None]:
        return before.values.get(self._key(series)), after.values.get(self._key(series))

    def _grown(self, before: Sample, after: Sample, series: str) -> float:
        return grown(*self._pair(before, after, series), ever=self._known(series))

    def _add(self, array: np.ndarray, row: int, slot: int, value: float) -> None:
        if not math.isnan(value):
            array[*self.index, row, slot] = np.nansum([array[*self.index, row, slot], value])

    def _add_load(self, load: str, slot: int, value: float) -> None:
        self._add(self.record.loads, LOADS.index(load), slot, value)

    def _fold_attempts(self, before: Sample, after: Sample, slot: int) -> None:
        """Add attempts by how they ended: all of a slot or none, or they would not add up."""
        pairs = {name: self._pair(before, after, name) for name in ATTEMPTS[:-1]}
        exposed = {name: pair for name, pair in pairs.items() if None not in pair}
        if not all(is_continuous(*pair, ever=self._known(n)) for n, pair in exposed.items()):
            self.is_continuous = False
        growths = {name: self._grown(before, after, name) for name in exposed}
        if not any(map(math.isnan, growths.values())):
            for name, growth in growths.items():
                self._add(self.record.attempts, ATTEMPTS.index(name), slot, growth)

    def _fold_loads(self, before: Sample, after: Sample, slot: int) -> None:
        record, elapsed_s = self.record, after.at_s - before.at_s
        in_slot = min(1.0, record.slot_wall_s / elapsed_s)
        busy_s = self._busy_s(before, after, elapsed_s)
        self._add_load("busy_s", slot, busy_s * in_slot)
        for load, series in _LOAD_COUNTERS.items():
            grown_by = self._grown(before, after, series)
            if load == "queue_s" and math.isnan(grown_by):
                grown_by = total(after.values.get(self._key("queue"))) * elapsed_s
            self._add_load(load, slot, grown_by * in_slot)
        servers = total(after.values.get(self._key("capacity")))
        record.loads[*self.index, LOADS.index("servers"), slot] = servers

    def _busy_s(self, before: Sample, after: Sample, elapsed_s: float) -> float:
        """Return server-seconds in use between two samples: counted, or else by a gauge taken as constant."""
        busy_s = self._grown(before, after, "busy_seconds")
        servers = total(after.values.get(self._key("capacity")))
        pair = self._pair(before, after, "busy_seconds")
        restarted = not is_continuous(*pair, ever=self._known("busy_seconds"))
        newborn = len(pair[1] or ()) != len(pair[0] or ())
        if (restarted or newborn) and busy_s > _OVER * servers * elapsed_s:
            busy_s = math.nan
        if math.isnan(busy_s):
            busy_s = total(after.values.get(self._key("in_use"))) * elapsed_s
        return busy_s

    def _fold_visits(self, before: Sample, after: Sample, slot: int) -> None:
        """Spread each bucket's new visits evenly over the bins it covers."""
        gained = grown_buckets(
            self._buckets(before), self._buckets(after), ever=self._known_visits()
        )
        low, below = 0.0, 0.0
        for bound in sorted(gained):
            count, below = gained[bound] - below, gained[bound]
            if count > 0:
                first, last = _bins(low, min(bound, 100.0))
                self.record.visits[*self.index, slot, first:last] += count / (last - first)
            low = bound

    def _buckets(self, sample: Sample) -> dict[float, Instances]:
        return {
            float(series[3:]): instances
            for (stack, service, series), instances in sample.values.items()
            if (stack, service) == self.name and series.startswith("le=")
        }

    def _known_visits(self) -> set[str] | None:
        if self.ever is None:
            return None
        return {
            name
            for series, names in self.ever.items()
            if series.startswith("le=")
            for name in names
        }

    def _fold_in_flight(self, samples: list[Sample]) -> None:
        """Count what was left in flight at the end; unknown where a process restarted on the way."""
        seen = [total(s.values.get(self._key("in_flight"))) for s in samples]
        known = [count for count in seen if not math.isnan(count)]
        if known and self.is_continuous:
            self.record.attempts[*self.index, _IN_FLIGHT, :] = 0.0
            self.record.attempts[*self.index, _IN_FLIGHT, -1] = known[-1] - known[0]


def _bins(low_s: float, high_s: float) -> tuple[int, int]:
    first, last = int(bin_of(low_s)), int(bin_of(high_s))
    return (first + 1 if low_s > 0 else first), max(last, first + 1) + 1
