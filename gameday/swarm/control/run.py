"""The room's verb: start the Locust processes, watch them and the target, close the books."""

from __future__ import annotations

import selectors
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gameday.errors import (
    CleanUpFailed,
    GeneratorFailed,
    PreflightFailed,
    SafetyRefusal,
    ShopFailed,
    UsageError,
)
from gameday.record import RunRecord
from gameday.safety import Journal, StopWatch, allowed_target, ask_to_stop
from gameday.scenario import Scenario
from gameday.swarm.control.keys import Listen
from gameday.swarm.control.oversight import Oversight
from gameday.swarm.control.processes import Processes
from gameday.swarm.control.run_spec import Brief, write_brief
from gameday.swarm.machine import MachineMeter, MachineUse
from gameday.swarm.tally.assemble import Assembly
from gameday.swarm.tally.observe import ONLY_HTTP2, Observer, fetch
from gameday.swarm.tally.sampler import Sampler
from gameday.swarm.tally.scoreboard import Progress
from gameday.swarm.wire.tls import tls_context

__all__ = ["End", "Health", "Played", "swarm"]

End = Literal["complete", "guardrail", "person", "worker_lost", "shop_lost"]
"""How a run ended."""

_READY_S = 60.0
"""A worker imports its libraries in a second or two; the largest plan is dealt in ten."""
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


def swarm(
    scenario: Scenario,
    brief: Brief,
    *,
    folder: Path,
    listen: Listen | None,
    stop: StopWatch,
    journal: Journal,
    watch: Callable[[Progress], None],
    began: Callable[[float], None],
    broken: Callable[[], str | None] | None = None,
) -> Played:
    """Play the brief against its targets and return what happened.

    `began` hears when load goes out (Unix seconds). `broken` tells what became of a target that is
    ours, the embedded shop; None: the target is somebody else's, and what it does is its own.

    Raises SafetyRefusal or PreflightFailed before anything is sent, GeneratorFailed when Locust
    does not start. Once load went out it always returns, whatever ended the run.
    """
    tls = None
    if any(url.startswith("https:") for url in brief.targets.values()):
        verify = scenario.replay.connections.verify
        tls = tls_context(brief.loaded.assets.ca_pem, verify=verify)
    _preflight(brief, tls)
    write_brief(folder / "swarm.json", brief)
    with ExitStack() as stack:
        processes = Processes(brief, folder, listen)
        stack.callback(processes.end)
        processes.start()
        run = _Run(scenario, brief, folder, processes, stop, journal, watch, began, tls, broken)
        end, why = run.play()
        if run.assembly.reports_lost and end == "complete":
            end, why = "worker_lost", f"{run.assembly.reports_lost} reports of a worker were lost"
        observer = run.observer
        if scenario.observe.source == "prometheus":
            last = run.t0 + brief.plan.grid.slots * brief.plan.slot_wall_s
            run.assembly.samples = observer.read_range(run.t0, last, brief.plan.slot_wall_s)
        keys = observer.orders(brief.run_id) if end != "shop_lost" else None
        record = run.assembly.record(observer, keys)
        if end != "shop_lost" and broken is not None and (fault := broken()):
            end, why = "shop_lost", fault
    return Played(record, end, why, run.health())


