"""What would have been said, had it been said before: rolling origins over a history, rivals beside.

At each origin nothing later is known: robots are found anew, candidates raced anew, bands made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import without_launches
from gameday.forecast.data.preparation import prepare
from gameday.forecast.data.training_data import Past, daily
from gameday.forecast.evaluation.accuracy import LEVELS, Accuracy, judge, mean_accuracy
from gameday.forecast.evaluation.benchmark import OURS
from gameday.forecast.model.ahead import Ahead, ahead
from gameday.forecast.model.reconciliation import tied_models
from gameday.forecast.model.regional import Model, fit_models
from gameday.forecast.rivals import Rival
from gameday.forecast.rivals.last_week import week_before_errors
from gameday.forecast.uncertainty.bands import Errors, make_bands
from gameday.history import History
from gameday.vocabulary import Array

__all__ = ["OURS", "Backtest", "Scored", "backtest", "origins_of"]

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
    """What came in the minutes that are scored."""


@dataclass(frozen=True)
class Backtest:
    """All scores, and what the first series' forecasts were, for a picture."""

    grain_min: int
    horizon_min: int
    scored: tuple[Scored, ...]
    drawn: dict[str, Array]
    """Slots' starts, actual, and each model's counts of the first series, shape (n,) each."""
    left_out: float
    """Share of the minutes known that was taken for robots, outages and the like, at the origin with the most."""

    def mean(self, model: str) -> Accuracy:
        """Return a model's mean over origins and series; WAPE, wQL and bias are those of all minutes together."""
        own = [s for s in self.scored if s.model == model]
        return mean_accuracy([s.accuracy for s in own], np.array([s.volume for s in own]))

    @property
    def models(self) -> tuple[str, ...]:
        """Ours first, then the rivals in their order."""
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


def backtest(
    calendars: Callable[[History], Sequence[RegionCalendar]],
    history: History,
    *,
    origins: Sequence[float],
    horizon_min: int,
    kind: str,
    rivals: Sequence[Rival],
    by_day: bool = False,
) -> Backtest:
    """Return the scores of our model and `rivals` from each origin, minutes since 1970 UTC.

    `calendars`: what the regions' calendars are to one who knows so much of the history.
    """
    scored: list[Scored] = []
    drawn: dict[str, list[Array]] = {}
    left_out = 0.0
    for origin in origins:
        known = history.known_before_minute(origin)
        pasts, masked = prepare(calendars(known), known)
        minutes = sum((m.end - m.start).total_seconds() for m in masked) / 60
        left_out = max(left_out, minutes / known.counts.size)
        models = (
            fit_models([daily(past) for past in pasts], horizon_min, kind)
            if by_day
            else tied_models(pasts, origin, origin + horizon_min, kind)
        )
        for index, model in enumerate(models):
            whole = _came(model.past.calendar, history, index)
            whole = daily(whole) if by_day else whole
            at = whole.slots_between(origin, origin + horizon_min, 1)
            actual = whole.actual(at)
            said = {OURS: _ours(model, at)}
            for rival in rivals:
                said[rival.name] = _rival(rival, model.past, at, horizon_min)
            scored += _judged(said, actual, model.past, history.steps, origin)
            if index == 0:
                drawn.setdefault("at", []).append(at)
                drawn.setdefault("actual", []).append(actual[:, 0])
                for who, (counts, _) in said.items():
                    drawn.setdefault(who, []).append(counts[:, 0])
    return Backtest(
        1440 if by_day else 1,
        horizon_min,
        tuple(scored),
        {name: np.concatenate(parts) for name, parts in drawn.items()},
        left_out,
    )


def _judged(
    said: dict[str, tuple[Array, Array]],
    actual: Array,
    past: Past,
    steps: tuple[str, ...],
    origin: float,
) -> list[Scored]:
    """Return the scores of what each model said of one region's series, all over the same minutes."""
    naive, day = week_before_errors(past), 1 if past.is_daily else 1440
    return [
        Scored(
            who,
            past.calendar.region,
            name,
            origin,
            judge(
                actual[:, step],
                counts[:, step],
                bands[:, step],
                naive[step],
                day=day,
            ),
            float(np.nansum(actual[:, step])),
        )
        for step, name in enumerate(steps)
        for who, (counts, bands) in said.items()
    ]


def _came(calendar: RegionCalendar, history: History, region: int) -> Past:
    """Return what came of a region; launches' crowds come beside a forecast, and are no part of it."""
    counts = without_launches(history.counts[region], history.grid, calendar)
    return Past(calendar, history.grid, counts)


def _ours(model: Model, at: Array) -> tuple[Array, Array]:
    """Return (counts (n, series), bands (n, series, LEVELS))."""
    said, then = model.blend.counts(at), ahead(model.past.calendar, at, model.past.end_min)
    bands = [model.bands(s, LEVELS).counts(then, said[:, s]) for s in range(said.shape[1])]
    return said, np.stack(bands, axis=1)


def _rival(rival: Rival, past: Past, at: Array, horizon_min: int) -> tuple[Array, Array]:
    """Return a rival's (counts, bands): split conformal, by hour, on what it says of the last horizon known."""
    counts = rival(past, at)
    back = min(horizon_min, int(past.end_min - past.first_min) // 3)
    origin = past.end_min - back
    then = past.slots_between(origin, past.end_min, 1)
    before = rival(past.until(origin), then)
    missed = np.log1p(past.actual(then)) - np.log1p(before)
    hours = [past.calendar.slot_of_day(minute)[0] // 60 for minute in (then, at)]
    asked = Ahead(hours[1], np.zeros(len(at)), np.zeros(len(at), bool))
    flat, none = np.zeros(len(then)), np.zeros(len(then), bool)
    bands = np.empty((*counts.shape, len(LEVELS)))
    for step in range(counts.shape[1]):
        errors = Errors(missed[:, step], hours[0], flat, none, flat, then, before[:, step])
        bands[:, step] = make_bands(errors, LEVELS).counts(asked, counts[:, step])
    return counts, bands
