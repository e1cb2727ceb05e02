"""How steps are played: exchanges out, replies judged, redirects followed, the outcome found."""

from __future__ import annotations

from collections.abc import Callable

from gameday.swarm.engine.customer import Customer, ExchangeFlight
from gameday.swarm.engine.redirects import becomes_get, onward_path
from gameday.swarm.engine.session_flow import SessionFlow
from gameday.swarm.script.prepared_steps import PreparedExchange
from gameday.swarm.tally.samples import ABANDONED, DONE, FAILED, NUMBER, PACKED, UNREQUIRED
from gameday.swarm.wire import Head
from gameday.swarm.wire.cookies import CookieJar
from gameday.swarm.wire.flight import Flight
from gameday.vocabulary import Draw, draw_keyed

__all__ = ["StepPlayer"]

_MOST_HOPS = 10


class StepPlayer(SessionFlow):
    """Plays the steps of customers who are awake. Instants are seconds of the engine's clock."""

    begin_python_step: Callable[[Customer, float, float], None]
    """Plays a step that is written in Python: customer, due, now."""

    def begin_step(self, customer: Customer, due: float, now: float) -> None:
        """Play the step a customer is at, for the first time or again."""
        customer.prepared = prepared = customer.cohort.steps[customer.step]
        if customer.cohort.steps_by_product:
            own = customer.cohort.steps_by_product.get((customer.step, customer.product_type))
            customer.prepared = prepared = own or prepared
        customer.due = due
        customer.sent, customer.resent = 0.0, False
        if prepared.constant_request is not None and customer.jar is None:
            customer.request = prepared.constant_request
        elif prepared.python_class is not None:
            self.begin_python_step(customer, due, now)
            return
        elif prepared.only_exchange is None:
            self._begin_groups(customer, due, now)
            return
        else:
            customer.request = self._request(customer, prepared.only_exchange)
        customer.exchange = prepared.only_exchange
        if customer.position:
            customer.cohort.pool.send(customer, now)
        else:
            self._send_first(customer, customer, now)

    @staticmethod
    def _request(customer: Customer, exchange: PreparedExchange) -> bytes:
        if customer.jar is None:
            return exchange.request(customer, b"")
        if customer.jar.plain is not None:
            return exchange.request(customer, customer.jar.plain)
        secure = customer.cohort.pool.is_secure
        cookies = customer.jar.header(exchange.path(customer), secure=secure)
        return exchange.request(customer, cookies)

    @staticmethod
    def _send_first(customer: Customer, flight: Flight, now: float) -> None:
        """Send a session's first exchange; a share of the customers opens a new connection for it."""
        pool = customer.cohort.pool
        if (
            pool.reuse_share < 1.0
            and draw_keyed(customer.key, 0, 0, Draw.CONNECTION) >= pool.reuse_share
        ):
            pool.send_alone(flight, now)
        else:
            pool.send(flight, now)

    def _begin_groups(self, customer: Customer, due: float, now: float) -> None:
        customer.step_due, customer.group = due, 0
        customer.late_s = customer.group_late_s = 0.0
        self._send_group(customer, due, now)

    def _send_group(self, customer: Customer, due: float, now: float) -> None:
        """Send the exchanges of the next group of a step."""
        exchanges = customer.prepared.script.groups[customer.group]
        is_first = not customer.group
        customer.pending = 1 + sum(exchange.required for exchange in exchanges)
        patient_since = 0.0 if is_first else customer.step_due + customer.late_s
        flights = [
            ExchangeFlight(
                customer, exchange, self._request(customer, exchange), due, patient_since
            )
            for exchange in exchanges
        ]
        for flight in flights:  # one may fail on the spot: the others go out all the same
            if is_first and not customer.position:
                self._send_first(customer, flight, now)
            else:
                customer.cohort.pool.send(flight, now)
        self._one_back(customer, now)

    def _one_back(self, customer: Customer, now: float) -> None:
        """Go on with the step once every required exchange of the group is back."""
        customer.pending -= 1
        if customer.pending:
            return
        customer.group += 1
        customer.late_s, customer.group_late_s = customer.late_s + customer.group_late_s, 0.0
        if customer.outcome == DONE and customer.group < len(customer.prepared.script.groups):
            self._send_group(customer, now, now)
            return
        customer.steps_ended += 1
        self.step_over(customer, customer.step_due, customer.step_due + customer.late_s, now, 0)

    def replied(
        self, flight: Customer | ExchangeFlight, head: Head, body: bytes, size: int, now: float
    ) -> None:
        """Judge a reply, follow where it points, or count its exchange."""
        if (
            type(flight) is Customer
            and head.status in flight.prepared.good_statuses
            and head.is_plain
        ):
            self.step_over(flight, flight.due, flight.sent, now, size)
            return
        exchange: PreparedExchange = flight.exchange
        customer = flight if isinstance(flight, Customer) else flight.owner
        is_late = isinstance(flight, ExchangeFlight) and flight.is_late
        if is_late and exchange.required:
            return
        if head.cookies and not is_late:
            self._keep_cookies(customer, flight, head)
        if head.is_redirect and head.status not in exchange.verdict.good:
            self._redirected(customer, flight, head, size, now)
            return
        memory = customer.memory
        if memory is None or is_late:
            memory = {}
            if exchange.verdict.extracts and not is_late:
                customer.memory = memory
        service_s = now - (flight.first_sent or flight.sent)
        name, why = exchange.verdict(head, body, service_s, memory)
        self._exchange_over(customer, flight, NUMBER[name], why, size, now)

    def failed(self, flight: Customer | ExchangeFlight, fault: str, now: float) -> None:
        """Count an exchange that got no reply."""
        customer = flight if isinstance(flight, Customer) else flight.owner
        exchange: PreparedExchange = flight.exchange
        if fault != "patience" or not exchange.required:
            self._exchange_over(customer, flight, FAILED, fault, 0, now)
            return
        if customer.has_ended:
            return
        self.tally.exchange_fault(exchange.number, fault)
        if customer.prepared.only_exchange is None:
            sent = flight.first_sent or flight.sent or now
            self.sample(PACKED(-1 - exchange.number, flight.due, sent, now, 0, 0.0))
        customer.outcome, customer.why = ABANDONED, fault
        self._step_over(customer, flight, 0, now)

    def _keep_cookies(
        self, customer: Customer, flight: Customer | ExchangeFlight, head: Head
    ) -> None:
        if customer.jar is None:
            customer.jar = CookieJar()
        pool = customer.cohort.pool
        customer.jar.keep(
            head.cookies,
            host=pool.target.host,
            secure=pool.is_secure,
            path=lambda: flight.hop_path or flight.exchange.path(customer),
        )

    def _redirected(
        self,
        customer: Customer,
        flight: Customer | ExchangeFlight,
        head: Head,
        size: int,
        now: float,
    ) -> None:
        """Follow a redirect; nobody waits for where one leads whose step has ended."""
        if isinstance(flight, ExchangeFlight) and flight.is_late:
            self._exchange_over(customer, flight, DONE, "", size, now)
        elif (fault := self._follow(customer, flight, head, now)) is not None:
            self._exchange_over(customer, flight, FAILED, fault, size, now)

    def _follow(
        self, customer: Customer, flight: Customer | ExchangeFlight, head: Head, now: float
    ) -> str | None:
        """Send a redirect's next hop; return a fault where it may not be followed."""
        exchange: PreparedExchange = flight.exchange
        pool = customer.cohort.pool
        if flight.hops >= _MOST_HOPS:
            return "too_many_redirects"
        path = onward_path(pool.target, flight.hop_path or exchange.path(customer), head)
        if path is None:
            return "redirect_refused"
        as_get = flight.became_get or becomes_get(exchange.method, head.status)
        cookies = b""
        if customer.jar is not None:
            cookies = customer.jar.header(path, secure=pool.is_secure)
        request = exchange.onward(customer, path, cookies, as_get=as_get)
        patient_since = flight.patient_since or flight.sent
        hop = ExchangeFlight(customer, exchange, request, flight.due, patient_since)
        hop.hops, hop.hop_path, hop.became_get = flight.hops + 1, path, as_get
        hop.first_sent, hop.steps_ended = flight.first_sent or flight.sent, flight.steps_ended
        self.tally.redirect(exchange.step_number)
        pool.send(hop, now)
        return None

    def _exchange_over(
        self,
        customer: Customer,
        flight: Customer | ExchangeFlight,
        outcome: int,
        why: str,
        size: int,
        now: float,
    ) -> None:
        """Count an exchange; one that is not required and late is counted on its own."""
        exchange: PreparedExchange = flight.exchange
        is_late = isinstance(flight, ExchangeFlight) and flight.is_late
        if is_late and exchange.required:
            return
        if outcome != DONE:
            self._note_fault(customer, exchange, outcome, why)
        if not is_late and customer.prepared.only_exchange is not None:
            self._step_over(customer, flight, size, now)
            return
        sent = flight.first_sent or flight.sent
        self.sample(PACKED(-1 - exchange.number, flight.due, sent, now, size, 0.0))
        if not is_late:
            customer.group_late_s = max(customer.group_late_s, (sent or now) - flight.due)
            if exchange.required:
                self._one_back(customer, now)

    def _note_fault(
        self, customer: Customer, exchange: PreparedExchange, outcome: int, why: str
    ) -> None:
        """Count why an exchange failed; the first fault of a required one is its step's."""
        if why:
            self.tally.exchange_fault(exchange.number, why)
            if not exchange.required:
                stack = customer.cohort.stack
                self.tally.fault(stack, exchange.step_number, f"{UNREQUIRED}{why}")
        if exchange.required and customer.outcome == DONE:
            customer.outcome, customer.why = outcome, why

    def _step_over(
        self, customer: Customer, flight: Customer | ExchangeFlight, size: int, now: float
    ) -> None:
        """End the step with this exchange; one that never went out was sent just now."""
        sent = flight.first_sent or flight.sent or now
        if customer.prepared.only_exchange is None:
            late_s = customer.late_s + max(customer.group_late_s, sent - flight.due)
            self.step_over(customer, customer.step_due, customer.step_due + late_s, now, 0)
        else:
            self.step_over(customer, flight.due, sent, now, size)
