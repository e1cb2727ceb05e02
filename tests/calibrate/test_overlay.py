"""A calibration is a file that people review: it reads back, and fits no other scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gameday.calibrate import Calibration, Source, Unidentified, overlay_text
from gameday.calibrate.overlay import calibration_of
from gameday.errors import UsageError
from gameday.jobs.one_run.after_load import not_identified
from gameday.scenario.blocks import Measured, Spread
from gameday.scenario.caller_policies import Retry
from gameday.scenario.reading import as_written
from gameday.scenario.server_policies import Autoscale, Degraded
from tests.calibrate.test_recovery_laws import as_it_is, calibrated, run_of
from tests.support.random_systems import random_system


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Calibration, Path]:
    folder = tmp_path_factory.mktemp("overlay")
    system = random_system(folder, 1)
    real, _ = as_it_is(system, 1)
    return calibrated(system.scenario, system, run_of(real, system, 1)), folder


def test_a_calibration_reads_back_as_it_was_written(found: tuple[Calibration, Path]) -> None:
    calibration, folder = found
    again = calibration_of(overlay_text(calibration), "c.yaml")
    assert overlay_text(again) == overlay_text(calibration)
    scenario = random_system(folder, 1).scenario
    then, now = (c.applied(scenario) for c in (calibration, again))
    for name in scenario.services:
        one, other = (s.services[name].stacks["main"].measured for s in (then, now))
        assert one.time_factor.mid == pytest.approx(other.time_factor.mid, rel=1e-5)


def test_what_was_measured_is_written_with_units_and_read_back() -> None:
    block = Measured(
        retry=Retry.model_validate({"attempts": 3, "backoff": "20ms"}),
        autoscale=Autoscale.model_validate(
            {"target": 0.5, "interval": "3s", "delay": "70s", "max_factor": 2}
        ),
        degraded=Degraded(share=0.25, slowed=4.0),
    )
    assert as_written(block)["retry"] == {"attempts": 3, "backoff": "20ms"}
    assert Measured.model_validate(as_written(block)) == block


def test_a_calibration_of_another_scenario_is_refused(found: tuple[Calibration, Path]) -> None:
    calibration, folder = found
    with pytest.raises(UsageError, match="of another scenario") as refused:
        calibration.applied(random_system(folder, 2).scenario)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("calibration: 1", "calibration: 7", "no calibration of version 1"),
        ("scenario_sha256:", "scenario_sha:", "scenario_sha256"),
        ("mid:", "middle:", "mid"),
        ("kind: run", "kind: guess", "kind"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused_with_its_place(
    found: tuple[Calibration, Path], old: str, new: str, said: str
) -> None:
    text = overlay_text(found[0])
    if "kind: run" not in text:
        text = text.replace("sources: []", "sources: [{kind: run, name: r, sha256: a}]")
    assert old in text
    with pytest.raises(UsageError, match=said) as refused:
        calibration_of(text.replace(old, new), "mine.yaml")
    assert str(refused.value).startswith("mine.yaml")


@pytest.mark.parametrize(
    ("measured", "asked", "says"),
    [(100.0, 129.0, ""), (100.0, 200.0, "measured at 0.5 of this load"), (0.0, 1.0, "at no load")],
)
def test_a_load_far_beyond_what_was_measured_is_extrapolated(
    measured: float, asked: float, says: str
) -> None:
    source = Source("run", "some-run", "0" * 64, measured)
    told = Calibration("0" * 64, (source,), {}, (), ()).extrapolation(asked)
    assert says in told
    assert told.startswith("extrapolated") == bool(says)


def test_fleets_of_which_too_little_was_observed_are_not_judged() -> None:
    rows = tuple(
        Unidentified("main", name, "how many servers it has", "why", "add", widens)
        for name, widens in (("pay", 0.83), ("edge", 0.1), ("stock", None))
    )
    [line] = not_identified(Calibration("0" * 64, (), {}, (), rows))
    assert "main pay" in line
    assert "edge" not in line
    assert "stock" not in line
    assert not_identified(Calibration("0" * 64, (), {}, (), rows[1:])) == ()
    assert not_identified(None) == ()


def test_a_target_of_which_nothing_was_learned_is_not_judged() -> None:
    [line] = not_identified(None, "this machine was busy with other work")
    assert line == "whether the target is as declared: this machine was busy with other work"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "    main:",
            "    mian:",
            r"services\.[a-z]-svc\.mian: the service is in no such stack; it is in main",
        ),
        ("-svc:", "-cvs:", r"services\.[a-z]-cvs: the scenario has no such service; it has .*-svc"),
    ],
)
def test_a_name_that_the_scenario_does_not_have_is_refused_with_those_it_has(
    found: tuple[Calibration, Path], old: str, new: str, said: str
) -> None:
    text = overlay_text(found[0])
    assert old in text
    edited = calibration_of(text.replace(old, new, 1), "mine.yaml")
    with pytest.raises(UsageError, match=said):
        edited.applied(random_system(found[1], 1).scenario)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text[: len(text) // 2], r"^mine\.yaml: "),
        (lambda text: text + "\ncalibration: 1\n", r"^mine\.yaml: is not YAML: \d+:\d+: "),
        (
            lambda text: text.replace("agrees: ", "agrees: maybe # ", 1),
            r"parameters, row 1: agrees: ",
        ),
        (lambda text: text.replace("parameters:", "parameters: [", 1), r"is not YAML: \d+:\d+: "),
        (lambda text: text + "\nbogus: 3\n", r"^mine\.yaml: unknown: bogus; it may hold "),
    ],
    ids=["cut short", "a key twice", "no truth value", "a bracket", "an unknown key"],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(
    found: tuple[Calibration, Path], edit: Callable[[str], str], said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        calibration_of(edit(overlay_text(found[0])), "mine.yaml")
    assert "gameday calibrate RUN --out FILE" in str(refused.value)


def test_a_number_that_came_back_to_what_was_declared_is_as_declared(
    found: tuple[Calibration, Path],
) -> None:
    calibration, row = found[0], found[0].parameters[0]
    off = replace(row, declared=1.0, measured=Spread.around(1.5, 0.01), agrees=False)
    for now, agrees in ((1.0, True), (1.5, False), (2.0, False)):
        later = replace(off, declared=1.5, measured=Spread.around(now, 0.02), agrees=now == 1.5)
        before, after = (replace(calibration, parameters=(each,)) for each in (off, later))
        [both] = before.followed_by(after).parameters
        assert (both.declared, both.agrees) == (1.0, agrees)


def test_what_is_measured_of_larger_fleets_is_that_of_the_declared_ones_an_instance_each(
    found: tuple[Calibration, Path],
) -> None:
    calibration, folder = found
    declared = random_system(folder, 1).scenario
    services = {
        name: service.with_instances("main", 3 * service.stacks["main"].instances)
        for name, service in declared.services.items()
    }
    placed = declared.model_copy(update={"services": services})
    three = {
        place: block.model_copy(
            update={"servers": None if block.servers is None else block.servers.times(3.0)}
        )
        for place, block in calibration.measured.items()
    }
    of_placed = replace(calibration, scenario_sha256=placed.sha256(), measured=three)
    back = of_placed.of_fleets(placed, declared)
    assert back.scenario_sha256 == calibration.scenario_sha256
    for place, block in back.measured.items():
        was = calibration.measured[place].servers
        assert (block.servers is None) == (was is None)
        if block.servers is not None and was is not None:
            assert block.servers.mid == pytest.approx(was.mid)
    for name, service in back.over(placed, declared).services.items():
        assert service.servers("main") == of_placed.over(placed).services[name].servers("main")
