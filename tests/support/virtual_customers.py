"""The real engine against a target made up of chance, on a clock that only the engine's sleep turns.

Nothing is replaced but the sockets and the clock: sessions are dealt, started, laid to sleep,
woken, played, judged, counted and ended by `Engine.run` itself. What a Pool is asked to send is
answered after virtual seconds, unless its customer loses patience before.
"""

from __future__ import annotations

import gc
import heapq
import itertools
import json
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf, nextafter
from typing import Any, NamedTuple

import gevent
import numpy as np
import pytest

from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario
from gameday.scenario.reading.assets import Assets
from gameday.swarm.control.run_spec import RunSpec
from gameday.swarm.control.session_assignment import SessionAssignment
from gameday.swarm.engine.customer import Customer
from gameday.swarm.engine.open_arrivals import Engine
from gameday.swarm.tally.reports import WorkerReport, message_items, report_of
from gameday.swarm.wire.flight import Flight
from gameday.swarm.wire.heads import Head, read_head
from gameday.swarm.wire.pool import Pool
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array, Seed, draw

__all__ = [
    "Answer",
    "Asked",
    "Run",
    "Target",
    "VirtualClock",
    "good",
    "head_of",
    "play",
    "rough",
]

_START_S, _EPOCH_S = 1000.0, 1.8e9
_BUSY_S = 1e-4
"""What a turn of the engine's loop takes where nothing is waited for."""
_EVER_S = -1e18
"""From when on the first deal holds."""


class Asked(NamedTuple):
    """One exchange that went out."""

    session: int
    place: int
    step: str
    tries: int
    hops: int
    number: int
    """The exchange's index in the scenario."""
    at_s: float
    """Seconds since the window's start."""
    alone: bool
    """Whether on a connection of its own."""
    resent: bool
    """Whether the flight says that it went out before."""
    request: bytes

    @property
    def method(self) -> str:
        return self.request.split(b" ")[0].decode()

    @property
    def path(self) -> str:
        return self.request.split(b" ")[1].decode("latin-1")

    def header(self, name: str) -> str | None:
        """Return the value of the header, several joined by commas; None if absent."""
        lines = self.request.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        fields = [line.split(": ", 1) for line in lines]
        found = [value for key, value in fields if key.lower() == name.lower()]
        return ",".join(found) if found else None


class Answer(NamedTuple):
    """What comes back after how many seconds: a reply, or a fault by its name."""

    status: int = 200
    headers: tuple[str, ...] = ()
    body: bytes = b""
    seconds: float = 0.01
    fault: str = ""
    held_s: float = 0.0
    """How long our own bound on sockets holds the request back before it goes out."""


def head_of(status: int, *headers: str, length: int = 0) -> Head:
    """Return a reply's head with these header lines."""
    lines = [f"HTTP/1.1 {status} So", *headers, f"Content-Length: {length}", "", ""]
    return read_head("\r\n".join(lines).encode())


def good(asked: Asked) -> Answer:
    """Answer as the small shop does when all is well."""
    return Answer(201 if asked.method == "POST" else 200)


@dataclass
class Target:
    """Says what comes back; by default all is well."""

    answer: Callable[[Asked], Answer] = good
    asked: list[Asked] = field(default_factory=list)
    stale: bool = False
    """Whether every connection proves stale once."""


_KINDS = (
    Answer(200),
    Answer(201),
    Answer(409),
    Answer(500),
    Answer(404),
    Answer(429),
    Answer(fault="connection_reset"),
    Answer(fault="connection_refused", seconds=0.0),
    Answer(302, ("Location: /elsewhere",)),
    Answer(303, ("Location: http://192.0.2.1/",)),
    Answer(200, ("Set-Cookie: basket=7; Path=/",)),
    Answer(200, ("Content-Encoding: gzip",), b"no"),
)


def rough(seed: int, *, bad: float = 0.25, mean_s: float = 1.2, held: float = 0.0) -> Target:
    """Return a target that does anything a target may do, the same to the same request.

    `held`: the share of bad requests that we hold back ourselves before they go out.
    """

    def answer(asked: Asked) -> Answer:
        def uniform(purpose: int) -> float:
            place, turn = asked.place * 16 + asked.hops, asked.number * 32 + asked.tries
            return draw(seed, asked.session, place, turn, purpose)

        seconds = -mean_s * float(np.log(uniform(0)))
        if uniform(1) >= bad:
            return good(asked)._replace(body=b'{"token": "t"}', seconds=seconds)
        is_gone = asked.method == "POST" and uniform(3) < 0.4
        kind = Answer(409) if is_gone else _KINDS[int(uniform(2) * len(_KINDS))]
        held_s = seconds if uniform(4) < held else 0.0
        return kind._replace(seconds=seconds if kind.seconds else 0.0, held_s=held_s)

    return Target(answer)


@dataclass
class VirtualClock:
    """A clock that is turned by whoever sleeps."""

    now_s: float = _START_S
    events: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    after_each: Callable[[], object] = lambda: None
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def at(self, at_s: float, happens: Callable[[float], None]) -> None:
        """Let something happen, and be told the instant."""
        heapq.heappush(self.events, (at_s, next(self._number), happens))

    def sleep(self, seconds: float) -> None:
        """Let time pass; what happens meanwhile happens at its exact instant."""
        until = max(nextafter(self.now_s, inf), self.now_s + (seconds if seconds > 0 else _BUSY_S))
        while self.events and self.events[0][0] <= until:
            at_s, _, happens = heapq.heappop(self.events)
            self.now_s = max(self.now_s, at_s)
            happens(self.now_s)
            self.after_each()
        self.now_s = until


