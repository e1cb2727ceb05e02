"""`import gameday`: the verbs for Python, whatever was imported before, and their errors in Python's words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gameday
from gameday.errors import UsageError
from gameday.python_words import in_python_words
from tests.support.small_fair import FAIR

HOUSE = Path(gameday.__file__).parent
SCRIPT = HOUSE.parent / "docs" / "python_api.py"

_EVERY_ROOM = """
import importlib, json, pkgutil, sys
import gameday
for module in pkgutil.walk_packages(gameday.__path__, "gameday."):
    if "_bundled" not in module.name and module.ispkg:
        importlib.import_module(module.name)
told = {}
for name in gameday.__all__:
    given = getattr(gameday, name)
    told[name] = type(given).__name__
for verb, needs in {"replay": {}, "rehearse": {}, "publish": {"out": "none"}, "load_scenario": {}}.items():
    try:
        getattr(gameday, verb)("no-such-event", **needs)
    except gameday.GamedayError as error:
        told[verb] = str(error)
print(json.dumps(told))
"""


def test_no_verb_is_called_as_a_room() -> None:
    rooms = {folder.name for folder in HOUSE.iterdir()} | {f.stem for f in HOUSE.glob("*.py")}
    assert rooms & set(gameday.__all__) == set()


def test_every_verb_is_there_and_can_be_called_once_every_room_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _EVERY_ROOM], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert set(told) == set(gameday.__all__)
    assert "module" not in told.values()
    for verb in ("replay", "rehearse", "publish", "load_scenario"):
        assert told[verb].startswith("event: no scenario called 'no-such-event'")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("--scale: must be at most 1", "scale: must be at most 1"),
        ("widen --n-minus-one (--speed)", "widen n_minus_one (speed)"),
        ("--target: refused; --allow-conversion-drift", "targets: refused; drift"),
        ("`gameday runs --event NAME` lists them", "`gameday runs --event NAME` lists them"),
        ("a--b and ---", "a--b and ---"),
    ],
)
def test_an_error_names_arguments_and_no_flags(told: str, said: str) -> None:
    def verb() -> None:
        raise UsageError(told)

    with pytest.raises(UsageError) as caught:
        in_python_words(verb)()
    assert str(caught.value) == said


@pytest.mark.slow
def test_the_script_in_the_documents_runs(tmp_path: Path) -> None:
    (tmp_path / "fair.yaml").write_text(FAIR)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path / "fair.yaml")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HOUSE.parent)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "breaks first" in done.stdout
    assert "an error names the argument: event: no scenario called" in done.stdout
    assert "model: as it is" in done.stderr
