"""Shed: a service whose queue is full refuses at once."""

from __future__ import annotations

__all__ = ["is_shed"]


def is_shed(in_use: int, servers: int, queued: int, queue_bound: int) -> bool:
    """Return whether an arrival is refused: every server busy and the queue at its bound."""
    return in_use >= servers and queued >= queue_bound
