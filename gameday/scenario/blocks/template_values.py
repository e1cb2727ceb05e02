"""Template words that a scenario defines: values drawn, counted, or read from a file, for each customer."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PositiveFloat,
    Tag,
    field_validator,
    model_validator,
)

from gameday.scenario.units import Block, Name

__all__ = ["Counter", "Feed", "Value"]

_MOST_WHOLE = 2**52
"""A draw has 52 bits: from wider bounds than 2**52 apart not every whole number can come."""


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a text or a number")
    return value


Plain = Annotated[str | int | float, BeforeValidator(_plain)]


class Counter(Block):
    """A number that no two customers share; the same however many workers play."""

    start: int = 0
    """The first session's; each session's is one `by` further."""
    by: int = Field(default=1, ge=1)


class Value(Block):
    """One word's source; exactly one of choice, whole, counter, by_product."""

    choice: (
        Annotated[
            Annotated[list[Plain], Tag("list")]
            | Annotated[dict[str, PositiveFloat], Tag("weights")],
            Discriminator(lambda value: "weights" if isinstance(value, dict) else "list"),
        ]
        | None
    ) = None
    """Drawn evenly from a list, or by weight."""
    whole: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    """Drawn evenly from low to high, both included."""
    counter: Counter | None = None
    by_product: dict[Name, Plain] | None = None
    """Product type -> value."""
    drawn: Literal["step", "session"] = "step"
    """Whether a step draws anew, or a customer keeps the value."""

    @field_validator("choice")
    @classmethod
    def _something_to_choose(cls, choice: list[Plain] | dict[str, float] | None) -> object:
        if choice is not None and not choice:
            raise ValueError("must name at least one value")
        if isinstance(choice, dict) and not isfinite(sum(choice.values())):
            raise ValueError("the weights add up to no finite number")
        return choice

    @model_validator(mode="after")
    def _exactly_one(self) -> Value:
        kinds = ("choice", "whole", "counter", "by_product")
        if sum(getattr(self, kind) is not None for kind in kinds) != 1:
            raise ValueError(f"name exactly one of {', '.join(kinds)}")
        if self.whole is not None and self.whole[0] > self.whole[1]:
            raise ValueError(f"whole: low is above high (got {list(self.whole)})")
        if self.whole is not None and max(map(abs, self.whole)) > _MOST_WHOLE:
            raise ValueError(f"whole: beyond {_MOST_WHOLE} a drawn number would not be exact")
        return self


class Feed(Block):
    """A table whose row a customer takes: `{feed.column}` in templates."""

    file: str = Field(min_length=1)
    """CSV with a heading, or Parquet; beside the scenario unless absolute."""
    pick: Literal["in turn", "drawn"] = "in turn"
    """Session n takes row n, beginning anew after the last; or any row, by the seed."""
