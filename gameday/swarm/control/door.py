"""Locust's sockets behind a challenge: messages of peers that have not proven the run's key are dropped.

A stranger is sent a challenge and nothing else. What a stranger sends, well formed or not, reaches
neither Locust nor us.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, NoReturn

import locust
import zmq
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import zmqrpc as rpc
from locust.rpc.protocol import Message

from gameday import __version__
from gameday.errors import UsageError
from gameday.swarm.control.admission import Admission, Applicant
from gameday.swarm.control.keys import given_key, made_key, worker_key

__all__ = ["require_run_key"]

_CHALLENGE, _PROOF, _WELCOME, _TURNED_AWAY = (
    f"gameday_{word}" for word in ("challenge", "proof", "welcome", "turned_away")
)
_MOST_REPORTED = 20
"""Refusals that are reported one by one: who tries for ever must not fill a disk."""


def require_run_key(on_refused: Callable[[str], None]) -> None:
    """Let every master of this process ask for the run's key, and every worker prove it.

    `on_refused` hears why a worker was turned away.
    """
    _Server.on_refused = staticmethod(on_refused)
    rpc.Server, rpc.Client = _Server, _Client


class _Server(rpc.Server):
    """The master's socket: passes on the messages of admitted workers only."""

    admission: ClassVar[Admission | None] = None
    """One for the process: Locust may open its socket anew, its workers stay admitted."""
    on_refused: Callable[[str], None]
    refusals: ClassVar[int] = 0

    def __init__(self, host: str, port: int) -> None:
        if _Server.admission is None:
            _Server.admission = Admission(_run_key(), __version__)
        super().__init__(host, port)

    def recv_from_client(self) -> tuple[str, Message]:
        """Return the next message of an admitted worker, and who sent it."""
        while True:
            try:
                frames = self.socket.recv_multipart()
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            who = frames[0].decode(errors="replace")
            message = _message(frames[1:])
            assert self.admission is not None
            if who not in self.admission.admitted:
                if message is not None:
                    self._answer_stranger(who, message)
            elif message is None:
                raise RPCReceiveError("a message that cannot be read", addr=who)
            elif message.node_id == who and message.type != _PROOF:  # nobody speaks for another
                return who, message

    def _answer_stranger(self, who: str, message: Message) -> None:
        """Answer a stranger: one who proves the key is heard from its next message on."""
        assert self.admission is not None
        if message.type == "client_ready":
            if self.admission.is_unanswered(who):
                self._refuse(
                    "it asks to join and answers no challenge: another version, or no gameday"
                )
            self._say(_CHALLENGE, who, self.admission.challenge(who))
        elif message.type == _PROOF:
            why = self.admission.judge(who, message.data)
            if why is None:
                self._say(_WELCOME, who, self.admission.welcome(who, message.data))
            else:
                self._say(_TURNED_AWAY, who, {"why": why})
                self._refuse(why)

    def _refuse(self, why: str) -> None:
        _Server.refusals += 1
        if self.refusals <= _MOST_REPORTED:
            self.on_refused(f"a worker was turned away: {why}")

    def _say(self, kind: str, who: str, data: dict[str, str]) -> None:
        self.send_to_client(Message(kind, data, who))


class _Client(rpc.Client):
    """A worker's socket: proves the key, and leaves a run that does not know it."""

    applicant: ClassVar[Applicant | None] = None
    welcomed: ClassVar[bool] = False
    """For the process: Locust may open its socket anew."""

    def __init__(self, host: str, port: int, identity: str) -> None:
        self._master, self._identity = f"{host}:{port}", identity
        super().__init__(host, port, identity)

    def recv(self) -> Message:
        """Return the next message of a run that has proven itself."""
        while True:
            message = super().recv()
            if message.type == _CHALLENGE:
                self._prove(message.data)
            elif message.type == _WELCOME:
                applicant = self.applicant
                if applicant is None or not applicant.believes(message.data):
                    self._leave("it does not know the run's key itself")
                _Client.welcomed = True
                self.send(Message("client_ready", locust.__version__, self._identity))
            elif message.type == _TURNED_AWAY:
                self._leave(f"this worker was turned away: {str(message.data.get('why'))[:300]!r}")
            elif self.welcomed:
                return message
            else:
                self._leave(
                    "it asks for no key: it is another version of gameday "
                    f"(this is {__version__}), or something else"
                )

    def _prove(self, challenge: Any) -> None:
        if self.applicant is None:
            try:
                _Client.applicant = Applicant(worker_key(), __version__, self._identity)
            except UsageError as error:
                self._leave(str(error))
        assert self.applicant is not None
        if not isinstance(challenge, dict) or "challenge" not in challenge:
            self._leave("it sent a challenge that is none: it is something else than gameday")
        answer = self.applicant.answer(str(challenge["challenge"]))
        self.send(Message(_PROOF, answer, self._identity))

    def _leave(self, why: str) -> NoReturn:
        sys.stderr.write(f"--master {self._master}: {why}\n")
        sys.stderr.flush()
        os._exit(UsageError.exit_code)  # nothing was played: nothing to wind down


def _message(frames: list[bytes]) -> Message | None:
    """Return the message in these frames; None where there is none."""
    with suppress(Exception):  # whatever a stranger's bytes make the decoder raise
        return Message.unserialize(frames[0])
    return None


def _run_key() -> str:
    """Return the key that is given; else a new one, whose file is written to standard error."""
    key = given_key()
    if key is None:
        key, file = made_key()
        sys.stderr.write(f"workers need the run's key: {file} (copy it to their machines)\n")
    return key
