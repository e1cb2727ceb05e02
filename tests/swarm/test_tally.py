"""What a worker counts: equal to a plain count, however often it is taken, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import fields
from math import ceil, floor
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.record.histograms import BINS, bin_of, percentile
from gameday.record.run_record import LATENCIES, SESSIONS, STEPS
from gameday.swarm.tally.reports import TallyCounts
from gameday.swarm.tally.samples import OUTCOMES, PACKED, Tally
from gameday.vocabulary import Seed

STACKS, N_STEPS, LEAD_IN, SLOT_S, T0 = 2, 3, 2, 3.0, 1000.0


def blank() -> Tally:
    return Tally(stacks=STACKS, steps=N_STEPS, lead_in=LEAD_IN, slot_wall_s=SLOT_S, t0=T0)


class Sample(NamedTuple):
    """One step that ended; instants from the window's start."""

    stack: int
    step: int
    outcome: int
    again: bool
    due: float
    waited: float
    took: float
    planned: float

    def into(self, tally: Tally) -> None:
        code = tally.code(self.stack, self.step)
        code += self.outcome * tally.span + self.again * tally.extra
        due, sent = T0 + self.due, T0 + self.due + self.waited
        tally.samples.extend(PACKED(code, due, sent, sent + self.took, 100.0, self.planned))


seconds = st.floats(0.0, 150.0) | st.sampled_from([0.0, 1e-4, 3.0, 1e3])
samples = st.lists(
    st.builds(
        Sample,
        st.integers(0, STACKS - 1),
        st.integers(0, N_STEPS - 1),
        st.integers(0, len(OUTCOMES) - 1),
        st.booleans(),
        st.floats(-6.0, 60.0),
        seconds,
        seconds,
        st.floats(-6.0, 60.0),
    ),
    max_size=60,
)


def slot_of(at_s: float) -> int:
    return max(0, floor(at_s / SLOT_S) + LEAD_IN)


def counted_plainly(samples: list[Sample]) -> tuple[Counter[Any], Counter[Any]]:
    """Return steps and latencies as anybody would count them, one by one."""
    steps: Counter[Any] = Counter()
    latency: Counter[Any] = Counter()
    for one in samples:
        here, out = (one.stack, one.step), slot_of((T0 + one.due) - T0)
        due, sent = T0 + one.due, T0 + one.due + one.waited
        done = sent + one.took
        what = ("extra", out) if one.again else ("sent", slot_of(one.planned))
        for name, slot in (what, ("achieved", out), (OUTCOMES[one.outcome], out)):
            steps[*here, STEPS.index(name), slot] += 1
        for kind, value in enumerate((done - due, done - sent, max(0.0, sent - due))):
            latency[*here, kind, out, int(bin_of(value))] += 1
    return steps, latency


def added(rows: list[list[int]]) -> Counter[Any]:
    out: Counter[Any] = Counter()
    for *key, n in rows:
        out[tuple(key)] += n
    return out


def taken(tally: Tally) -> TallyCounts:
    tally.count()
    return tally.take()


@given(samples=samples)
@settings(deadline=None)
def test_counts_are_what_a_plain_count_gives(samples: list[Sample]) -> None:
    tally = blank()
    for sample in samples:
        sample.into(tally)
    report, (steps, latency) = taken(tally), counted_plainly(samples)
    assert added(report.steps) == steps
    assert added(report.latency) == latency
    assert report.latency == [] or sum(row[-1] for row in report.latency) == 3 * len(samples)


@given(samples=samples, data=st.data())
@settings(deadline=None)
def test_the_reports_of_any_workers_taken_at_any_moments_add_up_to_the_count_of_all(
    samples: list[Sample], data: st.DataObject
) -> None:
    tallies = [blank() for _ in range(data.draw(st.integers(1, 4)))]
    reports = []
    for sample in samples:
        tally = data.draw(st.sampled_from(tallies))
        sample.into(tally)
        if data.draw(st.booleans()):
            tally.count()
        if data.draw(st.integers(0, 4)) == 0:
            reports.append(taken(tally))
    reports += [taken(tally) for tally in tallies]
    whole = counted_plainly(samples)
    for name, plain in zip(("steps", "latency"), whole, strict=True):
        assert sum((added(getattr(report, name)) for report in reports), Counter()) == plain


