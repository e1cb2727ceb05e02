"""Approved requests given to the embedded shop, and active ones to the scenario: as a file that runs read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gameday.capacity import CapacityRequest
from gameday.capacity.living import EMBEDDED, is_placed, moved, placed_of, write_placed
from gameday.files import PLACED
from gameday.jobs.living import REQUEST, known_requests, opened, put_request, write_requests
from gameday.jobs.move_request import check_approved, said_by
from gameday.ledger import Changing
from gameday.safety.identity import Actor, Key, current_actor, read_operators

__all__ = ["Applied", "apply_capacity"]

_BY_HAND = (
    "is approved: place it, then `gameday capacity move {id} ordered`, and `active` once it works"
)


@dataclass(frozen=True, slots=True)
class Applied:
    """What was given to the next runs."""

    file: Path
    placed: tuple[CapacityRequest, ...]
    """With which they are played."""
    left: tuple[tuple[str, str], ...]
    """Request and why it is not placed."""


def apply_capacity(out: Path, event: str) -> Applied:
    """Place an event's approved requests in the embedded shop, and write what all active ones place.

    Of a target of the user's nothing is placed: people do that, and say so; the file tells the model of it.
    """
    actor, key = current_actor(read_operators())
    with opened(out) as ledger:
        with ledger.changing() as changing:
            known = known_requests(changing.bodies(event, REQUEST))
            now = {
                name: _in_the_shop(changing, request, actor, key) for name, request in known.items()
            }
        write_requests(out, {name: r for name, r in now.items() if r is not known[name]})
    placed = tuple(request for request in now.values() if is_placed(request))
    file = out / event / PLACED
    write_placed(placed_of(event, placed), file)
    left = tuple((r.id, _why_left(r)) for r in now.values() if not is_placed(r))
    return Applied(file, placed, left)


def _in_the_shop(
    ledger: Changing, request: CapacityRequest, actor: Actor, key: Key | None
) -> CapacityRequest:
    """Return the request, at work in the embedded shop where it was approved for that."""
    if request.target != EMBEDDED or request.state not in ("approved", "ordered"):
        return request
    check_approved(request)
    for state in ("ordered", "active") if request.state == "approved" else ("active",):
        request = moved(request, said_by(request, state, "in the embedded shop", actor, key))
        put_request(ledger, request, state)
    return request


def _why_left(request: CapacityRequest) -> str:
    if request.state in ("approved", "ordered"):
        return _BY_HAND.format(id=request.id)
    return f"is {request.state}"
