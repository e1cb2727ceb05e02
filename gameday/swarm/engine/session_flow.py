"""What follows a step: its outcome counted, another try, a pause to think, or the session's end."""

from __future__ import annotations

from collections.abc import Callable
from math import floor

from gameday.record import SESSIONS, STEPS
from gameday.scenario.blocks import COUNTDOWN, Reaction
from gameday.swarm.engine.customer import Cohort, Customer
from gameday.swarm.engine.sleeping_sessions import SleepingSessions
from gameday.swarm.tally.samples import DONE, OUTCOMES, PACKED, SOLD_OUT, WAITING, Tally
from gameday.traffic import END, LoadPlan
from gameday.vocabulary import Draw, draw_keyed

__all__ = ["SessionFlow"]

_AFTER = tuple(
    -1
    if name == "done"
    else STEPS.index("after_check" if name == "check_failed" else f"after_{name}")
    for name in OUTCOMES
)
"""Outcome -> the STEPS column that counts the planned steps behind it."""
_ENDS = {
    "done": "finished",
    "sold_out": "finished",
    "waiting": "finished",
    "check_failed": "failed",
}
_SESSION_END = tuple(SESSIONS.index(_ENDS.get(name, name)) for name in OUTCOMES)
_FINISHED, _DISPLACED = SESSIONS.index("finished"), SESSIONS.index("displaced")
_DELAYED, _HELD = STEPS.index("delayed"), STEPS.index("held")
_HELD_SESSION = SESSIONS.index("held")


