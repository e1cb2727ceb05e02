"""The master's side of the run: assigns sessions to workers, watches them, hands their reports on."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, TextIO

import gevent
from locust.env import Environment
from locust.runners import LocalRunner

from gameday.safety import held_to
from gameday.swarm.control.run_spec import PULSE_VARIABLE, RunSpec, run_spec_text
from gameday.swarm.control.session_assignment import SessionAssignment
from gameday.swarm.control.worker import LEASE_S

__all__ = ["Master"]

_START_AHEAD_S = 1.0
_PULSE_S = 0.4
_SILENT_S = LEASE_S + 0.5
"""A worker silent for so long is lost: by then its own lease has run out, and it sends nothing."""
_LOOK_EVERY_S = 0.2
_UNWATCHED_S = 4.0
"""Where the parent process is silent for so long nobody watches the guardrails: the run is stopped."""
_ASSIGN_AHEAD_S = 0.5
"""An assignment holds for sessions that start so long after it: it has then reached every worker."""
_EVER_S = -1e18
"""From when on the first assignments hold."""


class Master:
    """Knows who plays, one a run. `on_<word>` hears `gameday_<word>`; `tell` reports to the parent process."""

    def __init__(self, environment: Environment, spec: RunSpec, report: TextIO | None) -> None:
        self.environment, self.runner, self.spec = environment, environment.runner, spec
        self._text = run_spec_text(spec)
        self._report = report
        self.assignments: dict[str, list[SessionAssignment]] = {}
        self._heard: dict[str, float] = {}
        self._ready: set[str] = set()
        self._done: set[str] = set()
        self._lost: set[str] = set()
        self._numbers: dict[str, int] = {}
        self.start_epoch_s = 0.0
        self.stopping = False
        self._held_to: float | None = None
        """Session starts a second that a guardrail leaves; every assignment repeats it, for late comers."""

    def send_run_spec(self, workers: set[str], *, late: bool) -> None:
        """Send workers what they need to begin; `late`: while the others play."""
        if not (self.stopping or self.is_over):
            for who in sorted(workers):
                self._send("gameday_brief", who, brief=self._text, late=late)

    # --- what workers say -------------------------------------------------------------------

    def on_ping(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Tell a worker the time."""
        self._send("gameday_pong", msg.data["who"], asked=msg.data["asked"], now=time.time())

    def on_ready(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Start the clock with the last worker expected; assign anew for one that joins later."""
        who = msg.data["who"]
        self._heard[who] = time.monotonic()
        self._ready.add(who)
        self._numbers.setdefault(who, len(self._numbers))
        if self.start_epoch_s:
            self.tell("joined", worker=self._numbers[who])
            self._reassign()
        elif len(self._ready) >= self.spec.workers:
            self.start_epoch_s = time.time() + _START_AHEAD_S
            self.tell("started", at=self.start_epoch_s)
            self._assign(_EVER_S)
            gevent.spawn(self._watch)

    def on_tally(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Pass a worker's counts on, whoever it is: what was sent was sent."""
        self._hear(msg.data.pop("who"))
        self.tell("tally", **msg.data)

    def on_alive(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Note that a worker is there."""
        self._hear(msg.data["who"])

    def _hear(self, who: str) -> None:
        self._heard[who] = time.monotonic()
        if who in self._lost:  # it had only been held up: it may have new sessions
            self._lost.discard(who)
            self.tell("joined", worker=self._numbers[who])
            self._reassign()

    def on_done(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Note that a worker has played all its sessions."""
        self._done.add(msg.data["who"])
        self._see_end()

    def on_refused(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Report that a worker will not play."""
        self.tell("refused", why=msg.data["why"], code=msg.data["code"])

    # --- what the master does -----------------------------------------------------------------

    @property
    def playing(self) -> list[str]:
        """The workers that play now, by their numbers."""
        return sorted(self._ready - self._lost, key=self._numbers.__getitem__)

    @property
    def is_over(self) -> bool:
        """Whether the clock ran and nobody plays any more."""
        return bool(self.start_epoch_s) and not set(self.playing) - self._done

    def plays_for_s(self) -> float:
        """Return wall seconds since load began to go out; 0 before."""
        return max(0.0, time.time() - self.start_epoch_s) if self.start_epoch_s else 0.0

    def stop(self) -> None:
        """Ask every worker to ramp down."""
        self.stopping = True
        self._send("gameday_stop")

    def _now_s(self) -> float:
        """Return wall seconds from the window's start."""
        return time.time() - self.start_epoch_s - self.spec.plan.lead_in_s

    def _reassign(self) -> None:
        if not self.stopping:
            self._assign(self._now_s() + _ASSIGN_AHEAD_S)

    def _assign(self, from_s: float) -> None:
        """Share out the sessions that start from `from_s` on."""
        playing = [who for who in self.playing if who not in self._done]
        for who in self._ready:
            turn = playing.index(who) if who in playing else -1
            before = [SessionAssignment(_EVER_S, -1, 1)] if from_s > _EVER_S else []
            assignments = self.assignments.setdefault(who, before)
            assignments.append(SessionAssignment(from_s, turn, max(1, len(playing))))
        self._send(
            "gameday_deal",
            at=self.start_epoch_s,
            deals=self.assignments,
            numbers=self._numbers,
            held_to=self._held_to,
        )

    def _watch(self) -> None:
        """Tell workers that we are here, and find those that have fallen silent."""
        while not self.is_over:
            self._send("gameday_pulse", at=time.time())
            gevent.sleep(_PULSE_S)
            if isinstance(self.runner, LocalRunner):
                continue
            for who in [w for w in self.playing if w not in self._done]:
                if time.monotonic() - self._heard[who] > _SILENT_S:
                    self._lose(who)

    def _lose(self, who: str) -> None:
        self._lost.add(who)
        self.tell("lost", worker=self._numbers[who])
        self._reassign()
        self._see_end()

    def _see_end(self) -> None:
        if self.is_over:
            self.tell("finished")

    def _send(self, message: str, who: str | None = None, **facts: Any) -> None:
        self.runner.send_message(message, facts, who)

    def tell(self, event: str, **facts: object) -> None:
        """Write an event for the parent process; where it has gone, stop: nobody is watching."""
        if self._report is None:
            return
        try:
            self._report.write(json.dumps({"what": event, **facts}) + "\n")
            self._report.flush()
        except OSError:
            self._report = None
            self.stop()

    def watch_parent(self, folder: Path) -> None:
        """Do as the run's folder asks, hold or stop; stop too where the parent process has gone."""
        parent, pulse = os.getppid(), int(os.environ[PULSE_VARIABLE])
        os.set_blocking(pulse, False)
        silent_s = 0.0
        while True:
            gevent.sleep(_LOOK_EVERY_S)
            silent_s = 0.0 if _has_news(pulse) else silent_s + _LOOK_EVERY_S
            if silent_s > _UNWATCHED_S:
                self.tell("unwatched", seconds=silent_s)
            if silent_s > _UNWATCHED_S or (folder / "stop").exists() or os.getppid() != parent:
                self.stop()
                return
            wish = held_to(folder)
            if wish != self._held_to:
                self._held_to = wish
                self._send("gameday_hold", starts_per_s=wish)


def _has_news(fd: int) -> bool:
    """Return whether anything came in."""
    try:
        return bool(os.read(fd, 4096))
    except BlockingIOError:
        return False
