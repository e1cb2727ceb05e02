"""What a scenario may name in Python, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from gameday.errors import UsageError
from gameday.swarm.script.python_users import PythonUsers

MODULE = """\
from locust import HttpUser, TaskSet, task

class Good(HttpUser):
    @task
    def one(self): ...

class Idle(HttpUser):
    pass

class Nested(HttpUser):
    @task
    class Inner(TaskSet):
        @task
        def one(self): ...

class Walk(HttpUser):
    def home(self): ...

number = 7
"""


def python_users(folder: Path, name: str | None, journey: str | None = None) -> PythonUsers:
    steps = {"home": SimpleNamespace(python=name), "sign-in": SimpleNamespace(python=None)}
    walk = SimpleNamespace(python=journey, next={"home": {}, "sign-in": {}})
    scenario = SimpleNamespace(steps=steps, journeys={"visitor": walk})
    return PythonUsers(scenario, None, str(folder))  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / f"users_{tmp_path.name}.py").write_text(MODULE)
    (tmp_path / f"broken_{tmp_path.name}.py").write_text("raise ValueError('boom')\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("users:Missing", "cannot be imported"),
        ("nowhere:Good", "cannot be imported"),
        ("broken:Good", "cannot be imported (boom)"),
        ("users:number", "is no Locust User"),
        ("users:Idle", "has no task"),
        ("users:Nested", "has a TaskSet"),
    ],
)
def test_a_class_that_cannot_play_a_step_is_refused_by_its_place(
    folder: Path, name: str, says: str
) -> None:
    module, _, kind = name.partition(":")
    full = f"{module}_{folder.name}:{kind}" if module != "nowhere" else name
    with pytest.raises(UsageError) as caught:
        python_users(folder, full)
    assert str(caught.value).startswith("steps.home.python: ")
    assert says in str(caught.value)


def test_a_journeys_class_needs_a_task_for_every_step(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"journeys\.visitor\.python: .* has no task sign_in"):
        python_users(folder, None, f"users_{folder.name}:Walk")


def test_a_class_with_tasks_is_taken(folder: Path) -> None:
    python_users(folder, f"users_{folder.name}:Good")
