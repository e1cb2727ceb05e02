"""Cache: callers look for a kept answer before they call; popular answers are kept."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from gameday.scenario.policy import Policy

__all__ = ["Cache", "item_of"]


class Cache(Policy):
    """Answers kept in front of a service, least recently used first to go; an answer found costs nothing.

    What callers give up waiting for is not kept: a cache that is flushed under load may stay cold.
    """

    keys: int = Field(ge=2, le=10_000_000)
    """Different things that are asked for. At most as many as the model has memory for: 12 bytes each."""
    entries: int = Field(ge=1)
    """How many answers fit."""
    skew: float = Field(default=1.0, ge=0, le=3)
    """Zipf's exponent, of the continuous law: asked for n^-skew as often as the first, but for the first few
    (the second 0.58 times at 1). Default: web requests, 0.6-1.0 in Breslau et al. 1999, at their steeper end."""

    begins: Literal["full", "empty"] = "full"
    """Full of what is asked for most, or empty: a cold start. Default: a shop that has been open for long."""

    real_columns: ClassVar = ("skew", "key_share")
    whole_columns: ClassVar = (
        "keys",
        "entries",
        "items_from",
        "cached",
        "item_oldest",
        "item_newest",
    )
    has_closed_form: ClassVar = True

    @model_validator(mode="after")
    def _not_all(self) -> Cache:
        if self.entries > self.keys:
            raise ValueError("`entries` is more than `keys`: it would keep what nobody asks for")
        return self

    def entries_at(self, scale: float) -> int:
        """Return the answers that fit at scale k: x k, at least one."""
        return max(1, round(scale * self.entries))

    def cached_at(self, scale: float) -> int:
        """Return the answers it begins with at scale k: the most popular ones, or none."""
        return self.entries_at(scale) if self.begins == "full" else 0

    def key_share(self, scale: float) -> float:
        """Return the share of its keys that are asked for at scale k: k, at most 1."""
        return min(1.0, scale)

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns; where it begins full, the most popular item was used latest."""
        entries, cached = self.entries_at(scale), self.cached_at(scale)
        return {
            "skew": self.skew,
            "key_share": self.key_share(scale),
            "keys": self.keys,
            "entries": entries,
            "cached": cached,
            "item_oldest": cached - 1,
            "item_newest": 0 if cached else -1,
        }


def item_of(uniform: float, keys: int, skew: float, share: float) -> int:
    """Return the item a caller asks for, 0 the most popular; an item stands for 1/share keys.

    Inverse transform of the continuous Zipf law on [1, keys + 1). A system at scale k has a share k of the keys,
    so that each is asked for as often as at full scale. Source: spatial sampling as in SHARDS, FAST 2015.
    """
    log_keys = math.log(keys + 1.0)
    power = 1.0 - skew
    if abs(power) < 1e-9:
        rank = math.exp(uniform * log_keys)
    else:
        rank = math.exp(math.log(1.0 + uniform * (math.exp(power * log_keys) - 1.0)) / power)
    return int((min(rank, float(keys)) - 1.0) * share)
