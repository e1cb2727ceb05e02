"""Balance: which of a service's instances an attempt is sent to; each has a queue of its own."""

from __future__ import annotations

from typing import ClassVar, Literal

from gameday.scenario.policy import Policy

__all__ = ["BALANCES", "Balance", "first_of", "is_less_busy", "second_of"]


BALANCES = ("none", "round_robin", "random", "least_connections", "two_choices")
"""By their number in the compiled engine; `none`: one queue for all instances."""


class Balance(Policy):
    """How callers choose an instance; an instance that has no server left is chosen by nobody."""

    by: Literal["round_robin", "random", "least_connections", "two_choices"]
    """`least_connections`: the one with the fewest requests for its servers; `two_choices`: the better of
    two drawn at random. Source: M. Mitzenmacher, "The Power of Two Choices", 2001."""
    zone_affinity: bool = False
    """Whether a caller stays in its zone while an instance works there. Default: zones are mixed."""

    whole_columns: ClassVar = ("balance", "is_in_zone")

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        return {"balance": BALANCES.index(self.by), "is_in_zone": self.zone_affinity}


def first_of(uniform: float, n: int) -> int:
    """Return the number, from 0, of an instance drawn among n."""
    return min(int(uniform * n), n - 1)


def second_of(uniform: float, n: int) -> int:
    """Return the number of a second instance, other than `first_of`, by the same draw; n = 1: the same one."""
    first = min(int(uniform * n), n - 1)
    if n == 1:
        return first
    other = min(int((uniform * n - first) * (n - 1)), n - 2)
    return other + 1 if other >= first else other


def is_less_busy(inside: int, servers: int, other_inside: int, other_servers: int) -> bool:
    """Return whether an instance has fewer requests per server than another."""
    return inside * other_servers < other_inside * servers
