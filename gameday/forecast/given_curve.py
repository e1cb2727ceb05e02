"""A demand that is given, minute by minute, in place of one that is forecast from a past."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.crowds import crowds_of
from gameday.forecast.demand import Demand
from gameday.forecast.forecast import demand_grid, event_spans
from gameday.forecast.uncertainty.error_correlation import ErrorCorrelation
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import Array, TimeGrid

__all__ = ["given_demand"]

_LEVELS = (0.1, 0.9)
"""Of the bands that are printed: a given curve has none, and each is the curve."""
_SAYS = "the demand is given: it has no spread, so every quantile is the curve itself"


def given_demand(scenario: Scenario, given: History) -> Demand:
    """Return the demand that counts a minute are; `given`: region, step and minute, as of a history.

    Launches of the scenario come beside it, as beside a forecast. HistoryError where a minute of the event has no
    count; minutes around it that have none are taken as 0, and said.
    """
    grid = demand_grid(scenario)
    counts, spans = _over(given, grid), event_spans(scenario, grid)
    _require_whole(scenario, given, grid, counts, spans)
    curve, launches = np.nan_to_num(counts, nan=0.0), crowds_of(scenario, grid, [])
    shares = ErrorCorrelation((), np.zeros(curve.shape[:2]))
    return Demand(
        grid=grid,
        regions=scenario.region_names,
        steps=given.steps,
        median=curve,
        mean=curve,
        marginal=dict.fromkeys(_LEVELS, curve),
        event_log_effect=np.zeros_like(curve),
        strength_sigma=0.0,
        past_events=0,
        error_correlation=shares,
        launches=launches,
        backtest_wape=None,
        benchmark=(),
        notes=(_SAYS, *_notes(given.source, counts, [*launches])),
        spans=spans,
        smooth=curve,
        peaks={},
        is_given=True,
    )


def _notes(source: str, counts: Array, launches: list[str]) -> Iterator[str]:
    """Yield what was taken for granted of a given curve."""
    if around := int(np.isnan(counts).any(axis=(0, 1)).sum()):
        yield f"{around} minutes before and behind the event have no count in {source}: taken as 0"
    if launches:
        yield (
            f"launches come on top of the given curve, as the scenario declares them: {', '.join(launches)}; a "
            "curve that holds them already is played without them in the scenario"
        )


def _over(given: History, grid: TimeGrid) -> Array:
    """Return the counts over a grid, NaN where there is none."""
    out = np.full((*given.counts.shape[:2], grid.slots), np.nan)
    shift = grid.index_of(given.grid.start)
    first, last = max(0, shift), min(grid.slots, shift + given.grid.slots)
    if first < last:
        out[:, :, first:last] = given.counts[:, :, first - shift : last - shift]
    return out


def _require_whole(
    scenario: Scenario,
    given: History,
    grid: TimeGrid,
    counts: Array,
    spans: tuple[tuple[int, int], ...],
) -> None:
    """Raise HistoryError where a minute of a region's event has no count."""
    for r, (region, (first, last)) in enumerate(zip(scenario.region_names, spans, strict=True)):
        for s, step in enumerate(given.steps):
            missing = np.flatnonzero(np.isnan(counts[r, s, first:last]))
            if len(missing):
                at = grid.instant(first + int(missing[0]))
                raise HistoryError(
                    f"{given.source}: has no count of {region} {step} in {len(missing)} of the {last - first} "
                    f"minutes of the event, the first at {at:%Y-%m-%dT%H:%MZ}; give a row a minute, 0 where "
                    "nobody comes"
                )
