"""What of a model is kept, so that new minutes can be added to it without starting over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import Rows, without_launches
from gameday.forecast.data.outliers import asked_masks, mask
from gameday.forecast.data.training_data import Past
from gameday.forecast.evaluation.benchmark import PLAIN, compared
from gameday.forecast.model.blend import Blend
from gameday.forecast.model.regional import Model
from gameday.forecast.model.solve import fit_rows
from gameday.forecast.parallel import side_by_side
from gameday.forecast.rivals import Rival
from gameday.forecast.uncertainty.bands import Bands
from gameday.forecast.uncertainty.peaks import PeakErrors, peak_errors
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
    race: dict[str, list[float | None]]
    """Name -> each series' score on earlier origins, ours first; None where it cannot be told."""


def state_of(
    model: Model,
    names: tuple[str, ...],
    sigma: float,
    past_events: int,
    rivals: Sequence[Rival] = PLAIN,
) -> State:
    """Return what of a model is kept, raced against `rivals`."""
    bands = tuple(model.bands(s, QUANTILES) for s in range(len(names)))
    past = model.past
    return State(
        past.calendar,
        names,
        past.first_min,
        past.end_min,
        past.rows,
        model.blend,
        bands,
        tuple(peak_errors([(model, s)]) for s in range(len(names))),
        sigma,
        past_events,
        {
            name: [round(float(v), 4) if np.isfinite(v) else None for v in missed.by_series()]
            for name, missed in compared(model, rivals).items()
        },
    )


def refreshed(state: State, counts: Array, grid: TimeGrid) -> tuple[State, int]:
    """Return the state with counts, (series, slots), of the minutes after its end, and how many rows it left out.

    The fits start where they were; the candidates' weights, bands, profile and the tie to days and region stay
    until the next whole fit.
    """
    plain = Past(
        state.calendar, grid, without_launches(counts.astype(np.float32), grid, state.calendar)
    )
    fresh = mask(plain, asked_masks(plain, state.names), state.names).rows
    # Rows are means: what single minutes are leaves them as they are.
    said = np.log1p(state.blend.smooth(fresh.minute))
    with np.errstate(invalid="ignore"):
        floor = 1 / np.sqrt(1 + np.expm1(said) * fresh.width[:, None])
    scale = np.maximum(np.stack([fit.scale for fit in state.blend.fits]).min(axis=0), floor)
    odd = (np.abs(np.log1p(fresh.mean) - said) > _NEW_SCALES * scale) & ~fresh.in_event[:, None]
    odd &= ~_kept_by_a_person(fresh, state)
    fresh = replace(fresh, mean=np.where(odd, np.nan, fresh.mean).astype(np.float32))
    rows = _joined(state.rows, fresh)
    end = float(grid.epoch_min + grid.slots)
    fits = side_by_side(
        lambda fit: fit_rows(rows, replace(fit.design, origin_min=end), fit.held, start=fit),
        [(fit,) for fit in state.blend.fits],
    )
    moved = replace(state, end_min=end, rows=rows, blend=replace(state.blend, fits=tuple(fits)))
    return moved, int(odd.sum())


def _kept_by_a_person(rows: Rows, state: State) -> Array:
    """Return which rows and series lie in a stretch that is to be learned from, shape (rows, series)."""
    out = np.zeros(rows.mean.shape, bool)
    for one in state.calendar.block.keep:
        if one.region in (None, state.calendar.region):
            inside = (rows.minute >= one.start.timestamp() / 60) & (
                rows.minute < one.end.timestamp() / 60
            )
            out |= inside[:, None] & np.array([one.step in (None, name) for name in state.names])
    return out


def _joined(old: Rows, new: Rows) -> Rows:
    minute = np.concatenate([old.minute, new.minute])
    values = np.concatenate([old.calendar.values, new.calendar.values])
    return Rows(
        minute,
        np.concatenate([old.width, new.width]),
        np.concatenate([old.mean, new.mean]),
        np.concatenate([old.in_event, new.in_event]),
        replace(old.calendar, values=values),
    )


def known_until(state: State) -> datetime:
    """Return where a state's past ends."""
    return datetime.fromtimestamp(60 * state.end_min, UTC)
