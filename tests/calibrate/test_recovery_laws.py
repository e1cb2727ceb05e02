"""A model calibrated on its own output gets its parameters back, as surely as it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy

from gameday.calibrate import Calibration, calibrate_model
from gameday.calibrate.compared import Target
from gameday.calibrate.compared.call_levels import calls_of
from gameday.record import LOADS, RunRecord
from gameday.scenario import Scenario
from gameday.simulate import RunControl, simulate
from gameday.vocabulary import Seed
from tests.support import NIGHT
from tests.support.random_systems import RandomSystem, faulty_system, random_system, rising_plan

SYSTEMS = 200 if NIGHT else 4
ONCE = RunControl(replications=1, workers=1)


def as_it_is(system: RandomSystem, number: int) -> tuple[Scenario, dict[str, float]]:
    """Return a system whose services all take other times than declared, and how many times as long."""
    rng = Seed(number).stream("truth")
    truth = {name: float(np.exp(rng.uniform(-0.5, 0.4))) for name in system.scenario.services}
    changed = {
        name: {"stacks": {"main": {"measured": {"time_factor": factor}}}}
        for name, factor in truth.items()
    }
    return system.changed({"services": changed}), truth


def run_of(scenario: Scenario, system: RandomSystem, seed: int) -> RunRecord:
    """Return one run of a system."""
    [record] = simulate(scenario, system.plan, seed=Seed(seed), control=ONCE)
    return record


def calibrated(scenario: Scenario, system: RandomSystem, record: RunRecord) -> Calibration:
    """Return what a run says of a scenario."""
    return calibrate_model(scenario, Target.of(system.plan, record, seed=Seed(5), control=ONCE))


def test_times_are_recovered_within_their_intervals_at_the_nominal_rate(tmp_path: Path) -> None:
    held, errors, false = [], [], []
    for number in range(SYSTEMS):
        system = random_system(tmp_path, number)
        real, truth = as_it_is(system, number)
        found = calibrated(system.scenario, system, run_of(real, system, 1000 + number))
        for row in found.parameters:
            if row.name == "time_factor":
                held.append(row.measured.holds(truth[row.service]))
                errors.append(abs(row.measured.mid / truth[row.service] - 1))
        false += [row for row in found.differing if row.name != "time_factor"]
    missed = len(held) - sum(held)
    assert len(held) > 4 * SYSTEMS
    assert scipy.stats.binom.sf(missed - 1, len(held), 0.05) > 1e-3, (
        f"{missed} of {len(held)} missed"
    )
    assert scipy.stats.binom.cdf(missed, len(held), 0.05) > 1e-3, (
        f"{missed} of {len(held)} missed: the intervals are too wide"
    )
    assert np.median(errors) < 0.03
    assert len(false) <= 0.02 * len(held), false


def test_calibrating_a_calibrated_run_changes_nothing(tmp_path: Path) -> None:
    for number in range(3 if NIGHT else 1):
        system = random_system(tmp_path, number)
        real, _ = as_it_is(system, number)
        first = calibrated(system.scenario, system, run_of(real, system, 1))
        again = first.applied(system.scenario)
        second = calibrated(again, system, run_of(again, system, 2))
        assert [(row.service, row.name) for row in second.differing] == []
        for key, block in first.measured.items():
            now = second.measured[key]
            assert now.time_factor.mid == block.time_factor.mid
            assert (now.servers, now.cv, now.step_factors) == (
                block.servers,
                block.cv,
                block.step_factors,
            )


@pytest.mark.parametrize(
    "policy",
    [
        {"load": {"contention": 0.4, "coherency": 0.0}},
        {"degraded": {"share": 0.3, "slowed": 3.0}},
        {"pauses": {"every": "2s", "last": "300ms"}},
    ],
    ids=lambda policy: next(iter(policy)),
)
def test_a_service_that_its_policy_slows_as_declared_is_as_declared(
    policy: dict[str, object], tmp_path: Path
) -> None:
    system = random_system(tmp_path, 3)
    leaf = next(n for n, block in system.data["services"].items() if not _calls(system, n))
    declared = system.changed({"services": {leaf: {"servers_per_instance": 4, **policy}}})
    record = run_of(declared, system, 7)
    found = calibrated(declared, system, record)
    assert [row.name for row in found.differing if row.service == leaf] == []


def test_a_counter_that_shows_no_work_while_little_comes_is_no_sign_of_contention(
    tmp_path: Path,
) -> None:
    system = random_system(tmp_path, 3)
    leaf = next(n for n, block in system.data["services"].items() if not _calls(system, n))
    declared = system.changed({"services": {leaf: {"servers_per_instance": 4}}})
    record = run_of(declared, system, 7)
    row, loads = record.services.index(leaf), record.loads.copy()
    work = loads[0, row, LOADS.index("busy_s")]
    work[work < np.quantile(work, 0.4)] = 0.0
    found = calibrated(declared, system, replace(record, loads=loads))
    assert not [one for one in found.differing if one.service == leaf and one.name == "contention"]


def _calls(system: RandomSystem, name: str) -> dict[str, float]:
    return calls_of(system.scenario, "main", 1.0, name)


def test_names_and_order_do_not_matter(tmp_path: Path) -> None:
    system = random_system(tmp_path, 4)
    real, _ = as_it_is(system, 4)
    record = run_of(real, system, 1)
    names = list(system.scenario.services)
    backwards = system.scenario.model_copy(
        update={"services": {n: system.scenario.services[n] for n in reversed(names)}}
    )
    places = [names.index(name) for name in reversed(names)]
    turned = replace(
        record,
        services=tuple(reversed(names)),
        attempts=record.attempts[:, places],
        loads=record.loads[:, places],
        visits=record.visits[:, places],
        longest_visit_s=record.longest_visit_s[places],
    )
    one, other = (
        {(r.service, r.name): (r.measured.mid, r.agrees) for r in found.parameters}
        for found in (
            calibrated(system.scenario, system, record),
            calibrated(backwards, system, turned),
        )
    )
    assert one == other


def _unseen(record: RunRecord) -> RunRecord:
    """Return a record in which nothing of the services is seen, but how customers are answered."""
    return replace(
        record,
        attempts=np.full_like(record.attempts, np.nan),
        loads=np.full_like(record.loads, np.nan),
        visits=np.zeros_like(record.visits),
    )


@pytest.mark.nightly  # the model of a sick system is tried in many forms
def test_a_sick_system_of_which_nothing_is_seen_is_not_said_to_be_sick(tmp_path: Path) -> None:
    system, _, real = faulty_system(tmp_path, 502, "slower_service")
    record = _unseen(run_of(real, system, 1))
    silent = replace(
        record,
        latency=np.zeros_like(record.latency),
        step_counts=np.zeros_like(record.step_counts),
    )
    found = calibrated(system.scenario, system, silent)
    assert found.parameters == ()
    assert {row.service for row in found.unidentified} == set(system.scenario.services)


def test_without_observation_there_is_no_claim(tmp_path: Path) -> None:
    system = random_system(tmp_path, 2)
    record = run_of(system.scenario, system, 1)
    found = calibrated(system.scenario, system, _unseen(record))
    assert found.parameters == ()
    assert {row.service for row in found.unidentified} == set(system.scenario.services)
    assert found.applied(system.scenario) == system.scenario


def test_more_observation_narrows_the_intervals_on_average(tmp_path: Path) -> None:
    narrower = []
    for number in range(4 if NIGHT else 2):
        system = random_system(tmp_path, number)
        widths = []
        for slots in (12, 40):
            plan = rising_plan(system.scenario, system.sessions_per_s, number, slots=slots)
            played = replace(system, plan=plan)
            record = run_of(system.scenario, played, 3)
            found = calibrated(system.scenario, played, record)
            widths.append(
                {r.service: r.measured.log_sd for r in found.parameters if r.name == "time_factor"}
            )
        both = widths[0].keys() & widths[1].keys()
        narrower += [np.log(widths[1][name] / widths[0][name]) for name in both]
    assert np.mean(narrower) < -0.2
