"""The room's verb: start the Locust processes, watch them and the target, balance the accounts."""

from __future__ import annotations

import selectors
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gameday.errors import (
    CleanUpFailed,
    GeneratorFailed,
    PreflightFailed,
    SafetyRefusal,
    ShopFailed,
    UsageError,
)
from gameday.record import RunRecord
from gameday.record.measures import moving_mean
from gameday.safety import Journal, StopWatch, allowed_target, ask_to_stop
from gameday.scenario import Scenario
from gameday.swarm.control.keys import Listen
from gameday.swarm.control.oversight import Oversight
from gameday.swarm.control.processes import Processes
from gameday.swarm.control.run_events import (
    Finished,
    LoadStarted,
    RunEvent,
    TurnedAway,
    Unwatched,
    WorkerJoined,
    WorkerLost,
    WorkerRefused,
)
from gameday.swarm.control.run_spec import RunSpec, write_run_spec
from gameday.swarm.machine import MachineMeter, MachineUse
from gameday.swarm.tally.assemble import Assembly
from gameday.swarm.tally.observe import ONLY_HTTP2, Observer, Sample, fetch
from gameday.swarm.tally.orders import PlacedOrder
from gameday.swarm.tally.reports import WorkerReport
from gameday.swarm.tally.sampler import Sampler
from gameday.swarm.tally.scoreboard import Progress
from gameday.swarm.wire.tls import tls_context

__all__ = ["End", "Health", "Played", "Supervision", "swarm"]

End = Literal["complete", "guardrail", "person", "worker_lost", "shop_lost"]
"""How a run ended."""

_READY_S = 60.0
"""A worker imports its libraries in a second or two; the largest plan is laid out in ten."""
_BUSY_S = 5
"""Reports, one a second, over which a worker's share of a core is averaged: one second is noise."""
_WIND_DOWN_S = 8.0
_SILENT_S = 4.0
"""Once load is out, workers are heard of every second: Locust silent for so long hangs."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the generator fared."""

    busiest: float
    """Largest mean share of a core that a worker used over 5 s; above 0.7 it is in danger of lateness."""
    limits: dict[str, int] = field(default_factory=dict)
    """What held requests back, and how often: sockets, file descriptors, listen backlog ..."""
    workers_lost: int = 0
    machine: MachineUse = field(default_factory=MachineUse)
    """What other work left of this machine while load went out."""


@dataclass(frozen=True, slots=True)
class Played:
    """A finished run of the swarm."""

    record: RunRecord
    end: End
    why: str
    health: Health
    orders: tuple[PlacedOrder, ...] = ()
    """Every order that customers placed, by time."""


@dataclass(frozen=True, slots=True)
class Supervision:
    """Who may stop a run from outside, and who hears of it."""

    stop: StopWatch
    journal: Journal
    watch: Callable[[Progress], None]
    """Hears how far the run is, with every report of a worker."""
    began: Callable[[float], None]
    """Hears when load goes out, Unix seconds."""
    broken: Callable[[], str | None] | None = None
    """Tells what became of a target that is ours, the embedded shop; None where the target is not ours."""

    def fault(self) -> str | None:
        """Return what became of a target that is ours; None while it is well."""
        return None if self.broken is None else self.broken()


def swarm(
    scenario: Scenario,
    spec: RunSpec,
    *,
    folder: Path,
    listen: Listen | None,
    supervision: Supervision,
) -> Played:
    """Play the run against its targets and return what happened.

    Raises SafetyRefusal or PreflightFailed before anything is sent, GeneratorFailed when Locust
    does not start. Once load went out it always returns, whatever ended the run.
    """
    tls = None
    if any(url.startswith("https:") for url in spec.targets.values()):
        verify = scenario.replay.connections.verify
        tls = tls_context(spec.loaded.assets.ca_pem, verify=verify)
    _preflight(spec, tls)
    write_run_spec(folder / "swarm.json", spec)
    with ExitStack() as stack:
        processes = Processes(spec, folder, listen)
        stack.callback(processes.end)
        processes.start()
        run = _Run(scenario, spec, folder, processes, supervision, tls)
        run.play()
        return run.result()