def _preflight(brief: Brief, tls: ssl.SSLContext | None) -> None:
    """Ask each target once, as one customer would; PreflightFailed says who cannot be played to, or of no plan."""
    if not brief.plan.played.any():
        raise PreflightFailed(
            "the plan has no session: the forecast of the window at this scale is of none; nothing would be "
            "sent, and nothing observed; choose another --window or a larger --scale"
        )
    for stack, url in brief.targets.items():
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

    def __init__(
        self,
        scenario: Scenario,
        brief: Brief,
        folder: Path,
        processes: Processes,
        stop: StopWatch,
        journal: Journal,
        watch: Callable[[Progress], None],
        began: Callable[[float], None],
        tls: ssl.SSLContext | None,
        broken: Callable[[], str | None] | None,
    ) -> None:
        self.brief, self.folder, self.processes = brief, folder, processes
        self.stop, self.journal, self.watch, self.began = stop, journal, watch, began
        self.broken = broken or (lambda: None)
        self.assembly = Assembly(scenario, brief.plan)
        self.observer = Observer(scenario, brief.targets, tls)
        self.oversight = Oversight(scenario, brief, folder, self._note, self.assembly, tls)
        self.t0 = 0.0
        self.sampler: Sampler | None = None
        self.meter = MachineMeter(tuple(brief.targets.values()))
        self.machine = MachineUse()
        self._lost: set[int] = set()
        self._turned_away: list[str] = []
        self.end: tuple[End, str]
        self.end = ("complete", "")
        self._finished = False
        self._stop_asked_at: float | None = None
        self._heard = time.monotonic()

    def play(self) -> tuple[End, str]:
        """Watch until every worker is done or the run is over; return how it ended and why.

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
        return self.end

    def _watch(self) -> None:
        """Take reports until the run is over."""
        began, selector = time.monotonic(), selectors.DefaultSelector()
        selector.register(self.processes.reports, selectors.EVENT_READ)
        with selector:
            while True:
                selector.select(timeout=0.2)
                self.processes.pulse()
                reports, closed = self.processes.read()
                self._heard = time.monotonic() if reports else self._heard
                for report in reports:
                    self._take(report)
                if self._over(closed, began):
                    break

    def health(self) -> Health:
        """Return how the generator fared."""
        limits: dict[str, int] = {}
        for found in self.assembly.limits.values():
            for name, n in found.items():
                limits[name] = limits.get(name, 0) + n
        busiest = 0.0
        for busy in self.assembly.busy.values():
            width = min(_BUSY_S, len(busy))
            busiest = max(
                busiest, float(np.convolve(busy, np.full(width, 1 / width), "valid").max())
            )
        return Health(busiest, limits, len(self._lost), self.machine)

    def _take(self, report: dict[str, Any]) -> None:
        what = report.pop("what")
        if what == "started":
            self.t0 = self.assembly.t0 = float(report["at"])
            self._note("load started", at_epoch_s=self.t0)
            self.began(self.t0)
            self.meter.start()
            self.oversight.start(self.t0 + self.brief.plan.lead_in_s)
            self.sampler = Sampler(self.observer, self.brief, self.t0, self.assembly.samples)
            self.sampler.start()
        elif what == "tally":
            now = time.time()
            self.oversight.add(now, report, *self.assembly.add(report))
            self.watch(self.oversight.progress(now))
        elif what in ("lost", "joined"):
            self._note(f"worker {what}", worker=report["worker"])
            if what == "lost":
                self._lost.add(report["worker"])
                self.oversight.board.gone(report["worker"])
        elif what == "turned_away":
            self._turned_away.append(str(report["why"]))
            self._note("worker turned away", why=report["why"])
        elif what == "finished":
            self._finished = True
        elif what == "unwatched" and self._stop_asked_at is None:
            self._ask(("worker_lost", f"nobody watched for {report['seconds']:.0f} s"))
        elif what == "refused" and self.t0:
            self._note("worker refused", why=report["why"])  # a late one: the others play on
        elif what == "refused":
            refusal = SafetyRefusal if report["code"] == SafetyRefusal.exit_code else UsageError
            raise refusal(str(report["why"]))

    def _over(self, closed: bool, began: float) -> bool:
        if self._finished:
            if self._stop_asked_at is None:
                self._check()  # the processes may see the wish to stop before we do
            return True
        lost = self.processes.lost(before_start=not self.t0) or (
            "Locust closed its reports" if closed else None
        )
        if not self.t0:
            self.stop.check()
            if (fault := self.broken()) is not None:
                raise ShopFailed(fault)
            if lost or time.monotonic() - began > _READY_S:
                why = lost or f"no worker was ready within {_READY_S:.0f} s"
                words = "; ".join(self._turned_away[:3]) or self.processes.last_words()
                raise GeneratorFailed(f"{why}: {words}")
            return False
        hangs = time.monotonic() - self._heard > _SILENT_S
        if hangs and self._stop_asked_at is None:
            lost = f"Locust has said nothing for {_SILENT_S:.0f} s"
        if lost and self._stop_asked_at is None:
            self._ask(("worker_lost", lost))
        elif self._stop_asked_at is None:
            self._check()
        waited = time.monotonic() - (self._stop_asked_at or time.monotonic())
        alone = lost is not None and self.brief.workers == 1
        return closed or hangs or alone or waited > _WIND_DOWN_S

    def _check(self) -> None:
        if (fault := self.broken()) is not None:
            self._ask(("shop_lost", fault))
        elif self.stop.reason is not None:
            self._ask(("person", f"stopped by {self.stop.reason}"))
        elif (why := self.oversight.why_stop(time.time())) is not None:
            self._ask(("guardrail", why))

    def _ask(self, end: tuple[End, str]) -> None:
        self.end, self._stop_asked_at = end, time.monotonic()
        self._note("stopping", how=end[0], why=end[1])
        try:
            ask_to_stop(self.folder)
        except OSError as error:
            self.processes.end()
            raise CleanUpFailed(f"load was stopped: {self.folder}: {error.strerror}") from error

    def _note(self, what: str, **facts: object) -> None:
        """Write to the journal; load is out, so a full disk is no pre-flight any more."""
        try:
            self.journal.write(what, **facts)
        except PreflightFailed as error:
            raise CleanUpFailed(f"load was stopped: {error}") from error
