"""A published model kept on disk, so that new minutes can be added without starting over."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gameday.errors import HistoryError
from gameday.files import write_whole
from gameday.forecast.bands import Bands
from gameday.forecast.blend import Blend, Tie
from gameday.forecast.compared import PLAIN, compared
from gameday.forecast.design import Design, calendar_columns
from gameday.forecast.outliers import asked_masks, mask
from gameday.forecast.past import Past
from gameday.forecast.peaks import PeakErrors, peak_errors
from gameday.forecast.pool import side_by_side
from gameday.forecast.regional import Model
from gameday.forecast.rivals import Rival
from gameday.forecast.rows import Rows, without_launches
from gameday.forecast.solve import Fit, fit_rows
from gameday.forecast.task import RegionCalendar
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import QUANTILES, Array, TimeGrid

__all__ = ["State", "load_state", "refreshed", "save_state", "state_of"]

VERSION = 2
_BAND_FIELDS = ("noise", "by_hour", "by_lead", "within_events", "widened")
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
    race: dict[str, list[float | None]]
    """Name -> each series' score on earlier origins, ours first; None where it cannot be told."""


def state_of(
    model: Model, names: tuple[str, ...], sigma: float, rivals: Sequence[Rival] = PLAIN
) -> State:
    """Return what of a model is kept, raced against `rivals`."""
    bands = tuple(model.bands(s, QUANTILES) for s in range(len(names)))
    past = model.past
    return State(
        past.calendar, names, past.first_min, past.end_min, past.rows, model.blend, bands,
        tuple(peak_errors(model, s) for s in range(len(names))), sigma,
        {
            name: [round(float(v), 4) if np.isfinite(v) else None for v in scores]
            for name, scores in compared(model, rivals).items()
        },
    )  # fmt: skip


def refreshed(state: State, counts: Array, grid: TimeGrid) -> tuple[State, int]:
    """Return the state with counts, (series, slots), of the minutes after its end, and how many rows it left out.

    The fits start where they were; the candidates' weights, bands, profile and the tie to days and region stay
    until the next whole fit.
    """
    plain = Past(
        state.calendar, grid, without_launches(counts.astype(np.float32), grid, state.calendar)
    )
    fresh = mask(plain, asked_masks(plain, state.names), state.names).rows
    said = np.log1p(state.blend.counts(fresh.minute))
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
        minute, np.concatenate([old.width, new.width]), np.concatenate([old.mean, new.mean]),
        np.concatenate([old.in_event, new.in_event]), replace(old.calendar, values=values),
    )  # fmt: skip


def save_state(state: State, folder: Path) -> Path:
    """Write the state under a name of its own, by its content; return its path."""
    arrays, digest = _arrays(state), hashlib.sha256()
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array).tobytes())
    file = folder / f"{state.calendar.region}-{digest.hexdigest()[:16]}.npz"
    write_whole(file, lambda path: np.savez(path, **arrays))
    return file


def _arrays(state: State) -> dict[str, Any]:
    """Return all that a state holds, by name; what is no array is JSON in `said`."""
    fits, tie = state.blend.fits, state.blend.tie
    said = {
        "version": VERSION, "names": state.names, "first_min": state.first_min, "end_min": state.end_min,
        "sigma": state.sigma, "race": state.race, "region": state.calendar.region,
        "fits": [
            {"shape": asdict(f.design.shape), "blocks": f.blocks} for f in fits
        ],
        "levels": state.bands[0].levels,
    }  # fmt: skip
    arrays: dict[str, Any] = {
        "said": np.array(json.dumps(said)), "minute": state.rows.minute, "width": state.rows.width,
        "mean": state.rows.mean, "in_event": state.rows.in_event, "weights": state.blend.weights,
        "profile": state.blend.profile.astype(np.float32), "smear": state.blend.smear,
        "tie_at": np.empty(0) if tie is None else tie.midnights,
        "tie": np.empty((0, len(state.names))) if tie is None else tie.log_factor,
    }  # fmt: skip
    for index, fit in enumerate(fits):
        arrays |= {
            f"c{index}": fit.coefficients, f"s{index}": fit.scale, f"u{index}": fit.supported,
            f"h{index}": fit.held,
        }  # fmt: skip
    for name in _BAND_FIELDS:
        arrays[f"b_{name}"] = np.stack([getattr(b, name) for b in state.bands])
    for name in ("log_size", "minutes"):
        arrays[f"p_{name}"] = np.concatenate([getattr(p, name) for p in state.peaks])
    arrays["p_days"] = np.array([len(p.minutes) for p in state.peaks])
    arrays["p_distinct"] = np.array([p.distinct for p in state.peaks])
    arrays["p_chance"] = np.array([p.chance for p in state.peaks])
    return arrays


def load_state(file: Path, calendar: RegionCalendar) -> State:
    """Return what `save_state` wrote of a region; HistoryError where it is not there or not whole."""
    try:
        with file.open("rb") as whole, np.load(whole) as kept:
            return _loaded({name: kept[name] for name in kept.files}, calendar)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise HistoryError(
            f"{file}: no published model is kept there, or not a whole one ({error}); publish anew"
        ) from None


def _loaded(kept: dict[str, Array], calendar: RegionCalendar) -> State:
    said = json.loads(str(kept["said"]))
    if said["version"] != VERSION:
        raise ValueError(f"written as version {said['version']}, read as {VERSION}")
    names, end = tuple(said["names"]), said["end_min"]
    width = calendar_columns(calendar, np.array([end])).values.shape[1]
    if width != len(kept["h0"]):
        raise ValueError("it was fitted with another calendar")
    fits = tuple(
        Fit(
            Design(calendar, said["first_min"], end, Shape(**one["shape"])), kept[f"c{i}"], kept[f"s{i}"],
            tuple(one["blocks"]), kept[f"u{i}"], kept[f"h{i}"],
        )
        for i, one in enumerate(said["fits"])
    )  # fmt: skip
    tie = Tie(kept["tie_at"], kept["tie"]) if len(kept["tie"]) else None
    blend = Blend(
        fits,
        kept["weights"],
        kept["profile"].astype(float),
        kept["smear"],
        partial(calendar_columns, calendar),
        0.0,
        tie,
    )
    rows = Rows(
        kept["minute"], kept["width"], kept["mean"], kept["in_event"],
        calendar_columns(calendar, kept["minute"]),
    )  # fmt: skip
    bands = tuple(
        Bands(tuple(said["levels"]), *(kept[f"b_{n}"][s] for n in _BAND_FIELDS))
        for s in range(len(names))
    )  # fmt: skip
    ends = np.concatenate([[0], np.cumsum(kept["p_days"])])
    peaks = tuple(
        PeakErrors(
            kept["p_log_size"][ends[s] : ends[s + 1]],
            kept["p_minutes"][ends[s] : ends[s + 1]],
            int(kept["p_distinct"][s]),
            float(kept["p_chance"][s]),
        )
        for s in range(len(names))
    )
    return State(
        calendar,
        names,
        said["first_min"],
        end,
        rows,
        blend,
        bands,
        peaks,
        said["sigma"],
        said["race"],
    )


def known_until(state: State) -> datetime:
    """Return where a state's past ends."""
    return datetime.fromtimestamp(60 * state.end_min, UTC)
