"""MSTL with a damped trend (statsforecast): days only, at minutes its seasons are too long."""

from __future__ import annotations

import numpy as np

from gameday.forecast.data.training_data import Past
from gameday.vocabulary import Array

__all__ = ["StatsForecastMSTL"]


class StatsForecastMSTL:
    """Weekly, and with two years yearly, seasons by repeated loess; the rest by exponential smoothing."""

    name = "statsforecast"
    package: str | None = "statsforecast"
    daily = True
    minutes = False

    def __call__(self, past: Past, minute: Array) -> Array:
        """Return its forecast, shape (n, series)."""
        counts = np.empty((len(minute), len(past.counts)))
        ahead = np.round((minute - past.end_min) / 1440).astype(int)
        for series, row in enumerate(past.counts):
            log = _forecast(_interpolated(np.log1p(row)), int(ahead.max()) + 1)
            counts[:, series] = np.maximum(np.expm1(log[np.clip(ahead, 0, None)]), 0)
        return counts


def _forecast(values: Array, days: int) -> Array:
    """Return the forecast of the next days, shape (days,)."""
    from statsforecast.models import MSTL, AutoETS

    seasons = [7, 365] if len(values) > 2 * 365 + 14 else [7]
    model = MSTL(season_length=seasons, trend_forecaster=AutoETS(model="ZZN", damped=True))
    return np.asarray(model.forecast(y=values, h=days)["mean"])


def _interpolated(values: Array) -> Array:
    """Return values with gaps, NaN, filled linearly, shape (n,)."""
    slots, known = np.arange(len(values)), ~np.isnan(values)
    return np.asarray(np.interp(slots, slots[known], values[known]))
