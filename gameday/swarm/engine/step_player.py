"""How steps are played: exchanges out, replies judged, redirects followed, the outcome found."""

from __future__ import annotations

from collections.abc import Callable

from gameday.swarm.engine.customer import Customer, Errand
from gameday.swarm.engine.redirects import onward_path
from gameday.swarm.engine.session_flow import Walking
from gameday.swarm.script.prepared_steps import Line
from gameday.swarm.tally.samples import ABANDONED, DONE, FAILED, NUMBER, PACKED, UNREQUIRED
from gameday.swarm.wire import Head
from gameday.swarm.wire.cookies import Jar
from gameday.swarm.wire.flight import Flight
from gameday.vocabulary import Draw, draw_keyed

__all__ = ["Play"]

_MOST_HOPS = 10


class Play(Walking):
    """The customers awake. Instants are seconds of the engine's clock."""

    begin_by_hand: Callable[[Customer, float, float], None]
    """Plays a step that is written in Python: customer, due, now."""

    def begin_step(self, customer: Customer, due: float, now: float) -> None:
        """Play the step a customer is at, for the first time or again."""
        customer.part = part = customer.cast.parts[customer.step]
        if customer.cast.own_parts:
            own = customer.cast.own_parts.get((customer.step, customer.product_type))
            customer.part = part = own or part
        customer.due = due
        customer.sent, customer.resent = 0.0, False
        if part.plain is not None and customer.jar is None:
            customer.request = part.plain
        elif part.python is not None:
            self.begin_by_hand(customer, due, now)
            return
        elif part.single is None:
            self._begin_groups(customer, due, now)
            return
        else:
            customer.request = self._request(customer, part.single)
        customer.asked = part.single
        if customer.place:
            customer.cast.pool.send(customer, now)
        else:
            self._send_first(customer, customer, now)

    @staticmethod
    def _request(customer: Customer, line: Line) -> bytes:
        if customer.jar is None:
            return line.request(customer, b"")
        if customer.jar.plain is not None:
            return line.request(customer, customer.jar.plain)
        secure = customer.cast.pool.is_secure
        return line.request(customer, customer.jar.header(line.path(customer), secure=secure))

    @staticmethod
    def _send_first(customer: Customer, flight: Flight, now: float) -> None:
        """Send a session's first exchange; some customers find no connection to use again."""
        pool = customer.cast.pool
        if pool.reuse < 1.0 and draw_keyed(customer.key, 0, 0, Draw.CONNECTION) >= pool.reuse:
            pool.send_alone(flight, now)
        else:
            pool.send(flight, now)

    def _begin_groups(self, customer: Customer, due: float, now: float) -> None:
        customer.step_due, customer.group = due, 0
        customer.late_s = customer.group_late = 0.0
        self._send_group(customer, due, now)

    def _send_group(self, customer: Customer, due: float, now: float) -> None:
        """Send the exchanges of the next group of a step."""
        lines, is_first = customer.part.scene.groups[customer.group], not customer.group
        customer.pending = 1 + sum(line.required for line in lines)
        since = 0.0 if is_first else customer.step_due + customer.late_s
        errands = [
            Errand(customer, line, self._request(customer, line), due, since) for line in lines
        ]
        for errand in errands:  # one may fail on the spot: the others go out all the same
            if is_first and not customer.place:
                self._send_first(customer, errand, now)
            else:
                customer.cast.pool.send(errand, now)
        self._one_back(customer, now)

    def _one_back(self, customer: Customer, now: float) -> None:
        """Go on with the step once every required exchange of the group is back."""
        customer.pending -= 1
        if customer.pending:
            return
        customer.group += 1
        customer.late_s, customer.group_late = customer.late_s + customer.group_late, 0.0
        if customer.outcome == DONE and customer.group < len(customer.part.scene.groups):
            self._send_group(customer, now, now)
            return
        customer.turn += 1
        self.step_over(customer, customer.step_due, customer.step_due + customer.late_s, now, 0)

    def replied(
        self, flight: Customer | Errand, head: Head, body: bytes, size: int, now: float
    ) -> None:
        """Judge a reply, follow where it points, or book its exchange."""
        if type(flight) is Customer and head.status in flight.part.fine and head.is_plain:
            self.step_over(flight, flight.due, flight.sent, now, size)
            return
        line: Line = flight.asked
        verdict = line.verdict
        customer = flight if isinstance(flight, Customer) else flight.owner
        is_late = isinstance(flight, Errand) and flight.is_late
        if is_late and line.required:
            return
        if head.cookies and not is_late:
            self._keep_cookies(customer, flight, head)
        if head.is_redirect and head.status not in verdict.good:
            fault = None if is_late else self._follow(customer, flight, head, now)
            if is_late or fault is not None:  # nobody waits for where a late one leads
                outcome = DONE if fault is None else FAILED
                self._exchange_over(customer, flight, outcome, fault or "", size, now)
            return
        seconds = now - (flight.first_sent or flight.sent)
        if not verdict.extracts or is_late:
            name, why = verdict(head, body, seconds, {})
        else:
            memory = customer.memory
            if memory is None:
                memory = customer.memory = {}
            name, why = verdict(head, body, seconds, memory)
        self._exchange_over(customer, flight, NUMBER[name], why, size, now)

    def failed(self, flight: Customer | Errand, fault: str, now: float) -> None:
        """Book an exchange that got no reply."""
        customer = flight if isinstance(flight, Customer) else flight.owner
        if fault != "patience" or not flight.asked.required:
            self._exchange_over(customer, flight, FAILED, fault, 0, now)
            return
        if customer.over:
            return
        self.tally.line_fault(flight.asked.number, fault)
        if customer.part.single is None:
            sent = flight.first_sent or flight.sent or now
            self.sample(PACKED(-1 - flight.asked.number, flight.due, sent, now, 0, 0.0))
        customer.outcome, customer.why = ABANDONED, fault
        self._step_over(customer, flight, 0, now)

    def _keep_cookies(self, customer: Customer, flight: Customer | Errand, head: Head) -> None:
        if customer.jar is None:
            customer.jar = Jar()
        pool = customer.cast.pool
        customer.jar.keep(
            head.cookies,
            host=pool.target.host,
            secure=pool.is_secure,
            path=lambda: flight.hop_path or flight.asked.path(customer),
        )

    def _follow(
        self, customer: Customer, flight: Customer | Errand, head: Head, now: float
    ) -> str | None:
        """Send a redirect's next hop; return a fault where it may not be followed."""
        line: Line = flight.asked
        pool = customer.cast.pool
        if flight.hops >= _MOST_HOPS:
            return "too_many_redirects"
        path = onward_path(pool.target, flight.hop_path or line.path(customer), head)
        if path is None:
            return "redirect_refused"
        as_get = flight.became_get or (
            (line.method == "POST" and head.status in (301, 302))
            or (line.method not in ("GET", "HEAD") and head.status == 303)
        )
        cookies = b""
        if customer.jar is not None:
            cookies = customer.jar.header(path, secure=pool.is_secure)
        request = line.onward(customer, path, cookies, as_get=as_get)
        since = flight.patient_since or flight.sent
        hop = Errand(customer, line, request, flight.due, since)
        hop.hops, hop.hop_path, hop.became_get = flight.hops + 1, path, as_get
        hop.first_sent, hop.turn = flight.first_sent or flight.sent, flight.turn
        self.tally.redirect(line.step_number)
        pool.send(hop, now)
        return None

    def _exchange_over(
        self,
        customer: Customer,
        flight: Customer | Errand,
        outcome: int,
        why: str,
        size: int,
        now: float,
    ) -> None:
        """Book an exchange; one that is not required and late counts for itself alone."""
        line: Line = flight.asked
        is_late = isinstance(flight, Errand) and flight.is_late
        if is_late and line.required:
            return
        if outcome != DONE and why:
            self.tally.line_fault(line.number, why)
            if not line.required:
                self.tally.fault(customer.cast.stack, line.step_number, f"{UNREQUIRED}{why}")
        if outcome != DONE and line.required and customer.outcome == DONE:
            customer.outcome, customer.why = outcome, why
        if not is_late and customer.part.single is not None:
            self._step_over(customer, flight, size, now)
            return
        sent = flight.first_sent or flight.sent
        self.sample(PACKED(-1 - line.number, flight.due, sent, now, size, 0.0))
        if not is_late:
            customer.group_late = max(customer.group_late, (sent or now) - flight.due)
            if line.required:
                self._one_back(customer, now)

    def _step_over(
        self, customer: Customer, flight: Customer | Errand, size: int, now: float
    ) -> None:
        """End the step with this exchange; one that never went out was sent just now."""
        sent = flight.first_sent or flight.sent or now
        if customer.part.single is None:
            late_s = customer.late_s + max(customer.group_late, sent - flight.due)
            self.step_over(customer, customer.step_due, customer.step_due + late_s, now, 0)
        else:
            self.step_over(customer, flight.due, sent, now, size)
