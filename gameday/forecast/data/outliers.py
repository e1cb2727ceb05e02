"""Minutes that are not customers: robots, outages and glitches, found, listed and left out.

The residuals of a first robust fit, by quarter hour: high or low against their own hour's spread, about the day's
own level. Never inside declared events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from gameday.forecast.data.fit_rows import Rows
from gameday.forecast.data.runs import runs_of
from gameday.forecast.data.training_data import Past
from gameday.forecast.data.weekly_profile import (
    log_ratio_of_rows,
    quarters_at,
    recurring_quarters,
)
from gameday.forecast.evaluation.rolling_origin import candidate_shapes
from gameday.forecast.model.solve import fit_rows
from gameday.scenario.blocks import ForecastBlock, Stretch
from gameday.vocabulary import Array

__all__ = ["Masked", "asked_masks", "find_outliers", "mask"]

_SEED_SCALES = 5.0
"""A row this far off starts a mask. Ours: chance alone passes it once in a million rows."""
_GROW_SCALES = 2.5
"""Its neighbours belong to it while they are this far off, to the same side. Ours."""
_LEAST_RATIO = 1.5
"""What is less than this many times off, however surely, is left in: the robust fit bears it. Ours."""
_GLITCH_SCALES = 8.0
_GLITCH_RATIO = 3.0
"""So many scales and times off the fit itself, for however long, is a glitch of the level. Ours."""
_GLITCH_MIN = 360
"""What lasts longer is called a glitch. Ours: robots and outages come and go within hours."""
_DAY_MIN = 1440
_OUTAGE_SHARE = 0.15
"""Below this share of what was expected it is called an outage. Ours."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A stretch of one series that is not learned from."""

    region: str
    step: str
    start: datetime
    end: datetime
    kind: str
    """robots, outage, suppressed, glitch, or `asked` by a person."""
    times: float
    """What was counted over what was expected; NaN where asked for."""
    why: str


def find_outliers(past: Past, names: tuple[str, ...]) -> list[Masked]:
    """Return what is taken for robots, outages and glitches in one region's series, by start."""
    rows, usual = _usual_counts(past)
    hour = past.calendar.slot_of_day(rows.minute)[0] // 60
    found = []
    for series, step in enumerate(names):
        mean, expected = rows.mean[:, series].astype(float), usual[:, series]
        for first, last in _stretches(mean, expected, rows.width, hour):
            part = slice(first, last)
            times = float(np.nansum(mean[part]) / max(np.nansum(expected[part]), 1e-9))
            found.append(_masked(past.calendar.region, step, rows.where(part), times))
    return _unless_kept(found, past.calendar.block)


def _masked(region: str, step: str, rows: Rows, times: float) -> Masked:
    """Return the stretch of some rows, in which `times` as much was counted as expected."""
    return Masked(
        region,
        step,
        _instant(rows.minute[0] - rows.width[0] / 2),
        _instant(rows.minute[-1] + rows.width[-1] / 2),
        "glitch" if rows.width.sum() > _GLITCH_MIN else _name_of(times),
        times,
        f"{times:.2g} times what was expected",
    )


def _usual_counts(past: Past) -> tuple[Rows, Array]:
    """Return the rows outside events, and what a first robust fit expects of them, shape (rows, series)."""
    fit = fit_rows(past.rows, past.design(candidate_shapes(past)[0]))
    fitted = fit.log_mean(fit.design.columns(past.rows.minute, past.rows.calendar))
    order = np.flatnonzero(~past.rows.in_event)
    rows, fitted = past.rows.where(order), fitted[order].astype(float)
    # What comes at the same quarter hour on most days is the shop's own doing.
    recurs = recurring_quarters(rows, log_ratio_of_rows(rows, fitted), past.calendar, days=np.inf)
    quarters = quarters_at(recurs, past.calendar, rows.minute)
    return rows, np.maximum(np.expm1(fitted), 0) * np.exp(quarters)


