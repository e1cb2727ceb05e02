"""The room's verb: start the Locust processes, watch them and the target, close the books."""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gameday.errors import CleanUpFailed, GeneratorFailed, PreflightFailed, SafetyRefusal
from gameday.run_record import RunRecord
from gameday.safety import GuardrailWatch, Journal, StopWatch, allowed_target, ask_to_stop
from gameday.scenario import Scenario
from gameday.swarm.assemble import Assembly
from gameday.swarm.brief import Brief, write_brief
from gameday.swarm.observe import Observer, Sample, fetch
from gameday.swarm.processes import Processes

__all__ = ["End", "Played", "Progress", "swarm"]

End = Literal["complete", "guardrail", "person", "worker_lost"]
"""How a run ended."""

_READY_S = 60.0
_WIND_DOWN_S = 8.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is, for whoever watches."""

    at_s: float
    """Wall seconds since the window's start; negative in the lead-in."""
    sent: int
    done: int
    bad: int


@dataclass(frozen=True, slots=True)
class Played:
    """A finished run of the swarm."""

    record: RunRecord
    end: End
    why: str
    busiest: float
    """Largest mean share of a core that a worker used; above 0.7 its lateness is in danger."""


def swarm(
    scenario: Scenario, brief: Brief, *, folder: Path, locustfile: Path, stop: StopWatch,
    journal: Journal, watch: Callable[[Progress], None],
) -> Played:  # fmt: skip
    """Play the brief against its targets and return what happened.

    Raises SafetyRefusal or PreflightFailed before anything is sent, GeneratorFailed when Locust
    does not start. Once load went out it always returns, whatever ended the run.
    """
    targets = {stack: allowed_target(url) for stack, url in brief.targets.items()}
    _preflight(targets, scenario)
    write_brief(folder / "swarm.json", brief)
    with ExitStack() as stack:
        processes = Processes(brief, folder, locustfile)
        stack.callback(processes.end)
        processes.start()
        run = _Run(scenario, brief, folder, processes, stop, journal, watch)
        end, why = run.play()
        if run.assembly.reports_lost and end == "complete":
            end, why = "worker_lost", f"{run.assembly.reports_lost} reports of a worker were lost"
        observer = run.observer
        if scenario.observe.source == "prometheus":
            last = run.t0 + brief.plan.grid.slots * brief.plan.slot_wall_s
            run.assembly.samples = observer.read_range(run.t0, last, brief.plan.slot_wall_s)
        record = run.assembly.record(observer, observer.orders(brief.run_id))
    busiest = max((sum(b) / len(b) for b in run.assembly.busy.values()), default=0.0)
    return Played(record, end, why, busiest)


def _preflight(targets: dict[str, str], scenario: Scenario) -> None:
    for stack, url in targets.items():
        try:
            fetch(url, "/", 5.0)
        except OSError as error:
            if not str(error).startswith("status "):  # any HTTP answer shows that somebody is there
                raise PreflightFailed(
                    f"stack {stack}: {url} does not answer ({error}); nothing was sent"
                ) from None


class _Sampler(threading.Thread):
    """Reads the target's own numbers at every slot's boundary; a slow target delays nobody else."""

    def __init__(self, observer: Observer, brief: Brief, t0: float, samples: list[Sample]) -> None:
        super().__init__(name="sampler", daemon=True)
        self.observer, self.plan, self.t0, self.samples = observer, brief.plan, t0, samples
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
        """Stop, and take one last sample: what the drain left."""
        self.over.set()
        self.join(10.0)
        self._take()


class _Run:
    """One run from its first report to its last."""

    def __init__(
        self, scenario: Scenario, brief: Brief, folder: Path, processes: Processes,
        stop: StopWatch, journal: Journal, watch: Callable[[Progress], None],
    ) -> None:  # fmt: skip
        self.brief, self.folder, self.processes = brief, folder, processes
        self.stop, self.journal, self.watch = stop, journal, watch
        self.assembly = Assembly(scenario, brief.plan)
        self.observer = Observer(scenario, brief.targets)
        self.guardrails = GuardrailWatch(scenario)
        self.t0 = 0.0
        self.sampler: _Sampler | None = None
        self.end: tuple[End, str]
        self.end = ("complete", "")
        self._sent = self._done = self._bad = 0
        self._finished = 0
        self._stop_asked_at: float | None = None

    def play(self) -> tuple[End, str]:
        """Watch until every worker is done or the run is over; return how it ended and why."""
        began, selector = time.monotonic(), selectors.DefaultSelector()
        selector.register(self.processes.reports, selectors.EVENT_READ)
        with selector:
            while True:
                selector.select(timeout=0.2)
                reports, closed = self.processes.read()
                for report in reports:
                    self._take(report)
                if self._over(closed, began):
                    break
        if self.sampler is not None:
            self.sampler.finish()
        return self.end

    def _take(self, report: dict[str, Any]) -> None:
        what = report.pop("what")
        if what == "started":
            self.t0 = self.assembly.t0 = float(report["at"])
            self._note("load started", at_epoch_s=self.t0)
            self.sampler = _Sampler(self.observer, self.brief, self.t0, self.assembly.samples)
            self.sampler.start()
        elif what == "tally":
            outcomes, latency = self.assembly.add(report)
            now = time.time()
            self.guardrails.add(now, outcomes, latency)
            self._sent += sum(n for *_, name, _, n in report["steps"] if name == "achieved")
            self._done += int(outcomes[:, 0].sum() - outcomes[:, 1].sum())
            self._bad += int(outcomes[:, 1].sum())
            at_s = now - self.t0 - self.brief.plan.lead_in_s
            self.watch(Progress(at_s, self._sent, self._done, self._bad))
        elif what == "done":
            self._finished += 1
        elif what == "refused":
            raise SafetyRefusal(str(report["why"]))

    def _over(self, closed: bool, began: float) -> bool:
        if self._finished >= self.brief.workers:
            return True
        lost = self.processes.lost() or ("Locust closed its reports" if closed else None)
        if not self.t0:
            self.stop.check()
            if lost or time.monotonic() - began > _READY_S:
                why = lost or f"no worker was ready within {_READY_S:.0f} s"
                raise GeneratorFailed(f"{why}: {self.processes.last_words()}")
            return False
        if lost and self._stop_asked_at is None:
            self._ask(("worker_lost", lost))
        elif self._stop_asked_at is None:
            self._check()
        waited = time.monotonic() - (self._stop_asked_at or time.monotonic())
        return closed or (lost is not None and self.brief.workers == 1) or waited > _WIND_DOWN_S

    def _check(self) -> None:
        if self.stop.reason is not None:
            self._ask(("person", f"stopped by {self.stop.reason}"))
        elif (criterion := self.guardrails.crossed(time.time())) is not None:
            self._ask(("guardrail", f"guardrail crossed: {criterion.text}"))

    def _ask(self, end: tuple[End, str]) -> None:
        self.end, self._stop_asked_at = end, time.monotonic()
        self._note("stopping", how=end[0], why=end[1])
        ask_to_stop(self.folder)

    def _note(self, what: str, **facts: object) -> None:
        """Write to the journal; load is out, so a full disk is no pre-flight any more."""
        try:
            self.journal.write(what, **facts)
        except PreflightFailed as error:
            raise CleanUpFailed(f"load was stopped: {error}") from error
