"""A capacity request moved to another state: who does it is asked, the ledger keeps it, its file follows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from gameday.capacity import CapacityRequest
from gameday.capacity.living import content_sha256, edited, is_open, moved, requesters
from gameday.errors import SafetyRefusal, UsageError
from gameday.files import write_whole
from gameday.jobs.living import (
    REQUEST,
    edited_files,
    is_edited,
    known_requests,
    opened,
    put_request,
    read_request,
    request_file,
    write_requests,
    written_request,
)
from gameday.jobs.teams import approvers_of
from gameday.ledger import Changing, Entry
from gameday.safety.identity import (
    Actor,
    Key,
    Operators,
    Statement,
    check_approver,
    current_actor,
    read_operators,
    sign,
    statement_fault,
)

__all__ = ["Moved", "check_approved", "move_request", "note_export", "requests_of", "said_by"]


@dataclass(frozen=True, slots=True)
class Moved:
    """A move that was made."""

    before: str
    request: CapacityRequest
    edited: bool
    """Whether its file had been edited, which the move takes up."""
    receipt: Path | None
    """Of an approval: what was approved, by whom, and the head of the ledger's chain then."""


def requests_of(folder: Path) -> tuple[CapacityRequest, ...]:
    """Return what a run asked for; UsageError where it ended before any could be made, or a file is none."""
    if not (folder / "capacity").is_dir() and not (folder / "summary.json").is_file():
        raise UsageError(f"{folder}: the run did not end; no request was made")
    return tuple(read_request(file) for file in sorted((folder / "capacity").glob("CR-*.yaml")))


def move_request(out: Path, event: str, name: str, *, to: str, reason: str) -> Moved:
    """Move an event's request, as whoever runs this; what was edited in its file is taken up first.

    UsageError where there is no such request or the move is not legal, SafetyRefusal where the actor may not.
    """
    if not reason.strip():
        raise UsageError("--reason: say why")
    operators = read_operators()
    actor, key = current_actor(operators)
    entry: Entry | None = None
    with opened(out) as ledger:
        with ledger.changing() as changing:
            request = known_requests(changing.bodies(event, REQUEST)).get(name)
            if request is None:
                raise UsageError(f"no request '{name}' of {event}; see `gameday capacity show`")
            before = request.state
            request, was_edited = _taken_up(changing, out, request, actor, key)
            if to in ("approved", "rejected"):
                _check_may_decide(out, request, to, actor, operators)
            if not (was_edited and request.state == to):
                request = _moved(request, said_by(request, to, reason, actor, key), was_edited)
                entry = put_request(changing, request, to)
        receipt = None if to != "approved" or entry is None else _receipt(out, request, entry)
        write_requests(out, {request.id: request})
    return Moved(before, request, was_edited, receipt)


def _moved(request: CapacityRequest, said: Statement, was_edited: bool) -> CapacityRequest:
    """Return the request moved; UsageError says, too, where its file was edited."""
    try:
        return moved(request, said)
    except UsageError as error:
        also = "; its file was edited: no approval of before holds" if was_edited else ""
        raise UsageError(f"{error}{also}") from None


def said_by(
    request: CapacityRequest, act: str, reason: str, actor: Actor, key: Key | None
) -> Statement:
    """Return what an actor says of a request as it stands, signed where they have a key."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return sign(Statement(request.id, act, content_sha256(request), at, reason, actor), key)


def _taken_up(
    ledger: Changing, out: Path, request: CapacityRequest, actor: Actor, key: Key | None
) -> tuple[CapacityRequest, bool]:
    """Return the request with what was written into its file by hand, which the ledger keeps; and whether any was.

    A file that an interrupted move left behind has an older content, which the history knows.
    """
    written = written_request(out, request)
    if written is None or not is_edited(request, written):
        return request, False
    plain = replace(written, history=request.history, record=request.record, state=request.state)
    request = edited(request, plain)
    said = said_by(request, "edited", f"in {request.id}.yaml", actor, key)
    request = replace(request, history=(*request.history, said))
    put_request(ledger, request, "edited")
    return request, True


def _check_seen(out: Path, request: CapacityRequest) -> None:
    """Raise UsageError where the file that an approver reads is not what they would approve."""
    written = written_request(out, request)
    if written is not None and content_sha256(written) != content_sha256(request):
        write_requests(out, {request.id: request})
        raise UsageError(
            f"{request.id}: its file was not what the ledger holds, and was written anew: read it, then approve"
        )


def _check_may_decide(
    out: Path, request: CapacityRequest, to: str, actor: Actor, operators: Operators
) -> None:
    """Raise SafetyRefusal unless the actor decides for its team; who asked for it may only reject it."""
    check_approver(
        actor,
        operators,
        subject=request.id,
        team=request.owner,
        named=approvers_of(out, request.event, request.owner),
        requesters=requesters(request) if to == "approved" else (),
    )
    if to == "approved":
        _check_seen(out, request)


def _receipt(out: Path, request: CapacityRequest, entry: Entry) -> Path:
    """Write what an approver keeps: with it a chain that was rewritten later is found out."""
    said = request.history[-1]
    file = request_file(out, request).with_suffix(f".r{request.revision}.receipt.json")
    told = {
        "schema_version": 1,
        "request": request.id,
        "revision": request.revision,
        "content": said.content,
        "approved_by": str(said.actor),
        "at": said.at,
        "signature": said.signature,
        "entry": entry.number,
        "head": entry.sha256,
    }
    write_whole(file, lambda path: path.write_text(json.dumps(told, indent=1), encoding="utf-8"))
    return file


def check_approved(ledger: Changing, request: CapacityRequest) -> None:
    """Raise SafetyRefusal unless the chain's last approval is of this very content, and its actor's own."""
    entries = [e for e in ledger.entries(request.event, request.id) if e.act == "approved"]
    said = Statement.of_mapping(json.loads(entries[-1].body)) if entries else None
    if said is None or said.content != content_sha256(request) or statement_fault(said):
        raise SafetyRefusal(
            f"{request.id}: what was approved is not what it holds now; `gameday capacity audit` says more"
        )


def note_export(out: Path, event: str, to: str) -> tuple[CapacityRequest, ...]:
    """Return an event's requests as they stand; of those still open the ledger keeps that they were exported."""
    actor, key = current_actor(read_operators())
    with opened(out) as ledger:
        with ledger.changing() as changing:
            known = known_requests(changing.bodies(event, REQUEST))
            if edits := edited_files(out, known):
                raise UsageError("\n".join(f"{name}: {why}" for name, why in edits.items()))
            for name, request in known.items():
                if is_open(request):
                    known[name] = _exported(changing, request, to, actor, key)
        write_requests(out, known)
    return tuple(known.values())


def _exported(
    ledger: Changing, request: CapacityRequest, to: str, actor: Actor, key: Key | None
) -> CapacityRequest:
    said = said_by(request, "exported", f"as {to}", actor, key)
    request = replace(request, history=(*request.history, said))
    put_request(ledger, request, "exported")
    return request
