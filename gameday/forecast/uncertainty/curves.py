"""What a model forecasts of minutes: medians, means, bands and event effects, as a demand holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gameday.forecast.model.ahead import ahead
from gameday.forecast.model.blend import Blend
from gameday.forecast.uncertainty.bands import Bands
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Curves", "curves_of", "quantiles_of", "stack_curves"]


@dataclass(frozen=True, slots=True)
class Curves:
    """One region's minutes, or all regions' stacked; each field is the `Demand`'s of its name."""

    median: Array
    """Shape (steps, slots), or (regions, steps, slots) where stacked, as the others."""
    mean: Array
    smooth: Array
    event_log_effect: Array
    marginal: dict[float, Array]
    """Level -> conformal quantiles: by local hour and lead off events, one pool inside them."""


def curves_of(blend: Blend, end_min: float, bands: Sequence[Bands], grid: TimeGrid) -> Curves:
    """Return what a region's model, its past ending at `end_min`, forecasts of the minutes of `grid`."""
    minute = grid.minutes().astype(float)
    median, quantiles = quantiles_of(blend, end_min, bands, minute)
    levels = bands[0].levels
    return Curves(
        median.T,
        blend.means(minute).T,
        blend.smooth(minute).T,
        blend.log_event(minute).T,
        {level: quantiles[:, :, i].T for i, level in enumerate(levels)},
    )


def quantiles_of(
    blend: Blend, end_min: float, bands: Sequence[Bands], minute: Array
) -> tuple[Array, Array]:
    """Return medians, (n, series), and quantiles, (n, series, levels), of a model whose past ends at `end_min`."""
    median, apart = blend.counts(minute), blend.apart(minute)
    then = ahead(blend.calendar, minute, end_min)
    quantiles = np.empty((*median.shape, len(bands[0].levels)))
    for series, band in enumerate(bands):
        quantiles[:, series] = band.counts(then, median[:, series], apart[:, series])
    return median, quantiles


def stack_curves(regions: Sequence[Curves]) -> Curves:
    """Return the regions' curves in one, with the axis `region` first."""
    return Curves(
        np.stack([curves.median for curves in regions]),
        np.stack([curves.mean for curves in regions]),
        np.stack([curves.smooth for curves in regions]),
        np.stack([curves.event_log_effect for curves in regions]),
        {
            level: np.stack([curves.marginal[level] for curves in regions])
            for level in regions[0].marginal
        },
    )
