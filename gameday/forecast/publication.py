"""What is published of a model: every minute of the event with its band, and each team's next peak."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from gameday.forecast.ahead import ahead
from gameday.forecast.explain import Waterfall, bridge, waterfall_of
from gameday.forecast.peaks import peak_of
from gameday.forecast.rows import in_event
from gameday.forecast.state import State
from gameday.vocabulary import Array, TimeGrid, supported

__all__ = ["change_of", "peaks_of", "published_table", "team_region"]

_PICTURE_POINTS = 240


def published_table(state: State, grid: TimeGrid) -> pd.DataFrame:
    """Return region, team, slot_utc and the quantiles of every series and minute of `grid`."""
    minute = grid.minutes().astype(float)
    said, means = state.blend.counts(minute), state.blend.means(minute)
    then = ahead(state.calendar, minute, state.end_min)
    parts = []
    at = pd.to_datetime(grid.minutes(), unit="m", utc=True)
    for series, team in enumerate(state.names):
        bands = state.bands[series]
        counts = bands.counts(then, said[:, series]).astype(np.float32)
        rows = {f"p{100 * q:g}": counts[:, i] for i, q in enumerate(bands.levels)}
        rows["mean"] = means[:, series].astype(np.float32)
        parts.append(pd.DataFrame({"team": team, "slot_utc": at, **rows}))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "region", state.calendar.region)
    for name in ("region", "team"):
        table[name] = table[name].astype("category")
    return table


def peaks_of(state: State, grid: TimeGrid) -> list[dict[str, Any]]:
    """Return each series' peak in `grid`: when, how high with quantiles, and its ingredients then."""
    minute = grid.minutes().astype(float)
    median = state.blend.smooth(minute)
    tops, busy = median.argmax(axis=0), in_event(minute, state.calendar)
    parts = state.blend.parts(minute[tops])
    out = []
    for series, team in enumerate(state.names):
        sigma = state.sigma if busy[tops[series]] else 0.0
        peak = peak_of(median[:, series], state.peaks[series], sigma)
        logs = {name: float(part[series, series]) for name, part in parts.items()}
        told = waterfall_of(state.calendar.region, team, grid.instant(peak.slot), logs)
        out.append({
            "region": state.calendar.region, "team": team, "at": grid.instant(peak.slot).isoformat(),
            "expected": told.forecast, "size": {f"p{100 * q:g}": v for q, v in peak.size.items()},
            "minutes": {f"p{100 * q:g}": v for q, v in peak.minutes.items()}, "days": peak.days,
            "past_events": state.past_events if busy[tops[series]] else None,
            "calibrated_to": supported(state.past_events) if busy[tops[series]] else peak.calibrated_to,
            "factors": [list(pair) for pair in told.factors],
            "race": {name: scores[series] for name, scores in state.race.items()},
        })  # fmt: skip
    return out


def team_region(
    state: State, series: int, grid: TimeGrid, peak: dict[str, Any], previous: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what a team's page tells of one region."""
    every = max(1, grid.slots // _PICTURE_POINTS)
    minute = grid.minutes().astype(float)[::every]
    said, bands = state.blend.counts(minute)[:, series], state.bands[series]
    then = ahead(state.calendar, minute, state.end_min)
    counts = bands.counts(then, said)
    low, high = (bands.levels.index(q) for q in (0.1, 0.9))
    zone = ZoneInfo(state.calendar.zone)
    return {
        **peak, "at_local": _local(peak["at"], state.calendar.zone),
        "line": {
            "at": [datetime.fromtimestamp(60 * m, zone) for m in minute],
            "p50": _rounded(said), "p10": _rounded(counts[:, low]), "p90": _rounded(counts[:, high]),
        },
        "spread": _spread(then.hour, np.log1p(counts[:, [low, high]]) - np.log1p(said)[:, None]),
        "change": change_of(peak, previous),
    }  # fmt: skip


def change_of(peak: dict[str, Any], previous: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return by what a published peak moved, and when the one before was; None where none was published."""
    if previous is None:
        return None
    told = [
        Waterfall(
            p["region"], p["team"], datetime.fromisoformat(p["at"]),
            tuple((n, f) for n, f in p["factors"]), p["expected"],
        )
        for p in (previous, peak)
    ]  # fmt: skip
    moved = asdict(bridge(*told))
    return {**moved, "factors": [list(pair) for pair in moved["factors"]], "at": previous["at"]}


def _spread(hour: Array, away: Array) -> list[dict[str, Any]]:
    """Return the mean width of the 80 % band by local time of day, of the minutes drawn, as shares."""
    return [
        {
            "of": f"{first:02d}:00-{first + 3:02d}:00", "p10": float(np.expm1(mine[0])),
            "p90": float(np.expm1(mine[1])),
        }
        for first in range(0, 24, 3)
        if (here := (hour >= first) & (hour < first + 3)).any()
        for mine in [away[here].mean(axis=0)]
    ]  # fmt: skip


def _rounded(counts: Array) -> list[float]:
    return [round(float(v), 2) for v in counts]


def _local(at: str, zone: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}"
