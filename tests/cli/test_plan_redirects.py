"""What `gameday plan` says of redirects: declared ones are counted, others are said to be missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.cli import runs
from gameday.cli.plan import _redirects

DATA = {
    "event": "fair",
    "redirects": 0,
    "steps_per_slot": {"us": {"home": [60.0, 40.0], "cart": [10.0]}},
}


@pytest.fixture
def last_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    class Row:
        folder = str(tmp_path)

    summary: dict[str, Any] = {
        "run_id": "r7",
        "redirects": {"home": {"sent": 200, "followed": 100, "declared": 0}},
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    monkeypatch.setattr(runs, "_rows", lambda out, event: [Row()])
    return tmp_path


def test_what_the_last_run_followed_is_said_for_the_steps_of_this_plan(last_run: Path) -> None:
    said = _redirects(DATA, last_run)["text"]
    assert said.startswith("redirects are not included in the requests: no exchange declares any")
    assert said.endswith("as run r7 followed them, they come to 50 for this plan")


def test_declared_redirects_are_said_to_be_in_and_without_a_run_nothing_tells(
    tmp_path: Path,
) -> None:
    said = _redirects(DATA | {"redirects": 30}, tmp_path)["text"]
    assert said.startswith("of the requests 30 are redirects, as declared")
    assert said.endswith("no run of this event is there to tell")
