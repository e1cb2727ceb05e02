"""RunRecord: what one run showed, the same whether simulated or swarmed. The narrow waist.

Accounts, balanced on every run:
  steps      planned = sent + after_failed + after_check + after_sold_out + after_abandoned
                       + after_waiting + delayed + held + lost                (by the slot they were planned in)
             achieved = done + failed + check_failed + sold_out + abandoned + waiting + unfinished
                                                              (by the slot they went out in)
             sum of achieved = sum of sent + sum of extra
  attempts   arrived = done + failed + shed + timed_out + cancelled + orphaned + in_flight
  sessions   started = finished + abandoned + failed + displaced + lost
             planned = started + held, and what we never came to
Held is what a guardrail kept from starting; waiting is told to come again: not released yet, or in line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gameday.record.by_slot import BySlot, known_sum
from gameday.record.histograms import BINS
from gameday.vocabulary import Array, TimeGrid

__all__ = [
    "ATTEMPTS",
    "ENDS",
    "FATES",
    "LATENCIES",
    "LOADS",
    "InstanceLoad",
    "SESSIONS",
    "SESSION_ENDS",
    "STEPS",
    "Orders",
    "RunRecord",
    "blank_record",
]

STEPS = (
    "planned",
    "sent",
    "after_failed",
    "after_check",
    "after_sold_out",
    "after_abandoned",
    "after_waiting",
    "delayed",
    "held",
    "lost",
    "extra",
    "achieved",
    "done",
    "failed",
    "check_failed",
    "sold_out",
    "abandoned",
    "waiting",
    "unfinished",
)
FATES = slice(STEPS.index("sent"), STEPS.index("extra"))
"""What becomes of a planned step."""
ENDS = slice(STEPS.index("done"), len(STEPS))
"""What becomes of a step that went out."""
SESSIONS = ("planned", "started", "finished", "abandoned", "failed", "displaced", "lost", "held")
SESSION_ENDS = slice(SESSIONS.index("finished"), SESSIONS.index("held"))
ATTEMPTS = (
    "arrived",
    "done",
    "failed",
    "shed",
    "timed_out",
    "cancelled",
    "orphaned",
    "in_flight",
)
LOADS = ("busy_s", "queue_s", "servers", "waited_s", "lookups", "hits", "repeats")
"""Server-seconds in use, waiting-seconds, and mean servers, per slot; and how long those had waited
who left the queue in it, which over a run is `queue_s` again (Little's law). What callers looked for in
the cache before the service, and found there. Attempts that asked for what had been asked before: retries and
second requests, of callers or of theirs above."""
LATENCIES = ("response", "service", "lateness")
"""Intended start -> last byte; send -> last byte; intended start -> send."""

_ROUNDING = 1e-6
"""Share by which sums of seconds may differ."""


@dataclass(frozen=True, slots=True)
class Orders:
    """Virtual orders by their idempotency key; -1 = not observed."""

    confirmed: int
    """Keys the customers saw accepted."""
    unknown: int
    """Keys sent whose reply never came."""
    in_shop: int
    """Keys in the shop's database after the drain."""
    confirmed_missing: int
    """Confirmed keys the shop does not have: must be 0."""
    never_sent: int
    """Keys in the shop that no customer sent: must be 0."""


@dataclass(frozen=True, slots=True)
class InstanceLoad:
    """What one instance of a service did in a run, where its metrics tell instances apart."""

    stack: str
    service: str
    labels: tuple[tuple[str, str], ...]
    """Of its series, without their names."""
    busy_s: float
    """Server-seconds in use."""
    done: float
    """Visits that it ended."""


@dataclass(frozen=True)
class RunRecord:
    """Counts and latencies per slot. Arrays are over the whole grid, lead-in first."""

    source: str
    """`swarm` or `simpy`."""
    grid: TimeGrid
    lead_in: int
    slot_wall_s: float
    stacks: tuple[str, ...]
    steps: tuple[str, ...]
    services: tuple[str, ...]
    step_counts: Array
    """Shape (stacks, steps, STEPS, slots), int64."""
    session_counts: Array
    """Shape (stacks, SESSIONS, slots), int64."""
    attempts: Array
    """Shape (stacks, services, ATTEMPTS, slots), float; NaN = not observed."""
    loads: Array
    """Shape (stacks, services, LOADS, slots), float; NaN = not observed."""
    latency: Array
    """Shape (stacks, steps, LATENCIES, slots, BINS), int32."""
    visits: Array
    """Seconds of a visit, queue to reply, (stacks, services, slots, BINS), float32."""
    session_delay: Array
    """Seconds by which sessions ended later than planned, (stacks, BINS), int64."""
    longest_s: Array
    """Longest response of each step, in seconds: its customers' patience. Shape (steps,)."""
    longest_visit_s: Array
    """Longest visit that anybody waits for, in seconds: the service's time-out; inf where it is not known of the
    target. Shape (services,)."""
    orders: Orders | None = None
    sold_out: dict[tuple[str, str], float] = field(default_factory=dict)
    """(Stack, product type) -> when a customer was first told that it is gone, wall s from the window's start."""
    notes: tuple[str, ...] = field(default=())
    instances: list[InstanceLoad] = field(default_factory=list)
    """Of services with several; empty for a model's."""
    redirects: dict[str, int] = field(default_factory=dict)
    """Step -> redirects followed in the whole run; each was one more request. Empty for a model's."""

    @property
    def judged(self) -> slice:
        """The slots of the window, after the lead-in."""
        return slice(self.lead_in, self.grid.slots)

    @property
    def whole(self) -> slice:
        """All slots, lead-in included."""
        return slice(0, self.grid.slots)

    def steps_by_slot(
        self,
        stack: str | None = None,
        steps: Sequence[str] | None = None,
        *,
        slots: slice | None = None,
    ) -> BySlot:
        """Return STEPS of some steps together (default all), of one stack or all, over the window or `slots`."""
        counts = self.step_counts[self._stacks(stack)].sum(axis=0)
        if steps is not None:
            counts = counts[[self.steps.index(step) for step in steps]]
        return BySlot(STEPS, counts[:, :, slots or self.judged].sum(axis=0))

    def sessions_by_slot(self, stack: str | None = None, *, slots: slice | None = None) -> BySlot:
        """Return SESSIONS of one stack or all, over the window or `slots`."""
        counts = self.session_counts[self._stacks(stack)].sum(axis=0)
        return BySlot(SESSIONS, counts[:, slots or self.judged])

    def attempts_by_slot(self, stack: str, service: str, *, slots: slice | None = None) -> BySlot:
        """Return ATTEMPTS at a service, over the window or `slots`; NaN = not observed."""
        rows = self.attempts[self.stacks.index(stack), self.services.index(service)]
        return BySlot(ATTEMPTS, rows[:, slots or self.judged])

    def loads_by_slot(self, stack: str, service: str, *, slots: slice | None = None) -> BySlot:
        """Return LOADS of a service, over the window or `slots`; NaN = not observed."""
        rows = self.loads[self.stacks.index(stack), self.services.index(service)]
        return BySlot(LOADS, rows[:, slots or self.judged])

    def latency_by_slot(self, stack: str, steps: Sequence[str], latency: str = "response") -> Array:
        """Return histograms of one of LATENCIES of some steps together, over the window: (slots, BINS)."""
        places = [self.steps.index(step) for step in steps]
        rows = self.latency[self.stacks.index(stack), places, LATENCIES.index(latency)]
        return np.asarray(rows[:, self.judged].sum(axis=0))

    def _stacks(self, stack: str | None) -> slice:
        if stack is None:
            return slice(None)
        place = self.stacks.index(stack)
        return slice(place, place + 1)

    def step_total(self, step: str, measure: str, stack: str | None = None) -> int:
        """Return a step's count over the window, one stack's or all of them."""
        return self.steps_by_slot(stack, [step]).count(measure)

    def longest_response_s(self, steps: Sequence[str]) -> float:
        """Return the seconds after which every customer of these steps has left."""
        return max(
            (float(self.longest_s[self.steps.index(step)]) for step in steps), default=math.inf
        )

    def with_time_outs(self, seconds: Sequence[float]) -> RunRecord:
        """Return the record of a target that is known to wait so long, service by service, and no longer."""
        return replace(self, longest_visit_s=np.array(seconds))

    def response(self, stack: str, step: str, slots: slice | None = None) -> Array:
        """Return the histogram of response times of a step over `slots` (default the window)."""
        rows = self.latency[self.stacks.index(stack), self.steps.index(step), 0]
        return np.asarray(rows[slots or self.judged].sum(axis=0))

    def utilisation(self, stack: str, service: str) -> Array:
        """Return busy share of the servers per slot, 0 to 1, lead-in included; NaN = not observed.

        Servers that are taken away end what they have begun, and scrapes are not at the slot's very ends: more
        than all servers' time counts as all of it.
        """
        load = self.loads_by_slot(stack, service, slots=self.whole)
        with np.errstate(invalid="ignore", divide="ignore"):
            busy = load["busy_s"] / (load["servers"] * self.slot_wall_s)
            return np.asarray(np.minimum(1.0, busy))

    def little_residual(self) -> float:
        """Return how far queue counts and waits disagree, the worst service's share; NaN: not known."""
        counted = known_sum(self.loads[:, :, LOADS.index("queue_s")])
        waited = known_sum(self.loads[:, :, LOADS.index("waited_s")])
        known = ~np.isnan(waited)
        if not known.any():
            return float("nan")
        return float((np.abs(counted - waited)[known] / np.maximum(counted[known], 1.0)).max())

    def attempt_total(self, stack: str, service: str, outcome: str) -> float:
        """Return attempts at a service over the window; NaN if not observed."""
        return self.attempts_by_slot(stack, service).total(outcome)

    def imbalances(self) -> list[str]:
        """Return every account that does not balance, in words; empty when all do."""
        lines = [*self._step_imbalances(), *self._session_imbalances()]
        lines += self._attempt_imbalances()
        if self.little_residual() > _ROUNDING:
            lines.append(
                f"Little's law: queue counts and waits differ by {self.little_residual():.1e}"
            )
        return lines

    def _step_imbalances(self) -> Iterator[str]:
        counts = self.step_counts.sum(axis=0)
        planned = counts[:, STEPS.index("planned")] - counts[:, FATES].sum(axis=1)
        for number in np.flatnonzero(np.abs(planned).sum(axis=1)):
            surplus = int(planned[number].sum())
            yield f"steps: {self.steps[number]}: planned differs from its ends by {surplus}"
        for name, totals in zip(self.steps, counts.sum(axis=2), strict=True):
            went_out, ended = totals[STEPS.index("achieved")], totals[ENDS].sum()
            came = totals[STEPS.index("sent")] + totals[STEPS.index("extra")]
            if went_out != ended or went_out != came:
                yield f"steps: {name}: went out {went_out}, ended {ended}, sent and extra {came}"

    def _session_imbalances(self) -> Iterator[str]:
        totals = self.session_counts.sum(axis=(0, 2))
        started, ended = totals[SESSIONS.index("started")], totals[SESSION_ENDS].sum()
        if started != ended:
            yield f"sessions: started {started}, ended {ended}"

    def _attempt_imbalances(self) -> Iterator[str]:
        for s, stack in enumerate(self.stacks):
            for v, service in enumerate(self.services):
                arrived, *outcomes = totals = known_sum(self.attempts[s, v])
                ended = sum(outcomes)
                if not np.isnan(totals).any() and arrived != ended:
                    yield f"attempts: {stack} {service}: {arrived:g} in, {ended:g} out"


def blank_record(
    source: str,
    grid: TimeGrid,
    lead_in: int,
    slot_wall_s: float,
    names: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    longest_s: Array | None = None,
    longest_visit_s: Array | None = None,
) -> RunRecord:
    """Return a record of zeros for (stacks, steps, services), its arrays ready to be counted in.

    `longest_s` and `longest_visit_s` are those of RunRecord; None: without end.
    """
    stacks, steps, services = names
    a, b, c, n = len(stacks), len(steps), len(services), grid.slots
    return RunRecord(
        source,
        grid,
        lead_in,
        slot_wall_s,
        stacks,
        steps,
        services,
        step_counts=np.zeros((a, b, len(STEPS), n), np.int64),
        session_counts=np.zeros((a, len(SESSIONS), n), np.int64),
        attempts=np.zeros((a, c, len(ATTEMPTS), n)),
        loads=np.zeros((a, c, len(LOADS), n)),
        latency=np.zeros((a, b, len(LATENCIES), n, BINS), np.int32),
        visits=np.zeros((a, c, n, BINS), np.float32),
        session_delay=np.zeros((a, BINS), np.int64),
        longest_s=np.full(b, np.inf) if longest_s is None else longest_s,
        longest_visit_s=np.full(c, np.inf) if longest_visit_s is None else longest_visit_s,
    )
