"""The block `forecast.ingredients`: which ingredients the forecast is made of, and their columns together."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from gameday.scenario.ingredients.day import Day
from gameday.scenario.ingredients.events import Events
from gameday.scenario.ingredients.holidays import Holidays
from gameday.scenario.ingredients.month import Month
from gameday.scenario.ingredients.regressors import Regressor
from gameday.scenario.ingredients.trend import Trend
from gameday.scenario.ingredients.walk import Walk
from gameday.scenario.ingredients.week import Week
from gameday.scenario.ingredients.when import Origin, Part, When
from gameday.scenario.ingredients.year import Year
from gameday.scenario.units import Block, Name

__all__ = ["Ingredients"]


class Ingredients(Block):
    """What the model is made of; `null` leaves one out."""

    trend: Trend = Trend()
    walk: Walk | None = Walk()
    year: Year | None = Year()
    month: Month | None = Month()
    day: Day | None = Day()
    week: Week | None = Week()
    holidays: Holidays | None = Holidays()
    events: Events | None = Events()
    regressors: dict[Name, Regressor] = Field(default_factory=dict)

    def origin_columns(self, when: Origin) -> Iterator[Part]:
        """Yield the columns that depend on where the past ends."""
        for part in (self.trend, self.walk, self.year, self.month):
            if part is not None:
                yield from part.columns(when)

    def calendar_columns(self, when: When) -> Iterator[Part]:
        """Yield the columns that depend on the minute alone."""
        for part in (self.day, self.week, self.holidays, self.events):
            if part is not None:
                yield from part.columns(when)
        for name, regressor in self.regressors.items():
            yield from regressor.columns(name, when)
