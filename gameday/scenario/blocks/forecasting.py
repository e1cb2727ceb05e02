"""The block `forecast`: its ingredients, and which minutes of the past it learns from."""

from __future__ import annotations

from pydantic import Field, model_validator

from gameday.scenario.ingredients import Ingredients
from gameday.scenario.units import Block, Instant, Name

__all__ = ["ForecastBlock", "Stretch"]


class Stretch(Block):
    """Some minutes of the past."""

    start: Instant
    end: Instant
    region: Name | None = None
    """Absent: every region."""
    step: Name | None = None
    """Absent: every step."""
    why: str = ""
    """Shown wherever the stretch is listed."""

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Stretch:
        if self.end <= self.start:
            raise ValueError("must end after it starts")
        return self


class ForecastBlock(Block):
    """How the past becomes an expectation."""

    ingredients: Ingredients = Ingredients()
    mask: list[Stretch] = Field(default_factory=list, max_length=1000)
    """Not to be learned from, whatever they look like."""
    keep: list[Stretch] = Field(default_factory=list, max_length=1000)
    """Learned from, whatever they look like: never taken for robots or outages."""
