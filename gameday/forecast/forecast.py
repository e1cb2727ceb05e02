"""The room's verb: the past in, the event's demand out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar, known_until, region_calendars
from gameday.forecast.data.crowds import crowd_notes, crowds_of
from gameday.forecast.data.launches import lessons
from gameday.forecast.data.outliers import Masked
from gameday.forecast.data.preparation import prepare
from gameday.forecast.demand import Demand
from gameday.forecast.evaluation.benchmark import (
    PLAIN,
    backtest_wape,
    compared,
    mean_race,
    race_notes,
)
from gameday.forecast.evaluation.leave_one_event_out import known_events, main_kind, support
from gameday.forecast.event_demand import ALL
from gameday.forecast.model.reconciliation import tied_models
from gameday.forecast.model.regional import Model
from gameday.forecast.model.strength import strength_sigma
from gameday.forecast.rivals import Rival
from gameday.forecast.uncertainty.curves import curves_of, stacked
from gameday.forecast.uncertainty.error_correlation import together_of
from gameday.forecast.uncertainty.peaks import PeakErrors, peak_errors
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import QUANTILES, TimeGrid

__all__ = [
    "Fitted",
    "demand_grid",
    "demand_of",
    "event_spans",
    "fit",
    "forecast_demand",
    "level_notes",
    "model_notes",
    "models_of",
    "past_events",
    "raced",
]

_MARGIN = timedelta(hours=3)
"""Before and after the event, so that a window at its edge has a lead-in."""
_LEAST_DAYS = 14
_WEEK_MIN = 7 * 1440
_FAR, _MOST_FAR = 0.25, 5
"""By what share a week to come must lie off what all of the past says to be told, and of how many series. Ours."""


def demand_grid(scenario: Scenario) -> TimeGrid:
    """Return the minutes forecast: the event in all its regions, and three hours around it."""
    spans = [scenario.span(scenario.event, region) for region in scenario.regions]
    return TimeGrid.between(min(s for s, _ in spans) - _MARGIN, max(e for _, e in spans) + _MARGIN)


def event_spans(scenario: Scenario, grid: TimeGrid) -> tuple[tuple[int, int], ...]:
    """Return each region's own span of the event: its first slot, and the slot after its last one."""
    out = []
    for region in scenario.regions:
        start, end = scenario.span(scenario.event, region)
        out.append((grid.index_of(start), TimeGrid.between(grid.start, end).slots))
    return tuple(out)


def forecast_demand(
    scenario: Scenario, history: History, *, rivals: Sequence[Rival] = PLAIN
) -> Demand:
    """Return the demand of the scenario's event from what was known at `history.until`, raced against `rivals`.

    Raises HistoryError when less than 14 days were known.
    """
    return demand_of(scenario, fit(scenario, history), rivals=rivals)


@dataclass(frozen=True)
class Fitted:
    """What a forecast of an event rests on."""

    known: History
    """What was known at `history.until`."""
    models: list[Model]
    """A region each."""
    masked: list[Masked]
    """What of the past was left out."""


def fit(scenario: Scenario, history: History) -> Fitted:
    """Return the models of what was known at `history.until`; HistoryError when that is less than 14 days."""
    known, grid = history.known_before(scenario.history.until), demand_grid(scenario)
    return Fitted(known, *models_of(scenario, known, grid.epoch_min + grid.slots))


def demand_of(scenario: Scenario, fitted: Fitted, *, rivals: Sequence[Rival] = PLAIN) -> Demand:
    """Return the demand of the scenario's event that fitted models tell, raced against `rivals`."""
    known, models, grid = fitted.known, fitted.models, demand_grid(scenario)
    learned = lessons(scenario, known, models) if scenario.launches else []
    races = [compared(model, rivals) for model in models]
    bands = [[model.bands(s, QUANTILES) for s in range(len(known.steps))] for model in models]
    curves = [
        curves_of(model.blend, model.past.calendar, model.past.end_min, each, grid)
        for model, each in zip(models, bands, strict=True)
    ]
    race = mean_race(races)
    return Demand(
        grid=grid,
        regions=scenario.region_names,
        steps=known.steps,
        **stacked(curves),
        strength_sigma=strength_sigma(models),
        past_events=past_events(scenario, models),
        together=together_of(models),
        launches=crowds_of(scenario, grid, learned),
        backtest_wape=backtest_wape(race),
        race=race,
        notes=(
            *model_notes(scenario, models, fitted.masked, known.steps),
            *race_notes(scenario.region_names, races),
            *crowd_notes(scenario, learned),
        ),
        spans=event_spans(scenario, grid),
        peaks=_peaks(scenario.region_names, known.steps, models),
    )