class SessionFlow:
    """Takes sessions from step to step. Instants are seconds of the engine's clock."""

    def __init__(self, plan: LoadPlan, cohorts: tuple[Cohort, ...], tally: Tally) -> None:
        self.plan, self.cohorts, self.tally = plan, cohorts, tally
        self.sleeping = SleepingSessions(cohorts)
        self.awake = 0
        """Customers with a step under way."""
        self.sample = tally.samples.extend
        self.on_end: Callable[[Customer], None] = lambda customer: None
        """Hears of every session's end."""
        self.stopping = False
        self.t0 = 0.0
        """The window's start."""
        self.clock, self.lead_in = plan.clock, plan.lead_in
        self.slot_wall_s = self.clock.slot_wall_s
        self._slots, self._until = plan.window.slots, plan.duration_s

    def start_clock(self, t0: float) -> None:
        """Let the window begin at `t0`."""
        self.t0 = self.tally.t0 = t0
        self._until = t0 + self.plan.duration_s

    def begin_step(self, customer: Customer, due: float, now: float) -> None:
        """Play the step a customer is at."""
        raise NotImplementedError

    def step_over(self, customer: Customer, due: float, sent: float, now: float, size: int) -> None:
        """Count a step's outcome and times, then go on with the session."""
        prepared, outcome = customer.prepared, customer.outcome
        if outcome == DONE and not customer.tries:
            self.sample(PACKED(prepared.code, due, sent, now, size, customer.nominal_s))
        else:
            code = prepared.code + outcome * self.tally.span
            code += bool(customer.tries) * self.tally.extra
            self.sample(PACKED(code, due, sent, now, size, customer.nominal_s))
        if prepared.script.places_order:
            self._note_order(customer, now)
        if outcome == SOLD_OUT:
            self.tally.sold_out(customer.cohort.stack, customer.product_type, now - self.t0)
        if outcome == DONE:
            self._go_on(customer, now)
        else:
            if outcome not in (SOLD_OUT, WAITING):
                self.tally.fault(customer.cohort.stack, customer.step, customer.why)
            self._after_bad(customer, now)

    def _note_order(self, customer: Customer, now: float) -> None:
        script, stack = customer.prepared.script, customer.cohort.stack
        key, at_s = script.order_key(customer), now - self.t0
        if customer.outcome == DONE:
            number = (customer.memory or {}).get(script.order_number or "", "")
            self.tally.order(stack, key, "confirmed", number=number, at_s=at_s)
        elif customer.outcome not in (SOLD_OUT, WAITING):
            self.tally.order(stack, key, "unknown", at_s=at_s)

    def _after_bad(self, customer: Customer, now: float) -> None:
        """Try the step again where the journey's reaction says so, else end the session."""
        journey, outcome, tries = customer.cohort.journey, customer.outcome, customer.tries
        if not tries or customer.retry_reason != outcome:
            customer.retry_reason, customer.tries_at_reason = outcome, tries
        reaction = None if self.stopping else journey.reaction(OUTCOMES[outcome])
        if reaction is not None and tries - customer.tries_at_reason < reaction.most:
            chance = draw_keyed(customer.key, customer.position, tries + 1, Draw.REACTION)
            due = self._due_again(customer, reaction, now)
            if chance < reaction.again and due < self._until:
                customer.tries = tries + 1
                self._sleep(customer, due)
                return
        self._count_unreached(customer, _AFTER[outcome])
        self._end(customer, _SESSION_END[outcome])

    def _due_again(self, customer: Customer, reaction: Reaction, now: float) -> float:
        """Return when a step is tried again: after a pause, or by the countdown to a release."""
        if customer.outcome == WAITING and customer.cohort.sales:
            sale = customer.cohort.sales.get(customer.product_type)
            if sale is not None and sale.countdown_s and not sale.is_open(now - self.t0):
                number = COUNTDOWN + customer.tries + 1
                uniform = draw_keyed(customer.key, customer.position, number, Draw.REACTION)
                return self.t0 + sale.opens_s + uniform * sale.countdown_s
        return now + self.clock.wall_s(reaction.after)

    def _go_on(self, customer: Customer, now: float) -> None:
        """Let the customer think, or end the session as planned."""
        cohort, here_s = customer.cohort, customer.prepared.nominal_s
        spent_s = 0.0
        if cohort.course.duration is not None:
            spent_s = customer.nominal_s + here_s - cohort.starts_at_s(customer.session)
        think_s, following = cohort.course.after(
            customer.key, customer.position, customer.step, spent_s
        )
        nominal_s = customer.nominal_s + (here_s + think_s)
        due = now + think_s
        if following == END or nominal_s / self.slot_wall_s >= self._slots:
            self.tally.ended_late(cohort.stack, now - self.t0 - (customer.nominal_s + here_s))
            self._end(customer, _FINISHED)
        elif due >= self._until:
            self._count_unreached(customer, _DELAYED)
            self._end(customer, _DISPLACED)
        else:
            customer.position += 1
            customer.step, customer.nominal_s, customer.tries = following, nominal_s, 0
            if think_s or self.stopping:
                self._sleep(customer, due)
            else:
                self.begin_step(customer, due, now)

    def _sleep(self, customer: Customer, due: float) -> None:
        self.awake -= 1
        self.sleeping.sleep(customer, due)

    def hold(self, customer: Customer) -> None:
        """Count a session that a guardrail keeps from starting, and all its steps."""
        slot = customer.start_slot + self.lead_in
        self.tally.session(customer.cohort.stack, _HELD_SESSION, slot)
        self.tally.not_reached(customer.cohort.stack, customer.step, _HELD, slot)
        self._count_unreached(customer, _HELD)

    def _count_unreached(self, customer: Customer, why: int) -> None:
        """Count every planned step behind this one as not reached, under STEPS[why]."""
        cohort, position, step = customer.cohort, customer.position, customer.step
        nominal_s = customer.nominal_s
        while True:
            here_s, spent_s = cohort.steps[step].nominal_s, 0.0
            if cohort.course.duration is not None:
                spent_s = nominal_s + here_s - cohort.starts_at_s(customer.session)
            think_s, following = cohort.course.after(customer.key, position, step, spent_s)
            nominal_s += here_s + think_s
            slot = floor(nominal_s / self.slot_wall_s)
            if following == END or slot >= self._slots:
                return
            self.tally.not_reached(cohort.stack, following, why, slot + self.lead_in)
            position, step = position + 1, following

    def _end(self, customer: Customer, session_end: int) -> None:
        customer.has_ended = True
        self.awake -= 1
        self.on_end(customer)
        self.tally.session(customer.cohort.stack, session_end, customer.start_slot + self.lead_in)
