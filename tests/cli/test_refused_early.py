"""What options and the scenario alone show to be impossible is refused before the past is even read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gameday.cli.app import main
from tests.support.small_fair import FAIR, edited

DAY = "2027-07-13T"
INJECTIONS = [
    ("stok down at +1m", "did you mean 'stock'"),
    ("stock down at +1m for", "must read WHAT at"),
    ("stock down at +50m", "begins after the window's"),
    ("traffic 2x at +0m", "leave a minute of the window before it"),
    ("zone main-z lost at +1m", "main has zones a to c"),
]
WINDOWS = [
    ("later", "must be peak, all, or START/END"),
    (f"{DAY}15:00/{DAY}16:00", "needs an offset, or a region"),
    (f"{DAY}16:00Z/{DAY}15:00Z", "ends before it starts"),
    ("2027-01-01T00:00Z/2027-01-01T01:00Z", "lies outside the event"),
    (f"{DAY}15:00@mars/{DAY}16:00@mars", "unknown region 'mars'"),
]
TEN = ("--window", f"{DAY}15:00Z/{DAY}15:10Z")


@pytest.fixture
def fair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    def nothing_may_be_read(*_: object, **__: object) -> None:
        raise AssertionError("the past was read before the options were judged")

    monkeypatch.setattr("gameday.jobs.foresee.read_history", nothing_may_be_read)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fair.yaml").write_text(FAIR)
    return str(tmp_path / "fair.yaml")


def refusal(
    typed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, said: pytest.CaptureFixture[str]
) -> str:
    """Return what a command says that must end with exit code 2, as usage does."""
    monkeypatch.setattr(sys, "argv", ["gameday", *typed])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    return said.readouterr().err


@pytest.mark.parametrize("verb", ["replay", "simulate"])
@pytest.mark.parametrize(("text", "why"), INJECTIONS)
def test_a_wrong_injection_is_refused_before_the_forecast(
    verb: str,
    text: str,
    why: str,
    fair: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refusal((verb, "--event", fair, *TEN, "--inject", text), monkeypatch, capsys)
    assert said.startswith("--inject: ")
    assert why in said
    assert not Path("reports").exists()


@pytest.mark.parametrize("verb", ["replay", "simulate", "plan"])
@pytest.mark.parametrize(("window", "why"), WINDOWS)
def test_a_wrong_window_is_refused_before_the_forecast(
    verb: str,
    window: str,
    why: str,
    fair: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refusal((verb, "--event", fair, "--window", window), monkeypatch, capsys)
    assert said.startswith("--window: ")
    assert why in said


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (("replay", *TEN, "--duration", "11m"), "--duration is longer than the window"),
        (("plan", "--scale", "0.1", "--speed", "9999x"), "--speed 9999x is too fast"),
        (("replay", "--dry-run", "--inject", "stok down at +1m"), "did you mean 'stock'"),
        (("plan", "--out", "/proc/none/page.html"), "--out: /proc/none cannot be written"),
    ],
)
def test_what_else_the_scenario_alone_refutes_is_refused_before_the_forecast(
    typed: tuple[str, ...],
    why: str,
    fair: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert why in refusal((typed[0], "--event", fair, *typed[1:]), monkeypatch, capsys)


def test_an_injection_of_the_scenario_itself_that_a_window_cuts_off_is_refused_by_plan(
    fair: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drill = edited(("peak: 5m,", 'inject: ["stock down at +20m"], peak: 5m,'))
    Path(fair).write_text(drill)
    said = refusal(("plan", "--event", fair, *TEN), monkeypatch, capsys)
    assert said.startswith("replay.inject of the scenario: 'stock down at +20m': begins after")
