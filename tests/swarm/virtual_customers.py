"""Real customers against a target made up of chance, by a clock that only they turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gameday.scenario import Scenario
from gameday.swarm import customer as room
from gameday.swarm.client import Reply, Request
from gameday.swarm.customer import Customer
from gameday.swarm.tally import Tally
from gameday.traffic import LoadPlan, Walks
from gameday.vocabulary import Seed

__all__ = ["Target", "play"]


class _Gone(BaseException):
    """Patience ran out."""


@dataclass
class _Clock:
    now_s: float = 0.0
    gone_at_s: float = float("inf")

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def timeout(self, seconds: float, exception: bool) -> Any:
        clock = self

        class Patience:
            def __enter__(self) -> None:
                clock.gone_at_s = clock.now_s + seconds

            def __exit__(self, kind: Any, *_: Any) -> bool:
                clock.gone_at_s = float("inf")
                return kind is _Gone

        return Patience()


@dataclass
class Target:
    """Says what comes back after how many seconds; by default all is well at once."""

    answer: Callable[[Request], tuple[Reply, float]] = lambda request: (
        Reply(201 if request.method == "POST" else 200, {}, b"", None), 0.01,
    )  # fmt: skip
    asked: list[Request] = field(default_factory=list)
    clock: _Clock = field(default_factory=_Clock)
    on_way: Callable[[], None] = lambda: None

    def send(self, request: Request, cookies: dict[str, str]) -> Reply:
        self.asked.append(request)
        self.on_way()
        reply, seconds = self.answer(request)
        if self.clock.now_s + seconds > self.clock.gone_at_s:
            self.clock.now_s = self.clock.gone_at_s
            raise _Gone
        self.clock.now_s += seconds
        return reply


def play(
    scenario: Scenario, plan: LoadPlan, target: Target, *, report_share: float = 0.3,
    whole: bool = False, seed: int = 1,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the reports of one worker that played every session, the last ones after its last.

    Reports are taken at random moments, in the middle of a step too; with `whole`, only between
    sessions.
    """
    chance, reports = Seed(seed).stream("reports"), []
    walks, arrivals, tally, clock = Walks(scenario, plan), plan.arrivals(), Tally(), target.clock

    def take() -> None:
        reports.append(tally.take() | {"busy": 0.1})

    def perhaps() -> None:
        if not whole and chance.random() < report_share:
            take()

    target.on_way = perhaps
    stage = SimpleNamespace(
        scenario=scenario, plan=plan, tally=tally, run_id="r1", stopping=False,
        on_reply=lambda *a: None, now_s=lambda: clock.now_s,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "time", SimpleNamespace(perf_counter=lambda: clock.now_s))
        patch.setattr(room, "gevent", SimpleNamespace(sleep=clock.sleep, Timeout=clock.timeout))
        for session, walk, slots, began in _laid_out(plan, walks, arrivals):
            region = plan.regions[arrivals.region[session]]
            stack = scenario.stack_names.index(scenario.regions[region].stack)
            clock.now_s = float(arrivals.at_s[session])
            tally.session(stack, "started", began)
            Customer(
                stage, target, stack, region, walks.journey(arrivals, session),  # type: ignore[arg-type]
                walks.product(arrivals, session), session,
            ).walk(walk, slots, began)  # fmt: skip
            if whole and chance.random() < report_share:
                take()
    take()
    return reports


def _laid_out(plan: LoadPlan, walks: Walks, arrivals: Any) -> Iterator[tuple[int, Any, Any, int]]:
    """Yield (session, walk, slots, slot of its start), as the engine lays them out."""
    for session in range(len(arrivals.at_s)):
        walk = walks.planned(arrivals, session)
        slots = [plan.slot_of(step.at_s) for step in walk]
        inside = int(np.sum([slot < plan.window.slots for slot in slots]))
        yield session, walk[:inside], slots[:inside], plan.slot_of(float(arrivals.at_s[session]))
