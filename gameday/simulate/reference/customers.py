"""Customers in the model: they walk, wait, lose patience, try again, find things sold out."""

from __future__ import annotations

from dataclasses import dataclass, field

import simpy

from gameday.queueing import DONE, WAITING, Cell, Sale, Visit, sales
from gameday.scenario import Scenario
from gameday.scenario.blocks import COUNTDOWN, Exchange, Journey, Reaction
from gameday.simulate.instants import Rank, at
from gameday.simulate.reference.station import Asker, Key, Process, Services
from gameday.traffic import Arrivals, LoadPlan, PlannedStep, Walks
from gameday.vocabulary import Draw, draw

__all__ = ["Customers", "Tally"]


@dataclass
class Tally:
    """What customers met: counts by (step, slot, outcome), latencies as they came."""

    steps: dict[tuple[int, int, str], int] = field(default_factory=dict)
    sessions: dict[tuple[int, str], int] = field(default_factory=dict)
    response: list[tuple[int, int, float]] = field(default_factory=list)
    delay: list[float] = field(default_factory=list)

    def step(self, step: int, slot: int, what: str) -> None:
        """Count one step under an outcome."""
        key = (step, slot, what)
        self.steps[key] = self.steps.get(key, 0) + 1

    def session(self, slot: int, what: str) -> None:
        """Count one session under an outcome."""
        self.sessions[slot, what] = self.sessions.get((slot, what), 0) + 1


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
        self.sales = sales(scenario, cell.stack, plan.clock, window_start=plan.window.start)
        self.carts: dict[int, int] = {}

    def slot(self, at_s: float) -> int:
        """Return the slot of the grid at simulated second `at_s`."""
        return int(at_s / self.plan.slot_wall_s + 1e-9)

    def arrive(self, arrivals: Arrivals, mine: list[int]) -> Process:
        """Start every session of `mine` (sorted by time) at its instant."""
        offset = self.plan.lead_in_s
        for session in mine:
            yield at(self.env, float(arrivals.at_s[session]) + offset, Rank.CUSTOMER)
            self.env.process(self._session(arrivals, session))

    def _session(self, arrivals: Arrivals, session: int) -> Process:
        journey = self.walks.journey(arrivals, session)
        product = self.walks.product(arrivals, session)
        offset, slots = self.plan.lead_in_s, self.plan.grid.slots
        walk = self.walks.planned(arrivals, session)
        slot_of = [self.slot(p.at_s + offset) for p in walk]
        walk = [p for p, slot in zip(walk, slot_of, strict=True) if slot < slots]
        began = self.slot(self.env.now)
        self.tally.session(began, "planned")
        self.tally.session(began, "started")
        for planned, slot in zip(walk, slot_of, strict=False):
            self.tally.step(planned.step, slot, "planned")
        end = yield from self._walk(journey, product, session, walk, slot_of)
        self.tally.session(began, end)

    def _walk(
        self,
        journey: Journey,
        product: str | None,
        session: int,
        walk: list[PlannedStep],
        slot_of: list[int],
    ) -> Process:
        for place, planned in enumerate(walk):
            self.tally.step(planned.step, slot_of[place], "sent")
            outcome = yield from self._step(journey, product, session, place, planned.step, 0)
            if outcome not in ("done", "abandoned"):
                outcome = yield from self._again(
                    journey, product, session, place, planned.step, outcome
                )
            if outcome != "done":
                self._rest(walk[place + 1 :], slot_of[place + 1 :], f"after_{outcome}")
                return "finished" if outcome in ("sold_out", "waiting") else outcome
            if place + 1 < len(walk):
                if self._is_over(planned.think_s):
                    self._rest(walk[place + 1 :], slot_of[place + 1 :], "delayed")
                    return "displaced"
                yield at(self.env, self.env.now + planned.think_s, Rank.CUSTOMER)
        if walk:
            nominal = walk[-1].at_s + self.plan.lead_in_s
            nominal += self.plan.nominal[self.cell.stack][self.plan.steps[walk[-1].step]].mean_s
            self.tally.delay.append(max(0.0, self.env.now - nominal))
        return "finished"

    def _is_over(self, pause_s: float) -> bool:
        """Return whether the run is over after a pause: nothing is sent any more."""
        return self.slot(self.env.now + pause_s) >= self.plan.grid.slots

    def _rest(self, walk: list[PlannedStep], slots: list[int], why: str) -> None:
        for planned, slot in zip(walk, slots, strict=False):
            self.tally.step(planned.step, slot, why)

    def _again(
        self,
        journey: Journey,
        product: str | None,
        session: int,
        place: int,
        step: int,
        outcome: str,
    ) -> Process:
        """Try a step again as its latest outcome demands; return what it came to."""
        number, since, mood = 0, 0, outcome
        while outcome not in ("done", "abandoned"):
            if outcome != mood:
                mood, since = outcome, number
            reaction = journey.reaction(mood)
            if reaction is None or number - since >= reaction.most:
                return outcome
            uniform = draw(self.plan.seed.root, session, place, number + 1, Draw.REACTION)
            due = self._due_again(reaction, mood, product, (session, place, number + 1))
            if uniform >= reaction.again or self.slot(due) >= self.plan.grid.slots:
                return outcome
            number += 1
            yield at(self.env, due, Rank.CUSTOMER)
            self.tally.step(step, self.slot(self.env.now), "extra")
            outcome = yield from self._step(journey, product, session, place, step, number)
        return outcome

    def _due_again(
        self, reaction: Reaction, mood: str, product: str | None, key: tuple[int, int, int]
    ) -> float:
        """Return when a step is tried again: after a pause, or by the countdown to a release."""
        sale = self.sales.get(product or "")
        if mood == WAITING and sale and sale.countdown_s and not sale.is_open(self.env.now):
            session, place, number = key
            uniform = draw(self.plan.seed.root, session, place, COUNTDOWN + number, Draw.REACTION)
            return sale.opens_s + uniform * sale.countdown_s
        return float(self.env.now + self.plan.clock.wall_s(reaction.after))

    def _step(
        self,
        journey: Journey,
        product: str | None,
        session: int,
        place: int,
        step: int,
        number: int,
    ) -> Process:
        """Do one step, waiting no longer than patience; book and return its outcome."""
        sent, slot = self.env.now, self.slot(self.env.now)
        self.tally.step(step, slot, "achieved")
        answer = self.env.event()
        self.env.process(self._exchange_all(answer, product, (session, place, number), step))
        patience = at(self.env, sent + journey.patience, Rank.PATIENCE)
        patience.callbacks.append(lambda _: answer.triggered or answer.succeed("abandoned"))
        outcome = str((yield answer))
        self.tally.step(step, slot, outcome)
        self.tally.response.append((step, slot, self.env.now - sent))
        return outcome

    def _exchange_all(
        self, answer: simpy.Event, product: str | None, who: tuple[int, int, int], step: int
    ) -> Process:
        """Do a step's exchanges, group by group; a customer who has left sends no more of them."""
        session, place, number = who
        turn = 0
        visits = self.cell.exchanges(self.plan.steps[step], product)
        asked = self.scenario.exchanges(self.plan.steps[step], product)
        for group, exchanges in zip(visits, asked, strict=True):
            processes = [
                self.env.process(
                    self._exchange(visit, e, product, (session, place, turn + i, number))
                )
                for i, (visit, e) in enumerate(zip(group, exchanges, strict=True))
            ]
            turn += len(group)
            outcomes = []
            for process, exchange in zip(processes, exchanges, strict=True):
                if exchange.required:
                    outcomes.append((yield process))
            if answer.triggered:
                return
            bad = [outcome for outcome in outcomes if outcome != "done"]
            if bad:
                answer.succeed(bad[0])
                return
        answer.succeed("done")

    def _exchange(self, visit: Visit, exchange: Exchange, product: str | None, key: Key) -> Process:
        ok = yield from self.services.call(visit, Asker(key, key[0]))
        if not ok:
            return "failed"
        sale = self.sales.get(product or "")
        return DONE if sale is None else self._sold(sale, exchange, key[0])

    def _sold(self, sale: Sale, exchange: Exchange, session: int) -> str:
        """Look at a limited product, put it in the cart, or order what is there; say what came of it."""
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
