"""The block `history`: until when the past is known, the columns of its file, or a synthetic past."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat

from gameday.scenario.units import Block, Instant, Name, Share, ZoneName

__all__ = ["HistoryBlock", "Synthetic"]


class SlopeBreak(Block):
    """From `at` on, growth is another."""

    at: Instant
    growth_per_year: float = Field(gt=0)


class Synthetic(Block):
    """The past that is made up when no history file is given."""

    days: int = Field(ge=56, le=1500)
    sessions_per_day: dict[Name, PositiveFloat]
    """Region -> mean session starts a day at the end of the past."""
    journeys: dict[Name, Share]
    """Journey -> its share of session starts; sums to 1."""
    growth_per_year: float = Field(default=1.2, gt=0)
    slope_break: SlopeBreak | None = None
    robots_per_year: float = Field(default=24, ge=0)
    outages_per_year: float = Field(default=1, ge=0)


class Columns(Block):
    """Which columns of a history file hold what."""

    time: str = "time"
    count: str = "count"
    region: str | None = None
    """Absent: the file's column called region; where it has none, the scenario's only region."""
    step: str | None = None
    """Absent: the file's column called step; where it has none, the scenario's only step."""


class HistoryBlock(Block):
    """What is known, until when."""

    until: Instant
    """The forecast sees nothing at or after this instant."""
    columns: Columns = Columns()
    time_zone: ZoneName = "UTC"
    """Zone of times written without an offset."""
    absent: Literal["zero", "unknown"] | None = None
    """What a minute without a row means, between a file's first and last: nobody came, or nothing is known.
    Absent: nothing is known, with a warning where it looks as if nobody came."""
    synthetic: Synthetic | None = None
    robots: dict[str, Literal["robot", "customer"]] = Field(default_factory=dict)
    """Part of a user agent in access logs -> whether who has it is a robot or a customer; the first that fits
    counts. Default: a kept list of crawlers, monitors and programs; libraries of apps are customers'."""
    urls: dict[Name, list[str]] = Field(default_factory=dict)
    """Step -> its requests in access logs: templates as `/p/{id}`, `POST /checkout`, `/index.php?route=cart`,
    or `~` and a pattern. A step named here is counted by these alone, any other by its own exchanges."""
