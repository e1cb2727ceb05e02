"""The room's verb: the past in, the event's demand out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar, known_until, region_calendars
from gameday.forecast.data.coarse_rows import row_notes
from gameday.forecast.data.crowds import crowd_notes, crowds_of
from gameday.forecast.data.launches import learn_launches
from gameday.forecast.data.outliers import Masked
from gameday.forecast.data.preparation import prepare
from gameday.forecast.demand import Demand
from gameday.forecast.evaluation.benchmark import (
    PLAIN,
    backtest_wape,
    benchmark_model,
    benchmark_notes,
    pooled_benchmark,
)
from gameday.forecast.evaluation.leave_one_event_out import known_events, main_kind, support
from gameday.forecast.event_demand import ALL
from gameday.forecast.model.reconciliation import reconciled_models
from gameday.forecast.model.regional import Model
from gameday.forecast.model.strength import strength_sigma
from gameday.forecast.rivals import Rival
from gameday.forecast.rivals.outside import missing_members
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
    "level_notes",
    "model_notes",
    "models_of",
    "past_events",
]

_MARGIN = timedelta(hours=3)
"""Before and after the event, so that a window at its edge has a lead-in."""
_LEAST_DAYS = 14
_WEEK_MIN = 7 * 1440
_FAR, _MOST_FAR = 0.25, 5
"""By what share the coming week must lie off what all of the past says to be noted, and how many series. Ours."""


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
    benchmarks = [benchmark_model(model, rivals) for model in models]
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
        notes=(
            *model_notes(scenario, fitted),
            *benchmark_notes(scenario.region_names, benchmarks),
            *crowd_notes(scenario, learned),
        ),
        spans=spans,
        smooth=curves.smooth,
        peaks=_peaks(scenario.region_names, known.steps, models, curves.smooth, spans),
    )


def _curves(fitted: Fitted, grid: TimeGrid) -> Curves:
    """Return what the models forecast of every minute, all regions'."""
    steps = range(len(fitted.known.steps))
    return stack_curves(
        [
            curves_of(
                model.blend,
                model.past.end_min,
                [model.bands(s, QUANTILES) for s in steps],
                grid,
            )
            for model in fitted.models
        ]
    )


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
    out = {}
    for region in (*regions, ALL):
        rows = [r for r, name in enumerate(regions) if region in (ALL, name)]
        inside = _within(smooth[rows], [spans[r] for r in rows])
        for step in (*steps, ALL):
            columns = [s for s, name in enumerate(steps) if step in (ALL, name)]
            days = busy_days(inside[:, columns].sum(axis=(0, 1)))
            out[region, step] = peak_errors([(models[r], s) for r in rows for s in columns], days)
    return out


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


def model_notes(scenario: Scenario, fitted: Fitted) -> list[str]:
    """Return what was left out and borrowed, and how far the past supports the forecast."""
    models, masked = fitted.models, fitted.masked
    notes = row_notes(fitted.known, [model.past.calendar for model in models])
    notes += missing_members(scenario.forecast) + _silent_members(models, fitted.known.steps)
    for model in models:
        calendar = model.past.calendar
        notes += _mask_notes(calendar.region, [m for m in masked if m.region == calendar.region])
        for kind, near in calendar.borrowed:
            notes.append(
                f"{calendar.region}: no event of kind '{kind}' in the past: its effect is borrowed from '{near}'"
            )
    kind = main_kind(scenario)
    levels = level_notes(models, fitted.known.steps)
    return [*notes, *levels, support(kind, past_events(scenario, models))]


def _silent_members(models: list[Model], steps: tuple[str, ...]) -> list[str]:
    """Return a note on each member from outside that said nothing of the time ahead of some step."""
    return [
        f"{model.past.calendar.region}: '{member.name}' said nothing of some minutes ahead of "
        f"{', '.join(np.array(steps)[member.is_silent])}, and is left out there"
        for model in models
        for member in model.blend.told
        if member.is_silent.any()
    ]


def _mask_notes(region: str, masked: list[Masked]) -> list[str]:
    """Return a note on what of a region's past was left out, if anything was."""
    if not masked:
        return []
    minutes = sum((m.end - m.start).total_seconds() for m in masked) / 60
    kinds = sorted({m.kind for m in masked})
    return [
        f"{region}: {len(masked)} stretches of single steps, {minutes:.0f} minutes in all, "
        f"left out ({', '.join(kinds)}); `gameday forecast outliers` lists them"
    ]


def level_notes(models: list[Model], names: tuple[str, ...]) -> list[str]:
    """Return a note on series whose coming week the last days decide, far off what all of the past says."""
    far = [
        (share, f"{model.past.calendar.region} {name}")
        for model in models
        for name, share in _recent_effects(model, names).items()
        if abs(share) > _FAR
    ]
    far.sort(key=lambda each: (abs(each[0]), each[1]), reverse=True)
    notes = [
        f"{series}: the level of the last days decides, {100 * share:+.0f} % against what all of the past says; "
        "if it was passing, leave it out (`forecast.mask`)"
        for share, series in far[:_MOST_FAR]
    ]
    rest = len(far) - _MOST_FAR
    return notes + ([f"so it is with {rest} more series"] if rest > 0 else [])


def _recent_effects(model: Model, names: tuple[str, ...]) -> dict[str, float]:
    """Return series -> its coming week's total over that by the steady level model, less 1; 0 of no counts."""
    minute = model.past.end_min + np.arange(0, _WEEK_MIN, 60.0)
    all_past = np.zeros_like(model.blend.weights)
    all_past[0] = 1.0  # candidates begin with the steady one
    blends = model.blend, replace(model.blend, weights=all_past)
    recent, steady = (blend.smooth(minute).sum(axis=0) for blend in blends)
    share = recent / np.maximum(steady, 1e-9) - 1
    if not steady.max() > 0:
        share = np.zeros_like(share)
    return {name: float(s) for name, s in zip(names, share, strict=True)}


def past_events(scenario: Scenario, models: list[Model]) -> int:
    """Return how many events of the forecast one's kind some region has seen."""
    kind = main_kind(scenario)
    return max(len(known_events(model.past, kind)) for model in models)
