"""One minute's forecast told in full: its ingredients, what changed, how far off before, what it rests on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from gameday.forecast.data.outliers import Masked
from gameday.forecast.evaluation.benchmark import compared
from gameday.forecast.evaluation.leave_one_event_out import known_events, main_kind, support
from gameday.forecast.event_demand import EventDemand, LaunchSteps, quantile_of_sum
from gameday.forecast.forecast import Fitted, demand_grid, level_notes, models_of
from gameday.forecast.model.ahead import ahead
from gameday.forecast.model.regional import Model
from gameday.forecast.publication.explain import Bridge, Waterfall, bridge, error_spread, waterfall
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import QUANTILES

__all__ = ["Question", "answer", "calendar_hash", "masks_hash"]

_WORTH_TELLING = 0.02
"""A factor nearer to 1, or a launch of a smaller share, is in the table, not in the words."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which minute's forecast is to be explained."""

    region: str
    step: str
    at: datetime
    """UTC."""
    before: datetime | None
    """The forecast it is compared with knew nothing at or after this; None: with none."""


def answer(
    scenario: Scenario, history: History, asked: Question, demand: EventDemand, fitted: Fitted
) -> dict[str, Any]:
    """Return the explanation as the command prints it; HistoryError where too little is known.

    `demand` is the event's, told by `fitted`; a minute outside its grid has no launch.
    """
    known, step = fitted.known, fitted.known.steps.index(asked.step)
    model, masked = _model(scenario, fitted, asked)
    place = demand.regions.index(asked.region)
    launches = _launches(demand, place, step, asked.at)
    added = {name: steps for name, (steps, _) in launches.items()}
    told = waterfall(model, step, asked.step, asked.at, added)
    organic = told.forecast - sum(added.values())
    out: dict[str, Any] = {
        "schema_version": 2,
        "event": scenario.event.name,
        "region": asked.region,
        "step": asked.step,
        "at": asked.at.isoformat(),
        "at_local": _local(model, asked.at),
        "forecast": told.forecast,
        "organic": organic,
        "launches": added,
        "in_event": demand.is_in_event(asked.region, asked.at),
        "band": _band(model, step, asked.at, organic, launches),
        "words": _words(told),
        "factors": [list(pair) for pair in told.factors],
        "spread": [asdict(row) for row in error_spread(model, step)],
        "race": _race(model, step),
        "weights": {
            s.name: round(float(w), 3)
            for s, w in zip(model.shapes, model.blend.weights[:, step], strict=True)
        },
        "until": scenario.history.until.isoformat(),
        "hashes": {
            "data": known.sha256,
            "masks": masks_hash(masked),
            "calendar": calendar_hash(scenario),
        },
        "notes": _notes(scenario, model, masked, asked),
        "bridge": None,
    }
    if asked.before is not None:
        earlier = history.known_before(asked.before)
        models, _ = models_of(scenario, earlier, _end(scenario, asked))
        old = waterfall(models[place], step, asked.step, asked.at, added)
        moved = bridge(old, told)
        out["bridge"] = {
            "until": asked.before.isoformat(),
            "before": moved.before,
            "after": moved.after,
            "factors": [list(pair) for pair in moved.factors],
            "words": _moved(moved),
            "launches": [list(row) for row in moved.launches],
        }
    return out


def _launches(
    demand: EventDemand, place: int, step: int, at: datetime
) -> dict[str, tuple[float, float]]:
    """Return what each launch adds to a minute: steps of its median crowd, and the log spread of its size."""
    slot = demand.grid.index_of(at)
    if not 0 <= slot < demand.grid.slots:
        return {}
    return {
        name: (float(one.median[place, step, slot]), one.log_sigma)
        for name, one in demand.launches.items()
        if one.median[place, step, slot] > 0
    }


def _model(scenario: Scenario, fitted: Fitted, asked: Question) -> tuple[Model, list[Masked]]:
    """Return the region's model, fitted anew where the minute lies beyond the event's, and the step's masks."""
    models, masked = fitted.models, fitted.masked
    grid = demand_grid(scenario)
    if _end(scenario, asked) > grid.epoch_min + grid.slots:
        models, masked = models_of(scenario, fitted.known, _end(scenario, asked))
    place = scenario.region_names.index(asked.region)
    return models[place], [m for m in masked if (m.region, m.step) == (asked.region, asked.step)]


