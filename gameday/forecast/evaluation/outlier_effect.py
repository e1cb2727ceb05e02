"""What leaving a stretch out does to the forecast: to first order, had its minutes been learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.forecast.data.fit_rows import Rows, without_launches
from gameday.forecast.data.outliers import Masked
from gameday.forecast.data.training_data import Past
from gameday.forecast.forecast import demand_grid, models_of
from gameday.forecast.model.regional import Model
from gameday.forecast.model.solve import influence
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import Array

__all__ = ["OutlierRow", "outlier_rows"]


@dataclass(frozen=True, slots=True)
class OutlierRow:
    """A stretch of one series that was left out, as `gameday forecast outliers --json` prints it."""

    region: str
    step: str
    start: str
    """UTC, ISO 8601, as `end`."""
    end: str
    minutes: int
    kind: str
    """robots, outage, suppressed, glitch, or `asked` by a person."""
    times: float | None
    """What was counted over what was expected; None where a person asked for the mask."""
    why: str
    effect: float
    """By what share the event's mean would be higher had the stretch been learned from."""

    @staticmethod
    def of(masked: Masked, effect: float) -> OutlierRow:
        """Return the row of a masked stretch."""
        return OutlierRow(
            region=masked.region,
            step=masked.step,
            start=masked.start.isoformat(),
            end=masked.end.isoformat(),
            minutes=round((masked.end - masked.start).total_seconds() / 60),
            kind=masked.kind,
            times=None if np.isnan(masked.times) else round(masked.times, 3),
            why=masked.why,
            effect=round(effect, 6),
        )


def outlier_rows(scenario: Scenario, history: History) -> list[OutlierRow]:
    """Return each stretch left out of what is known, with its effect on the event's mean."""
    known = history.known_before(scenario.history.until)
    grid = demand_grid(scenario)
    models, masked = models_of(scenario, known, grid.epoch_min + grid.slots)
    rows = []
    for index, model in enumerate(models):
        calendar = model.past.calendar
        counts = without_launches(known.counts[index], known.grid, calendar)
        unmasked = Past(calendar, known.grid, counts).rows
        minute = _minutes_of_event(scenario, calendar.region)
        for stretch in masked:
            if stretch.region == calendar.region:
                part, series = _rows_of(stretch, unmasked), known.steps.index(stretch.step)
                rows.append(OutlierRow.of(stretch, _effect(model, part, minute, series)))
    return rows


def _minutes_of_event(scenario: Scenario, region: str) -> Array:
    """Return every quarter hour of the event in a region, minutes since 1970 UTC."""
    start, end = scenario.span(scenario.event, region)
    return np.arange(start.timestamp() // 60, end.timestamp() // 60, 15)


def _rows_of(stretch: Masked, rows: Rows) -> Rows:
    """Return the rows that overlap a stretch."""
    begin, end = stretch.start.timestamp() / 60, stretch.end.timestamp() / 60
    return rows.where((rows.minute + rows.width / 2 > begin) & (rows.minute - rows.width / 2 < end))


def _effect(model: Model, rows: Rows, minute: Array, series: int) -> float:
    """Return by what share the mean at `minute`s would be higher had `rows` been learned from."""
    fit = model.blend.main
    columns = fit.design.columns(minute, model.past.columns(minute))
    return float(np.expm1(influence(fit, model.past.rows, rows, columns, series)))
