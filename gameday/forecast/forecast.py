"""The room's verb: the past in, the event's demand out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar, known_until, region_calendars
from gameday.forecast.data.crowds import crowd_notes, crowds_of
from gameday.forecast.data.launches import learn_launches
from gameday.forecast.data.outliers import Masked
from gameday.forecast.data.preparation import prepare
from gameday.forecast.demand import Demand
from gameday.forecast.evaluation.accuracy import AbsoluteErrors
from gameday.forecast.evaluation.benchmark import (
    PLAIN,
    backtest_wape,
    benchmark_model,
    benchmark_notes,
    pooled_benchmark,
)
from gameday.forecast.evaluation.leave_one_event_out import main_kind
from gameday.forecast.event_demand import ALL
from gameday.forecast.model.reconciliation import reconciled_models
from gameday.forecast.model.regional import Model
from gameday.forecast.model.strength import strength_sigma
from gameday.forecast.notes import model_notes, past_events
from gameday.forecast.parallel import side_by_side
from gameday.forecast.rivals import Rival
from gameday.forecast.uncertainty.curves import Curves, curves_of, stack_curves
from gameday.forecast.uncertainty.error_correlation import correlate_errors
from gameday.forecast.uncertainty.peak_errors import PeakErrors, peak_errors
from gameday.forecast.uncertainty.peaks import busy_days
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import QUANTILES, Array, TimeGrid

__all__ = [
    "Fitted",
    "benchmark_forecast",
    "demand_grid",
    "demand_of",
    "event_spans",
    "fit",
    "forecast_demand",
    "models_of",
]

_MARGIN = timedelta(hours=3)
"""Before and after the event, so that a window at its edge has a lead-in."""
_LEAST_DAYS = 14
_WEEK_MIN = 7 * 1440


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
    """Return the demand of the scenario's event from what was known at `history.until`, `rivals` beside it.

    Raises HistoryError when less than 14 days were known.
    """
    return demand_of(scenario, fit(scenario, history), rivals=rivals)


@dataclass(frozen=True)
class Fitted:
    """What a forecast of an event rests on."""

    known: History
    """What was known at `history.until`."""
    models: list[Model]
    """One per region."""
    masked: list[Masked]
    """What of the past was left out."""


def fit(scenario: Scenario, history: History) -> Fitted:
    """Return the models of what was known at `history.until`; HistoryError when that is less than 14 days."""
    known, grid = history.known_before(scenario.history.until), demand_grid(scenario)
    return Fitted(known, *models_of(scenario, known, grid.epoch_min + grid.slots))


def demand_of(scenario: Scenario, fitted: Fitted, *, rivals: Sequence[Rival] = PLAIN) -> Demand:
    """Return the demand of the scenario's event that fitted models forecast, benchmarked against `rivals`."""
    known, models, grid = fitted.known, fitted.models, demand_grid(scenario)
    learned = learn_launches(scenario, known, models) if scenario.launches else []
    benchmarks = side_by_side(benchmark_model, [(model, rivals) for model in models])
    benchmark = pooled_benchmark(benchmarks)
    curves, spans = _curves(fitted, grid), event_spans(scenario, grid)
    return Demand(
        grid=grid,
        regions=scenario.region_names,
        steps=known.steps,
        median=curves.median,
        mean=curves.mean,
        marginal=curves.marginal,
        event_log_effect=curves.event_log_effect,
        strength_sigma=strength_sigma(models),
        past_events=past_events(scenario, models),
        error_correlation=correlate_errors(models),
        launches=crowds_of(scenario, grid, learned),
        backtest_wape=backtest_wape(benchmark),
        benchmark=benchmark,
        notes=(*_notes(scenario, fitted, benchmarks), *crowd_notes(scenario, learned)),
        spans=spans,
        smooth=curves.smooth,
        peaks=_peaks(scenario.region_names, known.steps, models, curves.smooth, spans),
    )


def _notes(
    scenario: Scenario, fitted: Fitted, benchmarks: list[dict[str, AbsoluteErrors]]
) -> list[str]:
    """Return what is said of the models, and where a rival was nearer."""
    notes = model_notes(scenario, fitted.known, fitted.models, fitted.masked)
    return notes + benchmark_notes(scenario.region_names, benchmarks)


def _curves(fitted: Fitted, grid: TimeGrid) -> Curves:
    """Return what the models forecast of every minute, all regions'."""
    steps = range(len(fitted.known.steps))

    def of_region(model: Model) -> Curves:
        bands = [model.bands(series, QUANTILES) for series in steps]
        return curves_of(model.blend, model.past.end_min, bands, grid)

    return stack_curves(side_by_side(of_region, [(model,) for model in fitted.models]))


def benchmark_forecast(
    scenario: Scenario, history: History, rivals: Sequence[Rival]
) -> tuple[tuple[str, float], ...]:
    """Return the benchmark of the scenario's forecast that `forecast_demand` publishes; HistoryError likewise."""
    models = fit(scenario, history).models
    return pooled_benchmark([benchmark_model(model, rivals) for model in models])


def _peaks(
    regions: tuple[str, ...],
    steps: tuple[str, ...],
    models: list[Model],
    smooth: Array,
    spans: tuple[tuple[int, int], ...],
) -> dict[tuple[str, str], PeakErrors]:
    """Return earlier errors of peaks over the event's days, of regions and steps and of all sums over either.

    `smooth`: shape (regions, steps, slots); `spans`: each region's first slot, and that after its last.
    """

    def of_sum(region: str, step: str) -> PeakErrors:
        rows, columns = _places(regions, region), _places(steps, step)
        inside = _within(smooth[np.ix_(rows, columns)], [spans[r] for r in rows])
        days = busy_days(inside.sum(axis=(0, 1)))
        return peak_errors([(models[r], s) for r in rows for s in columns], days)

    sums = list(itertools.product((*regions, ALL), (*steps, ALL)))
    return dict(zip(sums, side_by_side(of_sum, sums), strict=True))


def _places(names: tuple[str, ...], wanted: str) -> list[int]:
    """Return where a name, or `all`, stands among names."""
    return [place for place, name in enumerate(names) if wanted in (ALL, name)]


def _within(smooth: Array, spans: list[tuple[int, int]]) -> Array:
    """Return curves, (regions, steps, slots), from the first slot of any span to the last of all, 0 outside."""
    first, last = min(a for a, _ in spans), max(b for _, b in spans)
    slot = np.arange(first, last)
    inside = np.stack([(slot >= a) & (slot < b) for a, b in spans])
    return np.asarray(smooth[:, :, first:last] * inside[:, None])


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
    return reconciled_models(pasts, origin, end_min, main_kind(scenario)), masked


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
