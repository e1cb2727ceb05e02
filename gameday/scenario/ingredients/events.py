"""Effects of declared events: by minutes from their start and from their end, and different on free days."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from pydantic import Field

from gameday.scenario.events import KINDS, EventKind
from gameday.scenario.ingredients.when import Occurrence, Part, When
from gameday.scenario.units import Block
from gameday.vocabulary import Array

__all__ = ["Events"]

_RIDGE = 0.002
"""Events are few and their effects large: the ridge hardly shrinks them. Ours."""
_FREE_RIDGE = 0.5
"""A different effect on free days is shrunk more: it needs evidence. Ours."""


_LENGTH_PRIOR = 0.25
"""(0.15 / 0.3)^2: sizes of events spread by 0.15 in logs, elasticities by 0.3 about 1. So the effect of length is
held to none as firmly as by so large a share of an event's minutes. Ours."""


class Events(Block):
    """One set of columns a kind; those of one kind that overlap count once, the stronger one."""

    on_free_days: bool = True
    """Whether an event may do more, or less, on weekends and holidays."""
    ridge: float = Field(default=_RIDGE, gt=0, le=1e3)
    """How firmly an effect is held to what was learned of its kind elsewhere."""

    def columns(self, when: When) -> Iterator[Part]:
        """Yield each kind's phases, its effect on the days before and after, and what a free day changes."""
        for name, kind in KINDS.items():
            events = [o for o in when.occurrences if o.kind == name and o.strength > 0]
            width = len(kind.start_knots_min) + len(kind.end_knots_min) + kind.plateau
            if not events or not width:
                continue
            label = f"event: {name}"
            yield label, _strongest(when, events, kind, width), np.full(width, self.ridge)
            yield from _days_around(label, events, when, self.ridge)
            if self.on_free_days and kind.start_knots_min:
                inside = _at_most(_presence, events, when) * when.is_free[:, None]
                yield label, inside, np.array([_FREE_RIDGE])
            if any(event.log_length for event in events):
                minutes = np.mean([event.end_min - event.start_min for event in events])
                yield (
                    f"{label}, length",
                    _lengths(events, when),
                    np.array([-_LENGTH_PRIOR * minutes]),
                )


def _days_around(label: str, events: list[Occurrence], when: When, ridge: float) -> Iterator[Part]:
    """Yield the effect on the days before and after events, where any is declared to have one.

    Whether there is a column depends on the events alone, never on the minutes asked for.
    """
    if any(event.lead_min for event in events):
        yield f"{label}, days before", _at_most(_before, events, when), np.array([ridge])
    if any(event.lag_min for event in events):
        yield f"{label}, days after", _at_most(_after, events, when), np.array([ridge])


def _at_most(
    course: Callable[[Array, Occurrence], Array], events: list[Occurrence], when: When
) -> Array:
    """Return the largest, over events, of strength times `course`, shape (n, 1)."""
    values = np.max([event.strength * course(when.minute, event) for event in events], axis=0)
    return np.asarray(values[:, None])


def _lengths(events: list[Occurrence], when: When) -> Array:
    """Return strength times log length within events, shape (n, 1): its coefficient plus 1 is the elasticity of an
    event's total in its length.
    """
    each = (o.strength * o.log_length * _presence(when.minute, o) for o in events)
    return np.asarray(sum(each, np.zeros(len(when.minute)))[:, None])


def _claim(from_start: Array, from_end: Array, strength: float) -> Array:
    """Return how far each minute is an event's: its strength within, less the further off without."""
    outside = np.maximum(np.maximum(-from_start, from_end), 0)
    return np.where(outside > 0, -outside, strength)


def _strongest(when: When, events: list[Occurrence], kind: EventKind, width: int) -> Array:
    """Return each minute's columns: those of the strongest event that it lies in, else of the nearest one."""
    values = np.zeros((len(when.minute), width), np.float32)
    best = np.full(len(when.minute), -900.0)
    for event in events:
        from_start, from_end = when.minute - event.start_min, when.minute - event.end_min
        claim = _claim(from_start, from_end, event.strength)
        wins = claim > best
        if wins.any():
            best[wins] = claim[wins]
            values[wins] = event.strength * phased(kind, from_start[wins], from_end[wins])
    return values


def _presence(minute: Array, event: Occurrence) -> Array:
    """Return 1 within an event, falling to 0 over the hour before and after it."""
    return np.clip(
        np.minimum(minute - event.start_min + 60, event.end_min + 60 - minute) / 60, 0, 1
    )


def _before(minute: Array, event: Occurrence) -> Array:
    """Return 1 within the event's lead, before its start; else 0."""
    until = event.start_min - minute
    return ((until > 0) & (until <= event.lead_min)).astype(float)


def _after(minute: Array, event: Occurrence) -> Array:
    """Return the effect left on the days after an event: 1 at its end, falling to 0 where its lag ends."""
    since = minute - event.end_min
    left = 1 - since / max(event.lag_min, 1.0)
    return np.where((since >= 0) & (since < event.lag_min), left, 0.0)


def phased(kind: EventKind, from_start: Array, from_end: Array) -> Array:
    """Return an event's columns: hat functions on its start and on its end, and a plateau between."""
    parts = [_hats(from_start, kind.start_knots_min), _hats(from_end, kind.end_knots_min)]
    if kind.plateau:
        parts.append(np.clip(np.minimum(from_start / 60, -from_end / 60), 0, 1)[:, None])
    return np.concatenate(parts, axis=1)


def _hats(lag: Array, knots: tuple[float, ...]) -> Array:
    """Return piecewise-linear (hat) basis functions, one a knot: 1 at it and 0 at its neighbours."""
    if not knots:
        return np.zeros((len(lag), 0))
    ends = (2 * knots[0] - knots[1], *knots, 2 * knots[-1] - knots[-2])
    return np.stack(
        [
            np.clip(np.minimum((lag - a) / (b - a), (c - lag) / (c - b)), 0, None)
            for a, b, c in zip(ends, ends[1:], ends[2:], strict=False)
        ],
        axis=1,
    )
