"""The swarm inside Locust: a host User that Locust counts, a shape that is the clock, messages wired.

A locustfile says `Customers, Clock = customers_of("primeday")`. Started by `gameday replay`, the
brief says what to play; started by hand, the plan is made here and `--host` is the target. Workers
need no scenario: the master sends them all they play.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
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
from gameday.scenario.reading import read_scenario
from gameday.swarm.control.door import guard_the_door
from gameday.swarm.control.master import Director
from gameday.swarm.control.run_spec import BRIEF_VARIABLE, REPORT_VARIABLE, Brief, read_brief
from gameday.swarm.control.worker import Player
from gameday.swarm.tally.observe import fetch
from gameday.vocabulary import Seed

__all__ = ["customers_of"]

_BY_HAND_SPEED = 10.0
"""Most event time per wall time when started by hand: half the default, as no flag can set it
and smaller cells answer more slowly. A cell too small even so is refused, with the speed."""


class _Floor:
    """What all of one Locust process share."""

    def __init__(self, event: str) -> None:
        self.event = event
        is_worker = "--worker" in sys.argv
        self.brief = read_brief() if BRIEF_VARIABLE in os.environ and not is_worker else None
        self.loaded = None if self.brief or is_worker else read_scenario(event)
        fd = os.environ.get(REPORT_VARIABLE)
        self.report = os.fdopen(int(fd), "w") if fd and not is_worker else None
        self.environment: Environment | None = None
        self.player: Player | None = None
        self.director: Director | None = None
        self.set_up: set[str] = set()
        """Workers that have said that they hear us: Locust calls a worker ready before that."""

    def workers(self) -> int:
        """Return how many processes play."""
        runner = self.environment.runner if self.environment else None
        return int(getattr(runner, "worker_count", 1) or 1)

    def direct(self) -> None:
        """Make the director of a run that begins, in the process that leads it."""
        environment = self.environment
        if environment is None or not isinstance(environment.runner, LocalRunner | MasterRunner):
            return
        brief = self.brief or _own_brief(self, environment.host or "")
        self.director = Director(environment, brief, self.report)
        self.director.send_brief(self.set_up, late=False)
        if self.brief is not None:
            gevent.spawn(self.director.watch_conductor, Path(os.environ[BRIEF_VARIABLE]).parent)

    def tell_refused(self, why: str) -> None:
        """Say that a worker was turned away, to whoever started Locust."""
        sys.stderr.write(f"{why}\n")
        if self.report is not None:
            with suppress(OSError):  # the conductor has gone: the director stops the run
                self.report.write(json.dumps({"what": "turned_away", "why": why}) + "\n")
                self.report.flush()


def customers_of(event: str) -> tuple[type[User], type[LoadTestShape]]:
    """Return the host User and the clock that play a scenario's plan in Locust."""
    try:
        floor = _Floor(event)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    guard_the_door(floor.tell_refused)
    _wire(floor)
    _wire_ends(floor)

    class Customers(User):
        """What Locust counts and tells: one, whoever plays. Customers are rows in the workers' engines."""

        def wait_time(self) -> float:
            return 1.0

        tasks = [lambda user: None]  # noqa: RUF012 (Locust's own protocol)

    class Clock(LoadTestShape):
        """One host user, until every worker has played its share."""

        def tick(self) -> tuple[int, float] | None:
            options = getattr(floor.environment, "parsed_options", None)
            longest = getattr(options, "run_time", None)
            director = floor.director
            if longest and director is not None and director.plays_for_s() > longest:
                return None
            if director is not None and director.is_over:
                return None
            return 1, 1.0

    return Customers, Clock


_TO_DIRECTOR = ("ping", "ready", "alive", "tally", "done", "refused")
_TO_PLAYER = ("brief", "pong", "deal", "pulse", "hold", "stop")


