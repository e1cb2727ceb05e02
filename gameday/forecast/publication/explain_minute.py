"""One minute's forecast explained: its ingredients, what changed, earlier errors, and what it rests on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field

from gameday.forecast.data.coarse_rows import row_notes
from gameday.forecast.data.outliers import Masked
from gameday.forecast.evaluation.benchmark import benchmark_model
from gameday.forecast.evaluation.leave_one_event_out import known_events, main_kind, support
from gameday.forecast.event_demand import EventDemand, LaunchSteps, quantile_of_sum
from gameday.forecast.forecast import Fitted, demand_grid, models_of
from gameday.forecast.model.ahead import ahead
from gameday.forecast.model.regional import Model
from gameday.forecast.notes import level_notes, silent_members
from gameday.forecast.publication.explain import (
    Bridge,
    ErrorSpread,
    Waterfall,
    bridge,
    error_spread,
    waterfall,
)
from gameday.forecast.rivals.outside import missing_members
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import QUANTILES, Array

__all__ = [
    "Explanation",
    "ExplainedChange",
    "InputHashes",
    "Question",
    "calendar_hash",
    "explain_forecast",
    "masks_hash",
]

_WORTH_TELLING = 0.02
"""A factor nearer to 1, or a launch of a smaller share, is in the table, not in the words."""
_MOVED = 0.001
"""The same for what changed since an earlier forecast."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which minute's forecast is to be explained."""

    region: str
    step: str
    instant: datetime
    """UTC."""
    before: datetime | None
    """The earlier forecast for comparison knew nothing at or after this; None: no comparison."""


@dataclass(frozen=True, slots=True)
class ExplainedChange:
    """How the forecast moved since an earlier one. Units and order as in `Bridge`."""

    until: str
    """What the earlier forecast knew ended here, ISO 8601."""
    before: float
    after: float
    factors: tuple[tuple[str, float], ...]
    words: str
    launches: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class InputHashes:
    """SHA-256 of what the forecast rests on, hex."""

    data: str
    masks: str
    calendar: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one minute's forecast, as `gameday forecast explain --json` prints it."""

    event: str
    region: str
    step: str
    instant: Annotated[str, Field(alias="at")]
    """UTC, ISO 8601."""
    at_local: str
    forecast: float
    """Median, steps a minute, launches included."""
    organic: float
    """The same without launches."""
    launches: dict[str, float]
    """Launch -> steps a minute of its median crowd; launches without any are left out."""
    in_event: bool
    """Whether the minute lies in the region's own span of the event."""
    band: dict[str, float]
    """Name of a quantile, as p90 -> steps in this minute by itself, launches included."""
    words: str
    factors: tuple[tuple[str, float], ...]
    """(ingredient, factor); the first is a count a minute, the others multiply it."""
    members: tuple[tuple[str, float, float], ...]
    """(member, its share in the blend, its steps a minute): shares times steps add up to `organic`."""
    spread: tuple[ErrorSpread, ...]
    race: dict[str, float | None]
    """Name -> WAPE of this series on earlier origins; None where it cannot be told."""
    weights: dict[str, float]
    """Member -> its weight in the blend; level models first."""
    until: str
    """End of the known past, ISO 8601."""
    hashes: InputHashes
    notes: tuple[str, ...]
    bridge: ExplainedChange | None
    """The change since the earlier forecast, if one was asked for."""


@dataclass(frozen=True, slots=True)
class _Series:
    """The series a question is about, and what explains it."""

    question: Question
    model: Model
    region: int
    step: int
    """Number of the step among the known ones."""
    masked: list[Masked]
    """What of the series was left out of the past."""
    launches: dict[str, LaunchSteps]
    """What each launch adds to the minute, shape (); launches without any are left out."""

    @staticmethod
    def of(scenario: Scenario, question: Question, demand: EventDemand, fitted: Fitted) -> _Series:
        """Return the series and what explains it."""
        region = demand.regions.index(question.region)
        step = fitted.known.steps.index(question.step)
        models, masked = _models(scenario, question, fitted)
        own = [m for m in masked if (m.region, m.step) == (question.region, question.step)]
        launches = _launches(demand, region, step, question.instant)
        return _Series(question, models[region], region, step, own, launches)

    @property
    def launched(self) -> dict[str, float]:
        """Launch -> steps a minute of its median crowd."""
        return {name: float(launch.median) for name, launch in self.launches.items()}

    def waterfall(self, model: Model) -> Waterfall:
        """Return the ingredients of the minute as `model` forecasts it, launches as they are now."""
        return waterfall(model, self.step, self.question.step, self.question.instant, self.launched)


