"""Where the small scenarios and runs are, and a cache of the tests' own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

for room in ("simulate", "findings", "swarm"):
    sys.path.append(str(Path(__file__).parents[1] / room))

with pytest.MonkeyPatch.context() as patch:  # the engine runs inside Locust; the tests do not
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    import locust  # noqa: F401


from small_runs import busy_shop  # noqa: E402
from small_shop import flat_plan  # noqa: E402
from small_stage import EVERYTHING, REACTIONS  # noqa: E402
from virtual_customers import play, rough  # noqa: E402

from gameday.scenario import Scenario  # noqa: E402
from gameday.traffic import LoadPlan  # noqa: E402


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    """A shop whose customers try again."""
    return busy_shop(tmp_path_factory.mktemp("again"), REACTIONS)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    """A shop where every kind of step occurs."""
    return busy_shop(tmp_path_factory.mktemp("everything"), EVERYTHING)


@pytest.fixture(scope="module")
def plan(scenario: Scenario) -> LoadPlan:
    """Eight sessions a slot, over eight slots after two of lead-in."""
    return flat_plan(scenario, 8.0, slots=8, lead_in=2, speed=20.0)


@pytest.fixture(scope="module")
def reports(scenario: Scenario, plan: LoadPlan) -> list[dict[str, Any]]:
    """What a worker said of that plan, played against a rough target."""
    return play(scenario, plan, rough(1, mean_s=2.0)).reports


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_CACHE", str(tmp_path / "cache"))
