"""The block `forecast`: its ingredients, and which minutes of the past it learns from."""

from __future__ import annotations

from pydantic import Field, model_validator

from gameday.scenario.ingredients import Ingredients
from gameday.scenario.units import Block, Instant, Name

__all__ = ["LIBRARIES", "ForecastBlock", "OutsideModel", "Stretch"]

LIBRARIES = ("lightgbm", "statsforecast")
"""Models of libraries that may be members by their name alone."""
_TAKEN = ("gameday", "ingredients", "steady", "growing", "walking", "strolling", "paydays")


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


class OutsideModel(Block):
    """A model from outside that is blended with ours: a file of what it said, or a library by its name."""

    file: str | None = None
    """CSV or Parquet beside the scenario: origin, time, region, step and count, of earlier origins and the last.

    Each row is the total from its time to the next of its origin. Absent: the library that the name says."""


class ForecastBlock(Block):
    """How the past becomes an expectation."""

    ingredients: Ingredients = Ingredients()
    members: dict[Name, OutsideModel] = Field(default_factory=dict, max_length=20)
    """Models from outside that are weighed beside ours, each by its loss on earlier origins."""
    mask: list[Stretch] = Field(default_factory=list, max_length=1000)
    """Not to be learned from, whatever they look like."""
    keep: list[Stretch] = Field(default_factory=list, max_length=1000)
    """Learned from, whatever they look like: never taken for robots or outages."""

    @model_validator(mode="after")
    def _members_are_to_be_had(self) -> ForecastBlock:
        for name, member in self.members.items():
            if member.file is None and name not in LIBRARIES:
                raise ValueError(
                    f"members.{name}: needs a `file`, or must be one of {', '.join(LIBRARIES)}"
                )
            if name in _TAKEN:
                raise ValueError(f"members.{name}: is the name of a member of ours; choose another")
        return self
