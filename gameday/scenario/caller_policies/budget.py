"""Retry budget: a token bucket that good answers fill and retries empty."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gameday.scenario.policy import Policy

__all__ = ["Budget", "may_retry", "tokens_after_answer", "tokens_after_retry"]


class Budget(Policy):
    """Tokens that calls of a service which go well put in, and retries take out; shared by its callers."""

    ratio: float = Field(gt=0, le=1)
    """Tokens for each call that goes well: 0.1 lets retries add a tenth to the load. Source: M. Brooker,
    "Fixing retries with token buckets and circuit breakers", 2022."""
    most: float = Field(default=1000, ge=1, le=1e9)
    """Tokens the bucket holds at full scale; it begins full. Default: ours, a few seconds' retries."""

    real_columns: ClassVar = ("tokens", "tokens_each", "tokens_most")
    has_closed_form: ClassVar = True

    def tokens(self, scale: float) -> float:
        """Return the bucket's capacity at scale k: x k, at least one."""
        return max(1.0, scale * self.most)

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        tokens = self.tokens(scale)
        return {"tokens": tokens, "tokens_each": self.ratio, "tokens_most": tokens}


def may_retry(tokens: float) -> bool:
    """Return whether there is a token for a retry."""
    return tokens >= 1.0


def tokens_after_retry(tokens: float) -> float:
    """Return the tokens left after a retry."""
    return tokens - 1.0


def tokens_after_answer(tokens: float, ratio: float, most: float) -> float:
    """Return the tokens after a call that went well."""
    return min(most, tokens + ratio)
