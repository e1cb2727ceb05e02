"""Backtest: what would have been forecast from earlier origins of a history, beside rivals.

At each origin nothing later is known: robots are found anew, level models weighted anew, bands made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.coarse_rows import tells_minutes
from gameday.forecast.data.fit_rows import without_launches
from gameday.forecast.data.outliers import Masked
from gameday.forecast.data.preparation import prepare
from gameday.forecast.data.training_data import Past, daily
from gameday.forecast.evaluation.accuracy import LEVELS, Accuracy, mean_accuracy, score_accuracy
from gameday.forecast.evaluation.benchmark import OURS
from gameday.forecast.model.ahead import Ahead
from gameday.forecast.model.reconciliation import reconciled_models
from gameday.forecast.model.regional import Model, fit_models
from gameday.forecast.rivals import Rival
from gameday.forecast.rivals.last_week import week_before_errors
from gameday.forecast.uncertainty.bands import Errors, make_bands
from gameday.history import History
from gameday.vocabulary import Array

__all__ = ["OURS", "Backtest", "Scored", "backtest_forecast", "origins_of"]

_LEAST_DAYS = 14


@dataclass(frozen=True, slots=True)
class Scored:
    """One model's scores of one series from one origin."""

    model: str
    region: str
    step: str
    origin_min: float
    accuracy: Accuracy
    volume: float
    """Counts in the minutes that are scored."""


@dataclass(frozen=True)
class Backtest:
    """All scores, and the first series' forecasts, for a picture."""

    grain_min: int
    horizon_min: int
    scored: tuple[Scored, ...]
    drawn: dict[str, Array]
    """Slots' starts, actual, and each model's counts of the first series, shape (n,) each."""
    masked_share: float
    """Share of the known minutes taken for robots, outages and the like, at the origin with the most."""

    def mean(self, model: str) -> Accuracy:
        """Return a model's mean over origins and series; WAPE, wQL and bias are those of all minutes together."""
        own = [s for s in self.scored if s.model == model]
        return mean_accuracy([s.accuracy for s in own], np.array([s.volume for s in own]))

    @property
    def models(self) -> tuple[str, ...]:
        """The forecast itself first, then the rivals in their order."""
        return tuple(dict.fromkeys(s.model for s in self.scored))


def origins_of(history: History, horizon_min: int, number: int) -> list[float]:
    """Return `number` origins, one horizon apart, the last a horizon before the end; HistoryError if too short."""
    end = history.grid.epoch_min + history.grid.slots
    found = [end - horizon_min * back for back in range(number, 0, -1)]
    first = history.grid.epoch_min + _LEAST_DAYS * 1440
    if usable := [float(origin) for origin in found if origin >= first]:
        return usable
    raise HistoryError(
        f"{history.source}: {history.grid.slots / 1440:.1f} days known; a backtest of "
        f"{horizon_min / 1440:g} days ahead needs {_LEAST_DAYS} days before its first origin; "
        "choose a shorter --horizon"
    )


