"""What the master tells the process that started Locust: events, a JSON object a line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gameday.swarm.tally.reports import WorkerReport, report_of

__all__ = [
    "Finished",
    "LoadStarted",
    "RunEvent",
    "TurnedAway",
    "Unwatched",
    "WorkerJoined",
    "WorkerLost",
    "WorkerRefused",
    "event_of",
]


@dataclass(frozen=True, slots=True)
class LoadStarted:
    """Every worker was ready: the lead-in begins."""

    at_epoch_s: float


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker joined while the others play, or is heard of again."""

    worker: int


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker has fallen silent."""

    worker: int


@dataclass(frozen=True, slots=True)
class WorkerRefused:
    """A worker will not play, for a reason with an exit code."""

    why: str
    code: int


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A worker did not prove the run's key."""

    why: str


@dataclass(frozen=True, slots=True)
class Unwatched:
    """The master has heard nothing of us for so long, and stops."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Finished:
    """Every worker has played its sessions."""


RunEvent = (
    LoadStarted
    | WorkerJoined
    | WorkerLost
    | WorkerRefused
    | TurnedAway
    | Unwatched
    | Finished
    | WorkerReport
)


def event_of(line: bytes) -> RunEvent | None:
    """Return the event in a line; None where it is of no kind that we know."""
    message: dict[str, Any] = json.loads(line)
    match message["what"]:
        case "tally":
            return report_of(message)
        case "started":
            return LoadStarted(float(message["at"]))
        case "joined":
            return WorkerJoined(message["worker"])
        case "lost":
            return WorkerLost(message["worker"])
        case "refused":
            return WorkerRefused(str(message["why"]), message["code"])
        case "turned_away":
            return TurnedAway(str(message["why"]))
        case "unwatched":
            return Unwatched(message["seconds"])
        case "finished":
            return Finished()
    return None