def raced(
    scenario: Scenario, history: History, rivals: Sequence[Rival]
) -> tuple[tuple[str, float], ...]:
    """Return the race of the scenario's forecast, as `forecast_demand` publishes it; HistoryError likewise."""
    return mean_race([compared(model, rivals) for model in fit(scenario, history).models])


def _peaks(
    regions: tuple[str, ...], steps: tuple[str, ...], models: list[Model]
) -> dict[tuple[str, str], PeakErrors]:
    """Return how daily peaks were off, of every region and step and of all sums over either."""
    return {
        (region, step): peak_errors(
            [
                (model, s)
                for name, model in zip(regions, models, strict=True)
                if region in (ALL, name)
                for s, other in enumerate(steps)
                if step in (ALL, other)
            ]
        )
        for region in (*regions, ALL)
        for step in (*steps, ALL)
    }


def models_of(
    scenario: Scenario, known: History, end_min: float
) -> tuple[list[Model], list[Masked]]:
    """Return each region's model of what was known, for a forecast up to `end_min`, and what was masked.

    Raises HistoryError when less than 14 days were known.
    """
    if known.grid.slots < _LEAST_DAYS * 1440:
        raise HistoryError(
            f"{known.source}: {known.grid.slots / 1440:.1f} days known before history.until; "
            f"a forecast needs at least {_LEAST_DAYS}"
        )
    calendars = list(region_calendars(scenario, known).values())
    _require_regressors(calendars, end_min)
    pasts, masked = prepare(calendars, known)
    origin = float(known.grid.epoch_min + known.grid.slots)
    return tied_models(pasts, origin, end_min, main_kind(scenario)), masked


def _require_regressors(calendars: list[RegionCalendar], end_min: float) -> None:
    """Raise HistoryError where a regressor is not known as far as the forecast goes."""
    for calendar in calendars:
        for name, until in known_until(calendar).items():
            if until < end_min:
                last, end = (datetime.fromtimestamp(60 * m, UTC) for m in (until, end_min))
                raise HistoryError(
                    f"forecast.ingredients.regressors.{name.split('+')[0]}: known in {calendar.region} until "
                    f"{last:%Y-%m-%dT%H:%MZ}, the forecast goes to {end:%Y-%m-%dT%H:%MZ}; add the values to come"
                )


def model_notes(
    scenario: Scenario, models: list[Model], masked: list[Masked], names: tuple[str, ...]
) -> list[str]:
    """Return what was left out, borrowed, and how far the past supports what is said."""
    notes = []
    for model in models:
        calendar = model.past.calendar
        mine = [m for m in masked if m.region == calendar.region]
        if mine:
            minutes = sum((m.end - m.start).total_seconds() for m in mine) / 60
            kinds = sorted({m.kind for m in mine})
            notes.append(
                f"{calendar.region}: {len(mine)} stretches of single steps, {minutes:.0f} minutes in all, "
                f"left out ({', '.join(kinds)}); `gameday forecast outliers` lists them"
            )
        for kind, near in calendar.borrowed:
            notes.append(
                f"{calendar.region}: no event of kind '{kind}' in the past: its effect is borrowed from '{near}'"
            )
    kind = main_kind(scenario)
    return [*notes, *level_notes(models, names), support(kind, past_events(scenario, models))]


def level_notes(models: list[Model], names: tuple[str, ...]) -> list[str]:
    """Return a note for series whose week to come the last days decide: it lies far off what all the past says."""
    far = []
    for model in models:
        minute = model.past.end_min + np.arange(0, _WEEK_MIN, 60.0)
        all_past = np.zeros_like(model.blend.weights)
        all_past[0] = 1.0  # candidates begin with the steady one
        told = [
            b.smooth(minute).sum(axis=0)
            for b in (model.blend, replace(model.blend, weights=all_past))
        ]
        share = told[0] / np.maximum(told[1], 1e-9) - 1
        far += [
            (abs(float(s)), f"{model.past.calendar.region} {name}", float(s))
            for name, s in zip(names, share, strict=True)
            if abs(s) > _FAR and told[1].max() > 0
        ]
    out = [
        f"{series}: the level of the last days decides, {100 * s:+.0f} % against what all of the past says; "
        "if it was passing, leave it out (`forecast.mask`)"
        for _, series, s in sorted(far, reverse=True)[:_MOST_FAR]
    ]
    return out + (
        [f"so it is with {len(far) - _MOST_FAR} more series"] if len(far) > _MOST_FAR else []
    )


def past_events(scenario: Scenario, models: list[Model]) -> int:
    """Return how many events of the forecast one's kind some region has seen."""
    kind = main_kind(scenario)
    return max(len(known_events(model.past, kind)) for model in models)
