"""Walks in the compiled engine: `traffic.Course` over tables."""

from __future__ import annotations

import math

from gameday.simulate.compiled.draws import keyed
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.tables_at import (
    choice_at,
    count_step,
    journey_at,
    next_at,
    nominal_of,
)
from gameday.vocabulary import Draw

__all__ = ["END", "after", "first_step", "slot_at", "walk_on"]

END = -1
_MOST_STEPS = 500
_ENTRY, _NEXT, _THINK = int(Draw.ENTRY), int(Draw.NEXT_STEP), int(Draw.THINK)


@inlined
def slot_at(spec, when):
    """Return the slot of an instant; may lie behind the last."""
    return int(when / spec.slot_s + 1e-9)


@inlined
def _choose(spec, first, last, uniform):
    total = choice_at(spec, last - 1).upto
    for place in range(first, last):
        if choice_at(spec, place).upto >= uniform * total:
            return choice_at(spec, place).step
    return choice_at(spec, last - 1).step


@inlined
def first_step(spec, j, key):
    """Return where a customer begins."""
    journey = journey_at(spec, j)
    first, last = journey.start_from, journey.start_to
    if last - first == 1:
        return choice_at(spec, first).step
    return _choose(spec, first, last, keyed(key, 0, 0, _ENTRY))


@inlined
def after(spec, j, key, place, step):
    """Return the pause after a step and the next one, or END."""
    row, think = next_at(spec, j, step), 0.0
    if row.think_s:
        think = -math.log(keyed(key, place, 0, _THINK)) * row.think_s / spec.speed
    if place + 1 >= _MOST_STEPS:
        return think, END
    first, last = row.choice_from, row.choice_to
    if last - first == 1:
        return think, choice_at(spec, first).step
    return think, _choose(spec, first, last, keyed(key, place, 0, _NEXT))


@inlined
def walk_on(spec, books, one, what):
    """Book the planned steps behind the one under way."""
    place, step, nominal = one.place, one.step, one.nominal_s
    while True:
        think, following = after(spec, one.journey, one.key, place, step)
        nominal += nominal_of(spec, step) + think
        slot = slot_at(spec, nominal + spec.offset_s)
        if following == END or slot >= spec.slots:
            return
        count_step(books, following, what, slot)
        place, step = place + 1, following