def _wire(floor: _Floor) -> None:
    """Register our messages: `gameday_<word>` is heard by the `on_<word>` of whom it is for."""

    @events.init.add_listener  # type: ignore[untyped-decorator]
    def on_init(environment: Environment, **_: Any) -> None:
        floor.environment = environment
        runner = environment.runner
        assert runner is not None
        if isinstance(runner, MasterRunner):
            _pin_users(runner)
        else:
            floor.player = Player(environment)

        def register(word: str, whose: str) -> None:
            def listener(environment: Environment, msg: Any, **_: Any) -> None:
                listening = getattr(floor, whose)
                if listening is not None:
                    getattr(listening, f"on_{word}")(environment, msg)

            runner.register_message(f"gameday_{word}", listener)

        for word in _TO_DIRECTOR:
            register(word, "director")
        for word in _TO_PLAYER:
            register(word, "player")
        runner.register_message("gameday_hello", on_hello)
        if floor.player is not None:
            floor.player.greet()

    def on_hello(environment: Environment, msg: Any, **_: Any) -> None:
        """Brief a worker that is set up: now, if the run has begun, else when it does."""
        floor.set_up.add(msg.data["who"])
        if floor.director is not None:
            floor.director.send_brief({msg.data["who"]}, late=True)

    @events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
    def on_parser(parser: Any, **_: Any) -> None:
        """Bind loopback unless told, where Locust would bind every address."""
        parser.set_defaults(master_bind_host="127.0.0.1", web_host="127.0.0.1")


def _pin_users(runner: Runner) -> None:
    """Let Locust deal its users once a run, however many workers come and go.

    It would send every worker its users anew, and each then takes up to a second and a half, in which
    it plays nothing, to build Locust's table of options once for each of them. Our sessions are dealt by
    the director, and playing needs no user.
    """
    deal_users = runner.start

    def start(*args: Any, **options: Any) -> None:
        if runner.state not in (STATE_SPAWNING, STATE_RUNNING):
            deal_users(*args, **options)

    runner.start = start


def _wire_ends(floor: _Floor) -> None:
    """Register what happens between runs and at the end."""

    @events.test_start.add_listener  # type: ignore[untyped-decorator]
    def on_test_start(environment: Environment, **_: Any) -> None:
        try:
            floor.direct()
        except (SafetyRefusal, UsageError) as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            os._exit(error.exit_code)  # before a single request: nothing to wind down
        except Exception:  # noqa: BLE001 (Locust would log it and play nothing for ever)
            traceback.print_exc()
            os._exit(9)

    @events.test_stop.add_listener  # type: ignore[untyped-decorator]
    def on_test_stop(environment: Environment, **_: Any) -> None:
        if floor.director is not None:
            floor.director.stopping = True  # whoever comes now is not briefed
        if floor.brief is None and floor.player is not None and floor.player.engine is not None:
            floor.player.engine.end_now()
        if getattr(environment.parsed_options, "csv_prefix", None):
            # Locust writes its CSV once a second: its last look must come after the last count.
            gevent.sleep(CSV_STATS_INTERVAL_SEC + 0.1)

    @events.quitting.add_listener  # type: ignore[untyped-decorator]
    def on_quit(environment: Environment, **_: Any) -> None:
        if floor.brief is not None:
            environment.process_exit_code = 0  # criteria are judged by gameday, not by Locust
        elif floor.director is not None and not environment.stats.total.num_requests:
            sys.stderr.write("not one request was sent\n")
            environment.process_exit_code = GeneratorFailed.exit_code


def _own_brief(floor: _Floor, host: str) -> Brief:
    """Return a brief made on the spot, for `locust -f` by hand."""
    from gameday.forecast import forecast_demand  # heavy, and of no use to a worker
    from gameday.history import read_history
    from gameday.traffic import ReplayOptions, plan_load

    target, loaded = allowed_target(host), floor.loaded
    assert loaded is not None
    scenario = loaded.written
    asked_seed = os.environ.get("GAMEDAY_SEED", "1")
    if not asked_seed.isdecimal():
        raise UsageError(f"GAMEDAY_SEED: must be a whole number from 0 on (got '{asked_seed}')")
    seed = Seed(int(asked_seed))
    history = read_history(scenario, file=None, seed=seed)
    demand = forecast_demand(scenario, history)
    stack, scale = _met(target.url, scenario)
    options = ReplayOptions(scale=scale, speed=min(_BY_HAND_SPEED, scenario.replay.speed))
    scenario = loaded.played
    plan = plan_load(scenario, demand, seed=seed, options=options)
    check_ceilings(scenario, plan)
    run = time.strftime("by-hand-%Y%m%dT%H%M%S", time.gmtime())
    return Brief(run, loaded, {stack: target.url}, floor.workers(), plan)


def _met(target: str, scenario: Scenario) -> tuple[str, float | None]:
    """Return the stack and scale of a `gameday shop`; of another target, the first stack."""
    try:
        health = json.loads(fetch(target, "/health"))
        if health["stack"] in scenario.stack_names:
            return str(health["stack"]), float(health["scale"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not ours: nothing is known of it
    return scenario.stack_names[0], None
