"""The drill of the finder: what it hides is found, and what is not observed costs it, and is said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gameday.experiments.diagnosis import Drill, drill
from gameday.vocabulary import Seed
from tests.support import NIGHT
from tests.support.random_systems import random_system

FAULTS = 7 if NIGHT else 3
EVERYTHING = {
    "series": {
        "in_use": "in_use",
        "capacity": "capacity",
        "queue": "queue",
        "busy_seconds": "busy",
        "queue_seconds": "queued",
        "repeats": "repeats",
        **{name: name for name in ("arrived", "done", "failed", "shed", "timed_out", "cancelled")},
    },
    "latency": "visit_seconds",
}


def drilled(folder: Path, observe: Mapping[str, object], faults: int) -> Drill:
    system = random_system(folder, 11)
    scenario = system.changed({"observe": observe})
    return drill(scenario, system.plan, faults=faults, seed=Seed(3))


def test_hidden_faults_are_named_where_all_is_observed(tmp_path: Path) -> None:
    found = drilled(tmp_path, EVERYTHING, FAULTS)
    assert len(found.attempts) == FAULTS
    assert sum(attempt.is_service_right for attempt in found.attempts) >= len(found.attempts) - 1
    assert found.false == 0
    assert found.service_right.mid is not None


@pytest.mark.nightly  # ~50 s: each service is observed in full in turn
def test_what_is_not_observed_is_advised(tmp_path: Path) -> None:
    blind = drilled(tmp_path, {"series": {"in_use": "in_use"}, "services": []}, 4)
    missed = [attempt for attempt in blind.attempts if not attempt.is_service_right]
    assert missed
    assert all("with everything of" in line for line in blind.advice)
    assert blind.advice
