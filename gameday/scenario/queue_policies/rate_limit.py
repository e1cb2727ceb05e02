"""Rate limit: a token bucket in front of a service; a request that finds no token is refused."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gameday.scenario.policy import Policy

__all__ = ["RateLimit", "tokens_at"]

_FEWEST_TOKENS = 10.0
"""Tokens that the bucket of a scaled-down system holds: with fewer, chance arrivals would empty it. Ours."""


class RateLimit(Policy):
    """As a gateway's or a load balancer's: tokens come evenly, each request takes one, whoever sends it.

    One bucket for all instances of a service; it begins full. Source: J. Turner, "New Directions in
    Communications", 1986 (the leaky bucket as a meter).
    """

    per_s: float = Field(gt=0, le=1e9)
    """Requests a second, in each stack at full scale."""
    burst: float = Field(ge=1, le=1e9)
    """Tokens the bucket holds at full scale: requests that may come at once."""

    real_columns: ClassVar = ("rate_per_s", "rate_burst", "rate_tokens", "rate_since_s")

    def per_s_at(self, scale: float) -> float:
        """Return the tokens a second at scale k: x k."""
        return scale * self.per_s

    def burst_at(self, scale: float) -> float:
        """Return the tokens that the bucket holds at scale k: x k, but at least `_FEWEST_TOKENS`, or all."""
        return max(scale * self.burst, min(self.burst, _FEWEST_TOKENS))

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        burst = self.burst_at(scale)
        return {"rate_per_s": self.per_s_at(scale), "rate_burst": burst, "rate_tokens": burst}


def tokens_at(tokens: float, since_s: float, per_s: float, burst: float) -> float:
    """Return the tokens in the bucket `since_s` seconds after there were `tokens`."""
    return min(burst, tokens + since_s * per_s)
