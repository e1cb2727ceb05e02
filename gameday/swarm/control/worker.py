"""A worker's side of the run: gets its specification, plays its sessions, reports, and stops by itself."""

from __future__ import annotations

import os
import sys
import time
import traceback
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_INIT, LocalRunner

from gameday.errors import GeneratorFailed, SafetyRefusal, UsageError
from gameday.swarm.control.run_spec import RunSpec, run_spec_of
from gameday.swarm.control.session_assignment import SessionAssignment
from gameday.swarm.engine.open_arrivals import Engine
from gameday.swarm.locust_stats import merge, merge_faults
from gameday.swarm.tally.reports import WorkerReport, message_items
from gameday.vocabulary import Array

__all__ = ["LEASE_S", "Worker"]

LEASE_S = 1.5
"""A worker that has not heard from its master for so long sends nothing more until it does."""
_ORPHANED_S = 2.5
"""So long after its lease has run out a worker without a master stops by itself."""
_REPORT_EVERY_S = 1.0
_ALIVE_EVERY_S = 0.4
_PINGS = 5


@dataclass(frozen=True, slots=True)
class _Share:
    """What the master last said of this worker's share of the run."""

    start_epoch_s: float
    """When the lead-in begins, by the master's clock."""
    number: int
    """Of the worker, for its reports."""
    assignments: tuple[SessionAssignment, ...]
    held_to: float | None
    """Session starts a second that a guardrail leaves, all workers together."""


