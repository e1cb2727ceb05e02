"""The swarm inside Locust: one host User a worker, a shape that is the clock, merged tallies.

A locustfile says `Customers, Clock = customers_of("primeday")`. Started by `gameday replay`, the
brief says what to play; started by hand, the plan is made here and `--host` is the target.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust import LoadTestShape, User, events
from locust.env import Environment

from gameday.errors import SafetyRefusal, UsageError
from gameday.forecast import forecast_demand
from gameday.history import read_history
from gameday.safety import allowed_target
from gameday.scenario import Scenario, load_scenario
from gameday.swarm.brief import BRIEF_VARIABLE, REPORT_VARIABLE, Brief, read_brief
from gameday.swarm.client import Reply
from gameday.swarm.engine import Engine
from gameday.swarm.observe import fetch
from gameday.traffic import Asked, plan_load
from gameday.vocabulary import Seed

__all__ = ["customers_of"]

_REPORT_EVERY_S = 1.0
_START_AHEAD_S = 1.0
_BY_HAND_SPEED = 10.0
"""Most event time per wall time when started by hand: half the default, as no flag can set it
and smaller cells answer more slowly. A cell too small even so is refused, with the speed."""


class _Floor:
    """What all of one Locust process share: brief, scenario, engine, messages."""

    def __init__(self, event: str) -> None:
        self.event = event
        self.brief: Brief | None = read_brief() if BRIEF_VARIABLE in os.environ else None
        self.scenario: Scenario = load_scenario(self.brief.event if self.brief else event)
        self.engine: Engine | None = None
        self.environment: Environment | None = None
        self.start = Event()
        self.start_epoch_s, self.count = 0.0, 1
        self.ready: set[str] = set()
        self.done: set[str] = set()
        fd = os.environ.get(REPORT_VARIABLE)
        self.report = os.fdopen(int(fd), "w") if fd and "--worker" not in sys.argv else None
        self.parent = os.getppid()

    def say(self, what: str, **facts: object) -> None:
        """Tell the conductor; without one any more, stop: nobody is watching."""
        if self.report is None:
            return
        try:
            self.report.write(json.dumps({"what": what, **facts}) + "\n")
            self.report.flush()
        except OSError:
            self.report = None
            self.stop_all()

    def stop_all(self) -> None:
        """Ask every worker to ramp down."""
        if self.environment and self.environment.runner:
            self.environment.runner.send_message("gameday_stop", {})

    def begin_anew(self) -> None:
        """Forget the run before: Locust's page may start another."""
        if self.start_epoch_s:
            self.start, self.start_epoch_s = Event(), 0.0
            self.ready.clear()
            self.done.clear()

    def workers(self) -> int:
        """Return how many processes play."""
        runner = self.environment.runner if self.environment else None
        return int(getattr(runner, "worker_count", 1) or 1)


def customers_of(event: str) -> tuple[type[User], type[LoadTestShape]]:
    """Return the host User and the clock that play a scenario's plan in Locust."""
    try:
        floor = _Floor(event)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    _wire(floor)
    _wire_ends(floor)

    class Customers(User):
        """Holds the engine of one worker; the customers are its greenlets."""

        def on_start(self) -> None:
            _play(floor, self)

        def wait_time(self) -> float:
            return 1.0

        tasks = [lambda user: None]  # noqa: RUF012 (Locust's own protocol)

    class Clock(LoadTestShape):
        """One host user a worker, until every worker has played its share."""

        def tick(self) -> tuple[int, float] | None:
            options = getattr(floor.environment, "parsed_options", None)
            longest = getattr(options, "run_time", None)
            if longest and self.get_run_time() > longest:
                return None
            count = floor.workers()
            return None if len(floor.done) >= count > 0 else (count, float(count))

    return Customers, Clock


def _wire(floor: _Floor) -> None:
    """Register Locust's events and our messages."""

    @events.init.add_listener  # type: ignore[untyped-decorator]
    def on_init(environment: Environment, **_: Any) -> None:
        floor.environment = environment
        runner = environment.runner
        assert runner is not None

        def on_ready(environment: Environment, msg: Any, **_: Any) -> None:
            floor.ready.add(msg.data["who"])
            if len(floor.ready) >= floor.workers() and not floor.start_epoch_s:
                floor.start_epoch_s = time.time() + _START_AHEAD_S
                start = {"at": floor.start_epoch_s, "workers": floor.workers()}
                runner.send_message("gameday_start", start)
                floor.say("started", at=floor.start_epoch_s)

        def on_start(environment: Environment, msg: Any, **_: Any) -> None:
            floor.start_epoch_s, floor.count = msg.data["at"], msg.data["workers"]
            floor.start.set()

        def on_stop(environment: Environment, msg: Any, **_: Any) -> None:
            if floor.engine is not None:
                floor.engine.stop()

        def on_tally(environment: Environment, msg: Any, **_: Any) -> None:
            floor.say("tally", **msg.data)

        def on_done(environment: Environment, msg: Any, **_: Any) -> None:
            floor.done.add(msg.data["who"])
            floor.say("done", worker=msg.data["worker"])

        for name, listener in (
            ("gameday_ready", on_ready), ("gameday_start", on_start), ("gameday_stop", on_stop),
            ("gameday_tally", on_tally), ("gameday_done", on_done),
        ):  # fmt: skip
            runner.register_message(name, listener)
        if floor.brief is not None:
            gevent.spawn(_watch, floor)


