"""Where the small scenarios and runs are, and a cache of the tests' own."""

from __future__ import annotations

import pytest

with pytest.MonkeyPatch.context() as patch:  # the engine runs inside Locust; the tests do not
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    import locust  # noqa: F401


from gameday.scenario import Scenario
from gameday.swarm.tally.reports import WorkerReport
from gameday.traffic import LoadPlan
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_plan
from tests.support.small_stage import EVERYTHING, REACTIONS
from tests.support.virtual_customers import play, rough


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
def reports(scenario: Scenario, plan: LoadPlan) -> list[WorkerReport]:
    """What a worker said of that plan, played against a rough target."""
    return play(scenario, plan, rough(1, mean_s=2.0)).reports
