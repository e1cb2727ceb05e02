"""`session_at(w, i)` and its like: one record of one table."""

from __future__ import annotations

from gameday.record import ATTEMPTS, BINS, LATENCIES, LOADS, SESSIONS, STEPS
from gameday.simulate.compiled import layout
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.layout import reader

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
    "switch_at",
    "visit_at",
    "work_at",
]

_session, _work, _call, _attempt = map(
    reader, (layout.SESSION, layout.WORK, layout.CALL, layout.ATTEMPT)
)
_service, _patient, _event = map(reader, (layout.SERVICE, layout.PATIENT, layout.EVENT))
_lane, _sale = reader(layout.LANE), reader(layout.SALE)
_item = reader(layout.ITEM)
_pause = reader(layout.PAUSE)
_switch = reader(layout.SWITCH)
_number, _sum = reader(layout.NUMBER), reader(layout.SUM)
_small, _share = reader(layout.SMALL), reader(layout.SHARE)
_journey, _next, _choice = map(reader, (layout.JOURNEY, layout.NEXT, layout.CHOICE))
_script, _group, _member, _visit = map(
    reader, (layout.SCRIPT, layout.GROUP, layout.MEMBER, layout.VISIT)
)
_STEPS, _SESSIONS, _ATTEMPTS, _LOADS = len(STEPS), len(SESSIONS), len(ATTEMPTS), len(LOADS)
_LATENCIES = len(LATENCIES)


@inlined
def session_at(w, i):
    return _session(w.sessions, i)


@inlined
def work_at(w, k):
    return _work(w.works, k)


@inlined
def call_at(w, c):
    return _call(w.calls, c)


@inlined
def attempt_at(w, a):
    return _attempt(w.attempts, a)


@inlined
def service_at(w, s):
    return _service(w.services, s)


@inlined
def lane_at(w, place):
    return _lane(w.lanes, place)


@inlined
def item_at(w, place):
    return _item(w.items, place)


@inlined
def sale_at(w, product):
    return _sale(w.sales, product)


@inlined
def patient_at(w, j):
    return _patient(w.patients, j)


@inlined
def event_at(w, place):
    return _event(w.events, place)


@inlined
def number_at(address, place):
    return _number(address, place)


@inlined
def sum_at(address, place):
    return _sum(address, place)


@inlined
def switch_at(spec, place):
    return _switch(spec.switches, place)


@inlined
def journey_at(spec, j):
    return _journey(spec.journeys, j)


@inlined
def next_at(spec, j, step):
    return _next(spec.nexts, j * spec.steps + step)


@inlined
def choice_at(spec, place):
    return _choice(spec.choices, place)


@inlined
def pause_at(spec, place):
    return _pause(spec.pauses, place)


@inlined
def nominal_of(spec, step):
    return _sum(spec.nominal, step).x


@inlined
def script_of(spec, step, product):
    return _number(spec.script_of, step * (spec.products + 1) + product).n


@inlined
def script_at(spec, place):
    return _script(spec.scripts, place)


@inlined
def group_at(spec, place):
    return _group(spec.groups, place)


@inlined
def member_at(spec, place):
    return _member(spec.members, place)


@inlined
def visit_at(spec, place):
    return _visit(spec.visits, place)


@inlined
def law_row(spec, row):
    return _sum(spec.law_rows, row).x


@inlined
def count_step(books, step, what, slot):
    _number(books.steps, (step * _STEPS + what) * books.slots + slot).n += 1


@inlined
def count_session(books, what, slot):
    _number(books.sessions, what * books.slots + slot).n += 1


@inlined
def count_attempt(books, s, what, slot):
    _sum(books.attempts, (s * _ATTEMPTS + what) * books.slots + slot).x += 1.0


@inlined
def add_load(books, s, what, slot, amount):
    _sum(books.loads, (s * _LOADS + what) * books.slots + slot).x += amount


@inlined
def count_response(books, step, slot, place):
    _small(books.response, (step * _LATENCIES * books.slots + slot) * BINS + place).n += 1


@inlined
def count_visit(books, s, slot, place):
    _share(books.visits, (s * books.slots + slot) * BINS + place).x += 1.0


@inlined
def count_delay(books, place):
    _number(books.delay, place).n += 1