def explain_forecast(
    scenario: Scenario, history: History, question: Question, demand: EventDemand, fitted: Fitted
) -> Explanation:
    """Return the explanation of one minute's forecast; HistoryError where too little is known.

    `demand` is the event's, forecast by `fitted`; a minute outside its grid has no launch.
    """
    series = _Series.of(scenario, question, demand, fitted)
    now, launched = series.waterfall(series.model), series.launched
    organic = now.forecast - sum(launched.values())
    return Explanation(
        event=scenario.event.name,
        region=question.region,
        step=question.step,
        instant=question.instant.isoformat(),
        at_local=_local(series.model, question.instant),
        forecast=now.forecast,
        organic=organic,
        launches=launched,
        in_event=demand.is_in_event(question.region, question.instant),
        band=_band(series, organic),
        words=_words(now),
        factors=now.factors,
        members=now.members,
        spread=tuple(error_spread(series.model, series.step)),
        race=_benchmark(series),
        weights=_weights(series),
        until=scenario.history.until.isoformat(),
        hashes=_hashes(scenario, fitted, series),
        notes=(*_notes(scenario, series), *_row_notes(fitted, question)),
        bridge=_change(scenario, history, series, now),
    )


def _hashes(scenario: Scenario, fitted: Fitted, series: _Series) -> InputHashes:
    return InputHashes(fitted.known.sha256, masks_hash(series.masked), calendar_hash(scenario))


def _models(
    scenario: Scenario, question: Question, fitted: Fitted
) -> tuple[list[Model], list[Masked]]:
    """Return the models and the masks, fitted anew where the minute lies beyond the event's."""
    grid, end = demand_grid(scenario), _end(scenario, question)
    if end > grid.epoch_min + grid.slots:
        return models_of(scenario, fitted.known, end)
    return fitted.models, fitted.masked


def _launches(
    demand: EventDemand, region: int, step: int, instant: datetime
) -> dict[str, LaunchSteps]:
    """Return what each launch adds to a minute, shape (); launches that add nothing are left out."""
    slot = demand.grid.index_of(instant)
    if not 0 <= slot < demand.grid.slots:
        return {}
    return {
        name: LaunchSteps(np.array(float(launch.median[region, step, slot])), launch.log_sigma)
        for name, launch in demand.launches.items()
        if launch.median[region, step, slot] > 0
    }


def _end(scenario: Scenario, question: Question) -> float:
    """Return how far to forecast, minutes since 1970: as far as publications go, or to the minute if later."""
    grid = demand_grid(scenario)
    return max(grid.epoch_min + grid.slots, question.instant.timestamp() / 60 + 1)


def _change(
    scenario: Scenario, history: History, series: _Series, now: Waterfall
) -> ExplainedChange | None:
    """Return how the forecast moved since the earlier one; None where none is asked for."""
    question = series.question
    if question.before is None:
        return None
    earlier = history.known_before(question.before)
    models, _ = models_of(scenario, earlier, _end(scenario, question))
    moved = bridge(series.waterfall(models[series.region]), now)
    return ExplainedChange(
        question.before.isoformat(),
        moved.before,
        moved.after,
        moved.factors,
        _change_words(moved),
        moved.launches,
    )


def _benchmark(series: _Series) -> dict[str, float | None]:
    """Return name -> the series' WAPE on earlier origins, None where it cannot be told."""
    scores = {
        name: float(errors.by_series()[series.step])
        for name, errors in benchmark_model(series.model).items()
    }
    return {name: round(s, 4) if np.isfinite(s) else None for name, s in scores.items()}


def _weights(series: _Series) -> dict[str, float]:
    """Return the name of each member -> its weight in the series' blend."""
    weights = series.model.blend.weights[:, series.step]
    return {
        name: round(float(weight), 3)
        for name, weight in zip(series.model.members, weights, strict=True)
    }


def _local(model: Model, instant: datetime) -> str:
    zone = model.past.calendar.zone
    return f"{instant.astimezone(ZoneInfo(zone)):%A %Y-%m-%d %H:%M} {zone}"


