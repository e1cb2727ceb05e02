"""One customer of the swarm: walks a planned session against the real target."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import gevent

from gameday.scenario import Scenario
from gameday.scenario.journeys import Journey, Reaction
from gameday.scenario.steps import Exchange
from gameday.swarm.client import Client, Reply, Request
from gameday.swarm.replies import extracted, filled, outcome_of
from gameday.swarm.tally import Tally
from gameday.traffic import LoadPlan, PlannedStep
from gameday.vocabulary import Draw, draw

__all__ = ["Customer", "Stage"]

_TERMS = ("lamp", "shoes", "phone", "rice", "shirt", "kettle", "headphones", "book")
_AFTER = {"check_failed": "after_check"}
"""Outcomes whose book has another name than `after_<outcome>`."""


class Stage(Protocol):
    """What a customer needs of the engine that plays it."""

    scenario: Scenario
    plan: LoadPlan
    tally: Tally
    run_id: str
    stopping: bool
    on_reply: Callable[[str, str, float, Reply, str], None]

    def now_s(self) -> float:
        """Return wall seconds since the window's start."""


@dataclass
class Customer:
    """A session under way: memory, cookies, and its place in the walk."""

    stage: Stage
    client: Client
    stack: int
    region: str
    journey: Journey
    product_type: str | None
    session: int
    memory: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    _ended_s: float = 0.0

    def walk(self, walk: list[PlannedStep], slots: list[int], began: int) -> None:
        """Do every planned step in turn and book the session's end."""
        end = "finished"
        for place, planned in enumerate(walk):
            due_s = self._ended_s + walk[place - 1].think_s if place else planned.at_s
            if place and not self._is_over(due_s):
                self._wait_until(due_s)
            if self._is_over(due_s):
                why = "lost" if self.stage.stopping else "delayed"
                self._rest(walk[place:], slots[place:], why)
                end = "lost" if self.stage.stopping else "displaced"
                break
            self.stage.tally.step(self.stack, planned.step, "sent", slots[place])
            outcome = self._with_reactions(place, planned.step, due_s)
            if outcome != "done":
                why = _AFTER.get(outcome, f"after_{outcome}")
                self._rest(walk[place + 1 :], slots[place + 1 :], why)
                end = {"sold_out": "finished", "check_failed": "failed"}.get(outcome, outcome)
                break
        else:
            self._ended_as_planned(walk)
        self.stage.tally.session(self.stack, end, began)

    def _ended_as_planned(self, walk: list[PlannedStep]) -> None:
        if walk:
            plan = self.stage.plan
            stack = plan.nominal[self.stage.scenario.stack_names[self.stack]]
            nominal = walk[-1].at_s + stack[plan.steps[walk[-1].step]].mean_s
            self.stage.tally.ended_late(self.stack, self._ended_s - nominal)

    def _wait_until(self, due_s: float) -> None:
        pause = due_s - self.stage.now_s()
        if pause > 0:
            gevent.sleep(pause)

    def _is_over(self, due_s: float) -> bool:
        return self.stage.stopping or due_s >= self.stage.plan.duration_s

    def _rest(self, walk: list[PlannedStep], slots: list[int], why: str) -> None:
        for planned, slot in zip(walk, slots, strict=True):
            self.stage.tally.step(self.stack, planned.step, why, slot)

    def _with_reactions(self, place: int, step: int, due_s: float) -> str:
        """Do a step, and again as the journey's reactions say; return its last outcome."""
        outcome = self._step(place, step, due_s)
        reaction: Reaction | None = {
            "failed": self.journey.on_failure, "sold_out": self.journey.on_sold_out,
        }.get(outcome)  # fmt: skip
        if reaction is None:
            return outcome
        root = self.stage.plan.seed.root
        for number in range(1, reaction.most + 1):
            if draw(root, self.session, place, number, Draw.REACTION) >= reaction.again:
                return outcome
            due_s = self._ended_s + reaction.after / self.stage.plan.speed
            if self._is_over(due_s):
                return outcome
            self._wait_until(due_s)
            if self.stage.stopping:
                return outcome
            self.stage.tally.step(self.stack, step, "extra", self._slot(due_s))
            outcome = self._step(place, step, due_s)
            if outcome in ("done", "abandoned", "check_failed"):
                return outcome
        return outcome

    def _slot(self, at_s: float) -> int:
        return self.stage.plan.slot_of(at_s)

    def _step(self, place: int, step: int, due_s: float) -> str:
        """Do all exchanges of a step within patience; book outcome and times."""
        tally, slot = self.stage.tally, self._slot(due_s)
        sent_s = self.stage.now_s()
        tally.step(self.stack, step, "achieved", slot)
        self._choose(place)
        outcome, why = "abandoned", "patience"
        with gevent.Timeout(self.journey.patience, exception=False):
            outcome, why = self._exchanges(step)
        done_s = self._ended_s = self.stage.now_s()
        tally.step(self.stack, step, outcome, slot)
        tally.times(
            self.stack, step, slot, (done_s - due_s, done_s - sent_s, max(0.0, sent_s - due_s))
        )
        if outcome not in ("done", "sold_out"):
            tally.fault(self.stack, step, why)
        self._book_order(step, outcome, why)
        return outcome

    def _choose(self, place: int) -> None:
        """Set the words that templates may use at this step."""
        root, name = self.stage.plan.seed.root, f"{self.stage.run_id}-{self.session}"
        uniform = draw(root, self.session, place, 0, Draw.CUSTOMER)
        kind = self.product_type or ""
        items = self.stage.scenario.products[kind].items if kind else 1
        self.memory |= {
            "customer": f"synthetic-{self.session}", "password": f"pw-{self.session}",
            "product": f"{kind}-{int(uniform * items)}", "product_type": kind,
            "term": _TERMS[int(uniform * len(_TERMS))], "region": self.region,
            "run": self.stage.run_id, "order_key": f"{name}-{place}",
        }  # fmt: skip

    def _exchanges(self, step: int) -> tuple[str, str]:
        rules = self.stage.scenario.steps[self.stage.plan.steps[step]]
        for group in rules.exchanges:
            if len(group) == 1:
                results = [self._exchange(step, group[0])]
            else:
                jobs = [gevent.spawn(self._exchange, step, exchange) for exchange in group]
                try:
                    gevent.joinall(jobs, raise_error=True)
                finally:
                    gevent.killall(jobs, block=False)
                results = [job.value for job in jobs]
            for exchange, (outcome, why) in zip(group, results, strict=True):
                if outcome != "done" and exchange.required:
                    return outcome, why
        return "done", ""

    def _exchange(self, step: int, exchange: Exchange) -> tuple[str, str]:
        name = self.stage.plan.steps[step]
        began = time.perf_counter()
        reply = self.client.send(self._request(exchange, name), self.cookies)
        seconds = time.perf_counter() - began
        outcome, why = outcome_of(reply, exchange.check, seconds)
        if outcome == "done":
            for word, rule in exchange.extract.items():
                value = extracted(reply, rule)
                if value is None:
                    outcome, why = "check_failed", f"extract_{word}"
                    break
                self.memory[word] = value
        self.stage.on_reply(exchange.method, name, seconds, reply, why)
        return outcome, why

    def _request(self, exchange: Exchange, step: str) -> Request:
        memory: dict[str, str] = self.memory
        path = filled(exchange.path, {word: quote(text) for word, text in memory.items()})
        if exchange.query:
            path += "?" + urlencode(filled(exchange.query, memory))
        headers: dict[str, str] = {"X-Gameday-Step": step, **filled(exchange.headers, memory)}
        form: Any = filled(exchange.form, memory)
        return Request(exchange.method, path, headers, form, filled(exchange.json_body, memory))

    def _book_order(self, step: int, outcome: str, why: str) -> None:
        rules = self.stage.scenario.steps[self.stage.plan.steps[step]]
        if not any(e.action == "place_order" for e in rules.each_exchange()):
            return
        key = self.memory["order_key"]
        if outcome == "done":
            self.stage.tally.order(self.stack, key, "confirmed")
        elif outcome != "sold_out":
            self.stage.tally.order(self.stack, key, "unknown")
