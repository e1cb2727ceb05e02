"""A master at a real port, and guests who knock there over ZeroMQ."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgpack
import zmq

from gameday import __version__
from gameday.swarm.control.admission import Applicant

__all__ = ["KEY", "SPEC", "Guest", "Master"]

KEY = "a key of the tests' own, long enough"
SPEC = "the-password-of-a-feed"


class Master:
    """A master in a process of its own, and what its runner heard."""

    def __init__(self, folder: Path, **environment: str) -> None:
        """Start it; it plays the brief that GAMEDAY_BRIEF names when a worker called `starter` pings."""
        self._pulse = os.pipe()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        here = Path(__file__)
        self.said = folder / "said.txt"
        own = {
            "GAMEDAY_KEY": KEY,
            "GAMEDAY_CACHE": str(folder),
            "GAMEDAY_PULSE_FD": str(self._pulse[0]),
        }
        environment = os.environ | own | environment
        with self.said.open("w") as said, (folder / "complained.txt").open("w") as complained:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.support.door_master",
                    str(self.port),
                    "primeday",
                    SPEC,
                ],
                stdout=said,
                stderr=complained,
                env=environment,
                cwd=here.parents[2],
                pass_fds=(self._pulse[0],),
            )
        self.complaints = folder / "complained.txt"
        self.until(lambda: ["up", self.port] in self.heard)

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)
        for end in self._pulse:
            os.close(end)

    def pulse(self) -> None:
        """Show that somebody watches."""
        os.write(self._pulse[1], b".")

    @property
    def heard(self) -> list[list[Any]]:
        return [json.loads(line) for line in self.said.read_text().splitlines()]

    def until(self, true: Any) -> None:
        end = time.monotonic() + 30
        while not true():
            assert time.monotonic() < end, self.complaints.read_text()[-2000:]
            assert self.process.poll() is None, self.complaints.read_text()[-2000:]
            time.sleep(0.02)


class Guest:
    """Whoever connects to the port, over ZeroMQ."""

    def __init__(self, master: Master, name: str) -> None:
        self.name, self.got = name, list[Any]()
        self.socket: Any = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.IDENTITY, name.encode())
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(f"tcp://127.0.0.1:{master.port}")

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, what: str, data: Any, name: str | None = None) -> None:
        self.socket.send(msgpack.dumps((what, data, name or self.name)))

    def hear(self, what: str) -> Any:
        """Wait for a message of this kind and return its data."""
        while self.socket.poll(10_000):
            kind, data, _ = msgpack.loads(self.socket.recv())
            self.got.append(kind)
            if kind == what:
                return data
        raise AssertionError(f"no {what}: {self.got}")

    def join(self, key: str, version: str = __version__) -> Applicant:
        """Ask to join and answer the challenge."""
        self.say("client_ready", "2.47.0")
        applicant = Applicant(key, version, self.name)
        self.say("gameday_proof", applicant.answer(self.hear("gameday_challenge")["challenge"]))
        return applicant
