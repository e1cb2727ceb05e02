"""Pool: callers share so many connections to a service; each is held from begin to reply."""

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


def may_begin(in_use: int, servers: int, connected: int, connections: int) -> bool:
    """Return whether there are a server and a connection for one more; 0 connections: no pool."""
    return in_use < servers and (connections == 0 or connected < connections)