@given(
    values=st.lists(st.floats(1e-4, 105.0), min_size=1, max_size=300),
    parts=st.integers(1, 5),
    level=st.floats(0.001, 1.0),
)
@settings(deadline=None)
def test_a_percentile_of_merged_reports_is_within_one_in_a_hundred_of_the_true_one(
    values: list[float], parts: int, level: float
) -> None:
    histogram = np.zeros(BINS, int)
    for part in range(parts):
        tally = blank()
        for value in values[part::parts]:
            Sample(0, 0, 0, False, 0.0, 0.0, value, 0.0).into(tally)
        for _, _, kind, _, bin_, n in taken(tally).latency:
            if kind == LATENCIES.index("service"):
                histogram[bin_] += n
    exact = sorted(values)[ceil(level * len(values)) - 1]
    assert percentile(histogram, level) == pytest.approx(exact, rel=0.01)


def test_what_does_not_fit_the_bins_is_kept_in_the_first_or_the_last() -> None:
    tally = blank()
    for value in (0.0, 5e-5, 500.0):
        Sample(0, 0, 0, False, 0.0, 0.0, value, 0.0).into(tally)
    service = [row for row in taken(tally).latency if row[2] == LATENCIES.index("service")]
    assert {row[4]: row[5] for row in service} == {0: 2, BINS - 1: 1}


@given(
    ends=st.lists(
        st.tuples(st.integers(0, STACKS - 1), st.integers(0, len(SESSIONS) - 1), st.integers(0, 9)),
        max_size=40,
    ),
    late=st.lists(st.tuples(st.integers(0, STACKS - 1), st.floats(-5.0, 50.0)), max_size=40),
    rest=st.lists(
        st.tuples(
            st.integers(0, STACKS - 1),
            st.integers(0, N_STEPS - 1),
            st.integers(2, 8),
            st.integers(0, 9),
        ),
        max_size=40,
    ),
    faults=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 2), st.text(max_size=4)), max_size=40
    ),
)
@settings(deadline=None)
def test_sessions_delays_faults_and_steps_never_reached_are_counted_as_they_come(
    ends: list[Any], late: list[Any], rest: list[Any], faults: list[Any]
) -> None:
    tally = blank()
    for one in ends:
        tally.session(*one)
    for one in late:
        tally.ended_late(*one)
    for one in rest:
        tally.not_reached(*one)
    for one in faults:
        tally.fault(*one)
    report = taken(tally)
    assert added(report.sessions) == Counter(ends)
    assert added(report.steps) == Counter(rest)
    assert added(report.faults) == Counter(faults)
    delays = Counter((stack, int(bin_of(max(0.0, s)))) for stack, s in late)
    assert added(report.delay) == delays


def test_what_was_taken_is_not_taken_again_and_reports_are_numbered() -> None:
    tally = blank()
    Sample(0, 0, 0, False, 0.0, 0.0, 1.0, 0.0).into(tally)
    tally.session(0, 1, 0)
    tally.order(1, "key", "confirmed")
    first, second = taken(tally), taken(tally)
    assert (first.number, second.number) == (0, 1)
    assert first.orders == [[1, "key", "confirmed", "", 0.0]]
    names = {field.name for field in fields(TallyCounts)} - {"worker", "number"}
    assert all(getattr(second, name) == [] for name in names)


def test_exchanges_are_told_apart_by_their_numbers() -> None:
    """A step of one exchange is that exchange; of several, each is told for itself."""
    tally = blank()
    tally.exchange_of[tally.code(1, 2)] = 40
    Sample(1, 2, 1, True, 2.0, 0.5, 1.0, 0.0).into(tally)  # of one exchange, failed, tried again
    Sample(0, 1, 0, False, 3.0, 0.0, 2.0, 0.0).into(tally)  # of several
    tally.samples.extend(PACKED(-1 - 17, T0 + 3.0, T0 + 3.5, T0 + 4.0, 250.0, 0.0))
    told = tally.count()
    assert told.tolist() == [[40, T0 + 2.0, T0 + 3.5, 100.0], [17, T0 + 3.0, T0 + 4.0, 250.0]]
    assert len(tally.count()) == 0
    assert sum(n for *_, what, _, n in tally.take().steps if what == STEPS.index("achieved")) == 2


def test_memory_is_what_cells_there_are_however_often_each_is_counted() -> None:
    chance, size = Seed(3).stream("tally"), 2000
    took, due = chance.exponential(0.2, size), chance.random(size) * 30.0
    codes = chance.integers(0, len(OUTCOMES) * blank().span, size).astype(float)
    rows = np.column_stack([codes, T0 + due, T0 + due, T0 + due + took, took, due]).tobytes()

    def held_after(times: int) -> int:
        tally = blank()
        tracemalloc.start()
        for _ in range(times):
            tally.samples.extend(rows)
            tally.count()
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert sum(row[-1] for row in tally.take().latency) == 3 * size * times
        return held

    few, many = held_after(2), held_after(20)
    assert many < 1.2 * few
