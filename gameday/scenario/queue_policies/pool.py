"""Pool: callers share a number of connections to a service; each is held from begin to reply."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gameday.scenario.policy import Policy

__all__ = ["Pool", "may_begin"]

_FEWEST_CONNECTIONS = 4
"""In a scaled-down pool. Ours: rounded to whole ones they are then within an eighth of the exact number."""


class Pool(Policy):
    """A connection or database pool in front of a service; who finds none free waits in its queue.

    A connection stays busy with work for which nobody waits any more.
    """

    connections: int = Field(ge=1, le=10_000_000)
    """Of all callers together, in each stack at full scale."""

    whole_columns: ClassVar = ("connections",)

    @property
    def least_scale(self) -> float:
        """Return where `_FEWEST_CONNECTIONS` are left: no longer service time makes rounded ones good."""
        return _FEWEST_CONNECTIONS / self.connections

    def connections_at(self, scale: float) -> int:
        """Return the connections at scale k: x k, at least one."""
        return max(1, round(scale * self.connections))

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        return {"connections": self.connections_at(scale)}


def may_begin(in_use: int, servers: int, connected: int, connections: int) -> bool:
    """Return whether a server and a connection are free for one more; 0 connections: no pool."""
    return in_use < servers and (connections == 0 or connected < connections)
