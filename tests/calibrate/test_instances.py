"""A zone, or an instance, that works slowly is named where the labels of metrics tell instances apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gameday.calibrate import Calibration, calibrate_model
from gameday.calibrate.compared import Target
from gameday.record import InstanceLoad, RunRecord, blank_record, fill_record, record_table
from gameday.simulate import simulate
from gameday.swarm.tally.counters import instance_name
from gameday.swarm.tally.observe import Observer, Sample
from gameday.swarm.tally.observed import fold_samples
from gameday.vocabulary import Seed
from tests.calibrate.test_recovery_laws import ONCE, run_of
from tests.support.random_systems import RandomSystem, random_system

SLOWED = 4.0


def labels(number: int) -> tuple[tuple[str, str], ...]:
    return (("instance", f"host-{number}"), ("zone", "abc"[number % 3]))


def loads(service: str, slow: set[int], busy_s: float, done: float) -> list[InstanceLoad]:
    """Return six instances that shared so many visits and seconds; those that are slow held servers longer."""
    weights = [SLOWED if number in slow else 1.0 for number in range(6)]
    return [
        InstanceLoad("main", service, labels(number), busy_s * weight / sum(weights), done / 6)
        for number, weight in enumerate(weights)
    ]


def struck(system: RandomSystem, name: str, slow: set[int]) -> tuple[RunRecord, Calibration]:
    """Return a run in which a service is slow at some of its instances, and what it teaches."""
    share = len(slow) / 6
    degraded = {"share": share, "slowed": SLOWED}
    measured = {"stacks": {"main": {"measured": {"degraded": degraded}}}} if slow else {}
    real = system.changed({"services": {name: measured}})
    record = run_of(real, system, 4)
    load = record.loads_by_slot("main", name)
    done = record.attempts_by_slot("main", name).total("done")
    record = replace(record, instances=loads(name, slow, float(load["busy_s"].sum()), done))
    target = Target.of(system.plan, record, seed=Seed(5), control=ONCE)
    return record, calibrate_model(system.scenario, target)


@pytest.mark.parametrize(
    ("slow", "place"), [({1, 4}, "zone b"), ({2}, "instance host-2, zone c")], ids=["zone", "host"]
)
def test_the_slow_place_is_named(tmp_path: Path, slow: set[int], place: str) -> None:
    system = random_system(tmp_path, 3)
    name = max(system.load, key=lambda service: system.load[service])
    _, found = struck(system, name, slow)
    rows = [row for row in found.differing if row.service == name]
    [row] = [row for row in rows if row.name.startswith("slow share")]
    assert row.name.endswith(f" at {place}")
    assert row.measured.mid == pytest.approx(SLOWED, rel=0.05)
    degraded = found.measured["main", name].degraded
    assert degraded is not None
    assert degraded.share == pytest.approx(len(slow) / 6, abs=0.01)


def test_instances_that_are_alike_are_no_cause(tmp_path: Path) -> None:
    system = random_system(tmp_path, 3)
    name = max(system.load, key=lambda service: system.load[service])
    _, found = struck(system, name, set())
    assert not [row for row in found.differing if row.service == name]


def test_what_each_instance_did_is_read_back(tmp_path: Path) -> None:
    system = random_system(tmp_path, 3)
    [name, *_] = system.load
    record, _ = struck(system, name, {1})
    names = record.stacks, record.steps, record.services
    blank = blank_record("swarm", record.grid, record.lead_in, record.slot_wall_s, names)
    assert fill_record(blank, record_table(record)).instances == record.instances


def test_counters_with_labels_are_counted_by_the_instance(tmp_path: Path) -> None:
    series = {"busy_seconds": "busy", "done": "done"}
    scenario = random_system(tmp_path, 3).changed({"observe": {"series": series}})
    [record] = simulate(scenario, random_system(tmp_path, 3).plan, seed=Seed(1), control=ONCE)
    observer = Observer(scenario, {"main": "http://127.0.0.1:1"})
    [name, *_] = scenario.services

    def sample(at_s: float) -> Sample:
        grows = {instance_name(dict(labels(n))): at_s * (n + 1) for n in range(3)}
        return Sample(at_s, {("main", name, "busy_seconds"): grows, ("main", name, "done"): grows})

    fold_samples(record, [sample(at) for at in (0.0, 5.0, 10.0)], observer, 0.0)
    assert [one.labels for one in record.instances] == [labels(n) for n in range(3)]
    assert [one.done for one in record.instances] == pytest.approx([10.0, 20.0, 30.0])
