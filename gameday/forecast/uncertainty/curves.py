"""What a model tells of minutes: medians, means, bands and what events do, as a demand holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.model.ahead import ahead
from gameday.forecast.model.blend import Blend
from gameday.forecast.uncertainty.bands import Bands
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Curves", "curves_of", "stacked"]


@dataclass(frozen=True, slots=True)
class Curves:
    """One region's minutes; each field is the `Demand`'s of its name, without the axis `region`."""

    median: Array
    """Shape (steps, slots), as the others."""
    mean: Array
    smooth: Array
    event_log_effect: Array
    marginal: dict[float, Array]
    """Level -> conformal quantiles: by local hour and lead off events, one pool inside them."""


def curves_of(
    blend: Blend, calendar: RegionCalendar, end_min: float, bands: Sequence[Bands], grid: TimeGrid
) -> Curves:
    """Return what a region's model, its past ending at `end_min`, tells of the minutes of `grid`."""
    minute = grid.minutes().astype(float)
    median, at = blend.counts(minute).T, ahead(calendar, minute, end_min)
    told = np.stack([band.counts(at, row) for band, row in zip(bands, median, strict=True)])
    levels = bands[0].levels
    return Curves(
        median,
        blend.means(minute).T,
        blend.smooth(minute).T,
        blend.log_event(minute).T,
        {level: told[:, :, i] for i, level in enumerate(levels)},
    )


def stacked(curves: Sequence[Curves]) -> dict[str, Any]:
    """Return the fields of a `Demand` that regions' curves make up, by name."""
    out: dict[str, Any] = {
        field.name: np.stack([getattr(one, field.name) for one in curves])
        for field in fields(Curves)
        if field.name != "marginal"
    }
    out["marginal"] = {
        level: np.stack([one.marginal[level] for one in curves]) for level in curves[0].marginal
    }
    return out
