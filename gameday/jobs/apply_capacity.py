"""Approved requests given to the embedded shop, and active ones to the scenario: as a file that runs read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gameday.capacity import CapacityRequest
from gameday.capacity.living import (
    EMBEDDED,
    Placed,
    PlacedFleet,
    is_placed,
    moved,
    placed_of,
    read_placed,
    write_placed,
)
from gameday.errors import SafetyRefusal, UsageError
from gameday.files import PLACED
from gameday.jobs.living import (
    REQUEST,
    edited_files,
    known_requests,
    opened,
    put_request,
    write_requests,
)
from gameday.jobs.move_request import check_approved, said_by
from gameday.ledger import Changing
from gameday.safety.identity import Actor, Key, current_actor, read_operators

__all__ = ["Applied", "apply_capacity"]

_BY_HAND = {
    "approved": "place it, then `gameday capacity move {id} ordered`, and `active` once it works",
    "ordered": "`gameday capacity move {id} active` once it works",
}
"""What a person does about a request for a target of their own, by its state."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What was given to the next runs."""

    file: Path
    placed: tuple[CapacityRequest, ...]
    """With which they are played."""
    left: tuple[tuple[str, str], ...]
    """Request and why it is not placed; of a damaged file of before, that it is written anew."""


def apply_capacity(out: Path, event: str) -> Applied:
    """Place an event's approved requests in the embedded shop, and write what all active ones place.

    Of a target of the user's nothing is placed: people do that, and say so; the file tells the model of it.
    """
    actor, key = current_actor(read_operators())
    file = out / event / PLACED
    before, lost = _placed_before(file, event)
    with opened(out) as ledger:
        with ledger.changing() as changing:
            if faults := changing.faults():
                raise SafetyRefusal(
                    f"the ledger is not whole: {faults[0]}; see `gameday capacity audit`"
                )
            known = known_requests(changing.bodies(event, REQUEST))
            edits = edited_files(out, known)
            now = {
                name: request if name in edits else _in_the_shop(changing, request, actor, key)
                for name, request in known.items()
            }
            placed = tuple(request for request in now.values() if is_placed(request))
            write_placed(placed_of(event, placed, still=_still_there(before, now)), file)
        write_requests(out, {name: r for name, r in now.items() if r is not known[name]})
    left = tuple((r.id, edits.get(r.id) or _why_left(r)) for r in now.values() if not is_placed(r))
    return Applied(file, placed, (*lost, *left))


def _placed_before(file: Path, event: str) -> tuple[Placed, tuple[tuple[str, str], ...]]:
    """Return what was placed until now; nothing of a file that is damaged, and that it is written anew."""
    if not file.is_file():
        return Placed(event), ()
    try:
        return read_placed(file), ()
    except UsageError:
        return Placed(event), ((file.name, "was not as `apply` wrote it, and is written anew"),)


def _still_there(before: Placed, now: dict[str, CapacityRequest]) -> tuple[PlacedFleet, ...]:
    """Return the fleets of revisions that were replaced, which work until their successors do."""
    return tuple(
        fleet
        for fleet in before.fleets
        if (request := now.get(fleet.request)) is not None
        and request.revision > fleet.revision
        and not is_placed(request)
        and request.state not in ("released", "expired")
    )


def _in_the_shop(
    ledger: Changing, request: CapacityRequest, actor: Actor, key: Key | None
) -> CapacityRequest:
    """Return the request, at work in the embedded shop where it was approved for that."""
    if request.target != EMBEDDED or request.state not in ("approved", "ordered"):
        return request
    check_approved(ledger, request)
    for state in ("ordered", "active") if request.state == "approved" else ("active",):
        request = moved(request, said_by(request, state, "in the embedded shop", actor, key))
        put_request(ledger, request, state)
    return request


def _why_left(request: CapacityRequest) -> str:
    todo = _BY_HAND.get(request.state, "").format(id=request.id)
    return f"is {request.state}: {todo}" if todo else f"is {request.state}"
