"""Leave-one-event-out cross-validation: how far off the model is on past events it has not seen."""

from __future__ import annotations

import numpy as np

from gameday.forecast.data.training_data import Past
from gameday.forecast.model.blend import Blend
from gameday.forecast.model.design import Design
from gameday.forecast.model.solve import fit_rows
from gameday.scenario import Scenario
from gameday.scenario.events import KINDS
from gameday.scenario.ingredients import Occurrence
from gameday.vocabulary import Array, supported

__all__ = ["event_errors", "known_events", "main_kind", "support"]

_MOST_LEFT_OUT = 8
"""Past events left out in turn, evenly chosen: each costs a fit."""
_EVERY_MIN = 7
"""Every seventh minute is scored: no period of the day is missed, at a seventh of the cost."""
_MARGIN_MIN = 750


def main_kind(scenario: Scenario) -> str:
    """Return the kind whose past errors count: the event's own, or the commonest within it."""
    own = KINDS[scenario.event.kind]
    if own.start_knots_min or own.plateau:
        return own.name
    inside = [e.kind for e in scenario.calendar.events if KINDS[e.kind].start_knots_min]
    return max(sorted(set(inside)), key=inside.count) if inside else own.name


def known_events(past: Past, kind: str) -> list[Occurrence]:
    """Return the events of a kind that lie wholly in the past, and not in a gap of it."""

    def was_seen(event: Occurrence) -> bool:
        if event.start_min < past.first_min or event.end_min > past.end_min:
            return False
        first, last = (int(m - past.first_min) for m in (event.start_min, event.end_min))
        return bool((~np.isnan(past.counts[:, first:last])).mean() > 0.5)

    return [o for o in past.calendar.occurrences if o.kind == kind and was_seen(o)]


def support(kind: str, number: int, where: str = "") -> str:
    """Return in words how well so many past events of a kind support the forecast of the next."""
    if number == 0:
        return (
            f"no past event of kind '{kind}'{where} known: what it does is not learned; without a kind to borrow "
            "from it is forecast as ordinary days"
        )
    return (
        f"{number} past events of kind '{kind}'{where} known: quantiles beyond p{100 * supported(number):.0f} are "
        "prior, not calibrated"
    )


def event_errors(past: Past, blend: Blend, kind: str) -> list[Array]:
    """Return the log errors of each known past event of the kind when left out, (minutes, series) each.

    The level model that weighs most stands for the blend.
    """
    design = blend.main.design
    known = known_events(past, kind)
    every = -(-len(known) // _MOST_LEFT_OUT) or 1
    return [_errors_without(past, design, event) for event in known[::every]]


def _errors_without(past: Past, design: Design, event: Occurrence) -> Array:
    """Return an event's log errors by a fit that has not seen it, (minutes, series)."""
    minute = past.rows.minute
    near = (minute > event.start_min - _MARGIN_MIN) & (minute < event.end_min + _MARGIN_MIN)
    fit = fit_rows(past.rows.where(~near), design)
    scored = np.arange(event.start_min, event.end_min, _EVERY_MIN)
    log_mean = np.maximum(fit.log_mean(design.columns(scored)), 0)
    return np.asarray(np.log1p(past.actual(scored)) - log_mean)
