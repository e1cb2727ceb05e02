"""Accessors of the tables, `session_at(world, i)` and its like: one record, one cell, or one count."""

from __future__ import annotations

from gameday.record import ATTEMPTS, BINS, LATENCIES, LOADS, SESSIONS, STEPS
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.layout import (
    ATTEMPT,
    CALL,
    CHANGE,
    CHOICE,
    EVENT,
    GROUP,
    ITEM,
    JOURNEY,
    LANE,
    MEMBER,
    NEXT,
    NUMBER,
    PATIENT,
    PAUSE,
    SALE,
    SCRIPT,
    SERVICE,
    SESSION,
    SHARE,
    SMALL,
    SUM,
    VISIT,
    WALK,
    WALK_STEP,
    WORK,
    reader,
)

__all__ = [
    "add_load",
    "attempt_at",
    "call_at",
    "choice_at",
    "count_attempt",
    "count_delay",
    "count_response",
    "count_session",
    "count_step",
    "count_visit",
    "event_at",
    "group_at",
    "item_at",
    "journey_at",
    "lane_at",
    "law_row",
    "member_at",
    "next_at",
    "nominal_of",
    "number_at",
    "patient_at",
    "pause_at",
    "sale_at",
    "script_at",
    "script_of",
    "service_at",
    "session_at",
    "sum_at",
    "change_at",
    "visit_at",
    "walk_at",
    "walk_step_at",
    "work_at",
]

_session, _work, _call, _attempt = map(reader, (SESSION, WORK, CALL, ATTEMPT))
_service, _patient, _event = map(reader, (SERVICE, PATIENT, EVENT))
_lane, _sale = reader(LANE), reader(SALE)
_item = reader(ITEM)
_pause = reader(PAUSE)
_change = reader(CHANGE)
_number, _sum = reader(NUMBER), reader(SUM)
_walk, _walk_step = reader(WALK), reader(WALK_STEP)
_small, _share = reader(SMALL), reader(SHARE)
_journey, _next, _choice = map(reader, (JOURNEY, NEXT, CHOICE))
_script, _group, _member, _visit = map(reader, (SCRIPT, GROUP, MEMBER, VISIT))
_STEPS, _SESSIONS, _ATTEMPTS, _LOADS = len(STEPS), len(SESSIONS), len(ATTEMPTS), len(LOADS)
_LATENCIES = len(LATENCIES)


@inlined
def session_at(world, i):
    return _session(world.sessions, i)


@inlined
def work_at(world, k):
    return _work(world.works, k)


@inlined
def call_at(world, c):
    return _call(world.calls, c)


@inlined
def attempt_at(world, a):
    return _attempt(world.attempts, a)


@inlined
def service_at(world, s):
    return _service(world.services, s)


@inlined
def lane_at(world, index):
    return _lane(world.lanes, index)


@inlined
def item_at(world, index):
    return _item(world.items, index)


@inlined
def sale_at(world, product):
    return _sale(world.sales, product)


@inlined
def patient_at(world, j):
    return _patient(world.patients, j)


@inlined
def event_at(world, index):
    return _event(world.events, index)


@inlined
def number_at(address, index):
    return _number(address, index)


@inlined
def sum_at(address, index):
    return _sum(address, index)


@inlined
def change_at(spec, index):
    return _change(spec.changes, index)


@inlined
def journey_at(spec, j):
    return _journey(spec.journeys, j)


@inlined
def next_at(spec, j, step):
    return _next(spec.nexts, j * spec.steps + step)


@inlined
def choice_at(spec, index):
    return _choice(spec.choices, index)


@inlined
def walk_at(spec, index):
    return _walk(spec.walks, index)


@inlined
def walk_step_at(spec, index):
    return _walk_step(spec.walk_steps, index)


@inlined
def pause_at(spec, index):
    return _pause(spec.pauses, index)


@inlined
def nominal_of(spec, step):
    return _sum(spec.nominal, step).x


@inlined
def script_of(spec, step, product):
    return _number(spec.script_of, step * (spec.products + 1) + product).n


@inlined
def script_at(spec, index):
    return _script(spec.scripts, index)


@inlined
def group_at(spec, index):
    return _group(spec.groups, index)


@inlined
def member_at(spec, index):
    return _member(spec.members, index)


@inlined
def visit_at(spec, index):
    return _visit(spec.visits, index)


@inlined
def law_row(spec, row):
    return _sum(spec.law_rows, row).x


@inlined
def count_step(stats, step, outcome, slot):
    _number(stats.steps, (step * _STEPS + outcome) * stats.slots + slot).n += 1


@inlined
def count_session(stats, outcome, slot):
    _number(stats.sessions, outcome * stats.slots + slot).n += 1


@inlined
def count_attempt(stats, s, outcome, slot):
    _sum(stats.attempts, (s * _ATTEMPTS + outcome) * stats.slots + slot).x += 1.0


@inlined
def add_load(stats, s, load, slot, amount):
    _sum(stats.loads, (s * _LOADS + load) * stats.slots + slot).x += amount


@inlined
def count_response(stats, step, slot, latency_bin):
    _small(stats.response, (step * _LATENCIES * stats.slots + slot) * BINS + latency_bin).n += 1


@inlined
def count_visit(stats, s, slot, latency_bin):
    _share(stats.visits, (s * stats.slots + slot) * BINS + latency_bin).x += 1.0


@inlined
def count_delay(stats, latency_bin):
    _number(stats.delay, latency_bin).n += 1