def _preflight(spec: RunSpec, tls: ssl.SSLContext | None) -> None:
    """Ask each target once; PreflightFailed where one does not answer, or the plan has no session."""
    if not spec.plan.played.any():
        raise PreflightFailed(
            "the plan has no session: the forecast of the window at this scale is of none; nothing would be "
            "sent, and nothing observed; choose another --window or a larger --scale"
        )
    for stack, url in spec.targets.items():
        try:
            fetch(allowed_target(url).url, "/", 5.0, tls=tls)
        except OSError as error:
            text = str(error)
            if text.startswith("status "):
                continue  # any HTTP answer shows that somebody is there
            remedy = ""
            if "CERTIFICATE_VERIFY_FAILED" in text:
                remedy = "; name its authority in replay.connections.ca_file, or set verify: false"
            elif text == ONLY_HTTP2:
                remedy = "; the swarm speaks HTTP/1.1"
            raise PreflightFailed(
                f"stack {stack}: {url} does not answer ({text}){remedy}; nothing was sent"
            ) from None


class _Run:
    """One run from its first report to its last."""

    end: tuple[End, str] = ("complete", "")
    """How it ended, and why."""
    t0 = 0.0
    """When load went out, seconds since the epoch; 0 before."""
    sampler: Sampler | None = None
    machine = MachineUse()
    _finished = False
    _stop_asked_at: float | None = None

    def __init__(
        self,
        scenario: Scenario,
        spec: RunSpec,
        folder: Path,
        processes: Processes,
        supervision: Supervision,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.scenario, self.spec, self.folder = scenario, spec, folder
        self.processes, self.supervision = processes, supervision
        self.assembly = Assembly(scenario, spec.plan)
        self.observer = Observer(scenario, spec.targets, tls, spec.loaded.assets.metrics_ca_pem)
        self.oversight = Oversight(scenario, spec, folder, self._note, self.assembly, tls)
        self.meter = MachineMeter(tuple(spec.targets.values()))
        self._lost = set[int]()
        self._turned_away = list[str]()
        self._heard = time.monotonic()

    def play(self) -> None:
        """Watch until every worker is done or the run is over.

        A second Ctrl-C ends the processes at once; what they told by then is kept.
        """
        try:
            self._watch()
        except KeyboardInterrupt:
            if not self.t0:
                raise
            self.end = ("person", "stopped by a second Ctrl-C")
            self.processes.end()
        self.oversight.finish()
        if self.sampler is not None:
            self.sampler.finish()
            self.machine = self.meter.finish()
            self._note("machine", use=self.machine.text)
        if self.oversight.held and self.end[0] == "complete":
            self.end = ("guardrail", "; ".join(self.oversight.held))

    def _watch(self) -> None:
        """Take reports until the run is over."""
        began, selector = time.monotonic(), selectors.DefaultSelector()
        selector.register(self.processes.reports, selectors.EVENT_READ)
        with selector:
            while True:
                selector.select(timeout=0.2)
                self.processes.pulse()
                events, closed = self.processes.read()
                self._heard = time.monotonic() if events else self._heard
                for event in events:
                    self._take(event)
                if self._is_over(closed, began):
                    break

    def result(self) -> Played:
        """Return the finished run: its record, how it ended, how the generator fared."""
        end, why = self.end
        if self.assembly.reports_lost and end == "complete":
            end, why = "worker_lost", f"{self.assembly.reports_lost} reports of a worker were lost"
        if self.scenario.observe.source == "prometheus":
            self.assembly.samples = self._samples_of_prometheus()
        keys = self.observer.orders(self.spec.run_id) if end != "shop_lost" else None
        record = self.assembly.record(self.observer, keys)
        if end != "shop_lost" and (fault := self.supervision.fault()):
            end, why = "shop_lost", fault
        return Played(record, end, why, self._health(), self.assembly.placed_orders())

    def _samples_of_prometheus(self) -> list[Sample]:
        plan = self.spec.plan
        end_s = self.t0 + plan.grid.slots * plan.slot_wall_s
        return self.observer.read_range(self.t0, end_s, plan.slot_wall_s)

    def _health(self) -> Health:
        limits: dict[str, int] = {}
        for found in self.assembly.limits.values():
            for name, n in found.items():
                limits[name] = limits.get(name, 0) + n
        busiest = 0.0
        for busy in self.assembly.busy.values():
            width = min(_BUSY_S, len(busy))
            busiest = max(busiest, float(moving_mean(busy, width).max()))
        return Health(busiest, limits, len(self._lost), self.machine)

    def _take(self, event: RunEvent) -> None:
        match event:
            case LoadStarted(at_epoch_s):
                self._load_started(at_epoch_s)
            case WorkerReport():
                now = time.time()
                self.oversight.add(now, event, *self.assembly.add(event))
                self.supervision.watch(self.oversight.progress(now))
            case WorkerJoined(worker):
                self._note("worker joined", worker=worker)
            case WorkerLost(worker):
                self._note("worker lost", worker=worker)
                self._lost.add(worker)
                self.oversight.board.gone(worker)
            case TurnedAway(why):
                self._turned_away.append(why)
                self._note("worker turned away", why=why)
            case WorkerRefused():
                self._refused(event)
            case Unwatched(seconds):
                if self._stop_asked_at is None:
                    self._ask_to_stop("worker_lost", f"nobody watched for {seconds:.0f} s")
            case Finished():
                self._finished = True

    def _load_started(self, at_epoch_s: float) -> None:
        self.t0 = self.assembly.t0 = at_epoch_s
        self._note("load started", at_epoch_s=self.t0)
        self.supervision.began(self.t0)
        self.meter.start()
        self.oversight.start(self.t0 + self.spec.plan.lead_in_s)
        self.sampler = Sampler(self.observer, self.spec, self.t0, self.assembly.samples)
        self.sampler.start()

    def _refused(self, event: WorkerRefused) -> None:
        """Raise why a worker will not play; where it comes late, the others play on."""
        if self.t0:
            self._note("worker refused", why=event.why)
            return
        refusal = SafetyRefusal if event.code == SafetyRefusal.exit_code else UsageError
        raise refusal(event.why)

    def _is_over(self, closed: bool, began: float) -> bool:
        """Return whether nothing more is to come; ask for a stop where one is due."""
        if self._finished:
            if self._stop_asked_at is None:
                self._check()  # the processes may see the wish to stop before we do
            return True
        lost = self.processes.lost(before_start=not self.t0) or (
            "Locust closed its reports" if closed else None
        )
        if not self.t0:
            self._check_start(lost, began)
            return False
        hangs = time.monotonic() - self._heard > _SILENT_S
        if hangs and self._stop_asked_at is None:
            lost = f"Locust has said nothing for {_SILENT_S:.0f} s"
        if lost and self._stop_asked_at is None:
            self._ask_to_stop("worker_lost", lost)
        elif self._stop_asked_at is None:
            self._check()
        waited_s = time.monotonic() - (self._stop_asked_at or time.monotonic())
        alone = lost is not None and self.spec.workers == 1
        return closed or hangs or alone or waited_s > _WIND_DOWN_S

    def _check_start(self, lost: str | None, began: float) -> None:
        """Raise what keeps load from going out: a wish to stop, a dead shop, a worker lost or not ready."""
        self.supervision.stop.check()
        if (fault := self.supervision.fault()) is not None:
            raise ShopFailed(fault)
        if lost or time.monotonic() - began > _READY_S:
            why = lost or f"no worker was ready within {_READY_S:.0f} s"
            words = "; ".join(self._turned_away[:3]) or self.processes.last_words()
            raise GeneratorFailed(f"{why}: {words}")

    def _check(self) -> None:
        """Ask for a stop where the shop, a person or a guardrail demands it."""
        if (fault := self.supervision.fault()) is not None:
            self._ask_to_stop("shop_lost", fault)
        elif (reason := self.supervision.stop.reason) is not None:
            self._ask_to_stop("person", f"stopped by {reason}")
        elif (why := self.oversight.why_stop(time.time())) is not None:
            self._ask_to_stop("guardrail", why)

    def _ask_to_stop(self, end: End, why: str) -> None:
        self.end, self._stop_asked_at = (end, why), time.monotonic()
        self._note("stopping", how=end, why=why)
        try:
            ask_to_stop(self.folder)
        except OSError as error:
            self.processes.end()
            raise CleanUpFailed(f"load was stopped: {self.folder}: {error.strerror}") from error

    def _note(self, event: str, **facts: object) -> None:
        """Write to the journal; load is out, so a full disk is no pre-flight any more."""
        try:
            self.supervision.journal.write(event, **facts)
        except PreflightFailed as error:
            raise CleanUpFailed(f"load was stopped: {error}") from error
