"""What leaving a stretch out does to the forecast: to first order, had its minutes been learned from."""

from __future__ import annotations

from typing import Any

import numpy as np

from gameday.forecast.data.fit_rows import without_launches
from gameday.forecast.data.outliers import Masked
from gameday.forecast.data.training_data import Past
from gameday.forecast.forecast import demand_grid, models_of
from gameday.forecast.model.regional import Model
from gameday.forecast.model.solve import influence
from gameday.history import History
from gameday.scenario import Scenario

__all__ = ["outlier_rows"]


def outlier_rows(scenario: Scenario, history: History) -> list[dict[str, Any]]:
    """Return each stretch left out of what is known, with its effect on the event's mean, a share."""
    known = history.known_before(scenario.history.until)
    grid = demand_grid(scenario)
    models, masked = models_of(scenario, known, grid.epoch_min + grid.slots)
    out = []
    for index, model in enumerate(models):
        counts = without_launches(known.counts[index], known.grid, model.past.calendar)
        raw = Past(model.past.calendar, known.grid, counts)
        start, end = scenario.span(scenario.event, model.past.calendar.region)
        minute = np.arange(start.timestamp() // 60, end.timestamp() // 60, 15)
        mine = [m for m in masked if m.region == model.past.calendar.region]
        out += [_row(one, _effect(model, raw, minute, one, known.steps)) for one in mine]
    return out


def _effect(model: Model, raw: Past, minute: Any, one: Masked, names: tuple[str, ...]) -> float:
    """Return by what share the event's mean would be higher had the stretch been learned from."""
    fit = model.blend.fits[int(model.blend.weights.sum(axis=1).argmax())]
    begin, end = (t.timestamp() / 60 for t in (one.start, one.end))
    rows = raw.rows
    inside = (rows.minute + rows.width / 2 > begin) & (rows.minute - rows.width / 2 < end)
    columns = fit.design.columns(minute, model.past.columns(minute))
    moved = influence(fit, model.past.rows, rows.where(inside), columns, names.index(one.step))
    return float(np.expm1(moved))


def _row(one: Masked, effect: float) -> dict[str, Any]:
    return {
        "region": one.region,
        "step": one.step,
        "start": one.start.isoformat(),
        "end": one.end.isoformat(),
        "minutes": round((one.end - one.start).total_seconds() / 60),
        "kind": one.kind,
        "times": None if np.isnan(one.times) else round(one.times, 3),
        "why": one.why,
        "effect": round(effect, 6),
    }
