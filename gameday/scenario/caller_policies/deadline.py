"""Deadline: a request carries the instant at which its callers stop waiting, so that no work is in vain."""

from __future__ import annotations

from typing import Literal

__all__ = ["Deadline", "deadline_s", "is_too_late"]

Deadline = Literal["own", "propagated"]
"""`own`: a service knows only of its caller, who has stopped waiting. `propagated`: it heeds the
earliest time-out of all who wait above it: it begins no work, makes no calls and its callers make no
retries after that. Source: Google SRE book, chapter 22, deadline propagation."""


def deadline_s(caller_deadline_s: float, arrived_s: float, timeout_s: float) -> float:
    """Return the instant after which nobody waits for an attempt that arrived at `arrived_s`."""
    return min(caller_deadline_s, arrived_s + timeout_s)


def is_too_late(now_s: float, deadline_s: float) -> bool:
    """Return whether the deadline has passed."""
    return now_s >= deadline_s
