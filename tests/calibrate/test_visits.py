"""How often a service is asked, beside those that call it: in the model, and told from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.calibrate import Calibration, calibrate_model
from gameday.calibrate.compared import Target
from gameday.queueing import build_cell
from gameday.record import ATTEMPTS, RunRecord
from gameday.simulate import RunControl, simulate
from gameday.simulate.compiled import run_compiled
from gameday.simulate.reference.engine import run_reference
from gameday.vocabulary import Seed
from tests.support import NIGHT
from tests.support.random_systems import RandomSystem, random_system

SYSTEMS = 40 if NIGHT else 2
ONCE = RunControl(replications=1, workers=1)


def asked(name: str, factor: Any) -> dict[str, Any]:
    """Return a change: so many times as many visits of a service."""
    return {"services": {name: {"stacks": {"main": {"measured": {"visits_factor": factor}}}}}}


def entry_of(system: RandomSystem) -> str:
    """Return the service that customers' steps go to."""
    return next(iter(system.scenario.steps.values())).entry


def called(system: RandomSystem) -> str:
    """Return a service that others call."""
    return next(n for n in system.scenario.services if n != entry_of(system))


def arrived(record: RunRecord, name: str) -> float:
    """Return attempts that came to a service in the whole run."""
    row = record.attempts[0, record.services.index(name), ATTEMPTS.index("arrived")]
    return float(row.sum())


def learned(system: RandomSystem, changes: dict[str, Any], seed: int) -> Calibration:
    """Return what a run of the changed system says of the system as declared."""
    [record] = simulate(system.changed(changes), system.plan, seed=Seed(seed), control=ONCE)
    return calibrate_model(
        system.scenario, Target.of(system.plan, record, seed=Seed(5), control=ONCE)
    )


@pytest.mark.parametrize("factor", [0.4, 2.0] if NIGHT else [2.0])
@pytest.mark.parametrize("of", [entry_of, called], ids=lambda of: of.__name__)
def test_both_engines_make_so_many_visits(of: Any, factor: float, tmp_path: Path) -> None:
    system = random_system(tmp_path, 3)
    name = of(system)
    scenario = system.changed(asked(name, factor))
    one, other = (
        run(scenario, system.plan, "main", seed=Seed(4)) for run in (run_reference, run_compiled)
    )
    np.testing.assert_array_equal(one.attempts, other.attempts)
    np.testing.assert_array_equal(one.latency, other.latency)
    [plain] = simulate(system.scenario, system.plan, seed=Seed(4), control=ONCE)
    expected = factor * arrived(plain, name)
    behind = 0.08 * expected if of is entry_of else 0.0
    """A session's later steps come later, some of them beyond the end of the plan."""
    assert arrived(one, name) == pytest.approx(expected, abs=4 * expected**0.5 + behind)


def test_an_exchange_stays_where_it_was_and_comes_again_behind_the_steps_own(
    tmp_path: Path,
) -> None:
    system = random_system(tmp_path, 3)
    more = build_cell(system.changed(asked(entry_of(system), 2.5)), "main", scale=1.0)
    plain = build_cell(system.scenario, "main", scale=1.0)
    for step in system.scenario.steps:
        groups, before = more.exchanges(step, None), plain.exchanges(step, None)
        assert groups[: len(before)] == before
        assert [entry.chance for group in groups[len(before) :] for entry in group] == [1.0, 0.5]


def test_visits_are_recovered_within_their_intervals(tmp_path: Path) -> None:
    held, false = [], []
    for number in range(SYSTEMS):
        system = random_system(tmp_path, number)
        name = (entry_of, called)[number % 2](system)
        factor = float(np.exp(Seed(number).stream("visits").uniform(0.15, 0.7)))
        found = learned(system, asked(name, factor), 50 + number)
        rows = {row.service: row for row in found.parameters if row.name == "visits_factor"}
        assert not rows[name].agrees
        assert rows[name].measured.mid == pytest.approx(factor, rel=0.06)
        held.append(rows[name].measured.holds(factor))
        false += [r.key for r in rows.values() if r.service != name and not r.agrees]
    assert np.mean(held) >= 0.6, "an interval of 95 % holds too seldom"
    assert not false


def test_what_was_told_of_visits_is_borne_out_by_the_next_run(tmp_path: Path) -> None:
    system = random_system(tmp_path, 2)
    changes = asked(called(system), 2.0)
    first = learned(system, changes, 1)
    known = first.applied(system.scenario)
    [record] = simulate(system.changed(changes), system.plan, seed=Seed(2), control=ONCE)
    again = calibrate_model(known, Target.of(system.plan, record, seed=Seed(6), control=ONCE))
    assert [row.key for row in again.differing] == []
    assert again.measured["main", called(system)].visits_factor == (
        first.measured["main", called(system)].visits_factor
    )


def test_of_a_service_that_nobody_counts_nothing_is_said(tmp_path: Path) -> None:
    system = random_system(tmp_path, 2)
    name = called(system)
    [record] = simulate(system.changed(asked(name, 3.0)), system.plan, seed=Seed(2), control=ONCE)
    place = record.services.index(name)
    record.attempts[:, place] = np.nan
    record.loads[:, place] = np.nan
    record.visits[:, place] = 0
    found = calibrate_model(
        system.scenario, Target.of(system.plan, record, seed=Seed(6), control=ONCE)
    )
    assert not [r for r in found.parameters if r.service == name and r.name == "visits_factor"]
