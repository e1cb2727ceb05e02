"""Pasts made up by a law, quickly: a day, a week, noise, and events where asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.training_data import Past
from gameday.forecast.model.regional import Model, fit_models
from gameday.history import History
from gameday.scenario.events import KINDS
from gameday.scenario.ingredients import Occurrence
from gameday.vocabulary import Array, TimeGrid

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def law(minute: Array, level: float, events: tuple[Occurrence, ...] = ()) -> Array:
    """Return expected counts at minutes since 1970 UTC."""
    angle = 2 * np.pi * (minute % 1440) / 1440
    weekend = ((minute // 1440 + 3) % 7) >= 5
    log = 0.6 * np.sin(angle - 2) + 0.15 * np.sin(2 * angle) + 0.2 * weekend
    for event in events:
        log = log + event.strength * KINDS[event.kind].log_effect(
            minute - event.start_min, minute - event.end_min
        )
    return np.asarray(level * np.exp(log))


def occurrence(
    day: float, hours: float, *, kind: str = "sale", strength: float = 1.0
) -> Occurrence:
    """Return an event that starts so many days after the Monday."""
    start = MONDAY.timestamp() / 60 + 1440 * day
    return Occurrence(f"{kind}-{day:g}", kind, start, start + 60 * hours, strength, 0.0, 0.0)


def counts_of(
    days: int,
    levels: tuple[float, ...],
    *,
    seed: int,
    events: tuple[Occurrence, ...] = (),
    wander: float = 0.0,
    start: datetime = MONDAY,
) -> Array:
    """Return Poisson counts by the law, shape (levels, minutes)."""
    rng = np.random.default_rng(seed)
    minute = start.timestamp() / 60 + np.arange(days * 1440, dtype=float)
    drift = np.zeros(days * 24 + 2)
    for hour in range(1, len(drift)):
        drift[hour] = 0.96 * drift[hour - 1] + rng.normal(0, wander)
    slow = np.exp(np.interp(np.arange(len(minute)) / 60, np.arange(len(drift)), drift))
    return np.stack([rng.poisson(law(minute, level, events) * slow) for level in levels]).astype(
        float
    )


def past_of(
    counts: Array, calendar: RegionCalendar | None = None, start: datetime = MONDAY
) -> Past:
    """Return the past of counts, shape (series, minutes)."""
    grid = TimeGrid(start, counts.shape[1])
    calendar = calendar or RegionCalendar("here", "UTC")
    seen = replace(
        calendar,
        seen_from_min=float(grid.epoch_min),
        seen_until_min=float(grid.epoch_min + grid.slots),
    )
    return Past(seen, grid, counts.astype(np.float32, copy=False))


def model_of(past: Past, *, days_ahead: float = 3.0) -> Model:
    """Return the model of one past."""
    return fit_models([past], int(days_ahead * 1440), "sale")[0]


def forecast_of(model: Model, *, days: float = 3.0, step: int = 30) -> Array:
    """Return the median of the days after the past, shape (minutes, series)."""
    minute = model.past.end_min + np.arange(0, days * 1440, step)
    return model.blend.counts(minute)


def history_of(counts: Array, steps: tuple[str, ...], start: datetime = MONDAY) -> History:
    """Return a history of one region, counts of shape (steps, minutes)."""
    return History(
        TimeGrid(start, counts.shape[1]),
        ("here",),
        steps,
        counts[None].astype(np.float32),
        "made up",
        "0" * 64,
    )


def later(days: float) -> datetime:
    """Return an instant so many days after the Monday."""
    return MONDAY + timedelta(days=days)