def _stretches(mean: Array, expected: Array, width: Array, hour: Array) -> list[tuple[int, int]]:
    """Return (first row, row after the last) of what stands out of one series; all have shape (rows,)."""
    noise, off = 1 / np.sqrt(1 + expected * width), _log_ratio(mean, expected, width)
    sharp = off - _rolling_median(off, width)
    z = sharp / np.maximum(_hourly_scale(sharp, hour), noise)
    taken = np.zeros(len(off), bool)
    for first, last in (
        *_runs(z, off, _SEED_SCALES, np.log(_LEAST_RATIO)),
        *_runs(off / _scale(off, noise), off, _GLITCH_SCALES, np.log(_GLITCH_RATIO)),
    ):
        taken[first:last] = True
    return runs_of(taken)


def _log_ratio(mean: Array, expected: Array, width: Array) -> Array:
    """Return log of actual over expected, half a count more on both sides: a few missing counts are no outage."""
    return np.asarray(np.log((mean + 0.5 / width) / (expected + 0.5 / width)))


def _scale(off: Array, noise: Array) -> float:
    """Return the robust spread of a whole series, not below that of chance."""
    return max(1.4826 * float(np.nanmedian(np.abs(off))), float(np.nanmedian(noise)), 1e-9)


def _rolling_median(off: Array, width: Array) -> Array:
    """Return the day's own level: a median over a day around each row, shape (rows,)."""
    rows = max(3, int(_DAY_MIN / np.median(width)))
    median = pd.Series(off).rolling(rows, center=True, min_periods=rows // 4).median()
    return np.asarray(median.fillna(0.0))


def _hourly_scale(off: Array, hour: Array) -> Array:
    """Return the robust spread of each row's hour and its neighbours', shape (rows,)."""
    size = np.abs(off)
    table = [
        1.4826 * np.nanmedian(near) if np.isfinite(near).any() else np.inf
        for near in (size[np.isin(hour, [(h - 1) % 24, h, (h + 1) % 24])] for h in range(24))
    ]
    return np.asarray(np.maximum(np.array(table)[hour], 1e-9))


def _runs(z: Array, off: Array, seed: float, least: float) -> list[tuple[int, int]]:
    """Return runs of rows to one side that hold a seed and are large enough, hysteresis at half."""
    runs = []
    for side in (1, -1):
        here = np.nan_to_num(side * z) > min(_GROW_SCALES, seed / 2)
        is_seed = (side * z > seed) & (side * off > least)
        runs += [(first, last) for first, last in runs_of(here) if is_seed[first:last].any()]
    return runs


def _name_of(times: float) -> str:
    if times > 1:
        return "robots"
    return "outage" if times < _OUTAGE_SHARE else "suppressed"


def _unless_kept(found: list[Masked], block: ForecastBlock) -> list[Masked]:
    kept = [m for m in found if not any(_touches(m, stretch) for stretch in block.keep)]
    return sorted(kept, key=lambda m: (m.start, m.step))


def _touches(masked: Masked, stretch: Stretch) -> bool:
    return (
        stretch.region in (None, masked.region)
        and stretch.step in (None, masked.step)
        and stretch.start < masked.end
        and masked.start < stretch.end
    )


def asked_masks(past: Past, names: tuple[str, ...]) -> list[Masked]:
    """Return what a person wants left out of one region's past."""
    region = past.calendar.region
    return [
        Masked(region, step, s.start, s.end, "asked", float("nan"), s.why or "asked for")
        for s in past.calendar.block.mask
        if s.region in (None, region)
        for step in names
        if s.step in (None, step)
        if s.end.timestamp() / 60 > past.first_min and s.start.timestamp() / 60 < past.end_min
    ]


def mask(past: Past, masked: list[Masked], names: tuple[str, ...]) -> Past:
    """Return the past without what is masked."""
    if not masked:
        return past
    counts = past.counts.copy()
    for stretch in masked:
        first, last = (
            int(t.timestamp() / 60 - past.first_min) for t in (stretch.start, stretch.end)
        )
        counts[names.index(stretch.step), max(0, first) : max(0, last)] = np.nan
    return replace(past, counts=counts)


def _instant(minute: float) -> datetime:
    return datetime.fromtimestamp(60 * round(minute), UTC)
