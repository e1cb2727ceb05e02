"""The ages of steps under way: a target that falls silent shows there before any customer gives up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gameday.record import bin_of
from gameday.swarm.engine.customer import Customer, ExchangeFlight
from gameday.swarm.wire.pool import Pool

__all__ = ["open_steps"]


def open_steps(
    pools: Iterable[Pool], python_steps: Iterable[Customer], now: float
) -> list[tuple[int, int, int]]:
    """Return (step, bin of its age, how many) of the steps that wait for the target at `now`.

    The age counts from the intended instant, as a response time does. What our own bound on
    sockets holds back waits for us, not for the target, and is left out.
    """
    due = {customer: customer.due for customer in python_steps}
    for pool in pools:
        connected = [c.flight for c in pool.sockets.open.values() if c.pool is pool]
        for flight in (*connected, *pool.queue):
            if flight is None or not flight.sent:
                continue
            if isinstance(flight, Customer):
                due[flight] = flight.due
            elif isinstance(flight, ExchangeFlight) and not flight.is_late:
                owner = flight.owner
                is_single = owner.prepared.only_exchange is not None
                due[owner] = flight.due if is_single else owner.step_due
    ages = Counter((c.step, int(bin_of(max(now - due_s, 0.0)))) for c, due_s in due.items())
    return [(step, bin_, n) for (step, bin_), n in sorted(ages.items())]
