"""Pool: callers share a number of connections to a service; each is held from begin to reply."""

from __future__ import annotations

from pydantic import Field

from gameday.scenario.units import Block

__all__ = ["Pool", "may_begin"]


class Pool(Block):
    """A connection or database pool in front of a service; who finds none free waits in its queue.

    A connection stays busy with work for which nobody waits any more.
    """

    connections: int = Field(ge=1, le=10_000_000)
    """Of all callers together, in each stack at full scale."""

    def connections_at(self, scale: float) -> int:
        """Return the connections at scale k: x k, at least one."""
        return max(1, round(scale * self.connections))


def may_begin(in_use: int, servers: int, connected: int, connections: int) -> bool:
    """Return whether a server and a connection are free for one more; 0 connections: no pool."""
    return in_use < servers and (connections == 0 or connected < connections)
