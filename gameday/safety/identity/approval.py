"""Who may approve what: only who the operator's file lists, for that team, and nobody what they asked for."""

from __future__ import annotations

from collections.abc import Iterable

from gameday.errors import SafetyRefusal
from gameday.safety.identity.actor import Actor
from gameday.safety.identity.operators import Operators

__all__ = ["check_approver", "same_person"]


def check_approver(
    actor: Actor,
    operators: Operators,
    *,
    subject: str,
    team: str = "",
    named: tuple[str, ...] = (),
    requesters: Iterable[Actor] = (),
) -> None:
    """Raise SafetyRefusal unless an actor may approve `subject`, which is a team's.

    `named`: who may, of those the operator's file lists, by the scenario; empty: all of them. `requesters`: who
    asked for it.
    """
    listed = operators.approvers.get(actor.person)
    if actor.kind not in ("key", "ci") or listed is None:
        remedy = (
            "`gameday identity new` makes a key"
            if actor.kind == "user"
            else "ask the operator to list it under `approvers`"
        )
        raise SafetyRefusal(
            f"{subject}: {actor} may approve nothing: {operators.source} lists no such approver; {remedy}"
        )
    if listed.teams and team not in listed.teams:
        raise SafetyRefusal(
            f"{subject}: {actor.person} approves for {', '.join(listed.teams)} only; this is "
            f"{f'of team {team}' if team else 'of no team'}"
        )
    if named and actor.person not in named:
        raise SafetyRefusal(
            f"{subject}: team {team} has named {', '.join(named)} as approvers, not {actor.person}"
        )
    for requester in requesters:
        if same_person(actor, requester, operators):
            raise SafetyRefusal(f"{subject}: {requester} asked for it; somebody else must approve")


def same_person(actor: Actor, other: Actor, operators: Operators) -> bool:
    """Return whether two actors may be one person: not so only where two different keys or jobs stand for them."""
    if actor.person and actor.person == other.person:
        return True
    if (actor.kind, actor.name) == (other.kind, other.name):
        return True
    if other.kind == "user":
        listed = operators.approvers.get(actor.person)
        own = {actor.user} if listed is None or listed.user is None else {listed.user, actor.user}
        return other.name in own
    return False
