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

    def __call__(self, past: Past, at: Array) -> Array:
        """Return its forecast, shape (n, series)."""
        from statsforecast.models import MSTL, AutoETS

        seasons = [7, 365] if past.counts.shape[1] > 2 * 365 + 14 else [7]
        out = np.empty((len(at), len(past.counts)))
        ahead = np.round((at - past.end_min) / 1440).astype(int)
        for series, row in enumerate(past.counts):
            log = np.log1p(row)
            slots = np.arange(len(log))
            whole = np.interp(slots, slots[~np.isnan(log)], log[~np.isnan(log)])
            model = MSTL(season_length=seasons, trend_forecaster=AutoETS(model="ZZN", damped=True))
            said = model.forecast(y=whole, h=int(ahead.max()) + 1)["mean"]
            out[:, series] = np.maximum(np.expm1(said[np.clip(ahead, 0, None)]), 0)
        return out
