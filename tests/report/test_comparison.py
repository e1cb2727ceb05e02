"""Two runs are compared only where they can be, and what differs in how they were played is said first."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.errors import UsageError
from gameday.report.comparison import compare_summaries


def run_of(run_id: str = "r1", **changes: Any) -> dict[str, Any]:
    """Return what a comparison reads of a summary."""
    conditions = {
        "window_utc": "01:00 to 01:40",
        "speed": 20,
        "scale": 0.015,
        "quantile": "p50",
        "scenario_sha256": "aa",
    }
    summary = {
        "run_id": run_id,
        "event": "fair",
        "seed": 1,
        "target": "the embedded shop",
        "version": "1.0",
        "history_sha256": "hh",
        "injected": [],
        "findings": [],
        "verdict": {"name": "PASS"},
        "conditions": conditions,
        "objectives": [
            {"stack": "us", "text": "p99 of home < 1s", "said": "0.8 s", "missed": False}
        ],
    }
    mine = {name: changes.pop(name) for name in list(changes) if name in conditions}
    return summary | {"conditions": conditions | mine} | changes


def test_runs_of_two_events_are_refused_with_both_named() -> None:
    with pytest.raises(UsageError, match=r"r1 is a run of fair, r2 one of drills.*one event"):
        compare_summaries(run_of("r1"), run_of("r2", event="drills"))


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("seed", 2),
        ("target", {"us": "http://127.0.0.1:80"}),
        ("speed", 60),
        ("scale", 0.03),
        ("window_utc", "02:00 to 02:40"),
        ("scenario_sha256", "bb"),
        ("quantile", "p90"),
        ("history_sha256", "ii"),
        ("injected", ["payment down"]),
        ("version", "1.1"),
    ],
)
def test_whatever_differs_in_how_runs_were_played_is_warned_of(what: str, other: Any) -> None:
    data = compare_summaries(run_of("r1"), run_of("r2", **{what: other}))
    assert list(data.other_conditions) == [what]
    assert data.warnings == (f"the runs were not played alike: {what} differ",)


def test_runs_played_alike_are_compared_without_a_warning() -> None:
    assert compare_summaries(run_of("r1"), run_of("r2")).warnings == ()


@pytest.mark.parametrize("name", ["INVALID", "ERROR", "ABORTED"])
def test_a_run_that_is_no_result_is_named(name: str) -> None:
    data = compare_summaries(run_of("r1"), run_of("r2", verdict={"name": name}))
    assert data.warnings == (f"r2 is {name}: its numbers are no result",)


def test_an_objective_of_one_run_alone_is_shown_and_not_left_out() -> None:
    old = {"stack": "us", "text": "p99 of home < 2s", "said": "0.8 s", "missed": False}
    new = old | {"text": "p95 of home < 1s"}
    rows = compare_summaries(run_of(objectives=[old]), run_of(objectives=[new])).objectives
    assert [(row.first, row.second) for row in rows] == [
        ("0.8 s", "not there"),
        ("not there", "0.8 s"),
    ]
