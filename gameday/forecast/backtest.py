"""What the model would have said before: rolling origins, and each past event left out in turn.

Their errors choose the trend's shape and make the bands (split conformal on log ratios).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from gameday.forecast.design import Design, Shape
from gameday.forecast.rows import Rows
from gameday.forecast.solve import fit_rows, local_slot
from gameday.history import History
from gameday.scenario import Scenario
from gameday.scenario.events import KINDS
from gameday.vocabulary import Array

__all__ = [
    "Errors", "candidate_shapes", "event_errors", "known_events",
    "main_kind", "rolling_errors",
]  # fmt: skip

_FOLDS = (1.0, 0.5, 0.25)
"""Origins this many horizons before the end of the past."""
_MOST_LEFT_OUT = 8
"""Past events left out in turn, evenly chosen: each costs a fit."""
_EVERY_MIN = 7
"""Every seventh minute is scored: no period of the day is missed, at a seventh of the cost."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Scored minutes of one region."""

    log_ratio: Array
    """log(1 + actual) - log(1 + forecast), shape (n, steps); NaN = not known."""
    hour: Array
    """Local hour, shape (n,)."""
    wape: float
    """Weighted absolute percentage error over all steps."""


def candidate_shapes(days: float) -> tuple[Shape, ...]:
    """Return the trends raced for a past of so many days."""
    if days < 200:
        choices = product((7.0, 14.0), (0.5, 7.0), (14.0, 60.0))
    else:
        choices = product((60.0,), (30.0, 120.0), (240.0, 720.0))
    return tuple(Shape(k, d, h) for k, d, h in choices)


def rolling_errors(
    rows: Rows, history: History, scenario: Scenario, region: str, horizon_min: int
) -> list[tuple[Shape, Errors]]:
    """Return each candidate's errors on origins one, a half and a quarter horizon before the end."""
    first = float(history.grid.epoch_min)
    end = first + history.grid.slots
    horizon = min(horizon_min, history.grid.slots // 3)
    shapes = candidate_shapes(history.grid.slots / 1440)
    scored: list[list[tuple[Array, Array, Array]]] = [[] for _ in shapes]
    for fold in _FOLDS:
        origin = end - horizon * fold
        minute = np.arange(origin, min(end, origin + horizon), _EVERY_MIN)
        known, calendar = rows.before(origin), None
        for index, shape in enumerate(shapes):
            design = Design(scenario, region, first, origin, shape)
            calendar = calendar or design.calendar_columns(minute)
            fit = fit_rows(known, design)
            log_mean = fit.log_mean_of(minute, design.columns(minute, calendar))
            hour = local_slot(design, minute)[0] // 60
            scored[index].append((*_scored(history, region, minute, log_mean), hour))
    return [(shape, _errors(parts)) for shape, parts in zip(shapes, scored, strict=True)]


def _errors(parts: list[tuple[Array, Array, Array]]) -> Errors:
    actual, forecast, hour = (np.concatenate(column) for column in zip(*parts, strict=True))
    wrong, total = np.nansum(np.abs(actual - forecast)), np.nansum(actual)
    return Errors(np.log1p(actual) - np.log1p(forecast), hour, float(wrong / max(total, 1.0)))


def event_errors(
    rows: Rows, history: History, scenario: Scenario, region: str, shape: Shape
) -> list[Array]:
    """Return, per known past event of the scenario's kind, its log ratios when left out.

    Each item has shape (minutes of the event, steps).
    """
    first = float(history.grid.epoch_min)
    end = first + history.grid.slots
    found, known = [], _known_spans(scenario, history, region)
    for begin, finish in known[:: -(-len(known) // _MOST_LEFT_OUT) or 1]:
        gone = (rows.minute > begin - 750) & (rows.minute < finish + 750)
        design = Design(scenario, region, first, end, shape)
        minute = np.arange(begin, finish, _EVERY_MIN)
        fit = fit_rows(rows.where(~gone), design)
        actual, forecast = _scored(history, region, minute, fit.log_mean(minute))
        found.append(np.log1p(actual) - np.log1p(forecast))
    return found


def known_events(scenario: Scenario, history: History, region: str) -> int:
    """Return how many past events of the scenario's kind lie wholly in the past, and not in a gap of it."""
    return len(_known_spans(scenario, history, region))


def _known_spans(scenario: Scenario, history: History, region: str) -> list[tuple[float, float]]:
    """Return (start, end) of those, minutes since 1970 UTC."""
    first = history.grid.epoch_min
    kind = main_kind(scenario)
    spans = [
        (start.timestamp() / 60, stop.timestamp() / 60)
        for event, start, stop in scenario.occurrences(region)
        if event.kind == kind
    ]
    counts = history.counts[history.regions.index(region)]

    def was_seen(begin: float, end: float) -> bool:
        if begin < first or end > first + history.grid.slots:
            return False
        return bool((~np.isnan(counts[:, int(begin - first) : int(end - first)])).mean() > 0.5)

    return [(begin, end) for begin, end in spans if was_seen(begin, end)]


def main_kind(scenario: Scenario) -> str:
    """Return the kind whose past errors count: the event's own, or the commonest within it."""
    own = KINDS[scenario.event.kind]
    if own.start_knots_min or own.plateau:
        return own.name
    inside = [e.kind for e in scenario.calendar.events if KINDS[e.kind].start_knots_min]
    return max(set(inside), key=inside.count) if inside else own.name


def _scored(history: History, region: str, minute: Array, log_mean: Array) -> tuple[Array, Array]:
    slot = (minute - history.grid.epoch_min).astype(int)
    actual = history.counts[history.regions.index(region)][:, slot].T
    return actual, np.maximum(np.expm1(log_mean), 0)
