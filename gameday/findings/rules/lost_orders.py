"""An order that a customer saw confirmed is not in the shop, or one is there that nobody sent."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.vocabulary import Band

__all__ = ["RULE"]


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test of the order book by key, where the target lists its orders."""
    orders = evidence.measured.orders if evidence.measured is not None else None
    if orders is None or orders.in_shop < 0:
        return
    wrong = orders.confirmed_missing + orders.never_sent
    yield Candidate(
        stack="all",
        subject="orders",
        title="orders do not balance by key",
        value=Band(wrong, wrong, wrong),
        bound=0.0,
        unit="count",
        p_value=0.0 if wrong else 1.0,
        samples=orders.confirmed,
        is_exact=True,
        basis="measured",
        tier=0,
        first_slot=None,
        suggestion="check idempotency and durability of the order store before anything else",
        evidence={
            "confirmed": orders.confirmed,
            "in_shop": orders.in_shop,
            "confirmed_missing": orders.confirmed_missing,
            "never_sent": orders.never_sent,
        },
    )


RULE = Rule(
    name="lost_orders", look=_look, hurts_customers=True, fails_run=True, servers_help=False
)
