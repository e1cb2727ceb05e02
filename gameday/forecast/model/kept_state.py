"""A state as a file: arrays in one `.npz`, named by its content, so that a manifest can name it."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from gameday.errors import HistoryError
from gameday.files import write_whole
from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import Rows
from gameday.forecast.model.blend import Blend, Reconciliation
from gameday.forecast.model.design import Design, calendar_columns
from gameday.forecast.model.patterns import Pattern
from gameday.forecast.model.solve import Fit
from gameday.forecast.model.state import State
from gameday.forecast.model.told import Told
from gameday.forecast.uncertainty.bands import Bands
from gameday.forecast.uncertainty.peak_errors import PeakErrors
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array

__all__ = ["load_state", "save_state"]

VERSION = 6
_PEAK_FIELDS = ("log_size", "log_five", "minutes", "distinct", "chance")
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
    "usual_apart",
)


def save_state(state: State, folder: Path) -> Path:
    """Write the state under a name of its own, by its content; return its path."""
    arrays, digest = _arrays(state), hashlib.sha256()
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array).tobytes())
    file = folder / f"{state.calendar.region}-{digest.hexdigest()[:16]}.npz"
    write_whole(file, lambda path: np.savez(path, **cast(dict[str, Any], arrays)))
    return file


def _arrays(state: State) -> dict[str, Array]:
    """Return all that a state holds, by name; what is no array is JSON in `said`."""
    blend, reconciliation = state.blend, state.blend.reconciliation
    arrays = {
        "said": np.array(_header(state)),
        "minute": state.rows.minute,
        "width": state.rows.width,
        "mean": state.rows.mean,
        "in_event": state.rows.in_event,
        "weights": blend.weights,
        "profile": blend.profile.astype(np.float32),
        "smear": blend.mean_factor,
        "quarters": blend.quarters.astype(np.float32),
    }
    if reconciliation is None:
        arrays |= {"tie_at": np.empty(0), "tie": np.empty((0, len(state.names)))}
    else:
        arrays |= {"tie_at": reconciliation.midnights, "tie": reconciliation.log_factor}
    for name in _BAND_FIELDS:
        arrays[f"b_{name}"] = np.stack([getattr(b, name) for b in state.bands])
    return arrays | _member_arrays(blend) | _peak_arrays(state.peaks)


def _member_arrays(blend: Blend) -> dict[str, Array]:
    """Return the arrays of each level model, and of each pattern."""
    arrays = {f"p{index}": pattern.log for index, pattern in enumerate(blend.patterns)}
    arrays |= {f"o{index}": each.log for index, each in enumerate(blend.told)}
    for index, fit in enumerate(blend.fits):
        arrays |= {
            f"c{index}": fit.coefficients,
            f"s{index}": fit.scale,
            f"u{index}": fit.supported,
            f"h{index}": fit.held,
        }
    return arrays


def _header(state: State) -> str:
    """Return as JSON what of a state is no array."""
    return json.dumps(
        {
            "version": VERSION,
            "names": state.names,
            "first_min": state.first_min,
            "end_min": state.end_min,
            "sigma": state.sigma,
            "past_events": state.past_events,
            "race": state.benchmark,
            "region": state.calendar.region,
            "fits": [
                {"shape": asdict(fit.design.shape), "blocks": fit.blocks}
                for fit in state.blend.fits
            ],
            "patterns": [pattern.name for pattern in state.blend.patterns],
            "told": [(each.name, each.first_min, each.width_min) for each in state.blend.told],
            "levels": state.bands[0].levels,
        }
    )


def _peak_arrays(peaks: tuple[PeakErrors, ...]) -> dict[str, Array]:
    """Return all series' peak errors, series first."""
    return {f"q_{name}": np.stack([getattr(p, name) for p in peaks]) for name in _PEAK_FIELDS}


def load_state(file: Path, calendar: RegionCalendar) -> State:
    """Return what `save_state` wrote of a region; HistoryError where it is not there or not whole."""
    try:
        with file.open("rb") as whole, np.load(whole) as kept:
            arrays = {name: kept[name] for name in kept.files}
        return _state(_Kept(arrays, json.loads(str(arrays["said"])), calendar))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise HistoryError(
            f"{file}: no published model is kept there, or not a whole one ({error}); publish anew"
        ) from None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A state's file as read, and the calendar it was fitted with."""

    arrays: dict[str, Array]
    header: dict[str, Any]
    calendar: RegionCalendar


def _state(kept: _Kept) -> State:
    """Return the state of a file; ValueError or KeyError where it is of another version or calendar."""
    header, arrays, calendar = kept.header, kept.arrays, kept.calendar
    if header["version"] != VERSION:
        raise ValueError(f"written as version {header['version']}, read as {VERSION}")
    end_min = header["end_min"]
    width = calendar_columns(calendar, np.array([end_min])).values.shape[1]
    if width != len(arrays["h0"]):
        raise ValueError("it was fitted with another calendar")
    return State(
        calendar=calendar,
        names=tuple(header["names"]),
        first_min=header["first_min"],
        end_min=end_min,
        rows=Rows(
            arrays["minute"],
            arrays["width"],
            arrays["mean"],
            arrays["in_event"],
            calendar_columns(calendar, arrays["minute"]),
        ),
        blend=_blend(kept),
        bands=_bands(kept),
        peaks=_peaks(arrays),
        sigma=header["sigma"],
        past_events=header["past_events"],
        benchmark=header["race"],
    )


def _fits(kept: _Kept) -> tuple[Fit, ...]:
    header, arrays = kept.header, kept.arrays
    return tuple(
        Fit(
            Design(kept.calendar, header["first_min"], header["end_min"], Shape(**fit["shape"])),
            arrays[f"c{i}"],
            arrays[f"s{i}"],
            tuple(fit["blocks"]),
            arrays[f"u{i}"],
            arrays[f"h{i}"],
        )
        for i, fit in enumerate(header["fits"])
    )


def _blend(kept: _Kept) -> Blend:
    arrays = kept.arrays
    midnights, log_factor = arrays["tie_at"], arrays["tie"]
    return Blend(
        fits=_fits(kept),
        weights=arrays["weights"],
        profile=arrays["profile"].astype(float),
        quarters=arrays["quarters"].astype(float),
        mean_factor=arrays["smear"],
        columns=partial(calendar_columns, kept.calendar),
        reconciliation=Reconciliation(midnights, log_factor) if len(log_factor) else None,
        patterns=tuple(
            Pattern(name, arrays[f"p{index}"]) for index, name in enumerate(kept.header["patterns"])
        ),
        told=tuple(
            Told(name, first_min, width_min, arrays[f"o{index}"])
            for index, (name, first_min, width_min) in enumerate(kept.header["told"])
        ),
    )


def _bands(kept: _Kept) -> tuple[Bands, ...]:
    levels = tuple(kept.header["levels"])
    return tuple(
        Bands(levels, *(kept.arrays[f"b_{name}"][series] for name in _BAND_FIELDS))
        for series in range(len(kept.header["names"]))
    )


def _peaks(arrays: dict[str, Array]) -> tuple[PeakErrors, ...]:
    rows = zip(*(arrays[f"q_{name}"] for name in _PEAK_FIELDS), strict=True)
    return tuple(
        PeakErrors(size, five, late, int(distinct), float(chance))
        for size, five, late, distinct, chance in rows
    )