def _band(series: _Series, organic: float) -> dict[str, float]:
    """Return quantiles of the minute by itself, steps, launches included; `organic` is its median without them."""
    counts, launches = _organic_band(series, organic), list(series.launches.values())
    return {
        f"p{100 * level:g}": float(
            quantile_of_sum(np.array(organic), np.array(count), launches, level)
        )
        for level, count in zip(QUANTILES, counts, strict=True)
    }


def _organic_band(series: _Series, organic: float) -> Array:
    """Return the same without launches, shape (QUANTILES,)."""
    model, minute = series.model, np.array([series.question.instant.timestamp() // 60])
    then = ahead(model.past.calendar, minute, model.past.end_min)
    apart = model.blend.apart(minute)[:, series.step]
    counts = model.bands(series.step, QUANTILES).counts(then, np.array([organic]), apart)
    return np.asarray(counts[0])


def _by_effect(factors: Iterable[tuple[str, float]], least: float) -> list[tuple[str, float]]:
    """Return the factors that differ from 1 by at least `least`, largest effect first."""
    ordered = sorted(factors, key=lambda pair: -abs(np.log(max(pair[1], 1e-12))))
    return [(name, factor) for name, factor in ordered if abs(factor - 1) >= least]


def _words(fall: Waterfall) -> str:
    """Return the ingredients that matter as a sentence."""
    (_, base), *rest = fall.factors
    parts = [
        f"{name} {'adds' if factor > 1 else 'takes'} {100 * abs(factor - 1):.0f} %"
        for name, factor in _by_effect(rest, _WORTH_TELLING)
    ]
    parts += [
        f"launch {name} adds {steps:,.4g} a minute"
        for name, steps in fall.launches
        if steps >= _WORTH_TELLING * fall.forecast
    ]
    return f"From a base of {base:,.4g} a minute: " + ("; ".join(parts) or "nothing moves it") + "."


def _change_words(moved: Bridge) -> str:
    """Return the five ingredients that moved the forecast most as a sentence."""
    parts = [
        f"{name} moved it by {100 * (factor - 1):+.1f} %"
        for name, factor in _by_effect(moved.factors, _MOVED)
    ]
    return "; ".join(parts[:5]) or "nothing moved it"


def _notes(scenario: Scenario, series: _Series) -> list[str]:
    """Return how well the past supports this minute's forecast, and what of it was left out."""
    kind, past, question = main_kind(scenario), series.model.past, series.question
    notes = [
        support(kind, len(known_events(past, kind)), f" in {question.region}"),
        *level_notes([series.model], scenario.step_names),
        *missing_members(scenario.forecast),
        *silent_members([series.model], scenario.step_names),
    ]
    for new, near in past.calendar.borrowed:
        notes.append(f"no event of kind '{new}' in the past: its effect is borrowed from '{near}'")
    notes += _horizon_notes(series)
    if series.masked:
        notes.append(
            f"{len(series.masked)} stretches of {question.step} are left out of the past as no customers'"
        )
    return notes


def _row_notes(fitted: Fitted, question: Question) -> list[str]:
    """Return what is said of long rows of the question's region."""
    notes = row_notes(fitted.known, [model.past.calendar for model in fitted.models])
    return [note for note in notes if note.startswith(question.region)]


def _horizon_notes(series: _Series) -> list[str]:
    """Return a note where the minute lies much farther ahead than earlier origins were scored."""
    model = series.model
    days = (series.question.instant.timestamp() / 60 - model.past.end_min) / 1440
    farthest = max((float(fold.lead_days.max()) for fold in model.folds), default=0.0)
    if days <= 1.5 * farthest + 1:
        return []
    return [
        f"{days:.0f} days ahead; earlier origins were held against {farthest:.0f} days only: not calibrated"
    ]


def masks_hash(masked: list[Masked]) -> str:
    """Return the SHA-256 of what was left out of the past, hex."""
    rows = [(m.region, m.step, m.start.isoformat(), m.end.isoformat(), m.kind) for m in masked]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def calendar_hash(scenario: Scenario) -> str:
    """Return the SHA-256 of all that the scenario says of days, events and ingredients, hex."""
    text = scenario.model_dump_json(
        include={"event", "regions", "calendar", "launches", "forecast"}, by_alias=True
    )
    return hashlib.sha256(text.encode()).hexdigest()
