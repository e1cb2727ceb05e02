"""What is said beside a forecast: what was left out, borrowed or assumed, and how far the past supports it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gameday.forecast.data.coarse_rows import row_notes
from gameday.forecast.data.outliers import Masked
from gameday.forecast.evaluation.leave_one_event_out import known_events, main_kind, support
from gameday.forecast.model.regional import Model
from gameday.forecast.rivals.outside import missing_members
from gameday.history import History
from gameday.scenario import Scenario

__all__ = ["level_notes", "model_notes", "past_events", "silent_members"]

_AS_LONG = 0.05
"""Share within which an event is as long as past ones. Ours."""
_FAR, _MOST_FAR = 0.25, 5
"""By what share the coming week must lie off what all of the past says to be noted, and how many series. Ours."""
_WEEK_MIN = 7 * 1440


def model_notes(
    scenario: Scenario, known: History, models: list[Model], masked: list[Masked]
) -> list[str]:
    """Return what was left out and borrowed, and how far the past supports the forecast."""
    notes = row_notes(known, [model.past.calendar for model in models])
    notes += missing_members(scenario.forecast) + silent_members(models, known.steps)
    for model in models:
        region = model.past.calendar.region
        notes += _mask_notes(region, [m for m in masked if m.region == region])
        notes += _borrowed_notes(model)
    notes += _length_notes(scenario, models) + level_notes(models, known.steps)
    return [*notes, support(main_kind(scenario), past_events(scenario, models))]


def _borrowed_notes(model: Model) -> list[str]:
    """Return a note on each kind of event whose effect is another's."""
    calendar = model.past.calendar
    return [
        f"{calendar.region}: no event of kind '{kind}' in the past: its effect is borrowed from '{near}'"
        for kind, near in calendar.borrowed
    ]


def _length_notes(scenario: Scenario, models: list[Model]) -> list[str]:
    """Return a note on how each region's event grows with its length, where past ones were of another."""
    notes = (_length_note(scenario.event.name, model) for model in models)
    return [note for note in notes if note is not None]


def _length_note(name: str, model: Model) -> str | None:
    """Return the note of one region; None where there is no past event, or all were as long."""
    calendar = model.past.calendar
    own = [o for o in calendar.occurrences if o.name == name]
    past = known_events(model.past, own[0].kind) if own else []
    if not past:
        return None
    hours = sorted({round((o.end_min - o.start_min) / 60, 1) for o in past})
    learned = model.blend.main.of_block(f"event: {own[0].kind}, length")
    if len(learned):
        return (
            f"{calendar.region}: past events lasted {hours[0]:g} to {hours[-1]:g} h: an event's total grows "
            f"as its length to the power {1 + float(learned.mean()):.2f}, learned from them"
        )
    length = (own[0].end_min - own[0].start_min) / 60
    if abs(length / hours[-1] - 1) < _AS_LONG:
        return None
    return (
        f"{calendar.region}: past events all lasted about {hours[-1]:g} h, this one is of another length: "
        "its total is taken to grow as its length does (elasticity 1)"
    )


def silent_members(models: list[Model], steps: tuple[str, ...]) -> list[str]:
    """Return a note on each member from outside that said nothing of the time ahead of some step."""
    return [
        f"{model.past.calendar.region}: '{member.name}' said nothing of some minutes ahead of "
        f"{', '.join(np.array(steps)[member.is_silent])}, and is left out there"
        for model in models
        for member in model.blend.told
        if member.is_silent.any()
    ]


def _mask_notes(region: str, masked: list[Masked]) -> list[str]:
    """Return a note on what of a region's past was left out, if anything was."""
    if not masked:
        return []
    minutes = sum((m.end - m.start).total_seconds() for m in masked) / 60
    kinds = sorted({m.kind for m in masked})
    return [
        f"{region}: {len(masked)} stretches of single steps, {minutes:.0f} minutes in all, "
        f"left out ({', '.join(kinds)}); `gameday forecast outliers` lists them"
    ]


def level_notes(models: list[Model], names: tuple[str, ...]) -> list[str]:
    """Return a note on series whose coming week the last days decide, far off what all of the past says."""
    far = [
        (share, f"{model.past.calendar.region} {name}")
        for model in models
        for name, share in _recent_effects(model, names).items()
        if abs(share) > _FAR
    ]
    far.sort(key=lambda each: (abs(each[0]), each[1]), reverse=True)
    notes = [
        f"{series}: the level of the last days decides, {100 * share:+.0f} % against what all of the past says; "
        "if it was passing, leave it out (`forecast.mask`)"
        for share, series in far[:_MOST_FAR]
    ]
    rest = len(far) - _MOST_FAR
    return notes + ([f"so it is with {rest} more series"] if rest > 0 else [])


def _recent_effects(model: Model, names: tuple[str, ...]) -> dict[str, float]:
    """Return series -> its coming week's total over that by the steady level model, less 1; 0 of no counts."""
    minute = model.past.end_min + np.arange(0, _WEEK_MIN, 60.0)
    all_past = np.zeros_like(model.blend.weights)
    all_past[0] = 1.0  # candidates begin with the steady one
    blends = model.blend, replace(model.blend, weights=all_past)
    recent, steady = (blend.smooth(minute).sum(axis=0) for blend in blends)
    share = recent / np.maximum(steady, 1e-9) - 1
    if not steady.max() > 0:
        share = np.zeros_like(share)
    return {name: float(s) for name, s in zip(names, share, strict=True)}


def past_events(scenario: Scenario, models: list[Model]) -> int:
    """Return how many events of the forecast one's kind some region has seen."""
    kind = main_kind(scenario)
    return max(len(known_events(model.past, kind)) for model in models)
