"""Retry: a caller asks again after a failed, shed or timed-out attempt."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gameday.scenario.caller_policies.budget import Budget
from gameday.scenario.policy import Policy
from gameday.scenario.units import Duration

__all__ = ["Retry", "backoff_s", "lineage"]


class Retry(Policy):
    """How often and how fast callers of this service ask again."""

    attempts: int = Field(ge=0, le=10)
    """Further attempts after the first."""
    backoff: Duration
    """Upper bound of the first wait, s; doubles with each attempt."""
    budget: Budget | None = None
    """Absent: every attempt may be made."""

    real_columns: ClassVar = ("backoff_s", *Budget.real_columns)
    whole_columns: ClassVar = ("retries",)
    has_closed_form: ClassVar = True

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns, and those of its budget."""
        budget = {} if self.budget is None else self.budget.columns(scale)
        return {"backoff_s": self.backoff, "retries": self.attempts, **budget}


def backoff_s(base_s: float, attempt: int, uniform: float) -> float:
    """Return the wait in seconds before retry `attempt` (1, 2, ...): full jitter, doubling.

    Source: exponential back-off with full jitter, M. Brooker, AWS Architecture Blog, 2015.
    """
    return base_s * (1 << (attempt - 1)) * uniform


def lineage(parent: int, attempt: int) -> int:
    """Return the number that keys the draws of the calls which `attempt` (0, 1, ...) of a caller makes.

    Each attempt has its own: a retry draws anew in the services below. The first attempt of the first caller is 0.
    """
    return parent * 16 + attempt
