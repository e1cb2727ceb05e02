"""Guardrails and ceilings of a run that is under way: when to hold the load down, when to stop."""

from __future__ import annotations

import json
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gameday.errors import PreflightFailed
from gameday.files import write_whole
from gameday.safety import Breach, GuardrailWatch, ask_to_hold, broken_ceiling
from gameday.scenario import Scenario
from gameday.swarm.control.run_spec import RunSpec
from gameday.swarm.tally.assemble import Assembly
from gameday.swarm.tally.observe import Observer
from gameday.swarm.tally.reports import WorkerReport
from gameday.swarm.tally.sampler import GuardSampler
from gameday.swarm.tally.scoreboard import Progress, Scoreboard
from gameday.vocabulary import Array

__all__ = ["Oversight"]

_GUARDED_SERIES = ("capacity", "busy_seconds", "in_use", "queue")
"""What utilisation and queue are made of."""
_BACK_OFF = 0.5
"""Share of the session starts that is left after backing off once."""


class Oversight:
    """Judges a run while it goes on."""

    t0 = 0.0
    """When the window starts, seconds since the epoch."""
    _starts_per_s: float | None = None
    """Session starts that guardrails leave; None: all."""
    _observer: Observer | None = None
    _guard: GuardSampler | None = None

    def __init__(
        self,
        scenario: Scenario,
        spec: RunSpec,
        folder: Path,
        note: Callable[..., None],
        assembly: Assembly,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.scenario, self.spec, self.folder, self.note = scenario, spec, folder, note
        self._assembly, self._tls = assembly, tls
        longest_s = np.array([scenario.longest_patience_s(step) for step in spec.plan.steps])
        self.board = Scoreboard(spec.plan, assembly.planned, longest_s)
        self.guardrails = GuardrailWatch(scenario, self._expected)
        self.held: list[str] = []
        """What guardrails held the load down to, in words."""
        self._warned: set[str] = set()
        self._services: deque[tuple[float, dict[tuple[str, str, str], float]]] = deque()
        """Numbers of the services, from the sampler's thread."""
        self._orders: set[tuple[int, str]] = set()

    def start(self, window_epoch_s: float) -> None:
        """Begin to watch services: load is about to go out."""
        self.t0 = window_epoch_s
        self.guardrails.start(window_epoch_s - self.spec.plan.lead_in_s)
        if self.guardrails.watches_services:
            self._observer = Observer(
                _guarded(self.scenario),
                self.spec.targets,
                self._tls,
                self.spec.loaded.assets.metrics_ca_pem,
            )
            observer = self._observer
            self._guard = GuardSampler(
                observer, lambda at_s, numbers: self._services.append((at_s, numbers))
            )
            self._guard.start()

    def finish(self) -> None:
        """Stop watching: load is over."""
        if self._guard is not None:
            self._guard.over.set()
            self._guard.join(5.0)

    def add(self, now_s: float, report: WorkerReport, outcomes: Array, latency: Array) -> None:
        """Take one worker's report and what the record made of it."""
        self.board.add(now_s, report)
        waiting = np.zeros_like(latency)
        for step, bin_, n in report.gauges.open:
            waiting[step, bin_] += n
        self.guardrails.add(now_s, outcomes, latency, waiting, worker=report.counts.worker)
        self._orders.update((stack, key) for stack, key, *_ in report.counts.orders)

    def why_stop(self, now_s: float) -> str | None:
        """Return why the run must stop now, or None; hold load down where that is enough."""
        while self._services:
            self.guardrails.add_services(*self._services.popleft())
        over = broken_ceiling(self.scenario, self._usage(now_s))
        if over is not None:
            return over
        faults = self._observer.faults if self._observer is not None else {}
        breach = self.guardrails.crossed(now_s, dict(faults))
        if breach is None or breach.guardrail.then == "stop":
            return None if breach is None else breach.text
        try:
            self._hold(breach, now_s)
        except PreflightFailed as error:  # load that cannot be held is stopped
            return f"{breach.text}; it could not be held: {error}"
        return None

    def _usage(self, now_s: float) -> dict[str, float]:
        """Return ceiling -> how much of it the run uses."""
        return {
            "concurrency": self.board.most_awake,
            "orders": len(self._orders),
            "requests_per_s": self.board.requests_per_s(),
            "duration": self._at_s(now_s) + self.spec.plan.lead_in_s,
        }

    def _expected(self, step: str, from_s: float, to_s: float) -> float:
        """Return how many of a step the plan sends between two instants, less what will not be reached."""
        plan = self.spec.plan
        due = self._assembly.still_due()
        row = due.sum(axis=0) if step == "all steps" else due[plan.steps.index(step)]
        upto = np.append(0.0, np.cumsum(row))
        began_s = self.t0 - plan.lead_in_s
        edges = (np.array([from_s, to_s]) - began_s) / plan.slot_wall_s
        first, last = np.interp(edges, np.arange(len(upto)), upto)
        return float(last - first)

    def _hold(self, breach: Breach, now_s: float) -> None:
        """Hold session starts where they are, or to half of that; what is frozen stays so."""
        guardrail = breach.guardrail
        if guardrail.then == "freeze" and self._starts_per_s is not None:
            return
        now_per_s = self.board.starts_per_s()
        if self._starts_per_s is not None:
            now_per_s = min(now_per_s, self._starts_per_s)
        self._starts_per_s = now_per_s * (_BACK_OFF if guardrail.then == "back off" else 1.0)
        ask_to_hold(self.folder, self._starts_per_s)
        why = (
            f"{breach.text}: {guardrail.then} to "
            f"{self._starts_per_s:.3g} session starts/s from {self._at_s(now_s):+.0f} s"
        )
        self.held.append(why)
        self.note("holding", why=why, starts_per_s=self._starts_per_s)

    def _at_s(self, now_s: float) -> float:
        return now_s - self.t0

    def progress(self, now_s: float) -> Progress:
        """Return what to show now; write it where `gameday watch` reads it."""
        states = tuple(
            (guardrail.when.text, guardrail.then, number)
            for guardrail, number in self.guardrails.states(now_s)
        )
        progress = self.board.progress(self._at_s(now_s), states, tuple(self.held))
        self._note_warnings()
        text = json.dumps({"schema_version": 1, "run_id": self.spec.run_id, **asdict(progress)})
        write_whole(self.folder / "live.json", lambda path: path.write_text(text), optional=True)
        return progress

    def _note_warnings(self) -> None:
        """Note the first warning of each worker that is too busy."""
        for warning in self.board.busy_warnings():
            worker = warning.split(" uses ")[0]
            if worker not in self._warned:
                self._warned.add(worker)
                self.note("warning", warning=warning)


def _guarded(scenario: Scenario) -> Scenario:
    """Return the scenario with only those series observed that its guardrails need: they are read often."""
    series = {k: v for k, v in scenario.observe.series.items() if k in _GUARDED_SERIES}
    services = sorted({g.when.subject for g in scenario.guardrails if g.when.is_of_service})
    observe = scenario.observe.model_copy(
        update={"series": series, "services": services, "latency": None}
    )
    return scenario.model_copy(update={"observe": observe})
