"""Timeout: a caller waits so long for a reply and no longer; work already begun goes on."""

from __future__ import annotations

__all__ = ["gives_up_at_s"]


def gives_up_at_s(arrived_s: float, timeout_s: float) -> float:
    """Return the instant at which the caller of an attempt that arrived then stops waiting.

    An attempt still queued then leaves the queue (timed out); one in service is finished for
    nobody (orphaned): the server stays busy with it.
    """
    return arrived_s + timeout_s