class Worker:
    """Plays in one Locust process: the worker, or the only one. `on_<word>` hears `gameday_<word>`."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.runner = environment.runner
        self.who = str(getattr(self.runner, "client_id", ""))
        self.is_alone = isinstance(self.runner, LocalRunner)
        self.engine: Engine | None = None
        self._assigned, self._pong = Event(), Event()
        self._share: _Share | None = None
        self._offsets: list[tuple[float, float]] = []
        self._playing = self._orphaned = False
        self._offset = 0.0
        """The master's clock minus ours, seconds."""

    # --- what the master says ---------------------------------------------------------------

    def on_brief(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Take the run's specification and begin to play; who asks to join again gets it again."""
        if self._playing:
            return
        is_new = getattr(self.runner, "worker_state", "") == STATE_INIT
        if msg.data["late"] and is_new:  # Locust spawns no users for it, which would tell listeners
            environment.events.test_start.fire(environment=environment)
        self._playing = True
        gevent.spawn(self._play_or_go, msg.data["brief"])

    def on_pong(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Note the master's clock offset; the answer with the shortest round trip is used (Cristian 1989)."""
        now = time.time()
        self._offsets.append(
            (now - msg.data["asked"], msg.data["now"] - (msg.data["asked"] + now) / 2)
        )
        self._pong.set()

    def on_deal(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Take our sessions: for the first time, or anew because a worker came or went."""
        own = msg.data["deals"].get(self.who)
        if own is None:
            return
        assignments = tuple(SessionAssignment(*assignment) for assignment in own)
        number, held_to = msg.data["numbers"][self.who], msg.data["held_to"]
        self._share = _Share(msg.data["at"], number, assignments, held_to)
        if self.engine is not None:
            if self._assigned.is_set():
                self.engine.assign(assignments)
            self._renew()
        self._assigned.set()

    def on_pulse(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Hear that the master is there, or was when it sent this."""
        self._renew(max(0.0, time.time() + self._offset - msg.data["at"]))

    def on_hold(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Start no more sessions a second than so many, all workers together."""
        if self.engine is not None:
            self.engine.hold(msg.data["starts_per_s"])

    def on_stop(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Ramp down."""
        self.stop()

    def stop(self) -> None:
        """Send nothing new; what is under way may come in."""
        if self.engine is not None:
            self.engine.stop()

    def _renew(self, old_s: float = 0.0) -> None:
        """Renew the lease by a message of the master that is `old_s` old."""
        if self.engine is not None and not self.is_alone:
            self.engine.lease_until = time.perf_counter() + LEASE_S - old_s

    # --- what the worker does ---------------------------------------------------------------

    def greet(self) -> None:
        """Tell the master that we are set up."""
        self._say("gameday_hello")

    def _play_or_go(self, text: str) -> None:
        try:
            self._play(run_spec_of(text))
        except (SafetyRefusal, UsageError) as error:
            self._say("gameday_refused", why=str(error), code=error.exit_code)
            sys.stderr.write(f"{error}\n")
            self.environment.process_exit_code = error.exit_code
            gevent.sleep(0.2)  # let the message out; not a request was sent
            os._exit(error.exit_code)
        except Exception:  # our own fault: the process ends aloud, its sessions go to others
            traceback.print_exc()
            os._exit(GeneratorFailed.exit_code)
        finally:
            self._playing = False

    def _play(self, spec: RunSpec) -> None:
        engine = Engine(spec, spec.loaded.played, self.environment)
        engine.on_count = self._count
        self._offset = self._clock_offset()
        self._assigned.clear()
        self._say("gameday_ready")
        self._assigned.wait()
        self.engine = engine
        self._set_up(engine)
        self._renew()
        jobs = [gevent.spawn(self._report, engine), gevent.spawn(self._watch_lease, engine)]
        try:
            engine.run()
        finally:
            gevent.killall(jobs)
        self._send_tally(engine)
        self._say("gameday_done")
        self._assigned.clear()
        self.engine = None
        if self._orphaned:
            self.environment.process_exit_code = GeneratorFailed.exit_code
            gevent.spawn(self.runner.quit)

    def _set_up(self, engine: Engine) -> None:
        """Give the engine its share of the sessions, and the clock."""
        share = self._share
        assert share is not None  # what `_assigned` waits for
        engine.assign(share.assignments)
        if share.held_to is not None:
            engine.hold(share.held_to)
        engine.tally.worker = share.number
        engine.set_clock(share.start_epoch_s - self._offset)
        engine.open_ahead(time.perf_counter())

    def _clock_offset(self) -> float:
        """Return the master's clock minus ours, seconds; 0 in the master's own process."""
        if self.is_alone:
            return 0.0
        self._offsets.clear()
        for _ in range(_PINGS):
            self._pong.clear()
            self._say("gameday_ping", asked=time.time())
            self._pong.wait(1.0)
        return min(self._offsets)[1] if self._offsets else 0.0

    def _report(self, engine: Engine) -> None:
        while True:
            gevent.sleep(_REPORT_EVERY_S)
            self._send_tally(engine)

    def _watch_lease(self, engine: Engine) -> None:
        """Tell the master that we are here, and stop by ourselves where it has gone.

        Silence is counted in looks, not in time: a process that was held up hears of the master
        only after its first looks.
        """
        silent_s = 0.0
        while not self.is_alone:
            self._say("gameday_alive")
            gevent.sleep(_ALIVE_EVERY_S)
            has_lease = time.perf_counter() < engine.lease_until
            silent_s = 0.0 if has_lease else silent_s + _ALIVE_EVERY_S
            if silent_s > _ORPHANED_S:
                sys.stderr.write("no word from the master: stopping\n")
                engine.stop()
                self._orphaned = True
                return

    def _send_tally(self, engine: Engine) -> None:
        engine.count()
        report = WorkerReport(engine.tally.take(), engine.gauges.read())
        self._say("gameday_tally", **dict(message_items(report)))

    def _say(self, message: str, **facts: Any) -> None:
        self.runner.send_message(message, {"who": self.who, **facts})

    def _count(self, samples: Array, faults: dict[tuple[int, str], int]) -> None:
        assert self.engine is not None
        merge(self.environment.stats, self.engine.exchanges, samples)
        merge_faults(self.environment.stats, self.engine.exchanges, faults)
