"""The swarm inside Locust: a host User that Locust counts, a shape that is the clock, messages wired.

A locustfile says `Customers, Clock = customers_of("primeday")`. Started by `gameday replay`, a RunSpec
says what to play; started by hand, the plan is made here and `--host` is the target. Workers need no
scenario: the master sends them all they play.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
from locust import LoadTestShape, User, events
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, LocalRunner, MasterRunner, Runner
from locust.stats import CSV_STATS_INTERVAL_SEC

from gameday.errors import GeneratorFailed, SafetyRefusal, UsageError
from gameday.safety import allowed_target, check_ceilings
from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario, read_scenario
from gameday.swarm.control.door import require_run_key
from gameday.swarm.control.master import Master
from gameday.swarm.control.run_spec import (
    REPORT_VARIABLE,
    RUN_SPEC_VARIABLE,
    RunSpec,
    read_run_spec,
)
from gameday.swarm.control.worker import Worker
from gameday.swarm.tally.observe import fetch
from gameday.vocabulary import Seed

__all__ = ["customers_of"]

_BY_HAND_SPEED = 10.0
"""Most event time per wall time when started by hand: half the default, as no flag can set it
and smaller cells answer more slowly. A cell too small even so is refused, with the speed."""
_TO_MASTER = ("ping", "ready", "alive", "tally", "done", "refused")
_TO_WORKER = ("brief", "pong", "deal", "pulse", "hold", "stop")


class _LocustProcess:
    """What one Locust process knows, and what it does when Locust fires its events."""

    environment: Environment | None = None
    worker: Worker | None = None
    master: Master | None = None

    def __init__(self, event: str) -> None:
        is_worker = "--worker" in sys.argv
        self.spec = read_run_spec() if RUN_SPEC_VARIABLE in os.environ and not is_worker else None
        self.loaded = None if self.spec or is_worker else read_scenario(event)
        fd = os.environ.get(REPORT_VARIABLE)
        self.report = os.fdopen(int(fd), "w") if fd and not is_worker else None
        self.set_up: set[str] = set()
        """Workers that have said that they hear us: Locust calls a worker ready before that."""

    def listen(self) -> None:
        """Register for Locust's events."""
        events.init_command_line_parser.add_listener(self.on_parser)
        events.init.add_listener(self.on_init)
        events.test_start.add_listener(self.on_test_start)
        events.test_stop.add_listener(self.on_test_stop)
        events.quitting.add_listener(self.on_quitting)

    def on_parser(self, parser: Any, **_: Any) -> None:
        """Bind loopback unless told otherwise, where Locust would bind every address."""
        parser.set_defaults(master_bind_host="127.0.0.1", web_host="127.0.0.1")

    def on_init(self, environment: Environment, **_: Any) -> None:
        """Register our messages: `gameday_<word>` is heard by the `on_<word>` of whom it is for."""
        self.environment = environment
        runner = environment.runner
        assert runner is not None
        if isinstance(runner, MasterRunner):
            _start_users_once(runner)
        else:
            self.worker = Worker(environment)
        for word in _TO_MASTER:
            runner.register_message(f"gameday_{word}", _listener(lambda: self.master, word))
        for word in _TO_WORKER:
            runner.register_message(f"gameday_{word}", _listener(lambda: self.worker, word))
        runner.register_message("gameday_hello", self.on_hello)
        if self.worker is not None:
            self.worker.greet()

    def on_hello(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Tell a worker that is set up what to play: now, if the run has begun, else when it does."""
        self.set_up.add(msg.data["who"])
        if self.master is not None:
            self.master.send_run_spec({msg.data["who"]}, late=True)

    def on_test_start(self, environment: Environment, **_: Any) -> None:
        """Begin the run; what goes wrong ends the process, as Locust would log it and play on."""
        try:
            self._lead()
        except (SafetyRefusal, UsageError) as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            os._exit(error.exit_code)  # before a single request: nothing to wind down
        except Exception:  # noqa: BLE001 (Locust would log it and play nothing for ever)
            traceback.print_exc()
            os._exit(9)

    def _lead(self) -> None:
        """Make the master of a run that begins, in the process that leads it."""
        environment = self.environment
        if environment is None or not isinstance(environment.runner, LocalRunner | MasterRunner):
            return
        spec = self.spec or self._spec_by_hand(environment.host or "")
        self.master = Master(environment, spec, self.report)
        self.master.send_run_spec(self.set_up, late=False)
        if self.spec is not None:
            gevent.spawn(self.master.watch_parent, Path(os.environ[RUN_SPEC_VARIABLE]).parent)

    def _spec_by_hand(self, host: str) -> RunSpec:
        """Return the run of `locust -f` by hand, with as many workers as have joined."""
        assert self.loaded is not None
        runner = self.environment.runner if self.environment else None
        workers = int(getattr(runner, "worker_count", 1) or 1)
        return _run_spec_by_hand(self.loaded, host, workers)

    def is_over(self) -> bool:
        """Return whether nobody plays any more, or the time that `--run-time` gives is over."""
        if self.master is None:
            return False
        options = getattr(self.environment, "parsed_options", None)
        longest_s = getattr(options, "run_time", None)
        if longest_s and self.master.plays_for_s() > longest_s:
            return True
        return self.master.is_over

    def on_test_stop(self, environment: Environment, **_: Any) -> None:
        """Let nobody join any more; by hand, wait for nothing more."""
        if self.master is not None:
            self.master.stopping = True
        if self.spec is None and self.worker is not None and self.worker.engine is not None:
            self.worker.engine.end_now()
        if getattr(environment.parsed_options, "csv_prefix", None):
            # Locust writes its CSV once a second: its last look must come after the last count.
            gevent.sleep(CSV_STATS_INTERVAL_SEC + 0.1)

    def on_quitting(self, environment: Environment, **_: Any) -> None:
        """Set the exit code: by gameday's criteria, not by Locust's."""
        if self.spec is not None:
            environment.process_exit_code = 0
        elif self.master is not None and not environment.stats.total.num_requests:
            sys.stderr.write("not one request was sent\n")
            environment.process_exit_code = GeneratorFailed.exit_code

    def tell_refused(self, why: str) -> None:
        """Say that a worker was turned away, to whoever started Locust."""
        sys.stderr.write(f"{why}\n")
        if self.report is not None:
            with suppress(OSError):  # the parent process has gone: the master stops the run
                self.report.write(json.dumps({"what": "turned_away", "why": why}) + "\n")
                self.report.flush()


def customers_of(event: str) -> tuple[type[User], type[LoadTestShape]]:
    """Return the host User and the clock that play a scenario's plan in Locust."""
    try:
        process = _LocustProcess(event)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    require_run_key(process.tell_refused)
    process.listen()

    class Customers(User):
        """What Locust counts and shows: one, whoever plays. Customers are rows in the workers' engines."""

        def wait_time(self) -> float:
            return 1.0

        tasks = [lambda user: None]  # noqa: RUF012 (Locust's own protocol)

    class Clock(LoadTestShape):
        """One host user, until every worker has played its share."""

        def tick(self) -> tuple[int, float] | None:
            return None if process.is_over() else (1, 1.0)

    return Customers, Clock


def _listener(receiver: Callable[[], Master | Worker | None], word: str) -> Callable[..., None]:
    """Return what hands a message to the receiver's `on_<word>`, once there is a receiver."""

    def listener(environment: Environment, msg: Any, **_: Any) -> None:
        listening = receiver()
        if listening is not None:
            getattr(listening, f"on_{word}")(environment, msg)

    return listener


def _start_users_once(runner: Runner) -> None:
    """Let Locust spread its users once a run, however many workers come and go.

    It would send every worker its users anew, and each then takes up to a second and a half, in which
    it plays nothing, to build Locust's table of options once for each of them. Our sessions are assigned
    by our own master, and playing needs no user.
    """
    start_users = runner.start

    def start(*args: Any, **options: Any) -> None:
        if runner.state not in (STATE_SPAWNING, STATE_RUNNING):
            start_users(*args, **options)

    runner.start = start


def _run_spec_by_hand(loaded: LoadedScenario, host: str, workers: int) -> RunSpec:
    """Return a run that is planned on the spot, for `locust -f` by hand."""
    from gameday.forecast import forecast_demand  # heavy, and of no use to a worker
    from gameday.history import read_history
    from gameday.traffic import ReplayOptions, plan_load

    target, scenario, seed = allowed_target(host), loaded.written, _seed()
    history = read_history(scenario, file=None, seed=seed)
    demand = forecast_demand(scenario, history)
    stack, scale = _stack_at(target.url, scenario)
    speed = min(_BY_HAND_SPEED, scenario.replay.speed)
    scenario = loaded.played
    plan = plan_load(scenario, demand, seed=seed, options=ReplayOptions(scale=scale, speed=speed))
    check_ceilings(scenario, plan)
    run_id = time.strftime("by-hand-%Y%m%dT%H%M%S", time.gmtime())
    return RunSpec(run_id, loaded, {stack: target.url}, workers, plan)


def _seed() -> Seed:
    text = os.environ.get("GAMEDAY_SEED", "1")
    if not text.isdecimal():
        raise UsageError(f"GAMEDAY_SEED: must be a whole number from 0 on (got '{text}')")
    return Seed(int(text))


def _stack_at(target: str, scenario: Scenario) -> tuple[str, float | None]:
    """Return the stack and scale of a `gameday shop`; of another target, the first stack."""
    try:
        health = json.loads(fetch(target, "/health"))
        if health["stack"] in scenario.stack_names:
            return str(health["stack"]), float(health["scale"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not ours: nothing is known of it
    return scenario.stack_names[0], None
