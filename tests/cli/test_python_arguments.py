"""What Python callers give is checked before anything is done, and an error names the argument."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gameday
from gameday.errors import ScenarioError, UsageError
from gameday.safety import StopWatch

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("rehearse", {"replications": 0}, "replications: must be a whole number of at least 2"),
    ("rehearse", {"scale": -1.0}, "scale: must be a number above 0"),
    ("rehearse", {"scale": "0.1"}, "scale: must be a number above 0"),
    ("rehearse", {"scale": float("nan")}, "scale: must be a number above 0"),
    ("rehearse", {"quantile": 0.0}, "quantile: must be a number above 0 and below 1"),
    ("rehearse", {"quantile": 90.0}, "quantile: must be a number above 0 and below 1"),
    ("rehearse", {"budget_s": 0}, "budget_s: must be a number above 0"),
    ("rehearse", {"workers": -3}, "workers: must be a whole number of at least 1"),
    ("rehearse", {"seed": -1}, "seed: must be a whole number of at least 0"),
    ("rehearse", {"seed": "a"}, "seed: must be a whole number"),
    ("rehearse", {"window": 3}, "window: must be a text"),
    ("rehearse", {"what_if": 5}, "what_if: must be a text, or several"),
    ("replay", {"speed": 0.0}, "speed: must be a number of at least 1"),
    ("replay", {"speed": "20x"}, "speed: must be a number of at least 1"),
    ("replay", {"workers": 0}, "workers: must be a whole number of at least 1"),
    ("replay", {"workers": True}, "workers: must be a whole number"),
    ("replay", {"targets": "http://127.0.0.1:1"}, "targets: must be stack -> URL"),
    ("replay", {"drift": 5.0}, "drift: must be a number of at least 0 and at most 0.5"),
    ("replay", {"history": 7}, "history: must be a path"),
]


@pytest.mark.parametrize(("verb", "given", "said"), WRONG)
def test_a_wrong_argument_is_refused_by_its_name(
    verb: str, given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    more = {"out": tmp_path / "runs"} if verb == "replay" else {}
    with pytest.raises(UsageError) as refused:
        getattr(gameday, verb)("primeday", **more, **given)
    assert said in str(refused.value)
    assert "--" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_one_change_may_be_given_as_a_text() -> None:
    with pytest.raises(UsageError, match="orderz"):
        gameday.rehearse("primeday", what_if="orderz.instances = 4")


def test_faults_of_a_scenario_speak_no_flags_either() -> None:
    with pytest.raises(ScenarioError) as refused:
        gameday.load_scenario("no-such-event")
    assert not any("--" in fault for fault in refused.value.faults)


def test_the_door_shows_its_names_and_gives_the_same_verb_each_time() -> None:
    assert set(gameday.__all__) <= set(dir(gameday))
    assert gameday.replay is gameday.replay
    assert pickle.loads(pickle.dumps(gameday.rehearse)) is gameday.rehearse


def test_a_run_outside_the_main_thread_leaves_signals_alone(tmp_path: Path) -> None:
    seen: list[str | None] = []

    def watch() -> None:
        with StopWatch(tmp_path) as stop:
            seen.append(stop.reason)

    call: Callable[[], None] = watch
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(10)
    assert seen == [None]
