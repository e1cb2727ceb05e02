"""A run reads its scenario file once: who edits it meanwhile changes the next run, and nothing of this one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gameday.scenario.reading import read_scenario
from tests.support.program import Bench, Run, assert_sound, unhurried, until

pytestmark = pytest.mark.slow

NO_SCENARIO = "steps: ["


def test_a_scenario_edited_during_the_rehearsal_is_played_and_judged_as_it_was_read(
    bench: Bench,
) -> None:
    file = Path(bench.scenario())
    read = read_scenario(str(file)).played
    written = file.read_text()

    def edited_meanwhile() -> Run:
        file.write_text(written)
        begun = len(bench.folders())
        run = bench.replay(str(file))
        until(
            lambda: len(bench.folders()) > begun or run.process.poll() is not None,
            60,
            "the run has begun",
        )
        file.write_text(NO_SCENARIO)
        return run.wait()

    run = unhurried(edited_meanwhile)
    summary = assert_sound(run)
    assert file.read_text() == NO_SCENARIO
    assert summary["conditions"]["scenario_sha256"] == read.sha256()
    assert run.manifest["sha256"]["scenario"] == read.sha256()
    kept = json.loads((run.folder / "scenario.json").read_text())
    assert kept["event"]["name"] == read.event.name
    assert {row["service"] for row in summary["services"]} == set(read.services)
