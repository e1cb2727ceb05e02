"""Requests under way: who still waits for which, who answers, who leaves the queue unneeded.

Shared by the SimPy model and the embedded shop, whose promises are an event and a future.
"""

from __future__ import annotations

import math
from typing import Protocol

from gameday.queueing.station import RunningLane, RunningStation

__all__ = ["Attempt", "PendingRequest", "Promise"]


class Promise(Protocol):
    """A yes or no that somebody waits for."""

    def is_set(self) -> bool:
        """Return whether it has been given."""

    def settle(self, *, is_well: bool) -> None:
        """Give it, once."""


class PendingRequest:
    """One request of a caller: its reply, and the attempts that may still give it (two where it hedges)."""

    def __init__(self, reply: Promise) -> None:
        self.reply = reply
        self.attempts: list[Attempt] = []

    def answer(self, attempt: Attempt, *, is_well: bool) -> None:
        """Settle the reply, unless another attempt may still do better; that one then leaves its queue."""
        self.attempts.remove(attempt)
        if is_well or not self.attempts:
            self.reply.settle(is_well=is_well)
            for other in self.attempts:
                other.is_answered = True
                other.leave("cancelled")


class Attempt:
    """The server's side of one request."""

    def __init__(
        self,
        station: RunningStation,
        lane: RunningLane,
        request: PendingRequest,
        number: int,
        deadline_s: float = math.inf,
    ) -> None:
        self.station, self.lane, self.request, self.number = station, lane, request, number
        self.since_s, self.deadline_s = station.clock(), deadline_s
        self.grant: Promise | None = None
        """Whether it gets a server, where it must wait for one."""
        self.is_answered = False
        """Whether its caller has an answer, or has stopped waiting for this one."""
        request.attempts.append(self)

    def wait(self, grant: Promise) -> None:
        """Join the queue of its lane."""
        self.grant = grant
        self.station.wait(self.lane, self)

    def take(self) -> None:
        """Learn that a server is free for it."""
        assert self.grant is not None
        self.grant.settle(is_well=True)

    def refuse(self, outcome: str) -> None:
        """Learn that it gets no server."""
        assert self.grant is not None
        self._answer(is_well=False)
        self.station.count(outcome)
        self.grant.settle(is_well=False)

    def _answer(self, *, is_well: bool) -> None:
        self.is_answered = True
        self.request.answer(self, is_well=is_well)

    def leave(self, outcome: str) -> None:
        """Leave the queue, if it waits there."""
        if self.grant is not None and not self.grant.is_set():
            self.station.leave_queue(self.lane, self)
            self.station.count(outcome)
            self.grant.settle(is_well=False)

    def give_up(self) -> None:
        """Let its caller time out, unless it has an answer."""
        if not self.is_answered:
            self._answer(is_well=False)
            self.leave("timed_out")

    def end(self, *, is_well: bool) -> None:
        """Reply, if anybody waits; orphaned work ends for nobody."""
        took_s = self.station.clock() - self.since_s
        self.station.leave(self.lane, took_s)
        if self.is_answered:
            self.station.count("orphaned")
            return
        self.station.count("done" if is_well else "failed")
        self.station.observe(took_s)
        self._answer(is_well=is_well)