def _end(scenario: Scenario, asked: Question) -> float:
    """Return how far is forecast: as far as is shown and published, and so the same forecast, or to the minute."""
    grid = demand_grid(scenario)
    return max(grid.epoch_min + grid.slots, asked.at.timestamp() / 60 + 1)


def _race(model: Model, step: int) -> dict[str, float | None]:
    told = {name: float(missed.by_series()[step]) for name, missed in compared(model).items()}
    return {name: round(s, 4) if np.isfinite(s) else None for name, s in told.items()}


def _local(model: Model, at: datetime) -> str:
    from zoneinfo import ZoneInfo

    zone = model.past.calendar.zone
    return f"{at.astimezone(ZoneInfo(zone)):%A %Y-%m-%d %H:%M} {zone}"


def _band(
    model: Model, step: int, at: datetime, organic: float, launches: dict[str, tuple[float, float]]
) -> dict[str, float]:
    """Return quantiles of the minute by itself, launches, (median, spread of the log) each, included."""
    minute = np.array([at.timestamp() // 60])
    then = ahead(model.past.calendar, minute, model.past.end_min)
    counts = model.bands(step, QUANTILES).counts(then, np.array([organic]))[0]
    return {
        f"p{100 * level:g}": float(
            quantile_of_sum(
                np.array(organic),
                np.array(v),
                [LaunchSteps(np.array(median), sigma) for median, sigma in launches.values()],
                level,
            )
        )
        for level, v in zip(QUANTILES, counts, strict=True)
    }


def _words(told: Waterfall) -> str:
    """Return the ingredients that matter as a sentence."""
    (_, base), *rest = told.factors
    launches = [
        f"launch {name} adds {steps:,.4g} a minute"
        for name, steps in told.launches
        if steps >= _WORTH_TELLING * told.forecast
    ]
    parts = [
        f"{name} {'adds' if factor > 1 else 'takes'} {100 * abs(factor - 1):.0f} %"
        for name, factor in sorted(rest, key=lambda pair: -abs(np.log(max(pair[1], 1e-12))))
        if abs(factor - 1) >= _WORTH_TELLING
    ]
    parts += launches
    return f"From a base of {base:,.4g} a minute: " + ("; ".join(parts) or "nothing moves it") + "."


def _moved(moved: Bridge) -> str:
    parts = [
        f"{name} moved it by {100 * (factor - 1):+.1f} %"
        for name, factor in sorted(
            moved.factors, key=lambda pair: -abs(np.log(max(pair[1], 1e-12)))
        )
        if abs(factor - 1) >= 0.001
    ]
    return "; ".join(parts[:5]) or "nothing moved it"


def _notes(scenario: Scenario, model: Model, masked: list[Masked], asked: Question) -> list[str]:
    kind = main_kind(scenario)
    number = len(known_events(model.past, kind))
    notes = [
        support(kind, number, f" in {asked.region}"),
        *level_notes([model], scenario.step_names),
    ]
    for one, near in model.past.calendar.borrowed:
        notes.append(f"no event of kind '{one}' in the past: its effect is borrowed from '{near}'")
    days = (asked.at.timestamp() / 60 - model.past.end_min) / 1440
    farthest = max((float(fold.lead_days.max()) for fold in model.folds), default=0.0)
    if days > 1.5 * farthest + 1:
        notes.append(
            f"{days:.0f} days ahead; earlier origins were held against {farthest:.0f} days only: not calibrated"
        )
    if masked:
        notes.append(
            f"{len(masked)} stretches of {asked.step} are left out of the past as no customers'"
        )
    return notes


def masks_hash(masked: list[Masked]) -> str:
    """Return the hash of what was left out, hex."""
    rows = [(m.region, m.step, m.start.isoformat(), m.end.isoformat(), m.kind) for m in masked]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def calendar_hash(scenario: Scenario) -> str:
    """Return the hash of everything the scenario says of days, events and ingredients, hex."""
    said = scenario.model_dump_json(
        include={"event", "regions", "calendar", "launches", "forecast"}, by_alias=True
    )
    return hashlib.sha256(said.encode()).hexdigest()
