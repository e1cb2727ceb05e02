"""Walks in the compiled engine: `traffic.Course` over tables."""

from __future__ import annotations

from gameday.simulate.compiled.draws import keyed, seconds_of
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.tables_at import (
    choice_at,
    count_step,
    journey_at,
    next_at,
    nominal_of,
    pause_at,
)
from gameday.vocabulary import LONGEST_WALK, Draw

__all__ = ["END", "after", "first_step", "slot_at", "walk_on"]

END = -1
_LENGTH = 1
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
            return place
    return last - 1


@inlined
def first_step(spec, j, key):
    """Return where a customer begins."""
    journey = journey_at(spec, j)
    first, last = journey.start_from, journey.start_to
    if last - first == 1:
        return choice_at(spec, first).step
    return choice_at(spec, _choose(spec, first, last, keyed(key, 0, 0, _ENTRY))).step


@inlined
def _most(spec, j, key):
    """Return how many steps a session has at most."""
    journey = journey_at(spec, j)
    first, last = journey.length_from, journey.length_to
    if last == first:
        return LONGEST_WALK
    return choice_at(spec, _choose(spec, first, last, keyed(key, 0, _LENGTH, _ENTRY))).step


@inlined
def after(spec, j, key, place, step, spent_s):
    """Return the pause after a step and the next one, or END; `spent_s` as `Course.after` has it."""
    row = next_at(spec, j, step)
    first, last = row.choice_from, row.choice_to
    chosen = first
    if last - first > 1:
        chosen = _choose(spec, first, last, keyed(key, place, 0, _NEXT))
    choice = choice_at(spec, chosen)
    if choice.step != END and place + 1 >= _most(spec, j, key):
        return 0.0, END
    pause, think = pause_at(spec, choice.pause), 0.0
    if pause.mean_s:
        think = seconds_of(spec, pause, keyed(key, place, 0, _THINK)) / spec.speed
    if choice.step != END and journey_at(spec, j).time:
        law = pause_at(spec, journey_at(spec, j).time)
        if spent_s + think > seconds_of(spec, law, keyed(key, 0, _LENGTH, _ENTRY)) / spec.speed:
            return 0.0, END
    return think, choice.step


@inlined
def walk_on(spec, books, one, what):
    """Book the planned steps behind the one under way."""
    place, step, nominal = one.place, one.step, one.nominal_s
    while True:
        spent_s = nominal + nominal_of(spec, step) - one.start_s
        think, following = after(spec, one.journey, one.key, place, step, spent_s)
        nominal += nominal_of(spec, step) + think
        slot = slot_at(spec, nominal + spec.offset_s)
        if following == END or slot >= spec.slots:
            return
        count_step(books, following, what, slot)
        place, step = place + 1, following
