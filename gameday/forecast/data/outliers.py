"""Minutes that are not customers: robots, outages and glitches, found, listed and left out.

A first fit that few of them can bend, and what is left of each quarter hour: high or low against
its own hour's spread, on the day's own level. Never inside declared events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from gameday.forecast.data.training_data import Past
from gameday.forecast.data.weekly_profile import quarters_at, recurring_quarters, rows_off
from gameday.forecast.evaluation.rolling_origin import candidate_shapes
from gameday.forecast.model.solve import fit_rows
from gameday.scenario.blocks import ForecastBlock, Stretch
from gameday.vocabulary import Array

__all__ = ["Masked", "asked_masks", "find_outliers", "mask"]

_SEED_SCALES = 5.0
"""A row this far off starts a mask. Source: anchors/forecast.md §4.9."""
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
    fit = fit_rows(past.rows, past.design(candidate_shapes(past)[0]))
    said = fit.log_mean(fit.design.columns(past.rows.minute, past.rows.calendar))
    order = np.flatnonzero(~past.rows.in_event)
    rows, said = past.rows.where(order), said[order].astype(float)
    # What comes at the same quarter hour on most days is the shop's own doing.
    recurs = recurring_quarters(rows, rows_off(rows, said), past.calendar, days=np.inf)
    usual = np.maximum(np.expm1(said), 0) * np.exp(quarters_at(recurs, past.calendar, rows.minute))
    found = []
    for series, step in enumerate(names):
        mean, expected = rows.mean[:, series].astype(float), usual[:, series]
        for first, last, kind in _stretches(mean, expected, rows.minute, rows.width, past):
            inside = slice(first, last)
            times = float(np.nansum(mean[inside]) / max(np.nansum(expected[inside]), 1e-9))
            found.append(
                Masked(
                    past.calendar.region,
                    step,
                    _instant(rows.minute[first] - rows.width[first] / 2),
                    _instant(rows.minute[last - 1] + rows.width[last - 1] / 2),
                    kind if kind == "glitch" else _name_of(times),
                    times,
                    f"{times:.2g} times what was expected",
                )
            )
    return _unless_kept(found, past.calendar.block)


def _stretches(
    mean: Array, expected: Array, minute: Array, width: Array, past: Past
) -> list[tuple[int, int, str]]:
    """Return (first row, row after the last, kind) of what stands out of one series."""
    noise = 1 / np.sqrt(1 + expected * width)
    # Half a count: nothing seen where little was expected is no outage.
    off = np.log((mean + 0.5 / width) / (expected + 0.5 / width))
    hour = past.calendar.slot_of_day(minute)[0] // 60
    sharp = off - _rolling_median(off, width)
    z = sharp / np.maximum(_hourly_scale(sharp, hour), noise)
    whole = off / max(1.4826 * float(np.nanmedian(np.abs(off))), float(np.nanmedian(noise)), 1e-9)
    taken = np.zeros(len(off), bool)
    for first, last in (
        *_runs(z, off, _SEED_SCALES, np.log(_LEAST_RATIO)),
        *_runs(whole, off, _GLITCH_SCALES, np.log(_GLITCH_RATIO)),
    ):
        taken[first:last] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[0], taken.astype(np.int8), [0]])))
    return [
        (int(a), int(b), "glitch" if width[a:b].sum() > _GLITCH_MIN else "")
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]


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
    out = []
    for side in (1, -1):
        here = np.nan_to_num(side * z) > min(_GROW_SCALES, seed / 2)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], here.astype(np.int8), [0]])))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            strong = side * z[first:last] > seed
            if (strong & (side * off[first:last] > least)).any():
                out.append((int(first), int(last)))
    return out


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
    for one in masked:
        first, last = (int(t.timestamp() / 60 - past.first_min) for t in (one.start, one.end))
        counts[names.index(one.step), max(0, first) : max(0, last)] = np.nan
    return replace(past, counts=counts)


def _instant(minute: float) -> datetime:
    return datetime.fromtimestamp(60 * round(minute), UTC)
