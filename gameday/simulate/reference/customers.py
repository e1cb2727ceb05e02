"""Customers in the model: they walk, wait, lose patience, try again, find things sold out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import simpy

from gameday.queueing import DONE, WAITING, Cell, Sale, Visit, build_sales
from gameday.scenario import Scenario
from gameday.scenario.blocks import COUNTDOWN, Exchange, Journey
from gameday.simulate.instants import Rank, at
from gameday.simulate.records import regions_of
from gameday.simulate.reference.station import Caller, Key, Process, Services
from gameday.traffic import Arrivals, LoadPlan, PlannedStep, Walks
from gameday.vocabulary import Draw, draw

__all__ = ["Customers", "Tally"]


@dataclass
class Tally:
    """What customers met: counts by (step, slot, outcome), latencies as they came."""

    steps: dict[tuple[int, int, str], int] = field(default_factory=dict)
    sessions: dict[tuple[int, str], int] = field(default_factory=dict)
    response: list[tuple[int, int, float]] = field(default_factory=list)
    """(step, slot, seconds)."""
    delay: list[float] = field(default_factory=list)
    """How much later than planned each session ended, s."""

    def step(self, step: int, slot: int, outcome: str) -> None:
        """Count one step under an outcome."""
        key = (step, slot, outcome)
        self.steps[key] = self.steps.get(key, 0) + 1

    def session(self, slot: int, outcome: str) -> None:
        """Count one session under an outcome."""
        self.sessions[slot, outcome] = self.sessions.get((slot, outcome), 0) + 1


@dataclass(frozen=True, slots=True)
class _Session:
    """A customer and the walk that is planned for them, as far as it begins within the run."""

    number: int
    journey: Journey
    product: str | None
    walk: list[PlannedStep]
    slots: list[int]
    """In which each step is planned."""


class Customers:
    """Every session of one stack."""

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        plan: LoadPlan,
        cell: Cell,
        services: Services,
    ) -> None:
        self.env, self.plan, self.cell, self.services = env, plan, cell, services
        self.scenario = scenario
        self.walks, self.tally = Walks(scenario, plan), Tally()
        self.sales = build_sales(scenario, cell.stack, plan.clock, window_start=plan.window.start)
        self.carts: dict[int, int] = {}

    def slot(self, at_s: float) -> int:
        """Return the slot of the grid at simulated second `at_s`."""
        return int(at_s / self.plan.slot_wall_s + 1e-9)

    def arrive(self) -> Process:
        """Start every session of the stack's regions at its instant."""
        arrivals, offset = self.plan.arrivals(), self.plan.lead_in_s
        regions = regions_of(self.scenario, self.plan, self.cell.stack)
        for number in np.flatnonzero(np.isin(arrivals.region, regions)).tolist():
            yield at(self.env, float(arrivals.at_s[number]) + offset, Rank.CUSTOMER)
            self.env.process(self._play(self._session(arrivals, number)))

    def _session(self, arrivals: Arrivals, number: int) -> _Session:
        offset, end = self.plan.lead_in_s, self.plan.grid.slots
        walk = self.walks.planned(arrivals, number)
        slots = [self.slot(planned.at_s + offset) for planned in walk]
        return _Session(
            number,
            self.walks.journey(arrivals, number),
            self.walks.product(arrivals, number),
            [planned for planned, slot in zip(walk, slots, strict=True) if slot < end],
            slots,
        )

    def _play(self, session: _Session) -> Process:
        began = self.slot(self.env.now)
        self.tally.session(began, "planned")
        self.tally.session(began, "started")
        for planned, slot in zip(session.walk, session.slots, strict=False):
            self.tally.step(planned.step, slot, "planned")
        outcome = yield from self._walk(session)
        self.tally.session(began, outcome)

    def _walk(self, session: _Session) -> Process:
        """Do the steps of a session one after another; return how the session ended."""
        walk = session.walk
        for position, planned in enumerate(walk):
            self.tally.step(planned.step, session.slots[position], "sent")
            outcome = yield from self._step(session, position, 0)
            if outcome not in ("done", "abandoned"):
                outcome = yield from self._try_again(session, position, outcome)
            if outcome != "done":
                self._leave_out(session, position + 1, f"after_{outcome}")
                return "finished" if outcome in ("sold_out", "waiting") else outcome
            if position + 1 < len(walk):
                if self._is_over_after(planned.think_s):
                    self._leave_out(session, position + 1, "delayed")
                    return "displaced"
                yield at(self.env, self.env.now + planned.think_s, Rank.CUSTOMER)
        if walk:
            self._note_delay(walk[-1])
        return "finished"

    def _is_over_after(self, pause_s: float) -> bool:
        """Return whether the run is over after a pause: nothing is sent any more."""
        return self.slot(self.env.now + pause_s) >= self.plan.grid.slots

    def _leave_out(self, session: _Session, position: int, why: str) -> None:
        """Count the planned steps from a position on as not sent."""
        rest = zip(session.walk[position:], session.slots[position:], strict=False)
        for planned, slot in rest:
            self.tally.step(planned.step, slot, why)

    def _note_delay(self, last: PlannedStep) -> None:
        """Note how much later than planned the last step of a walk ended."""
        nominal = last.at_s + self.plan.lead_in_s
        nominal += self.plan.nominal[self.cell.stack][self.plan.steps[last.step]].mean_s
        self.tally.delay.append(max(0.0, self.env.now - nominal))

    def _try_again(self, session: _Session, position: int, outcome: str) -> Process:
        """Try a step again as its latest outcome demands; return what it came to."""
        tries, since, mood = 0, 0, outcome
        while outcome not in ("done", "abandoned"):
            if outcome != mood:
                mood, since = outcome, tries
            reaction = session.journey.reaction(mood)
            if reaction is None or tries - since >= reaction.most:
                return outcome
            tries += 1
            uniform = draw(self.plan.seed.root, session.number, position, tries, Draw.REACTION)
            pause_s = self.plan.clock.wall_s(reaction.after)
            due_s = self._due_again_s(session, position, tries, mood, pause_s)
            if uniform >= reaction.again or self.slot(due_s) >= self.plan.grid.slots:
                return outcome
            yield at(self.env, due_s, Rank.CUSTOMER)
            step = session.walk[position].step
            self.tally.step(step, self.slot(self.env.now), "extra")
            outcome = yield from self._step(session, position, tries)
        return outcome

    def _due_again_s(
        self, session: _Session, position: int, tries: int, mood: str, pause_s: float
    ) -> float:
        """Return when a step is tried again: after a pause, or by the countdown to a release."""
        sale = self.sales.get(session.product or "")
        now = float(self.env.now)
        if mood == WAITING and sale and sale.countdown_s and not sale.is_open(now):
            attempt = COUNTDOWN + tries
            uniform = draw(self.plan.seed.root, session.number, position, attempt, Draw.REACTION)
            return sale.opens_s + uniform * sale.countdown_s
        return now + pause_s

    def _step(self, session: _Session, position: int, tries: int) -> Process:
        """Do one step, waiting no longer than patience; count and return its outcome."""
        step = session.walk[position].step
        sent, slot = self.env.now, self.slot(self.env.now)
        self.tally.step(step, slot, "achieved")
        answer = self.env.event()
        self.env.process(self._exchange_all(answer, session, position, tries))
        patience = at(self.env, sent + session.journey.patience, Rank.PATIENCE)
        patience.callbacks.append(lambda _: answer.triggered or answer.succeed("abandoned"))
        outcome = str((yield answer))
        self.tally.step(step, slot, outcome)
        self.tally.response.append((step, slot, self.env.now - sent))
        return outcome

    def _exchange_all(
        self, answer: simpy.Event, session: _Session, position: int, tries: int
    ) -> Process:
        """Do a step's exchanges, group by group; a customer who has left sends no more of them."""
        step = self.plan.steps[session.walk[position].step]
        sent = 0
        for group in self.cell.requests(step, session.product):
            outcomes = []
            required = [
                self._send(visit, exchange, session, (session.number, position, number, tries))
                for number, (visit, exchange) in enumerate(group, sent)
            ]
            sent += len(group)
            for process in required:
                if process is not None:
                    outcomes.append((yield process))
            if answer.triggered:
                return
            bad = [outcome for outcome in outcomes if outcome != "done"]
            if bad:
                answer.succeed(bad[0])
                return
        answer.succeed("done")

    def _send(
        self, visit: Visit, exchange: Exchange, session: _Session, key: Key
    ) -> simpy.Process | None:
        """Send an exchange; return its process if the step waits for it."""
        process = self.env.process(self._exchange(visit, exchange, session, key))
        return process if exchange.required else None

    def _exchange(self, visit: Visit, exchange: Exchange, session: _Session, key: Key) -> Process:
        is_well = yield from self.services.call(visit, Caller(key, session.number))
        if not is_well:
            return "failed"
        sale = self.sales.get(session.product or "")
        return DONE if sale is None else self._sold(sale, exchange, session.number)

    def _sold(self, sale: Sale, exchange: Exchange, session: int) -> str:
        """Return the outcome of looking at a limited product, adding it to the cart, or ordering the cart."""
        now, in_cart = self.env.now, self.carts.get(session, 0)
        if exchange.action == "add_to_cart":
            outcome = sale.put_in_cart(now, in_cart)
            if outcome == DONE:
                self.carts[session] = sale.cart_with(in_cart)
            return outcome
        if exchange.action == "place_order":
            outcome = sale.order(now, in_cart or 1)
            if outcome == DONE:
                self.carts.pop(session, None)
            return outcome
        if exchange.action == "product" and exchange.check.wait and not sale.is_open(now):
            return WAITING
        return DONE
