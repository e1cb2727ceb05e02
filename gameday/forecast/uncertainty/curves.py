"""What a model forecasts of minutes: medians, means, bands and event effects, as a demand holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gameday.forecast.model.ahead import Ahead, ahead
from gameday.forecast.model.blend import Blend
from gameday.forecast.uncertainty.bands import Bands
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Curves", "curves_of", "quantiles_of", "stack_curves"]


_AT_ONCE = 2 * 1440
"""Minutes that are laid out at once."""


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
    minute, shape = grid.minutes().astype(float), (len(bands), grid.slots)
    median, mean = np.empty(shape), np.empty(shape)
    smooth, effect, apart = (np.empty(shape, np.float32) for _ in range(3))
    for part in _stretches(grid.slots):
        then = minute[part]
        plain = blend.smooth(then)
        middle = blend.median_of(plain, then)
        median[:, part], smooth[:, part] = middle.T, plain.T
        mean[:, part] = blend.mean_of(middle, then).T
        effect[:, part], apart[:, part] = blend.log_event(then).T, blend.apart(then).T
    quantiles = _quantiles(bands, ahead(blend.calendar, minute, end_min), median, apart)
    return Curves(median, mean, smooth, effect, dict(zip(bands[0].levels, quantiles, strict=True)))


def _stretches(slots: int) -> list[slice]:
    """Return the days that are laid out at once, one after the other: a quarter by the minute is large."""
    return [slice(first, first + _AT_ONCE) for first in range(0, slots, _AT_ONCE)]


def quantiles_of(
    blend: Blend, end_min: float, bands: Sequence[Bands], minute: Array
) -> tuple[Array, Array]:
    """Return medians, (n, series), and quantiles, (n, series, levels), of a model whose past ends at `end_min`.

    Quantiles are single precision.
    """
    median, apart = (np.empty((len(bands), len(minute))) for _ in range(2))
    for part in _stretches(len(minute)):
        median[:, part], apart[:, part] = (
            values.T for values in (blend.counts(minute[part]), blend.apart(minute[part]))
        )
    quantiles = _quantiles(bands, ahead(blend.calendar, minute, end_min), median, apart)
    return median.T, np.moveaxis(quantiles, 0, 2).swapaxes(0, 1)


def _quantiles(bands: Sequence[Bands], then: Ahead, median: Array, apart: Array) -> Array:
    """Return the quantiles about medians, (series, n), whose members lie `apart`; (levels, series, n), float32."""
    out = np.empty((len(bands[0].levels), *median.shape), np.float32)
    for series, band in enumerate(bands):
        out[:, series] = band.counts(then, median[series], apart[series]).T
    return out


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
