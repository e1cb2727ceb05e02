"""The master's side of the run: deals sessions to workers, watches them, hands their reports on."""

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
from gameday.swarm.control.run_spec import PULSE_VARIABLE, Brief, brief_text
from gameday.swarm.control.session_assignment import Deal
from gameday.swarm.control.worker import LEASE_S

__all__ = ["Director"]

_START_AHEAD_S = 1.0
_PULSE_S = 0.4
_SILENT_S = LEASE_S + 0.5
"""A worker silent for so long is lost: by then its own lease has run out, and it sends nothing."""
_LOOK_EVERY_S = 0.2
_UNWATCHED_S = 4.0
"""Without a word of the conductor for so long, guardrails and ceilings are blind: the run is stopped."""
_DEAL_AHEAD_S = 0.5
"""A new deal holds for sessions that start so long after it: it is then everywhere in time."""


class Director:
    """Knows who plays. One a run; `tell` says to whoever conducts what happens."""

    def __init__(self, environment: Environment, brief: Brief, report: TextIO | None) -> None:
        self.environment, self.runner, self.brief = environment, environment.runner, brief
        self._text = brief_text(brief)
        self._report = report
        self.deals: dict[str, list[Deal]] = {}
        self._heard: dict[str, float] = {}
        self._ready: set[str] = set()
        self._done: set[str] = set()
        self._lost: set[str] = set()
        self._numbers: dict[str, int] = {}
        self.start_epoch_s = 0.0
        self.stopping = False
        self._held_to: float | None = None
        """Session starts a second that a guardrail leaves; every deal says it, to who comes late too."""

    def send_brief(self, workers: set[str], *, late: bool) -> None:
        """Brief workers, who then begin to play; `late`: while the others play."""
        if not (self.stopping or self.is_over):
            for who in sorted(workers):
                self._send("gameday_brief", who, brief=self._text, late=late)

    # --- what workers say -------------------------------------------------------------------

    def on_ping(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Tell a worker the time."""
        self._send("gameday_pong", msg.data["who"], asked=msg.data["asked"], now=time.time())

    def on_ready(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Start the clock with the last worker expected; deal anew for one that joins later."""
        who = msg.data["who"]
        self._heard[who] = time.monotonic()
        self._ready.add(who)
        self._numbers.setdefault(who, len(self._numbers))
        if self.start_epoch_s:
            self.tell("joined", worker=self._numbers[who])
            self._deal_anew()
        elif len(self._ready) >= self.brief.workers:
            self.start_epoch_s = time.time() + _START_AHEAD_S
            self.tell("started", at=self.start_epoch_s)
            self._deal(-float("inf"))
            gevent.spawn(self._watch)

    def on_tally(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Hand a worker's counts on. Nobody's are refused: what was sent was sent."""
        self._hear(msg.data.pop("who"))
        self.tell("tally", **msg.data)

    def on_alive(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Hear that a worker is there."""
        self._hear(msg.data["who"])

    def _hear(self, who: str) -> None:
        self._heard[who] = time.monotonic()
        if who in self._lost:  # it had only been held up: it may have new sessions
            self._lost.discard(who)
            self.tell("joined", worker=self._numbers[who])
            self._deal_anew()

    def on_done(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A worker has played all it was dealt."""
        self._done.add(msg.data["who"])
        self._see_end()

    def on_refused(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A worker will not play."""
        self.tell("refused", why=msg.data["why"], code=msg.data["code"])

    # --- what the master does -----------------------------------------------------------------

    @property
    def players(self) -> list[str]:
        """Who plays now, by their numbers."""
        return sorted(self._ready - self._lost, key=self._numbers.__getitem__)

    @property
    def is_over(self) -> bool:
        """Whether the clock ran and nobody plays any more."""
        return bool(self.start_epoch_s) and not set(self.players) - self._done

    def plays_for_s(self) -> float:
        """Return wall seconds since load began to go out; 0 before."""
        return max(0.0, time.time() - self.start_epoch_s) if self.start_epoch_s else 0.0

    def stop(self) -> None:
        """Ask every worker to ramp down."""
        self.stopping = True
        self._send("gameday_stop")

    def _now_s(self) -> float:
        """Return wall seconds from the window's start."""
        return time.time() - self.start_epoch_s - self.brief.plan.lead_in_s

    def _deal_anew(self) -> None:
        if not self.stopping:
            self._deal(self._now_s() + _DEAL_AHEAD_S)

    def _deal(self, from_s: float) -> None:
        """Share out the sessions that start from `from_s` on."""
        players = [who for who in self.players if who not in self._done]
        for who in self._ready:
            index = players.index(who) if who in players else -1
            deals = self.deals.setdefault(who, [Deal(-1e18, -1, 1)] if from_s > -1e18 else [])
            deals.append(Deal(max(from_s, -1e18), index, max(1, len(players))))
        self._send(
            "gameday_deal",
            at=self.start_epoch_s,
            deals=self.deals,
            numbers=self._numbers,
            held_to=self._held_to,
        )

    def _watch(self) -> None:
        """Pulse, and find who has gone silent."""
        while not self.is_over:
            self._send("gameday_pulse", at=time.time())
            gevent.sleep(_PULSE_S)
            if isinstance(self.runner, LocalRunner):
                continue
            for who in [w for w in self.players if w not in self._done]:
                if time.monotonic() - self._heard[who] > _SILENT_S:
                    self._lose(who)

    def _lose(self, who: str) -> None:
        self._lost.add(who)
        self.tell("lost", worker=self._numbers[who])
        self._deal_anew()
        self._see_end()

    def _see_end(self) -> None:
        if self.is_over:
            self.tell("finished")

    def _send(self, what: str, who: str | None = None, **facts: Any) -> None:
        self.runner.send_message(what, facts, who)

    def tell(self, what: str, **facts: object) -> None:
        """Tell the conductor; without one any more, stop: nobody is watching."""
        if self._report is None:
            return
        try:
            self._report.write(json.dumps({"what": what, **facts}) + "\n")
            self._report.flush()
        except OSError:
            self._report = None
            self.stop()

    def watch_conductor(self, folder: Path) -> None:
        """Do as the run's folder asks: hold down, stop; stop too when the conductor has gone."""
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
    """Return whether anything came in; what it was is of no matter."""
    try:
        return bool(os.read(fd, 4096))
    except BlockingIOError:
        return False
