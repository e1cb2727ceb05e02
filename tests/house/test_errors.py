"""The error tree: every branch has its exit code, the drawing shows it, each says what it is."""

from __future__ import annotations

import re

import pytest

from gameday import errors
from gameday.errors import GamedayError, ScenarioError, UsageError

CLASSES = [getattr(errors, name) for name in errors.__all__]
CODES = {
    "GamedayError": 9,
    "UsageError": 2,
    "ScenarioError": 2,
    "HistoryError": 2,
    "StoppedByPerson": 4,
    "PreflightFailed": 5,
    "SafetyRefusal": 6,
    "GeneratorFailed": 7,
    "CleanUpFailed": 8,
    "ShopFailed": 9,
    "OutputLost": 9,
}
DRAWN = dict(re.findall(r"(\w+)\s{2,}(\d)\s{2,}", errors.__doc__ or ""))


def test_the_tree_is_whole_and_its_exit_codes_are_those_of_the_design() -> None:
    assert {c.__name__: c.exit_code for c in CLASSES} == CODES


def test_the_drawing_shows_every_error_with_its_code() -> None:
    assert {name: int(code) for name, code in DRAWN.items()} == CODES


def test_every_error_defined_is_public() -> None:
    defined = {
        n
        for n, v in vars(errors).items()
        if isinstance(v, type) and v.__module__ == errors.__name__
    }
    assert defined == set(errors.__all__)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_of_the_tree_and_documented(kind: type[GamedayError]) -> None:
    assert issubclass(kind, GamedayError)
    assert kind.__doc__
    assert 2 <= kind.exit_code <= 9


def test_a_scenario_error_is_wrong_usage_and_keeps_its_faults_apart() -> None:
    error = ScenarioError(["a.yaml:1:1: x", "a.yaml:2:1: y"])
    assert isinstance(error, UsageError)
    assert error.faults == str(error).splitlines()
