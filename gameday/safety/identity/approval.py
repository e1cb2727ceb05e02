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
    person = operators.person_of(actor)
    listed = operators.approvers.get(person)
    if listed is None:
        remedy = (
            "`gameday identity new` makes a key, which the operator lists"
            if actor.kind == "user"
            else "ask the operator to list it under `approvers`"
        )
        raise SafetyRefusal(
            f"{subject}: {actor} may approve nothing: {operators.source} lists no such approver; {remedy}"
        )
    if listed.teams and team not in listed.teams:
        raise SafetyRefusal(
            f"{subject}: {person} approves for {', '.join(listed.teams)} only; this is "
            f"{f'of team {team}' if team else 'of no team'}"
        )
    if named and person not in named:
        raise SafetyRefusal(
            f"{subject}: team {team} has named {', '.join(named)} as approvers, not {person}"
        )
    for requester in requesters:
        if same_person(actor, requester, operators):
            raise SafetyRefusal(f"{subject}: {requester} asked for it; somebody else must approve")


def same_person(actor: Actor, other: Actor, operators: Operators) -> bool:
    """Return whether two actors may be one person: not so only where the operator's file lists both, by two names.

    Whom it does not list is whoever has their login: a key is made in a second.
    """
    if (actor.kind, actor.name) == (other.kind, other.name):
        return True
    person, its = operators.person_of(actor), operators.person_of(other)
    if person and its:
        return person == its
    listed = operators.approvers.get(person)
    return other.user in {actor.user, "" if listed is None else listed.user}
