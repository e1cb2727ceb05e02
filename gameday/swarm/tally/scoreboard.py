"""What a run shows while it runs: forecast against achieved, latencies, who waits, how busy we are."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gameday.record import BINS, LATENCIES, SESSIONS, STEPS, percentile
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
        self._recent: deque[tuple[float, Array, Array, Array]] = deque()
        self._gauges: dict[int, dict[str, Any]] = {}
        self._busy: dict[int, deque[float]] = {}
        self._lately: dict[int, deque[tuple[int, int, float]]] = {}
        """Worker -> how many sessions its last reports say were started, and in how many seconds."""

    def add(self, now_s: float, report: dict[str, Any]) -> None:
        """Add one worker's report."""
        steps = len(self.plan.steps)
        counts = np.zeros((steps, 3), int)
        latency = np.zeros((steps, BINS), int)
        lateness = np.zeros(BINS, int)
        if report["steps"]:
            _, step, what, slot, n = np.array(report["steps"]).T
            out = n * (what == _ACHIEVED)
            np.add.at(self._achieved, np.minimum(slot, len(self._achieved) - 1), out)
            np.add.at(counts, (step, 0), out)
            np.add.at(counts, (step, 1), n * np.isin(what, _DONE))
            np.add.at(counts, (step, 2), n * np.isin(what, _BAD))
        if report["latency"]:
            _, step, kind, _, bin_, n = np.array(report["latency"]).T
            np.add.at(latency, (step, bin_), n * (kind == _RESPONSE))
            np.add.at(lateness, bin_, n * (kind == _LATENESS))
        self._sent, self._done, self._bad = (
            np.array([self._sent, self._done, self._bad]) + counts.sum(axis=0)
        ).tolist()
        self._recent.append((now_s, counts, latency, lateness))
        while self._recent[0][0] < now_s - _RECENT_S:
            self._recent.popleft()
        starts = sum(n for _, what, _, n in report["sessions"] if what == _STARTED)
        lately = self._lately.setdefault(report["worker"], deque(maxlen=_LATELY))
        if starts or lately:  # before the first session there is no load to speak of
            gauges = report["gauges"]
            lately.append((starts, gauges["requests"], gauges["seconds"]))
        self._gauges[report["worker"]] = report["gauges"]
        self._busy.setdefault(report["worker"], deque(maxlen=5)).append(report["gauges"]["busy"])

    @property
    def sent(self) -> int:
        """Steps that went out so far."""
        return self._sent

    def starts_per_s(self) -> float:
        """Return how many sessions started a wall second lately."""
        return self._rate(0)

    def requests_per_s(self) -> float:
        """Return how many requests went out a wall second lately, redirects and second tries included."""
        return self._rate(1)

    def _rate(self, column: int) -> float:
        """Return a count of the last reports over their time: the very last one may be short."""
        return sum(
            sum(row[column] for row in lately) / sum(row[2] for row in lately)
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

    def gauge(self, name: str) -> float:
        """Return a gauge added up over the workers."""
        return sum(float(gauges[name]) for gauges in self._gauges.values())

    def progress(
        self,
        at_s: float,
        guardrails: tuple[tuple[str, str, float | None], ...] = (),
        warnings: tuple[str, ...] = (),
    ) -> Progress:
        """Return what to show at wall second `at_s` of the window."""
        plan = self.plan
        lateness = sum((r[3] for r in self._recent), np.zeros(BINS, int))
        slot = int((at_s + plan.lead_in_s) // plan.slot_wall_s)
        return Progress(
            at_s,
            plan.duration_s,
            self._sent,
            self._done,
            self._bad,
            self._planned,
            tuple(self._achieved.tolist()),
            self._forecast,
            max(0, min(slot, plan.grid.slots - 1)),
            self._steps(),
            int(self.gauge("awake")),
            int(self.gauge("waiting")),
            int(self.gauge("sockets")),
            int(self.gauge("queued")),
            _known(percentile(lateness, 0.99)),
            tuple((worker, float(np.mean(shares))) for worker, shares in self._busy.items()),
            guardrails,
            (*warnings, *self.busy_warnings()),
        )

    def _steps(self) -> tuple[StepNow, ...]:
        if not self._recent:
            return ()
        counts = sum((r[1] for r in self._recent), np.zeros((len(self.plan.steps), 3), int))
        latency = sum((r[2] for r in self._recent), np.zeros((len(self.plan.steps), BINS), int))
        span = max(1.0, self._recent[-1][0] - self._recent[0][0])
        out = []
        for i, step in enumerate(self.plan.steps):
            ended = int(counts[i, 1] + counts[i, 2])
            p50, p99 = (percentile(latency[i], q, self._longest_s[i]) for q in (0.5, 0.99))
            out.append(
                StepNow(
                    step,
                    counts[i, 0] / span,
                    _known(p50),
                    _known(p99),
                    counts[i, 2] / ended if ended else None,
                )
            )
        return tuple(out)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
