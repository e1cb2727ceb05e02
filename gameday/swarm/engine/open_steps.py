"""How long the steps under way have been waiting: what a silent target shows before anyone gives up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gameday.record import bin_of
from gameday.swarm.engine.customer import Customer, Errand
from gameday.swarm.wire.pool import Pool

__all__ = ["open_steps"]


def open_steps(
    pools: Iterable[Pool], by_hand: Iterable[Customer], now: float
) -> list[tuple[int, int, int]]:
    """Return (step, bin of its age, how many) of the steps that wait for the target at `now`.

    The age counts from the intended instant, as a response time does. What our own bound on
    sockets holds back waits for us, not for the target, and is left out.
    """
    due: dict[Customer, float] = {customer: customer.due for customer in by_hand}
    for pool in pools:
        flights = [c.flight for c in pool.sockets.open.values() if c.pool is pool]
        for flight in (*flights, *pool.queue):
            if flight is None or not flight.sent:
                continue
            if isinstance(flight, Customer):
                due[flight] = flight.due
            elif isinstance(flight, Errand) and not flight.is_late:
                is_single = flight.owner.part.single is not None
                due[flight.owner] = flight.due if is_single else flight.owner.step_due
    ages = Counter((c.step, int(bin_of(max(now - at, 0.0)))) for c, at in due.items())
    return [(step, bin_, n) for (step, bin_), n in sorted(ages.items())]
