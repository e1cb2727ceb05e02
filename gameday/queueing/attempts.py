"""Requests under way: who still waits for which, who answers, who leaves the queue unneeded.

Shared by the SimPy model and the embedded shop, whose promises are an event and a future.
"""

from __future__ import annotations

import math
from typing import Protocol

from gameday.queueing.station import Places, StationAtWork

__all__ = ["Asked", "Attempt", "Promise"]


class Promise(Protocol):
    """A yes or no that somebody waits for."""

    def is_set(self) -> bool:
        """Return whether it has been given."""

    def settle(self, *, is_well: bool) -> None:
        """Give it, once."""


class Asked:
    """One try of a call: its reply, and the attempts that may still give it."""

    def __init__(self, reply: Promise) -> None:
        self.reply = reply
        self.attempts: list[Attempt] = []

    def give(self, attempt: Attempt, *, is_well: bool) -> None:
        """Answer, unless another attempt may still do better; who is not needed leaves the queue."""
        self.attempts.remove(attempt)
        if is_well or not self.attempts:
            self.reply.settle(is_well=is_well)
            for other in self.attempts:
                other.is_heard = True
                other.leave("cancelled")


class Attempt:
    """The server's side of one request."""

    def __init__(
        self,
        station: StationAtWork,
        lane: Places,
        asked: Asked,
        number: int,
        deadline_s: float = math.inf,
    ) -> None:
        self.station, self.lane, self.asked, self.number = station, lane, asked, number
        self.since_s, self.deadline_s = station.clock(), deadline_s
        self.place: Promise | None = None
        """Whether it gets a server, where it must wait for one."""
        self.is_heard = False
        """Whether its caller has an answer, or has stopped waiting for this one."""
        asked.attempts.append(self)

    def wait(self, place: Promise) -> None:
        """Join the queue of its lane."""
        self.place = place
        self.station.wait(self.lane, self)

    def take(self) -> None:
        """Hear that a server is there."""
        assert self.place is not None
        self.place.settle(is_well=True)

    def refuse(self, outcome: str) -> None:
        """Hear that there will be none."""
        assert self.place is not None
        self._tell(is_well=False)
        self.station.count(outcome)
        self.place.settle(is_well=False)

    def _tell(self, *, is_well: bool) -> None:
        self.is_heard = True
        self.asked.give(self, is_well=is_well)

    def leave(self, outcome: str) -> None:
        """Leave the queue, if it waits there."""
        if self.place is not None and not self.place.is_set():
            self.station.leave_queue(self.lane, self)
            self.station.count(outcome)
            self.place.settle(is_well=False)

    def give_up(self) -> None:
        """Its caller waits no longer."""
        if not self.is_heard:
            self._tell(is_well=False)
            self.leave("timed_out")

    def end(self, *, is_well: bool) -> None:
        """Reply, if anybody waits."""
        took_s = self.station.clock() - self.since_s
        self.station.leave(self.lane, took_s)
        if self.is_heard:
            self.station.count("orphaned")
            return
        self.station.count("done" if is_well else "failed")
        self.station.observe(took_s)
        self._tell(is_well=is_well)
