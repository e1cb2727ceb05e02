"""What a run shows while it plays: forecast against achieved, latencies, customers, how busy we are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gameday.record import BINS, LATENCIES, SESSIONS, STEPS, percentile
from gameday.swarm.tally.reports import GaugeReading, TallyCounts, WorkerReport
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array

__all__ = ["BUSY_WARNING", "Progress", "Scoreboard", "StepNow"]

_LATELY = 3
"""Reports, one a second, over which session starts are counted: where load is now, not where it was."""
BUSY_WARNING = 0.7
"""Share of a core beyond which a worker is about to be late; said before lateness shows."""
_RECENT_S = 10.0
_RESPONSE, _LATENESS = LATENCIES.index("response"), LATENCIES.index("lateness")
_STARTED = SESSIONS.index("started")
_ACHIEVED = STEPS.index("achieved")
_DONE = [STEPS.index(name) for name in ("done", "sold_out", "waiting")]
_BAD = [STEPS.index(name) for name in ("failed", "check_failed", "abandoned")]


@dataclass(frozen=True, slots=True)
class StepNow:
    """One step over the last seconds; times in seconds, None where nothing came."""

    step: str
    per_s: float
    p50: float | None
    p99: float | None
    bad_share: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is, for whoever watches."""

    at_s: float
    """Wall seconds since the window's start; negative in the lead-in."""
    duration_s: float
    sent: int
    done: int
    bad: int
    planned: tuple[int, ...] = ()
    """Steps by slot of the grid, as planned."""
    achieved: tuple[int, ...] = ()
    """Steps by slot of the grid that went out."""
    forecast: tuple[float, ...] = ()
    """Steps by slot of the grid that are forecast at the run's scale, launches included."""
    slot: int = 0
    """The slot of the grid that is played now."""
    steps: tuple[StepNow, ...] = ()
    in_flight: int = 0
    waiting: int = 0
    """Customers who think."""
    sockets: int = 0
    queued: int = 0
    """Requests that wait for a socket of ours."""
    lateness_p99_s: float | None = None
    busy: tuple[tuple[int, float], ...] = ()
    """Worker -> share of a core it used lately."""
    guardrails: tuple[tuple[str, str, float | None], ...] = ()
    """What, then what, and its number now."""
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class _Counts:
    """Steps that one report tells of."""

    at_s: float
    """When the report came."""
    steps: Array
    """Shape (steps, 3 = sent, done, bad)."""
    latency: Array
    """Response times, shape (steps, BINS)."""
    lateness: Array
    """Shape (BINS,)."""


@dataclass(frozen=True, slots=True)
class _Starts:
    """Session starts and requests of one report."""

    sessions: int
    requests: int
    seconds: float


