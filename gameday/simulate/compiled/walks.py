"""Walks in the compiled engine: the rules of `traffic.Course`, over tables."""

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
    walk_at,
    walk_step_at,
)
from gameday.vocabulary import LONGEST_WALK, Draw

__all__ = ["END", "after", "count_rest", "first_step", "slot_at"]

END = -1
_LENGTH = 1
_ENTRY, _NEXT, _THINK = int(Draw.ENTRY), int(Draw.NEXT_STEP), int(Draw.THINK)


@inlined
def slot_at(spec, when):
    """Return the slot of an instant; may lie behind the last."""
    return int(when / spec.slot_s + 1e-9)


@inlined
def _choose(spec, first, last, uniform):
    """Return the choice of a cumulative distribution, rows first to last - 1, by a uniform number."""
    total = choice_at(spec, last - 1).upto
    for index in range(first, last):
        if choice_at(spec, index).upto >= uniform * total:
            return index
    return last - 1


@inlined
def _observed(spec, journey, key, position):
    """Return the row of an observed session's step at a position, -1 behind its last."""
    number = min(int(keyed(key, 0, 0, _ENTRY) * journey.walks), journey.walks - 1)
    row = walk_at(spec, journey.walk_from + number).step_from + position
    return row if row < walk_at(spec, journey.walk_from + number + 1).step_from else -1


@inlined
def _after_observed(spec, journey, key, position):
    """Return the pause behind a step of an observed session and the next one, or END."""
    row = _observed(spec, journey, key, position + 1)
    if row < 0:
        return 0.0, END
    return walk_step_at(spec, row - 1).pause_s / spec.speed, walk_step_at(spec, row).step


@inlined
def first_step(spec, j, key):
    """Return the step a session begins with."""
    journey = journey_at(spec, j)
    if journey.walks > 0:
        return walk_step_at(spec, _observed(spec, journey, key, 0)).step
    first, last = journey.start_from, journey.start_to
    if last - first == 1:
        return choice_at(spec, first).step
    return choice_at(spec, _choose(spec, first, last, keyed(key, 0, 0, _ENTRY))).step


@inlined
def _most_steps(spec, j, key):
    """Return how many steps a session has at most."""
    journey = journey_at(spec, j)
    first, last = journey.length_from, journey.length_to
    if last == first:
        return LONGEST_WALK
    return choice_at(spec, _choose(spec, first, last, keyed(key, 0, _LENGTH, _ENTRY))).step


@inlined
def after(spec, j, key, position, step, spent_s):
    """Return the pause after a step and the next one, or END; `spent_s` as `Course.after` has it."""
    if journey_at(spec, j).walks > 0:
        return _after_observed(spec, journey_at(spec, j), key, position)
    row = next_at(spec, j, step)
    first, last = row.choice_from, row.choice_to
    chosen = first
    if last - first > 1:
        chosen = _choose(spec, first, last, keyed(key, position, 0, _NEXT))
    choice = choice_at(spec, chosen)
    if choice.step != END and position + 1 >= _most_steps(spec, j, key):
        return 0.0, END
    pause, think_s = pause_at(spec, choice.pause), 0.0
    if pause.mean_s:
        think_s = seconds_of(spec, pause, keyed(key, position, 0, _THINK)) / spec.speed
    if choice.step != END and _is_out_of_time(spec, j, key, spent_s + think_s):
        return 0.0, END
    return think_s, choice.step


@inlined
def _is_out_of_time(spec, j, key, spent_s):
    """Return whether a session that ends by time begins no further step."""
    time = journey_at(spec, j).time
    if not time:
        return False
    uniform = keyed(key, 0, _LENGTH, _ENTRY)
    return spent_s > seconds_of(spec, pause_at(spec, time), uniform) / spec.speed


@inlined
def count_rest(spec, stats, session, outcome):
    """Count the planned steps behind the present one under an outcome."""
    position, step, nominal_s = session.position, session.step, session.nominal_s
    while True:
        spent_s = nominal_s + nominal_of(spec, step) - session.start_s
        think_s, following = after(spec, session.journey, session.key, position, step, spent_s)
        nominal_s += nominal_of(spec, step) + think_s
        slot = slot_at(spec, nominal_s + spec.offset_s)
        if following == END or slot >= spec.slots:
            return
        count_step(stats, following, outcome, slot)
        position, step = position + 1, following
