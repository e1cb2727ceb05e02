"""A request's life: its states and legal moves, what an approval is of, and what a new run does to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Literal

from gameday.capacity.living.prediction import Prediction
from gameday.capacity.request import CapacityRequest, Proof, as_json
from gameday.errors import UsageError
from gameday.safety.identity import Actor, Statement

__all__ = [
    "BAND",
    "MOVES",
    "Change",
    "content_sha256",
    "edited",
    "expire",
    "is_expired",
    "is_open",
    "is_placed",
    "met",
    "moved",
    "outdated",
    "requesters",
    "verified",
]

MOVES: dict[str, tuple[str, ...]] = {
    "draft": ("in_review", "superseded", "expired", "released"),
    "in_review": ("draft", "approved", "rejected", "superseded", "expired", "released"),
    "approved": ("in_review", "ordered", "superseded", "expired", "released"),
    "ordered": ("active", "superseded", "released"),
    "active": ("verified", "superseded", "released"),
    "verified": ("superseded", "released"),
    "rejected": (),
    "expired": (),
    "superseded": (),
    "released": (),
}
"""State -> states it may become. A request that ended may be drafted anew, as its next revision."""
_PLACED = ("ordered", "active", "verified")
"""States in which servers were bought: what is needed beyond them is another order."""
_DRAFT = ("draft", "run")
"""What begins a revision: a run asks for it."""
_BY_RUN = ("verified", "superseded", "expired")
"""States that a run alone brings about."""

BAND = 0.15
"""Share of its instances, and of its instance-hours, within which a need may differ and the request still stands:
about what another seed of the same search does. Ours; at least an instance a zone."""

Act = Literal["drafted", "confirmed", "amended", "superseded", "released", "verified", "expired"]


@dataclass(frozen=True, slots=True)
class Change:
    """What a run did to a request."""

    request: CapacityRequest
    """As it stands now."""
    act: Act
    what: str
    """What changed, in a line."""


def content_sha256(request: CapacityRequest) -> str:
    """Return the hash of what is asked for and why: all but its state, history, and what later runs made of it."""
    plain = replace(request, state="draft", history=(), record=())
    return hashlib.sha256(as_json(plain).encode()).hexdigest()


def is_open(request: CapacityRequest) -> bool:
    """Return whether it may still move."""
    return bool(MOVES[request.state])


def is_placed(request: CapacityRequest) -> bool:
    """Return whether its servers are at work, or are taken to be."""
    return request.state in ("active", "verified")


def verified(request: CapacityRequest, *, actor: Actor, at: str, what: str) -> CapacityRequest:
    """Return an active request that a run verified, and why."""
    return moved(request, _statement(request, "verified", what, actor, at))


def requesters(request: CapacityRequest) -> tuple[Actor, ...]:
    """Return who asked for this revision: who put it in review, or edited it."""
    drafts = (n for n, said in enumerate(request.history) if (said.act, said.actor.kind) == _DRAFT)
    since = max(drafts, default=0)
    asked = (said for said in request.history[since:] if said.act in ("in_review", "edited"))
    return tuple(said.actor for said in asked if said.actor.kind != "run")


def moved(request: CapacityRequest, statement: Statement) -> CapacityRequest:
    """Return the request after a statement moved it to the state `statement.act`.

    UsageError when that is not legal from its state, or is of another content. Whether the actor may approve is
    asked elsewhere.
    """
    state, actor = statement.act, statement.actor
    if state not in MOVES[request.state]:
        may = ", ".join(s for s in MOVES[request.state] if s not in _BY_RUN) or "nothing"
        raise UsageError(f"{request.id}: {request.state} may become {may}, not {state}")
    if (state in _BY_RUN) != (actor.kind == "run") and state != "released":
        whose = "a run alone" if state in _BY_RUN else "a person or a policy"
        raise UsageError(f"{request.id}: {whose} makes a request {state}, not {actor}")
    if statement.content != content_sha256(request):
        raise UsageError(
            f"{request.id}: was changed meanwhile; read it again, then say again what becomes of it"
        )
    return _with(request, statement, state)


def edited(request: CapacityRequest, content: CapacityRequest) -> CapacityRequest:
    """Return the request with what a person wrote into its file; an approval is void, and so is its proof.

    How many and when may be written; what they cost follows. UsageError once it is ordered, and where more was
    written: why it is asked for, whose it is and what rules judge it by.
    """
    if request.state not in ("draft", "in_review", "approved"):
        raise UsageError(
            f"{request.id}: its file was edited, and it is {request.state}: what was ordered cannot be another; "
            "remove the file, the next verb writes it again"
        )
    asked = _asked(request, content)
    other = [f.name for f in fields(request) if getattr(asked, f.name) != getattr(content, f.name)]
    if other := [name for name in other if name not in ("state", "history", "record")]:
        raise UsageError(
            f"{request.id}: {', '.join(other)} cannot be edited: only {', '.join(_EDITABLE)}; remove the "
            "file, the next verb writes it again"
        )
    return replace(_priced(asked, request), state=_reviewed(request.state))


_EDITABLE = ("instances_to", "schedule")


def _asked(request: CapacityRequest, content: CapacityRequest) -> CapacityRequest:
    """Return the request with what its file asks for; UsageError where that contradicts itself."""
    most = max((step.instances for step in content.schedule), default=content.instances_to)
    if content.instances_to != most:
        raise UsageError(
            f"{request.id}: instances_to must be the most of its schedule ({most}; got {content.instances_to})"
        )
    return replace(request, instances_to=content.instances_to, schedule=content.schedule)


def _priced(asked: CapacityRequest, before: CapacityRequest) -> CapacityRequest:
    """Return what is asked for with its price, and without what was proven of another number."""
    added, hours = before.added, before.instance_hours
    price = before.hourly_usd / added if added else before.total_usd / (hours or 1)
    why = "not proven: its number was edited after it was sized"
    return replace(
        asked,
        hourly_usd=price * asked.added,
        total_usd=price * asked.instance_hours,
        proof=Proof(why_not=why),
        prediction=Prediction(why_not=why),
        sized_by="hand",
    )


def _reviewed(state: str) -> str:
    """Return the state of a request whose content is another now: an approval is void."""
    return "in_review" if state == "approved" else state


def is_expired(request: CapacityRequest, now: datetime) -> bool:
    """Return whether its time is over before anything was ordered."""
    return request.expires < now and "expired" in MOVES[request.state]


def outdated(request: CapacityRequest, statement: Statement) -> CapacityRequest:
    """Return a request whose need a new forecast has moved out of its band; an approval is void."""
    return _with(request, statement, _reviewed(request.state))


def expire(request: CapacityRequest, *, actor: Actor, at: str) -> Change:
    """Return a request that nobody ordered in its time."""
    what = f"nobody ordered it before {request.expires:%Y-%m-%dT%H:%MZ}"
    statement = _statement(request, "expired", what, actor, at)
    return Change(_with(request, statement, "expired"), "expired", what)


def _with(request: CapacityRequest, statement: Statement, state: str) -> CapacityRequest:
    return replace(request, state=state, history=(*request.history, statement))


def met(
    old: CapacityRequest | None, new: CapacityRequest | None, *, actor: Actor, at: str
) -> Change | None:
    """Return what a run that sized a service does to its request; None: there is none, and none is needed.

    `old` is the request as it stands, `new` what the run asks for, None: nothing.
    """
    if new is None:
        return _not_needed(old, actor, at)
    if old is None or not (is_open(old) or old.state == "rejected"):
        return _drafted(old, new, actor, at)
    if not (changed := _beyond_band(old, new)):
        what = f"{old.instances_to} instances stand: this run asks for {new.instances_to}"
        statement = _statement(old, "confirmed", what, actor, at)
        return Change(_with(old, statement, old.state), "confirmed", what)
    if old.state in _PLACED or old.state == "rejected":
        return _superseded(old, new, changed, actor, at)
    void = "; its approval is void" if old.state == "approved" else ""
    kept = replace(new, revision=old.revision, history=old.history, record=old.record)
    statement = _statement(kept, "amended", changed + void, actor, at)
    return Change(_with(kept, statement, _reviewed(old.state)), "amended", changed + void)


def _not_needed(old: CapacityRequest | None, actor: Actor, at: str) -> Change | None:
    if old is None or not is_open(old):
        return None
    what = f"this run needs none but the {old.instances_from} instances there were before"
    return Change(
        _with(old, _statement(old, "released", what, actor, at), "released"), "released", what
    )


def _drafted(old: CapacityRequest | None, new: CapacityRequest, actor: Actor, at: str) -> Change:
    fresh = replace(new, state="draft")
    if old is not None:
        fresh = replace(fresh, revision=old.revision + 1, history=old.history, record=old.record)
    what = f"{new.instances_from} to {new.instances_to} instances"
    return Change(
        _with(fresh, _statement(fresh, "draft", what, actor, at), "draft"), "drafted", what
    )


def _superseded(
    old: CapacityRequest, new: CapacityRequest, changed: str, actor: Actor, at: str
) -> Change:
    ended = _with(old, _statement(old, "superseded", changed, actor, at), "superseded")
    return replace(_drafted(ended, new, actor, at), act="superseded", what=changed)


def _statement(request: CapacityRequest, act: str, what: str, actor: Actor, at: str) -> Statement:
    return Statement(request.id, act, content_sha256(request), at, what, actor)


def _beyond_band(old: CapacityRequest, new: CapacityRequest) -> str:
    """Return how a need has left the band of the request; empty: it has not."""
    if new.target != old.target:
        return f"asked for {old.target or 'no target'} before, for {new.target or 'no target'} now"
    if old.state in ("draft", "in_review") and (old.model, new.model) == ("not compared", "agrees"):
        return "this run bore out the model that it is sized by; the run before could not tell"
    if new.instances_from != old.instances_from:
        return f"the fleet of {old.instances_from} became one of {new.instances_from}"
    asked, was = new.instances_to, old.instances_to
    if abs(asked - was) > max(old.zones, BAND * was):
        return f"{was} instances became {asked}"
    hours, before = new.instance_hours, old.instance_hours
    if abs(hours - before) > BAND * abs(before) + old.zones:
        return f"{before:,.0f} instance-hours became {hours:,.0f}"
    if new.instance != old.instance:
        return f"{old.instance} became {new.instance}"
    return ""
