"""Who may join a run: whoever has not proven its key is sent a challenge and nothing else."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday import __version__
from gameday.cli.options import listen_of
from gameday.errors import UsageError
from gameday.swarm.control.admission import Admission, Applicant
from gameday.swarm.control.keys import Listen, given_key, made_key, worker_key
from tests.support.knocking import KEY, SPEC, Guest, Master

names = st.text(min_size=1, max_size=30)


# --- laws of the proof ------------------------------------------------------------------------


@given(key=names, who=names)
def test_who_knows_the_key_is_admitted_and_knows_that_the_run_does_too(key: str, who: str) -> None:
    run, worker = Admission(key, "1"), Applicant(key, "1", who)
    answer = worker.answer(run.challenge(who)["challenge"])
    assert run.judge(who, answer) is None
    assert run.admitted == {who}
    assert worker.believes(run.welcome(who, answer))


@given(key=names, other=names, who=names)
def test_another_key_admits_nobody_and_convinces_nobody(key: str, other: str, who: str) -> None:
    run, worker = Admission(key, "1"), Applicant(other, "1", who)
    answer = worker.answer(run.challenge(who)["challenge"])
    why = run.judge(who, answer)
    assert (why is None) == (key == other)
    assert worker.believes(run.welcome(who, answer)) == (key == other)
    assert key == other or "does not know the run's key" in str(why)


def test_an_answer_that_was_overheard_proves_nothing_later() -> None:
    run, worker = Admission(KEY, "1"), Applicant(KEY, "1", "w")
    answer = worker.answer(run.challenge("w")["challenge"])
    assert run.judge("w", answer) is None
    run.admitted.clear()
    assert "no challenge that is open" in str(run.judge("w", answer))
    run.challenge("w")
    assert "does not know" in str(run.judge("w", answer))
    run.challenge("another")
    assert "does not know" in str(run.judge("another", answer))
    assert run.admitted == set()


def test_an_answer_is_no_welcome_and_a_welcome_no_answer() -> None:
    run, worker = Admission(KEY, "1"), Applicant(KEY, "1", "w")
    answer = worker.answer(run.challenge("w")["challenge"])
    assert not worker.believes({"proof": answer["proof"]})
    welcome = run.welcome("w", answer)
    assert "does not know" in str(run.judge("w", answer | welcome))


def test_another_version_is_refused_by_name_on_both_sides() -> None:
    run, worker = Admission(KEY, "2.0"), Applicant(KEY, "1.0", "w")
    challenge = run.challenge("w")
    why = run.judge("w", worker.answer(challenge["challenge"]))
    assert why == "it is gameday 1.0, the run is 2.0: install the same"
    assert run.admitted == set()


@pytest.mark.parametrize("answer", [None, 7, "x", [], {}, {"proof": None}, {"proof": "\ud800"}])
def test_an_answer_that_is_none_is_refused(answer: Any) -> None:
    run = Admission(KEY, "1")
    run.challenge("w")
    assert run.judge("w", answer) is not None


def test_challenges_that_nobody_answers_do_not_pile_up() -> None:
    run = Admission(KEY, "1")
    for number in range(3000):
        run.challenge(str(number))
    assert len(run._challenges) == 1024
    assert "2999" in run._challenges


def test_a_worker_that_asked_several_times_before_the_run_was_there_is_admitted() -> None:
    run, worker = Admission(KEY, "1"), Applicant(KEY, "1", "w")
    answers = [worker.answer(run.challenge("w")["challenge"]) for _ in range(6)]
    assert run.judge("w", answers[0]) is None
    assert worker.believes(run.welcome("w", answers[0]))
    assert not run.is_unanswered("w")


# --- where the key comes from -----------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GAMEDAY_KEY", "GAMEDAY_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_a_key_comes_from_the_file_named_else_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    named.write_text(f"{KEY} named\n")
    other.write_text(f"{KEY} other\n")
    assert given_key() is None
    monkeypatch.setenv("GAMEDAY_KEY_FILE", str(other))
    assert given_key() == f"{KEY} other"
    monkeypatch.setenv("GAMEDAY_KEY", KEY)
    assert given_key() == KEY
    assert given_key(named) == f"{KEY} named"


def test_a_key_that_is_made_is_new_and_its_owners_alone_and_found_by_workers_here() -> None:
    with pytest.raises(UsageError, match=r"--key-file or GAMEDAY_KEY_FILE"):
        worker_key()
    first, file = made_key()
    assert worker_key() == first == file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    assert made_key()[0] != first
    assert first not in repr(Listen("127.0.0.1", 1, first))


@pytest.mark.parametrize("content", [None, b"", b"short", b"\xff" * 40])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"^--key-file: .*key"):
        given_key(file)


# --- a real stranger at a real port -------------------------------------------------------------


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    run = Master(tmp_path_factory.mktemp("master"))
    yield run
    run.close()


NUMBERS = itertools.count()
"""For names: whoever comes in the name of one that has not quite left is not heard."""


def heard_of(master: Master, guest: Guest) -> list[str]:
    """Return what the runner heard from a guest, all that was sent before being through."""
    with Guest(master, f"{guest.name}-after-{next(NUMBERS)}") as after:
        after.say("client_ready", "2.47.0")
        after.hear("gameday_challenge")
    return [what for who, what in master.heard if who == guest.name]


def test_a_stranger_who_says_that_it_is_ready_gets_a_challenge_and_nothing_else(
    master: Master,
) -> None:
    with Guest(master, "stranger") as guest:
        guest.say("client_ready", "2.47.0")
        guest.hear("gameday_challenge")
        for what in (
            "gameday_ping",
            "gameday_ready",
            "locustfile",
            "heartbeat",
            "spawning",
            "stats",
        ):
            guest.say(what, {"who": "stranger", "version": "2.47.0", "asked": 0.0})
        assert heard_of(master, guest) == []
        assert not guest.socket.poll(500), "not one word more"
    assert SPEC not in master.complaints.read_text()


@pytest.mark.parametrize(
    ("key", "version", "why"),
    [
        ("not the key of this run", __version__, "does not know the run's key"),
        (KEY, "0.0.1", f"it is gameday 0.0.1, the run is {__version__}"),
    ],
    ids=["another key", "another version"],
)
def test_a_guest_of_another_key_or_version_is_turned_away_and_both_are_told(
    master: Master, key: str, version: str, why: str
) -> None:
    with Guest(master, f"guest of {version} {len(key)}") as guest:
        guest.join(key, version)
        assert why in guest.hear("gameday_turned_away")["why"]
        guest.say("gameday_ping", {"who": guest.name, "asked": 0.0})
        assert heard_of(master, guest) == []
        assert set(guest.got) == {"gameday_challenge", "gameday_turned_away"}
    assert why in master.complaints.read_text()


def test_a_worker_that_asked_before_the_master_heard_it_joins_once(master: Master) -> None:
    with Guest(master, "patient") as guest:
        for _ in range(5):
            guest.say("client_ready", "2.47.0")
        applicant = Applicant(KEY, __version__, "patient")
        for _ in range(5):
            challenge = guest.hear("gameday_challenge")["challenge"]
            guest.say("gameday_proof", applicant.answer(challenge))
        assert applicant.believes(guest.hear("gameday_welcome"))
        guest.say("client_ready", "2.47.0")
        guest.hear("ack")
        assert "gameday_turned_away" not in guest.got
        assert heard_of(master, guest) == ["client_ready"]
        guest.say("quit", None)
        master.until(lambda: ["patient", "quit"] in master.heard)


def test_a_guest_who_proves_the_key_is_a_worker_and_may_speak_for_itself_alone(
    master: Master,
) -> None:
    with Guest(master, "worker") as guest, Guest(master, "other") as other:
        assert guest.join(KEY).believes(guest.hear("gameday_welcome"))
        guest.say("client_ready", "2.47.0")
        assert guest.hear("ack")["index"] >= 0
        other.say("quit", None, "worker")  # a stranger in a worker's name
        other.say("heartbeat", {"state": "ready"}, "worker")
        guest.say("gameday_ping", {"who": "worker", "asked": 0.0}, "other")
        assert heard_of(master, other) == []
        assert heard_of(master, guest) == ["client_ready"]
        guest.say("gameday_ping", {"who": "worker", "asked": 0.0})
        assert guest.hear("gameday_brief")["brief"] == SPEC
        guest.say("quit", None)
        master.until(lambda: ["worker", "quit"] in master.heard)


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"\xff\xfe"],
        [b"GET / HTTP/1.1\r\n\r\n"],
        [msgpack.dumps(7)],
        [msgpack.dumps((1,))],
        [b"", b""],
        [msgpack.dumps(("client_ready", {"__ObjectId__": 1, "as_str": ""}, "x"))],
        [msgpack.dumps(("gameday_proof", None, "x"))],
        [msgpack.dumps((None, None, None))],
    ],
)
def test_what_a_stranger_sends_does_not_stop_the_master(
    master: Master, frames: list[bytes]
) -> None:
    with Guest(master, f"noise-{next(NUMBERS)}") as guest:
        guest.socket.send_multipart(frames)
        assert heard_of(master, guest) == []
    assert master.process.poll() is None


# --- where it listens ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("5557", "127.0.0.1"),
        (":5557", "127.0.0.1"),
        ("10.0.0.7:5557", "10.0.0.7"),
        ("[::1]:5557", "::1"),
        ("0.0.0.0:5557", "0.0.0.0"),
        ("*:5557", "*"),
    ],
)
def test_a_run_listens_on_loopback_unless_an_address_is_written(
    monkeypatch: pytest.MonkeyPatch, text: str, host: str
) -> None:
    monkeypatch.setenv("GAMEDAY_KEY", KEY)
    assert listen_of(text, None, makes_key=True) == Listen(host, 5557, KEY)


@pytest.mark.parametrize("text", ["", "x", "127.0.0.1:", "127.0.0.1:0", ":99999", "a:b"])
def test_an_address_that_is_none_is_refused_before_a_key_is_made(text: str) -> None:
    with pytest.raises(UsageError, match="--listen: must be HOST:PORT"):
        listen_of(text, None, makes_key=True)
    with pytest.raises(UsageError):
        worker_key()


def test_a_key_that_is_made_is_named_and_never_printed(capsys: pytest.CaptureFixture[str]) -> None:
    listen = listen_of("5557", None, makes_key=True)
    assert listen is not None
    said = capsys.readouterr()
    assert "run.key" in said.err
    assert listen.key not in said.err + said.out
    assert listen.key == worker_key()


def test_locust_by_hand_binds_loopback_unless_told() -> None:
    code = (
        "from gameday.swarm.locust_user import customers_of; customers_of('primeday')\n"
        "from locust.argument_parser import get_parser; parse = get_parser().parse_args\n"
        "told = parse(['--master-bind-host', '*', '--web-host', '*'])\n"
        "for options in (parse([]), told): print(options.master_bind_host, options.web_host)"
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["127.0.0.1", "127.0.0.1", "*", "*"]
