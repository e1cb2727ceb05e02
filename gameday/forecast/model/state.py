"""The state that is kept of a model, so that new minutes can be added to it without starting over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import Rows, without_launches
from gameday.forecast.data.outliers import asked_masks, mask
from gameday.forecast.data.training_data import Past
from gameday.forecast.evaluation.benchmark import PLAIN, benchmark_model
from gameday.forecast.model.blend import Blend
from gameday.forecast.model.patterns import patterns_of
from gameday.forecast.model.regional import Model, heard
from gameday.forecast.model.solve import fit_rows
from gameday.forecast.parallel import side_by_side
from gameday.forecast.rivals import Rival
from gameday.forecast.uncertainty.bands import Bands
from gameday.forecast.uncertainty.peak_errors import PeakErrors, peak_errors
from gameday.forecast.uncertainty.peaks import busy_days
from gameday.vocabulary import QUANTILES, Array, TimeGrid

__all__ = ["State", "known_until", "refreshed", "state_of"]

_NEW_SCALES = 5.0
"""A new row this many scales off is left out until the next whole fit judges it. As in outliers.py."""


@dataclass(frozen=True)
class State:
    """One region's model, and the rows it was fitted to."""

    calendar: RegionCalendar
    names: tuple[str, ...]
    first_min: float
    end_min: float
    rows: Rows
    blend: Blend
    bands: tuple[Bands, ...]
    """Per series."""
    peaks: tuple[PeakErrors, ...]
    """Per series."""
    sigma: float
    """Spread of the event's log size."""
    past_events: int
    """Events of its kind that stand behind it."""
    benchmark: dict[str, list[float | None]]
    """Name -> each series' WAPE on earlier origins, this forecast first; None where it cannot be told."""


def state_of(
    model: Model,
    names: tuple[str, ...],
    sigma: float,
    past_events: int,
    span: tuple[float, float],
    rivals: Sequence[Rival] = PLAIN,
) -> State:
    """Return what is kept of a model, benchmarked against `rivals`; the event at `span`, minutes since 1970."""
    past = model.past
    days = [busy_days(curve) for curve in model.blend.smooth(np.arange(*span)).T]
    return State(
        calendar=past.calendar,
        names=names,
        first_min=past.first_min,
        end_min=past.end_min,
        rows=past.rows,
        blend=model.blend,
        bands=tuple(model.bands(s, QUANTILES) for s in range(len(names))),
        peaks=tuple(peak_errors([(model, s)], days[s]) for s in range(len(names))),
        sigma=sigma,
        past_events=past_events,
        benchmark=_benchmark(model, rivals),
    )


def _benchmark(model: Model, rivals: Sequence[Rival]) -> dict[str, list[float | None]]:
    """Return name -> each series' WAPE on earlier origins, rounded to be kept; None where it cannot be told."""
    return {
        name: [round(float(v), 4) if np.isfinite(v) else None for v in errors.by_series()]
        for name, errors in benchmark_model(model, rivals).items()
    }


def refreshed(state: State, counts: Array, grid: TimeGrid) -> tuple[State, int]:
    """Return the state with counts, (series, slots), of the minutes after its end, and how many rows it left out.

    The fits start where they were; the candidates' weights, bands, profile and reconciliation stay until the next
    whole fit.
    """
    fresh = _new_rows(state, counts, grid)
    odd = _odd(fresh, state) & ~_kept_by_a_person(fresh, state)
    fresh = replace(fresh, mean=np.where(odd, np.nan, fresh.mean).astype(np.float32))
    rows = state.rows.followed_by(fresh)
    end = float(grid.epoch_min + grid.slots)
    moved = replace(state, end_min=end, rows=rows, blend=_refitted(state.blend, rows, end))
    return moved, int(odd.sum())


def _refitted(blend: Blend, rows: Rows, end_min: float) -> Blend:
    """Return the blend with its fits gone on from where they were, to these rows, and its patterns of them."""
    fits = side_by_side(
        lambda fit: fit_rows(rows, replace(fit.design, origin_min=end_min), fit.held, start=fit),
        [(fit,) for fit in blend.fits],
    )
    moved = replace(blend, fits=tuple(fits))
    patterns = patterns_of(rows, moved.main)[: len(blend.patterns)]
    weights = heard(blend.weights, (*patterns, *blend.told))
    return replace(moved, patterns=patterns, weights=weights)


def _new_rows(state: State, counts: Array, grid: TimeGrid) -> Rows:
    """Return the rows of new counts, without launches and what a person masked."""
    counts = without_launches(counts.astype(np.float32), grid, state.calendar)
    plain = Past(state.calendar, grid, counts)
    return mask(plain, asked_masks(plain, state.names), state.names).rows


def _odd(rows: Rows, state: State) -> Array:
    """Return which rows and series outside events lie far off the forecast, shape (rows, series)."""
    # Rows are means: the minute profile leaves them as they are.
    expected = np.log1p(state.blend.smooth(rows.minute))
    with np.errstate(invalid="ignore"):
        floor = 1 / np.sqrt(1 + np.expm1(expected) * rows.width[:, None])
    scale = np.maximum(np.stack([fit.scale for fit in state.blend.fits]).min(axis=0), floor)
    is_far = np.abs(np.log1p(rows.mean) - expected) > _NEW_SCALES * scale
    return np.asarray(is_far & ~rows.in_event[:, None])


def _kept_by_a_person(rows: Rows, state: State) -> Array:
    """Return which rows and series lie in a stretch that is to be learned from, shape (rows, series)."""
    kept = np.zeros(rows.mean.shape, bool)
    for stretch in state.calendar.block.keep:
        if stretch.region in (None, state.calendar.region):
            begin, end = stretch.start.timestamp() / 60, stretch.end.timestamp() / 60
            inside = (rows.minute >= begin) & (rows.minute < end)
            named = np.array([stretch.step in (None, name) for name in state.names])
            kept |= inside[:, None] & named
    return kept


def known_until(state: State) -> datetime:
    """Return where a state's past ends."""
    return datetime.fromtimestamp(60 * state.end_min, UTC)