@dataclass(frozen=True, slots=True)
class _Forecast:
    """What one model forecast from one origin."""

    counts: Array
    """Shape (n, series)."""
    bands: Array
    """Shape (n, series, LEVELS)."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """One region from one origin: what came of it, and what each model forecast."""

    past: Past
    slots: Array
    """Starts of the scored slots, minutes since 1970 UTC, shape (n,)."""
    actual: Array
    """Shape (n, series)."""
    forecasts: dict[str, _Forecast]

    @property
    def drawn(self) -> dict[str, Array]:
        """Return the curves of the first series, as `Backtest.drawn`."""
        models = {name: forecast.counts[:, 0] for name, forecast in self.forecasts.items()}
        return {"at": self.slots, "actual": self.actual[:, 0], **models}

    def scores(self, steps: tuple[str, ...]) -> list[Scored]:
        """Return the scores of each model and series, all over the same minutes."""
        naive, day = week_before_errors(self.past), 1 if self.past.is_daily else 1440
        return [
            Scored(
                model,
                self.past.calendar.region,
                name,
                self.past.end_min,
                score_accuracy(
                    self.actual[:, step],
                    forecast.counts[:, step],
                    forecast.bands[:, step],
                    naive[step],
                    day=day,
                ),
                float(np.nansum(self.actual[:, step])),
            )
            for step, name in enumerate(steps)
            for model, forecast in self.forecasts.items()
        ]


def backtest_forecast(
    calendars: Callable[[History], Sequence[RegionCalendar]],
    history: History,
    *,
    origins: Sequence[float],
    horizon_min: int,
    kind: str,
    rivals: Sequence[Rival],
    by_day: bool = False,
) -> Backtest:
    """Return the scores of the forecast and of `rivals` from each origin, minutes since 1970 UTC.

    `calendars`: the regions' calendars as known with so much of the history.
    """
    scored: list[Scored] = []
    drawn: list[dict[str, Array]] = []
    masked_share = 0.0
    for origin in origins:
        known = history.known_before_minute(origin)
        only_days = by_day and not tells_minutes(known)
        pasts, masked = prepare(calendars(known), known, by_day=only_days)
        masked_share = max(masked_share, _masked_minutes(masked) / known.counts.size)
        models = _models(pasts, origin, horizon_min, kind, by_day=by_day)
        for region, model in enumerate(models):
            found = _forecast(model, _counted(model, history, region), horizon_min, rivals)
            scored += found.scores(history.steps)
            drawn += [found.drawn] if region == 0 else []
    grain_min = 1440 if by_day else 1
    return Backtest(grain_min, horizon_min, tuple(scored), _joined(drawn), masked_share)


def _models(
    pasts: list[Past], origin: float, horizon_min: int, kind: str, *, by_day: bool
) -> list[Model]:
    """Return each region's model from an origin, of days or of minutes."""
    if by_day:
        return fit_models([daily(past) for past in pasts], horizon_min, kind)
    return reconciled_models(pasts, origin, origin + horizon_min, kind)


def _masked_minutes(masked: list[Masked]) -> float:
    return sum((m.end - m.start).total_seconds() for m in masked) / 60


def _joined(origins: list[dict[str, Array]]) -> dict[str, Array]:
    """Return the origins' curves, one after the other."""
    names = origins[0] if origins else ()
    return {name: np.concatenate([curves[name] for curves in origins]) for name in names}


def _counted(model: Model, history: History, region: int) -> Past:
    """Return what was counted in a region, at the model's grain, without launches' crowds, as forecast."""
    calendar = model.past.calendar
    counts = without_launches(history.counts[region], history.grid, calendar)
    counted = Past(calendar, history.grid, counts)
    return daily(counted) if model.past.is_daily else counted


def _forecast(model: Model, counted: Past, horizon_min: int, rivals: Sequence[Rival]) -> _Origin:
    """Return what the model and the rivals forecast from the end of the model's past, and what came."""
    past = model.past
    slots = counted.slots_between(past.end_min, past.end_min + horizon_min, 1)
    forecasts = {OURS: _forecast_of_model(model, slots)}
    for rival in rivals:
        forecasts[rival.name] = _forecast_of_rival(rival, past.unmasked(), slots, horizon_min)
    return _Origin(past, slots, counted.actual(slots), forecasts)


def _forecast_of_model(model: Model, slots: Array) -> _Forecast:
    return _Forecast(*model.quantiles(slots, LEVELS))


def _forecast_of_rival(rival: Rival, past: Past, slots: Array, horizon_min: int) -> _Forecast:
    """Return a rival's forecast, its bands by split conformal prediction, by hour, from the last known horizon."""
    counts, errors = rival(past, slots), _errors_of_rival(rival, past, horizon_min)
    hour = past.calendar.slot_of_day(slots)[0] // 60
    zero = np.zeros(len(slots))
    then = Ahead(hour, zero, np.zeros(len(slots), bool))
    bands = np.empty((*counts.shape, len(LEVELS)))
    for step in range(counts.shape[1]):
        bands[:, step] = make_bands(errors[step], LEVELS).counts(then, counts[:, step], zero)
    return _Forecast(counts, bands)


def _errors_of_rival(rival: Rival, past: Past, horizon_min: int) -> list[Errors]:
    """Return a rival's errors over the last known horizon, or third of the past if shorter, of each series."""
    origin = past.end_min - min(horizon_min, int(past.end_min - past.first_min) // 3)
    minute = past.slots_between(origin, past.end_min, 1)
    expected = rival(past.until(origin), minute)
    log_ratio = np.log1p(past.actual(minute)) - np.log1p(expected)
    hour = past.calendar.slot_of_day(minute)[0] // 60
    zero, none = np.zeros(len(minute)), np.zeros(len(minute), bool)
    return [
        Errors(ratios, hour, zero, none, zero, minute, counts, zero)
        for ratios, counts in zip(log_ratio.T, expected.T, strict=True)
    ]
