"""Time-out: a caller stops waiting for a reply; work already begun goes on."""

from __future__ import annotations

__all__ = ["gives_up_at_s"]


def gives_up_at_s(arrived_s: float, timeout_s: float) -> float:
    """Return the instant at which the caller stops waiting for an attempt that arrived at `arrived_s`.

    An attempt that is still queued leaves the queue (timed out); one in service is finished for
    nobody (orphaned): the server stays busy with it.
    """
    return arrived_s + timeout_s