def _wire_ends(floor: _Floor) -> None:
    """Register what happens between runs and at the end."""

    @events.test_start.add_listener  # type: ignore[untyped-decorator]
    def on_test_start(environment: Environment, **_: Any) -> None:
        floor.begin_anew()

    @events.test_stop.add_listener  # type: ignore[untyped-decorator]
    def on_test_stop(environment: Environment, **_: Any) -> None:
        if floor.brief is None and floor.engine is not None:
            floor.engine.end_now()

    @events.quitting.add_listener  # type: ignore[untyped-decorator]
    def on_quit(environment: Environment, **_: Any) -> None:
        if floor.brief is not None:
            environment.process_exit_code = 0  # criteria are judged by gameday, not by Locust


def _watch(floor: _Floor) -> None:
    """Stop when asked to, and when the conductor has gone."""
    stop = Path(os.environ[BRIEF_VARIABLE]).parent / "stop"
    while True:
        gevent.sleep(0.2)
        if stop.exists() or os.getppid() != floor.parent:
            floor.stop_all()
            if floor.engine is not None:
                floor.engine.stop()
            return


def _play(floor: _Floor, user: User) -> None:
    """Play this worker's share; runs inside the host User's start."""
    runner = user.environment.runner
    assert runner is not None

    def on_reply(method: str, name: str, seconds: float, reply: Reply, why: str) -> None:
        user.environment.events.request.fire(
            request_type=method, name=name, response_time=seconds * 1000,
            response_length=len(reply.body), context={}, exception=Exception(why) if why else None,
        )  # fmt: skip

    try:
        brief = floor.brief or _own_brief(floor, str(user.host or ""))
        engine = floor.engine = Engine(brief, floor.scenario, on_reply)
    except SafetyRefusal as error:
        floor.say("refused", why=str(error))
        sys.stderr.write(f"{error}\n")
        user.environment.process_exit_code = error.exit_code
        os._exit(error.exit_code)  # before a single request: nothing to wind down
    index, who = int(getattr(runner, "worker_index", 0)), str(runner.client_id)
    if floor.brief is not None:
        engine.prepare(index, brief.workers)
    runner.send_message("gameday_ready", {"who": who})
    floor.start.wait()
    if floor.brief is None:  # by hand, only the master knows how many play
        engine.prepare(index, floor.count)
    reporter = gevent.spawn(_report, floor, engine)
    engine.run(floor.start_epoch_s)
    reporter.kill()
    _send_tally(runner, engine)
    runner.send_message("gameday_done", {"who": who, "worker": index})


def _report(floor: _Floor, engine: Engine) -> None:
    runner = floor.environment.runner if floor.environment else None
    while runner is not None:
        gevent.sleep(_REPORT_EVERY_S)
        _send_tally(runner, engine)


def _send_tally(runner: Any, engine: Engine) -> None:
    runner.send_message("gameday_tally", engine.tally.take() | {"busy": engine.busy_share()})


def _own_brief(floor: _Floor, host: str) -> Brief:
    """Return a brief made on the spot, for `locust -f` by hand."""
    target, seed = allowed_target(host), Seed(int(os.environ.get("GAMEDAY_SEED", "1")))
    history = read_history(floor.scenario, file=None, seed=seed)
    demand = forecast_demand(floor.scenario, history)
    stack, scale = _met(target, floor.scenario)
    speed = min(_BY_HAND_SPEED, floor.scenario.replay.speed)
    asked = Asked(scale=scale, speed=speed)
    plan = plan_load(floor.scenario, demand, seed=seed, asked=asked)
    run = time.strftime("by-hand-%Y%m%dT%H%M%S", time.gmtime())
    return Brief(run, floor.event, {stack: target}, floor.workers(), plan)


def _met(target: str, scenario: Scenario) -> tuple[str, float | None]:
    """Return the stack and scale of a `gameday shop`; of another target, the first stack."""
    try:
        health = json.loads(fetch(target, "/health"))
        if health["stack"] in scenario.stack_names:
            return str(health["stack"]), float(health["scale"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not ours: nothing is known of it
    return scenario.stack_names[0], None
