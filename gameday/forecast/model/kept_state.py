"""A state as a file: arrays in one `.npz`, named by its content, so that a manifest can name it."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gameday.errors import HistoryError
from gameday.files import write_whole
from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import Rows
from gameday.forecast.model.blend import Blend, Tie
from gameday.forecast.model.design import Design, calendar_columns
from gameday.forecast.model.solve import Fit
from gameday.forecast.model.state import State
from gameday.forecast.uncertainty.bands import Bands
from gameday.forecast.uncertainty.peaks import PeakErrors
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array

__all__ = ["load_state", "save_state"]

VERSION = 4
_BAND_FIELDS = (
    "noise",
    "octave",
    "by_hour",
    "by_lead",
    "within_events",
    "widened",
    "reach",
    "few",
    "seen",
)


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
        "version": VERSION,
        "names": state.names,
        "first_min": state.first_min,
        "end_min": state.end_min,
        "sigma": state.sigma,
        "past_events": state.past_events,
        "race": state.race,
        "region": state.calendar.region,
        "fits": [{"shape": asdict(f.design.shape), "blocks": f.blocks} for f in fits],
        "levels": state.bands[0].levels,
    }
    arrays: dict[str, Any] = {
        "said": np.array(json.dumps(said)),
        "minute": state.rows.minute,
        "width": state.rows.width,
        "mean": state.rows.mean,
        "in_event": state.rows.in_event,
        "weights": state.blend.weights,
        "profile": state.blend.profile.astype(np.float32),
        "smear": state.blend.smear,
        "quarters": state.blend.quarters.astype(np.float32),
        "tie_at": np.empty(0) if tie is None else tie.midnights,
        "tie": np.empty((0, len(state.names))) if tie is None else tie.log_factor,
    }
    for index, fit in enumerate(fits):
        arrays |= {
            f"c{index}": fit.coefficients,
            f"s{index}": fit.scale,
            f"u{index}": fit.supported,
            f"h{index}": fit.held,
        }
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
            Design(calendar, said["first_min"], end, Shape(**one["shape"])),
            kept[f"c{i}"],
            kept[f"s{i}"],
            tuple(one["blocks"]),
            kept[f"u{i}"],
            kept[f"h{i}"],
        )
        for i, one in enumerate(said["fits"])
    )
    tie = Tie(kept["tie_at"], kept["tie"]) if len(kept["tie"]) else None
    blend = Blend(
        fits,
        kept["weights"],
        kept["profile"].astype(float),
        kept["quarters"].astype(float),
        kept["smear"],
        partial(calendar_columns, calendar),
        0.0,
        tie,
    )
    rows = Rows(
        kept["minute"],
        kept["width"],
        kept["mean"],
        kept["in_event"],
        calendar_columns(calendar, kept["minute"]),
    )
    bands = tuple(
        Bands(tuple(said["levels"]), *(kept[f"b_{n}"][s] for n in _BAND_FIELDS))
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
        _peaks(kept),
        said["sigma"],
        said["past_events"],
        said["race"],
    )


def _peaks(kept: dict[str, Array]) -> tuple[PeakErrors, ...]:
    ends = np.concatenate([[0], np.cumsum(kept["p_days"])])
    return tuple(
        PeakErrors(
            kept["p_log_size"][first:last],
            kept["p_minutes"][first:last],
            int(distinct),
            float(chance),
        )
        for first, last, distinct, chance in zip(
            ends[:-1], ends[1:], kept["p_distinct"], kept["p_chance"], strict=True
        )
    )
