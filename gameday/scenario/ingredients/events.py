"""What declared events do: phased on their start and on their end, and other on free days."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from gameday.scenario.events import KINDS, EventKind
from gameday.scenario.ingredients.when import Occurrence, Part, When
from gameday.scenario.units import Block
from gameday.vocabulary import Array

__all__ = ["Events"]

_RIDGE = 0.002
"""Events are few, and what they do is large: hardly held back. Ours."""
_FREE_RIDGE = 0.5
"""That a free day bends an event is believed when it shows. Ours."""


class Events(Block):
    """One set of columns a kind; those of one kind that overlap count once, the stronger one."""

    on_free_days: bool = True
    """Whether an event may do more, or less, on weekends and holidays."""
    ridge: float = Field(default=_RIDGE, gt=0, le=1e3)
    """How firmly an effect is held to what was learned of its kind elsewhere."""

    def columns(self, when: When) -> Iterator[Part]:
        """Yield each kind's phases, its days before and after, and what a free day changes."""
        for name, kind in KINDS.items():
            mine = [o for o in when.occurrences if o.kind == name and o.strength > 0]
            width = len(kind.start_knots_min) + len(kind.end_knots_min) + kind.plateau
            if not mine or not width:
                continue
            label = f"event: {name}"
            yield label, _strongest(when, mine, kind, width), np.full(width, self.ridge)
            for side, days in (("before", _before), ("after", _after)):
                # Whether there is a column depends on the events alone, never on the minutes asked for.
                if any(o.lead_min if side == "before" else o.lag_min for o in mine):
                    values = np.max([o.strength * days(when.minute, o) for o in mine], axis=0)
                    yield f"{label}, days {side}", values[:, None], np.array([self.ridge])
            if self.on_free_days and kind.start_knots_min:
                there = np.max([o.strength * _presence(when.minute, o) for o in mine], axis=0)
                yield label, (there * when.is_free)[:, None], np.array([_FREE_RIDGE])


def _strongest(when: When, events: list[Occurrence], kind: EventKind, width: int) -> Array:
    """Return the columns of the event that each minute belongs to: the strongest it lies in, else the nearest."""
    values = np.zeros((len(when.minute), width), np.float32)
    best = np.full(len(when.minute), -900.0)
    for event in events:
        from_start, from_end = when.minute - event.start_min, when.minute - event.end_min
        outside = np.maximum(np.maximum(-from_start, from_end), 0)
        claim = np.where(outside > 0, -outside, event.strength)
        mine = claim > best
        if mine.any():
            best[mine] = claim[mine]
            values[mine] = event.strength * phased(kind, from_start[mine], from_end[mine])
    return values


def _presence(minute: Array, event: Occurrence) -> Array:
    """Return 1 within an event, 0 from an hour before and after it on."""
    return np.clip(
        np.minimum(minute - event.start_min + 60, event.end_min + 60 - minute) / 60, 0, 1
    )


def _before(minute: Array, event: Occurrence) -> Array:
    """Return 1 on the days before an event that it is said to change."""
    until = event.start_min - minute
    return ((until > 0) & (until <= event.lead_min)).astype(float)


def _after(minute: Array, event: Occurrence) -> Array:
    """Return what is left of an event on the days after: 1 at its end, 0 where its lag ends."""
    since = minute - event.end_min
    left = 1 - since / max(event.lag_min, 1.0)
    return np.where((since >= 0) & (since < event.lag_min), left, 0.0)


def phased(kind: EventKind, from_start: Array, from_end: Array) -> Array:
    """Return an event's columns: hats on its start, hats on its end, and what lasts between."""
    parts = [_hats(from_start, kind.start_knots_min), _hats(from_end, kind.end_knots_min)]
    if kind.plateau:
        parts.append(np.clip(np.minimum(from_start / 60, -from_end / 60), 0, 1)[:, None])
    return np.concatenate(parts, axis=1)


def _hats(lag: Array, knots: tuple[float, ...]) -> Array:
    """Return piecewise-linear bumps, one a knot, 1 at it and 0 at its neighbours."""
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
