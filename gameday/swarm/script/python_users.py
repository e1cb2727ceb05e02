"""The escape hatch: steps and journeys written as Locust users, at the forecast's rate.

A customer gets an instance of the class when a step first needs it, and keeps it to the session's
end. What its requests met is Locust's own to count; the step's outcome and times are ours.
"""

from __future__ import annotations

import importlib
import ipaddress
import socket
import sys
from collections.abc import Callable
from typing import Any

import gevent
from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import CatchResponseError, StopUser

from gameday.errors import UsageError
from gameday.scenario import Scenario
from gameday.scenario.blocks import Journey
from gameday.swarm.engine.customer import Customer
from gameday.swarm.tally.samples import ABANDONED, CHECK_FAILED, DONE, FAILED

__all__ = ["PythonUsers"]

_MOST_WHY = 80
Over = Callable[[Customer, float], None]
"""What is called with a customer whose step has ended, and when it was sent."""


class PythonUsers:
    """The Locust users of one worker."""

    requests = 0
    """What they sent since somebody last set this to 0."""

    def __init__(self, scenario: Scenario, environment: Environment | None, path: str) -> None:
        self._classes = _classes(scenario, path)
        self._users: dict[int, dict[str, User]] = {}
        """Session -> class -> its user."""
        self._faults: dict[Any, list[BaseException]] = {}
        """Greenlet of a step -> what its requests met."""
        self._group = Group()
        self.playing: set[Customer] = set()
        """Whose tasks are under way."""
        self._steps = list(scenario.steps)
        self._of_journeys = {journey.python for journey in scenario.journeys.values()}
        """Classes that play whole journeys: a task a step."""
        self._environment = environment
        if self._classes and environment is not None:
            _guard_sockets()
            environment.events.request.add_listener(self._on_request)

    def _on_request(
        self, exception: BaseException | None = None, response: Any = None, **_: Any
    ) -> None:
        self.requests += 1 + len(getattr(response, "history", None) or ())  # redirects followed
        faults = self._faults.get(gevent.getcurrent())
        if faults is not None and exception is not None:
            faults.append(exception)

    def play(self, customer: Customer, clock: Callable[[], float], over: Over) -> None:
        """Play a customer's step; call `over` when it has ended, its outcome noted."""
        self._group.spawn(self._play, customer, clock, over)

    def _play(self, customer: Customer, clock: Callable[[], float], over: Over) -> None:
        greenlet, sent = gevent.getcurrent(), clock()
        self.playing.add(customer)
        faults = self._faults[greenlet] = []
        customer.outcome, customer.why = self._outcome_of_tasks(customer)
        del self._faults[greenlet]
        self.playing.discard(customer)
        if faults and customer.outcome == DONE:
            is_check = isinstance(faults[0], CatchResponseError)
            customer.outcome, customer.why = CHECK_FAILED if is_check else FAILED, _named(faults[0])
        over(customer, sent)

    def _outcome_of_tasks(self, customer: Customer) -> tuple[int, str]:
        """Do a step's tasks within the customer's patience; return the outcome and why it is bad."""
        outcome = (ABANDONED, "patience")
        try:
            with gevent.Timeout(customer.cohort.journey.patience, exception=False):
                self._do_tasks(customer)
                outcome = (DONE, "")
        except StopUser:
            outcome = (DONE, "")
        except (Exception, SystemExit) as error:  # a user's own code may raise anything
            outcome = (FAILED, _named(error))
        return outcome

    def _do_tasks(self, customer: Customer) -> None:
        name = customer.prepared.python_class
        assert name is not None
        own = self._users.setdefault(customer.session, {})
        user = own.get(name)
        if user is None:
            user = own[name] = self._user(customer, self._classes[name])
        if name in self._of_journeys:
            getattr(user, _task_of(self._steps[customer.step]))()
            return
        for task in dict.fromkeys(user.tasks):
            task(user)

    def _user(self, customer: Customer, kind: type[User]) -> User:
        """Return a customer's own instance of a class, its `on_start` done."""
        host = customer.cohort.pool.target.url
        user = type(kind.__name__, (kind,), {"host": host})(self._environment)
        user.gameday = customer
        user.on_start()
        return user

    def dismiss(self, customer: Customer) -> None:
        """End the users of a session that has ended."""
        for user in self._users.pop(customer.session, {}).values():
            self._group.spawn(self._let_go, customer, user)

    def _let_go(self, customer: Customer, user: User) -> None:
        """Call a user's own `on_stop`, which may send requests, or fail: no step counts it."""
        with gevent.Timeout(customer.cohort.journey.patience, exception=False):
            try:
                user.on_stop()
            except (Exception, SystemExit) as error:
                sys.stderr.write(f"{type(user).__name__}.on_stop: {_named(error)}\n")

    def close(self) -> None:
        """End what still plays."""
        self._group.kill(block=True, timeout=1.0)


def _classes(scenario: Scenario, path: str) -> dict[str, type[User]]:
    """Return `module:Class` -> the class; UsageError where one cannot play what the scenario says."""
    classes: dict[str, type[User]] = {}
    names = [(f"steps.{n}", step.python) for n, step in scenario.steps.items()]
    names += [(f"journeys.{n}", journey.python) for n, journey in scenario.journeys.items()]
    for where, reference in names:
        if reference is not None and reference not in classes:
            classes[reference] = _imported(where, reference, path)
    for name, journey in scenario.journeys.items():
        if journey.python is not None:
            _check_tasks(name, journey, classes[journey.python])
    return classes


def _check_tasks(name: str, journey: Journey, kind: type[User]) -> None:
    """Raise UsageError where the class that plays a journey has no task for one of its steps."""
    tasks = [_task_of(step) for step in journey.next]
    missing = [task for task in tasks if not callable(getattr(kind, task, None))]
    if missing:
        raise UsageError(
            f"journeys.{name}.python: {journey.python} has no task {', '.join(missing)}"
        )


def _imported(where: str, name: str, path: str) -> type[User]:
    module, _, attribute = name.partition(":")
    if path not in sys.path:
        sys.path.insert(0, path)
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a module may do anything while it is imported
        raise UsageError(f"{where}.python: {name} cannot be imported ({error})") from None
    if not (isinstance(kind, type) and issubclass(kind, User)):
        raise UsageError(f"{where}.python: {name} is no Locust User")
    tasks: list[Any] = getattr(kind, "tasks", [])
    if where.startswith("steps.") and not tasks:
        raise UsageError(f"{where}.python: {name} has no task")
    if any(isinstance(each, type) for each in tasks):
        raise UsageError(f"{where}.python: {name} has a TaskSet; name plain tasks, once each")
    return kind


def _task_of(step: str) -> str:
    return step.replace("-", "_")


def _named(error: BaseException) -> str:
    """Return a short, repeatable name of what a request or a task met."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status:
        return f"status_{status}"
    text = str(error) if isinstance(error, CatchResponseError) else type(error).__name__
    return text[:_MOST_WHY]


def _guard_sockets() -> None:
    """Let no code of a scenario connect to anything but loopback."""
    plain = socket.socket.connect
    if getattr(plain, "is_guarded", False):
        return

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise ConnectionRefusedError(f"{address[0]} is no loopback address: not allowed")
        plain(self, address)

    connect.is_guarded = True  # type: ignore[attr-defined]
    setattr(socket.socket, "connect", connect)  # noqa: B010 (a method, replaced on purpose)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
