"""Workers that come and go while others play: those under way hear of new deals, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday.scenario import Scenario
from gameday.scenario.reading.load import read_scenario
from gameday.swarm.control.run_spec import RunSpec, write_run_spec
from gameday.traffic import LoadPlan
from tests.support.knocking import KEY, Guest, Master


@pytest.fixture
def master(tmp_path: Path, plan: LoadPlan) -> Iterator[Master]:
    loaded, target = read_scenario("primeday"), {"main": "http://127.0.0.1:9"}
    write_run_spec(tmp_path / "swarm.json", RunSpec("run", loaded, target, 1, plan))
    run = Master(tmp_path, GAMEDAY_BRIEF=str(tmp_path / "swarm.json"))
    yield run
    run.close()


def joined(master: Master, guest: Guest) -> None:
    """Let a guest join as Locust's workers do."""
    guest.join(KEY)
    guest.hear("gameday_welcome")
    guest.say("client_ready", "2.47.0")
    guest.hear("ack")
    master.pulse()


def greets(guest: Guest) -> None:
    """Say that the guest is set up and hears us."""
    guest.say("gameday_hello", {"who": guest.name})


def test_a_worker_under_way_is_sent_no_users_when_another_comes_or_goes(
    master: Master, scenario: Scenario
) -> None:
    with Guest(master, "first") as first, Guest(master, "starter") as starter:
        joined(master, first)
        joined(master, starter)
        greets(first)
        starter.say("gameday_ping", {"who": "starter", "asked": 0.0})
        assert first.hear("gameday_brief")["late"] is False
        for worker in (first, starter):
            worker.hear("spawn")
            worker.say("spawning", None)
            worker.say(
                "spawning_complete", {"user_classes_count": {"Customers": 1}, "user_count": 1}
            )
        first.hear("spawning_complete")
        assert first.got.count("spawn") == 1
        first.say("gameday_ready", {"who": "first"})
        first.hear("gameday_deal")
        first.got.clear()
        with Guest(master, "late") as late:
            joined(master, late)
            greets(late)
            assert late.hear("gameday_brief")["late"] is True
            late.say("gameday_ready", {"who": "late"})
            late.hear("gameday_deal")
            late.say("quit", None)
            assert "spawn" not in late.got
        assert "gameday_brief" not in starter.got, "it has not said that it hears us"
        greets(starter)
        starter.hear("gameday_brief")
        first.hear("gameday_deal")
        starter.say("quit", None)
        master.until(lambda: ["starter", "quit"] in master.heard)
        first.say("gameday_ping", {"who": "first", "asked": 0.0})
        first.hear("gameday_pong")
        assert set(first.got) <= {"gameday_deal", "gameday_pulse", "gameday_pong", "gameday_brief"}
