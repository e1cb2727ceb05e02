"""What our own lateness did to response times is no finding against the target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gameday.findings import Evidence, find, validity
from gameday.record.histograms import bin_of
from gameday.record.measures.of_criteria import LATENESS_BOUND_S, number_of
from gameday.record.run_record import LATENCIES, RunRecord
from gameday.swarm import Health
from tests.support.small_runs import as_measured, busy_shop, evidence_of, played, record_of

LATE, SLOW = LATENCIES.index("lateness"), LATENCIES.index("response")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A run without a finding."""
    scenario = busy_shop(tmp_path_factory.mktemp("late"))
    plan = played(scenario, 30)
    return evidence_of(scenario, plan, as_measured(record_of(scenario, plan, 1)), ())


def held_up(run: RunRecord, slots: slice, seconds: float, *, late: bool) -> RunRecord:
    """Return the run with every reply of these slots so much slower, and we late by as much or not."""
    latency = run.latency.copy()
    for kind in (LATE, SLOW) if late else (SLOW,):
        rows = latency[:, :, kind, slots]
        counts = rows.sum(axis=-1)
        rows[:] = 0
        rows[..., int(bin_of(seconds))] = counts
    return RunRecord(
        **{**{name: getattr(run, name) for name in run.__dataclass_fields__}, "latency": latency}
    )


def rules_of(evidence: Evidence, run: RunRecord) -> set[str]:
    return {f.rule for f in find(evidence_of(evidence.scenario, evidence.plan, run, ()))}


def test_a_generator_held_up_for_seconds_is_invalid_and_finds_nothing(sound: Evidence) -> None:
    run = sound.measured
    assert run is not None
    assert rules_of(sound, run) == set()
    late = held_up(run, slice(6, 9), 5.0, late=True)
    assert rules_of(sound, late) == set()
    assert validity(late, health=Health(0.1), end="complete", why="").faults
    slow = held_up(run, slice(6, 9), 5.0, late=False)
    assert rules_of(sound, slow) == {"missed_objective"}


def test_slots_in_which_we_were_in_time_are_judged_all_the_same(sound: Evidence) -> None:
    run = sound.measured
    assert run is not None
    both = held_up(held_up(run, slice(4, 6), 5.0, late=True), slice(8, 10), 5.0, late=False)
    assert rules_of(sound, both) == {"missed_objective"}


def test_a_slot_late_takes_the_one_before_it_along(sound: Evidence, tmp_path: Path) -> None:
    run, criterion = sound.measured, sound.scenario.objectives[0]
    assert run is not None
    late = held_up(run, slice(6, 9), 2 * LATENESS_BOUND_S, late=True)
    per_slot = run.latency[0, run.steps.index(criterion.subject), SLOW].sum(axis=-1)
    _, n = number_of(late, criterion, "main")
    kept = np.r_[run.lead_in : 5, 9 : run.grid.slots]
    assert n == per_slot[kept].sum() < per_slot[run.judged].sum()
