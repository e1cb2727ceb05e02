"""Product types: their share of sessions, their articles and prices, and what they change in the calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    field_validator,
    model_validator,
)

from gameday.scenario.blocks.steps import Calls, Exchange, Exchanges
from gameday.scenario.units import Block, Name, Share
from gameday.vocabulary import Array

__all__ = ["Popularity", "Product"]

_MOST_ITEMS = 100_000

Hours = Annotated[list[NonNegativeFloat], Field(min_length=24, max_length=24)]
"""A weight for each local hour."""


class Popularity(Block):
    """How often each article of a type is asked for: a law over ranks, or counts from history.

    Source: Zipf-Mandelbrot, weight of rank r proportional to (r + shift)^-exponent (Mandelbrot, 1953).
    """

    exponent: float | None = Field(default=None, ge=0, le=5)
    shift: float = Field(default=0.0, ge=0, le=1e6)
    counts: list[NonNegativeInt] | None = Field(default=None, min_length=1, max_length=_MOST_ITEMS)
    """How often each was asked for, by article; in place of the law."""

    @model_validator(mode="after")
    def _law_or_counts(self) -> Popularity:
        if (self.exponent is None) == (self.counts is None):
            raise ValueError("give `exponent` (with `shift`), or `counts`, not both")
        if self.counts is not None and sum(self.counts) == 0:
            raise ValueError("at least one article must have been asked for")
        return self

    def weights(self, items: int) -> Array:
        """Return the weight of each article, shape (items,)."""
        if self.counts is not None:
            return np.array(self.counts, float)
        return np.asarray((np.arange(1, items + 1) + self.shift) ** -(self.exponent or 0.0))


class Product(Block):
    """A product type."""

    share: dict[Name, Share]
    """Region -> share of sessions that are about it; sums to 1 over products."""
    hours: Hours | dict[Name, Hours] | None = None
    """Weight of the share at the middle of each local hour, between them in a straight line, in every region or by
    region; absent: even."""
    calls: dict[Name, Calls] = Field(default_factory=dict)
    """Step -> calls its first exchange makes besides the step's own."""
    without: list[Name] = Field(default_factory=list)
    """Services nobody calls for it, with all that they would call in turn: digital goods need no stock."""
    exchanges: dict[Name, Exchanges] = Field(default_factory=dict)
    """Step -> exchanges in place of the step's own."""
    items: int = Field(default=200, ge=1, le=_MOST_ITEMS)
    """Articles of this type in the catalogue."""
    popularity: Popularity | None = None
    """Absent: each article is asked for as often as any other."""
    price: PositiveFloat | None = None
    """Of one unit, mean, in the shop's own currency. Absent: orders are counted, not their worth."""
    stock: dict[Name, NonNegativeInt] = Field(default_factory=dict)
    """Region -> units to sell at full scale, of all articles together; absent: as many as are asked for."""

    @field_validator("hours")
    @classmethod
    def _asked_for_at_some_hour(
        cls, hours: list[float] | dict[str, list[float]] | None
    ) -> list[float] | dict[str, list[float]] | None:
        each = hours.values() if isinstance(hours, dict) else [hours or [1.0]]
        if any(sum(weights) <= 0 for weights in each):
            raise ValueError("at least one hour must have a weight above 0")
        return hours

    def hours_of(self, region: str) -> list[float] | None:
        """Return the weights of a region's local hours, 24; None: even."""
        return self.hours.get(region) if isinstance(self.hours, dict) else self.hours

    @model_validator(mode="after")
    def _counts_are_of_its_items(self) -> Product:
        counts = self.popularity.counts if self.popularity else None
        if counts is not None and len(counts) != self.items:
            raise ValueError(f"popularity.counts has {len(counts)} articles, `items` {self.items}")
        return self

    def each_exchange(self) -> Iterator[tuple[str, tuple[str | int, ...], Exchange]]:
        """Yield (step, path below `exchanges`, exchange) of every exchange of its own."""
        for step, groups in self.exchanges.items():
            for i, group in enumerate(groups):
                for j, exchange in enumerate(group):
                    yield step, (step, i, *((j,) if len(group) > 1 else ())), exchange
