"""The room's verb: the past in, the event's demand out."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.backtest import (
    Errors,
    event_errors,
    known_events,
    main_kind,
    rolling_errors,
)
from gameday.forecast.demand import Demand
from gameday.forecast.design import Design
from gameday.forecast.profile import with_profile
from gameday.forecast.rows import make_rows
from gameday.forecast.solve import Fit, fit_rows, local_slot
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import QUANTILES, Array, TimeGrid

__all__ = ["demand_grid", "forecast_demand"]

_MARGIN = timedelta(hours=3)
"""Before and after the event, so that a window at its edge has a lead-in."""
_PRIOR_SIGMA = 0.15
"""Spread of an event's log size where the past cannot tell. Ours: about +-35 % at p99, the size
of the step Shopify tests for (150 % of last year, anchors/practice.md §1.1) at p99.7."""
_PRIOR_WEIGHT = 2.0
"""The prior counts as so many past events."""
_LEAST_DAYS = 14
_LEAST_POOL = 30
"""Residuals below which a pool says nothing and the next wider one is asked."""


@dataclass(frozen=True, slots=True)
class _Region:
    fit: Fit
    errors: Errors
    events: list[Array]
    race: tuple[tuple[str, float], ...]


def demand_grid(scenario: Scenario) -> TimeGrid:
    """Return the minutes forecast: the event in all its regions, and three hours around it."""
    spans = [scenario.span(scenario.event, region) for region in scenario.regions]
    return TimeGrid.between(min(s for s, _ in spans) - _MARGIN, max(e for _, e in spans) + _MARGIN)


def forecast_demand(scenario: Scenario, history: History) -> Demand:
    """Return the demand of the scenario's event from what was known at `history.until`.

    Raises HistoryError when less than 14 days were known.
    """
    known = history.known_before(scenario.history.until)
    if known.grid.slots < _LEAST_DAYS * 1440:
        raise HistoryError(
            f"{history.source}: {known.grid.slots / 1440:.1f} days known before history.until; "
            f"a forecast needs at least {_LEAST_DAYS}"
        )
    grid = demand_grid(scenario)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy gives way to threads in its kernels
        fits = pool.map(lambda r: _fit_region(scenario, known, r, grid), scenario.regions)
        regions = list(fits)
    minute = grid.minutes().astype(float)
    log_mean = np.stack([r.fit.log_mean(minute).T for r in regions])
    effect = np.stack([r.fit.log_event(minute).T for r in regions])
    marginal = _marginal(regions, np.maximum(np.expm1(log_mean), 0.0), effect, minute)
    past = max(known_events(scenario, known, region) for region in scenario.regions)
    return Demand(
        grid=grid, regions=scenario.region_names, steps=scenario.step_names,
        median=marginal[0.5], marginal=marginal,
        event_log_effect=effect, strength_sigma=_strength_sigma(regions), past_events=past,
        launches=_launches(scenario, grid),
        backtest_wape=float(np.mean([r.errors.wape for r in regions])),
        race=regions[0].race, notes=tuple(_notes(scenario, regions, past)),
    )  # fmt: skip


def _fit_region(scenario: Scenario, known: History, region: str, grid: TimeGrid) -> _Region:
    rows = make_rows(known, scenario, region)
    first = float(known.grid.epoch_min)
    end = first + known.grid.slots
    horizon = int(grid.epoch_min + grid.slots - end)
    race = rolling_errors(rows, known, scenario, region, horizon)
    shape, errors = min(race, key=lambda item: item[1].wape)
    fit = with_profile(fit_rows(rows, Design(scenario, region, first, end, shape)), known)
    table = tuple(
        (f"knots {s.knot_days:g} d, damp {s.damp_days:g} d, half-life {s.half_life_days:g} d",
         round(e.wape, 4)) for s, e in race
    )  # fmt: skip
    return _Region(fit, errors, event_errors(rows, known, scenario, region, shape), table)


def _strength_sigma(regions: list[_Region]) -> float:
    """Return the spread of the events' log size: theirs when left out, shrunk to the prior."""
    misses = [float(np.nanmean(e)) for r in regions for e in r.events if len(r.events) > 1]
    total = _PRIOR_WEIGHT * _PRIOR_SIGMA**2 + float(np.sum(np.square(misses)))
    return float(np.sqrt(total / (_PRIOR_WEIGHT + len(misses))))


def _marginal(
    regions: list[_Region], median: Array, effect: Array, minute: Array
) -> dict[float, Array]:
    """Return conformal quantiles: by local hour off events, one pool inside them.

    p50 is the median itself: where the backtest was off to one side, it is moved there.
    """
    out = {level: np.empty_like(median) for level in QUANTILES}
    for index, region in enumerate(regions):
        hour = local_slot(region.fit.design, minute)[0] // 60
        busy = np.abs(effect[index]) > 0.05
        for step in range(median.shape[1]):
            shift = _hour_quantiles(region.errors, step)[:, hour]
            inside = _event_quantiles(region, step)
            for level, calm, event in zip(QUANTILES, shift, inside, strict=True):
                log = np.log1p(median[index, step]) + np.where(busy[step], event, calm)
                out[level][index, step] = np.maximum(np.expm1(log), 0)
    return out


def _hour_quantiles(errors: Errors, step: int) -> Array:
    """Return residual quantiles by hour, each pooled with its neighbours, (levels, 24)."""
    table = np.empty((len(QUANTILES), 24))
    everything = errors.log_ratio[:, step]
    for hour in range(24):
        near = everything[np.isin(errors.hour, [(hour - 1) % 24, hour, (hour + 1) % 24])]
        pool = near if (~np.isnan(near)).sum() >= _LEAST_POOL else everything
        known = pool[~np.isnan(pool)]
        table[:, hour] = np.quantile(known, QUANTILES) if len(known) >= _LEAST_POOL else _prior()
    return table


def _prior() -> Array:
    """Return the prior's log quantiles, for where nothing is known."""
    return np.array([NormalDist(0, _PRIOR_SIGMA).inv_cdf(level) for level in QUANTILES])


def _event_quantiles(region: _Region, step: int) -> Array:
    """Return residual quantiles inside events; the prior's where too few are known."""
    if len(region.events) < 2:
        return _prior()
    pool = np.concatenate([e[:, step] for e in region.events])
    pool = pool[~np.isnan(pool)]
    return np.quantile(pool, QUANTILES) if len(pool) >= _LEAST_POOL else _prior()


def _launches(scenario: Scenario, grid: TimeGrid) -> dict[str, Array]:
    """Return the declared crowds, laid out by their half-life."""
    out = {}
    for name, launch in scenario.launches.items():
        starts = np.zeros((len(scenario.regions), grid.slots))
        for region in launch.at:
            at = grid.index_of(scenario.launch_at(name, region))
            share = launch.crowd_share(np.arange(grid.slots) - at)
            starts[scenario.region_names.index(region)] = launch.crowd[region] * share
        out[name] = starts
    return out


def _notes(scenario: Scenario, regions: list[_Region], past: int) -> list[str]:
    notes = []
    for name, region in zip(scenario.region_names, regions, strict=True):
        if masked := int(region.fit.masked.sum()):
            notes.append(
                f"{name}: {masked} rows of a quarter or half hour and a step taken for robots or outages, left out"
            )
    kind = main_kind(scenario)
    limit = 1 - 1 / (past + 1)
    notes.append(
        f"{past} past events of kind '{kind}' known: quantiles beyond p{100 * limit:.0f} are "
        "prior, not calibrated"
    )
    for name in scenario.launches:
        notes.append(f"launch {name}: crowd as declared in the scenario, not learned")
    return notes
