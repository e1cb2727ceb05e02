"""`gameday doctor` on machines that other work keeps busy."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.swarm import machine
from gameday.swarm.machine import MachineUse


@pytest.mark.parametrize(
    ("share", "state"),
    [(0.02, "pass"), (0.25, "pass"), (0.4, "warn"), (0.76, "fail"), (1.0, "fail"), (None, "warn")],
)
def test_doctor_says_what_other_work_takes_and_fails_where_no_run_would_be_a_result(
    share: float | None, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use = MachineUse(2, 1.0, share, share, 0.0, 0.0, None)
    monkeypatch.setattr(machine, "machine_now", lambda: use)
    said = CliRunner().invoke(app, ["doctor", "--json"])
    (check,) = (c for c in json.loads(said.stdout)["checks"] if "other work" in c["check"])
    assert check["state"] == state
    assert bool(check["fix"]) == (state != "pass")
    assert "load average" in check["check"]
    assert (said.exit_code == 5) == (state == "fail")