@dataclass
class Run:
    """What became of a run: reports in order, and every exchange as Locust's tables hear of it."""

    reports: list[WorkerReport] = field(default_factory=list)
    exchanges: list[Array] = field(default_factory=list)
    """Rows (number, due, done, bytes), instants on the engine's clock."""
    exchange_faults: dict[tuple[int, str], int] = field(default_factory=dict)
    sleepers: int = 0
    """Customers who slept at the end."""


def play(
    scenario: Scenario,
    plan: LoadPlan,
    target: Target,
    *,
    workers: int = 1,
    share: float = 0.3,
    seed: int = 1,
    assets: Assets | None = None,
    stacks: tuple[str, ...] | None = None,
    assignments: Mapping[int, tuple[SessionAssignment, ...]] | None = None,
    happens: Mapping[float, Callable[[Engine, int], None]] | None = None,
) -> Run:
    """Play a plan by so many workers, one after the other, each from the same start.

    Reports are taken at random, `share` of the times something is sent; the last after the end.
    `happens` is done to each engine at wall seconds from the window's start.
    """
    run, names = Run(), scenario.stack_names
    urls = {stack: f"http://127.0.0.1:{8001 + names.index(stack)}" for stack in stacks or names}
    spec = RunSpec(
        run_id="r1",
        loaded=LoadedScenario("", assets or Assets()),
        targets=urls,
        workers=workers,
        plan=plan,
    )
    for worker in range(workers):
        mine = (
            assignments[worker] if assignments else (SessionAssignment(_EVER_S, worker, workers),)
        )
        chance = Seed(seed).stream("reports", str(worker))
        _play_one(spec, scenario, target, run, (worker, mine, chance, share), happens or {})
    return run


def _play_one(
    spec: RunSpec,
    scenario: Scenario,
    target: Target,
    run: Run,
    who: tuple[int, tuple[SessionAssignment, ...], np.random.Generator, float],
    happens: Mapping[float, Callable[[Engine, int], None]],
) -> None:
    worker, assignments, chance, share = who
    clock = VirtualClock()

    def take() -> None:
        engine.count()
        report = WorkerReport(engine.tally.take(), engine.gauges.read())
        message = json.loads(json.dumps(dict(message_items(report))))
        run.reports.append(report_of(message))

    def perhaps() -> None:
        if chance.random() < share:
            take()

    def hear(samples: Array, faults: dict[tuple[int, str], int]) -> None:
        run.exchanges.append(samples)
        for key, n in faults.items():
            run.exchange_faults[key] = run.exchange_faults.get(key, 0) + n

    with _virtual(clock, target, lambda: engine, perhaps):
        engine = Engine(spec, scenario)
        engine.on_count, engine.tally.worker = hear, worker
        engine.assign(assignments)
        engine.set_clock(_EPOCH_S)
        clock.after_each = lambda: engine.sockets.after_turn()
        for at_s, act in happens.items():
            clock.at(engine.t0 + at_s, lambda now, act=act: act(engine, worker))  # type: ignore[misc]
        engine.run()
        take()
    run.sleepers += len(engine.player.sleeping)


@contextmanager
def _virtual(
    clock: VirtualClock, target: Target, engine: Callable[[], Engine], on_way: Callable[[], None]
) -> Any:
    """Replace the clock everywhere, and what a Pool does with sockets."""

    def send(pool: Pool, flight: Flight, now: float, *, alone: bool = False) -> None:
        asked = _asked(flight, now - engine().t0, engine().plan.steps, alone=alone)
        flight.resent = target.stale  # the connection was, and the pool took another
        target.asked.append(asked)
        on_way()
        answer = target.answer(asked)
        if answer.held_s:
            clock.at(now + answer.held_s, lambda at: issue(pool, flight, answer, at))
        else:
            issue(pool, flight, answer, now)

    def issue(pool: Pool, flight: Flight, answer: Answer, now: float) -> None:
        flight.sent = now
        leaves, back = (flight.patient_since or now) + flight.patience, now + answer.seconds
        if back > leaves:
            at_s = nextafter(max(now, leaves), inf)
            clock.at(at_s, lambda at: pool._on_fault(flight, "patience", at))
        elif answer.fault and not answer.seconds:
            pool._on_fault(flight, answer.fault, now)  # as a port that is refused on the spot
        elif answer.fault:
            clock.at(back, lambda at: pool._on_fault(flight, answer.fault, at))
        else:
            head = head_of(answer.status, *answer.headers, length=len(answer.body))
            size = 100 + len(answer.body)
            clock.at(back, lambda at: pool._on_reply(flight, head, answer.body, size, at))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "send", send)
        patch.setattr(
            Pool, "send_alone", lambda pool, flight, now: send(pool, flight, now, alone=True)
        )
        patch.setattr(Pool, "open_ahead", lambda pool, wanted, now: None)
        patch.setattr(Pool, "sweep", lambda pool, now: None)
        patch.setattr(time, "perf_counter", lambda: clock.now_s)
        patch.setattr(time, "time", lambda: clock.now_s - _START_S + _EPOCH_S)
        patch.setattr(time, "process_time", lambda: clock.now_s / 10)
        patch.setattr(gevent, "sleep", clock.sleep)
        patch.setattr(gc, "collect", lambda: 0)
        yield


def _asked(flight: Any, at_s: float, steps: tuple[str, ...], *, alone: bool) -> Asked:
    customer = flight if isinstance(flight, Customer) else flight.owner
    return Asked(
        customer.session,
        customer.position,
        steps[customer.step],
        customer.tries,
        flight.hops,
        flight.exchange.number,
        at_s,
        alone,
        flight.resent,
        flight.request,
    )