class Scoreboard:
    """Adds up reports as they come; `progress` is what to show."""

    def __init__(self, plan: LoadPlan, planned: Array, longest_s: Array | None = None) -> None:
        """Show a run of `plan`; no latency of a step beyond `longest_s`, its customers' patience, (steps,)."""
        self.plan = plan
        self._longest_s = np.full(len(plan.steps), np.inf) if longest_s is None else longest_s
        self._planned = tuple(planned.tolist())
        forecast = plan.clock.played(plan.forecast.sum(axis=(0, 1)))
        self._forecast = tuple(np.round(forecast, 1).tolist())
        self._achieved = np.zeros(plan.grid.slots, int)
        self._sent = self._done = self._bad = 0
        self._recent: deque[_Counts] = deque()
        self._gauges: dict[int, GaugeReading] = {}
        self._busy: dict[int, deque[float]] = {}
        """Worker -> its share of a core in its last reports."""
        self._lately: dict[int, deque[_Starts]] = {}
        """Worker -> what its last reports say was started."""

    def add(self, now_s: float, report: WorkerReport) -> None:
        """Add one worker's report."""
        worker, gauges = report.counts.worker, report.gauges
        steps = self._steps_of(report.counts)
        self._recent.append(_Counts(now_s, steps, *self._latencies_of(report.counts)))
        sent, done, bad = steps.sum(axis=0).tolist()
        self._sent, self._done, self._bad = self._sent + sent, self._done + done, self._bad + bad
        while self._recent[0].at_s < now_s - _RECENT_S:
            self._recent.popleft()
        starts = sum(n for _, column, _, n in report.counts.sessions if column == _STARTED)
        lately = self._lately.setdefault(worker, deque(maxlen=_LATELY))
        if starts or lately:  # before the first session there is no load to speak of
            lately.append(_Starts(starts, gauges.requests, gauges.seconds))
        self._gauges[worker] = gauges
        self._busy.setdefault(worker, deque(maxlen=5)).append(gauges.busy)

    def _steps_of(self, counts: TallyCounts) -> Array:
        """Return a report's steps, (steps, 3 = sent, done, bad); add those sent to their slots."""
        steps = np.zeros((len(self.plan.steps), 3), int)
        if counts.steps:
            _, step, column, slot, n = np.array(counts.steps).T
            sent = n * (column == _ACHIEVED)
            np.add.at(self._achieved, np.minimum(slot, len(self._achieved) - 1), sent)
            np.add.at(steps, (step, 0), sent)
            np.add.at(steps, (step, 1), n * np.isin(column, _DONE))
            np.add.at(steps, (step, 2), n * np.isin(column, _BAD))
        return steps

    def _latencies_of(self, counts: TallyCounts) -> tuple[Array, Array]:
        """Return a report's response times, (steps, BINS), and lateness, (BINS,)."""
        latency = np.zeros((len(self.plan.steps), BINS), int)
        lateness = np.zeros(BINS, int)
        if counts.latency:
            _, step, kind, _, bin_, n = np.array(counts.latency).T
            np.add.at(latency, (step, bin_), n * (kind == _RESPONSE))
            np.add.at(lateness, bin_, n * (kind == _LATENESS))
        return latency, lateness

    @property
    def sent(self) -> int:
        """Steps that went out so far."""
        return self._sent

    def starts_per_s(self) -> float:
        """Return how many sessions started a wall second lately."""
        return self._rate(lambda starts: starts.sessions)

    def requests_per_s(self) -> float:
        """Return how many requests went out a wall second lately, redirects and second tries included."""
        return self._rate(lambda starts: starts.requests)

    def _rate(self, count: Callable[[_Starts], int]) -> float:
        """Return a count of the last reports over the time they cover: the last one may be short."""
        return sum(
            sum(map(count, lately)) / sum(starts.seconds for starts in lately)
            for lately in self._lately.values()
            if lately
        )

    def busy_warnings(self) -> list[str]:
        """Return which workers near the limit of a core."""
        return [
            f"worker {worker} uses {np.mean(shares):.0%} of a core: add --workers before it is late"
            for worker, shares in self._busy.items()
            if len(shares) >= 3 and np.mean(shares) > BUSY_WARNING
        ]

    def gone(self, worker: int) -> None:
        """Forget the gauges of a worker that was lost."""
        self._gauges.pop(worker, None)
        self._busy.pop(worker, None)
        self._lately.pop(worker, None)

    @property
    def most_awake(self) -> int:
        """The most customers with a step under way at one time since the last reports, all workers."""
        return sum(gauges.most_awake for gauges in self._gauges.values())

    def progress(
        self,
        at_s: float,
        guardrails: tuple[tuple[str, str, float | None], ...] = (),
        warnings: tuple[str, ...] = (),
    ) -> Progress:
        """Return what to show at wall second `at_s` of the window."""
        plan, gauges = self.plan, self._gauges.values()
        return Progress(
            at_s,
            plan.duration_s,
            self._sent,
            self._done,
            self._bad,
            self._planned,
            tuple(self._achieved.tolist()),
            self._forecast,
            self._slot(at_s),
            self._steps(),
            in_flight=sum(reading.awake for reading in gauges),
            waiting=sum(reading.waiting for reading in gauges),
            sockets=sum(reading.sockets for reading in gauges),
            queued=sum(reading.queued for reading in gauges),
            lateness_p99_s=self._lateness_p99_s(),
            busy=tuple((worker, float(np.mean(b))) for worker, b in self._busy.items()),
            guardrails=guardrails,
            warnings=(*warnings, *self.busy_warnings()),
        )

    def _slot(self, at_s: float) -> int:
        """Return the slot of the grid that is played at wall second `at_s` of the window."""
        slot = int((at_s + self.plan.lead_in_s) // self.plan.slot_wall_s)
        return max(0, min(slot, self.plan.grid.slots - 1))

    def _lateness_p99_s(self) -> float | None:
        lateness = sum((counts.lateness for counts in self._recent), np.zeros(BINS, int))
        return _known(percentile(lateness, 0.99))

    def _steps(self) -> tuple[StepNow, ...]:
        if not self._recent:
            return ()
        counts = sum((c.steps for c in self._recent), np.zeros((len(self.plan.steps), 3), int))
        latency = sum((c.latency for c in self._recent), np.zeros((len(counts), BINS), int))
        span_s = max(1.0, self._recent[-1].at_s - self._recent[0].at_s)
        return tuple(
            self._step(i, counts[i].tolist(), latency[i], span_s) for i in range(len(counts))
        )

    def _step(self, index: int, counts: list[int], latency: Array, span_s: float) -> StepNow:
        sent, done, bad = counts
        longest_s = self._longest_s[index]
        return StepNow(
            self.plan.steps[index],
            sent / span_s,
            _known(percentile(latency, 0.5, longest_s)),
            _known(percentile(latency, 0.99, longest_s)),
            bad / (done + bad) if done + bad else None,
        )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
