"""Requests approved by a rule of the operator's file: recorded under the rule's name and the file's hash."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from gameday.capacity import CapacityRequest
from gameday.capacity.living import moved
from gameday.jobs.living import (
    REQUEST,
    edited_files,
    known_requests,
    opened,
    put_request,
    write_requests,
)
from gameday.jobs.move_request import said_by
from gameday.ledger import Changing
from gameday.safety.identity import Actor, Key, Operators, current_actor, read_operators

__all__ = ["ByPolicy", "approve_by_policy"]

_DECIDED = ("approved", "ordered", "active", "verified")
"""States in which a request's money is spent, or promised."""


@dataclass(frozen=True, slots=True)
class ByPolicy:
    """What rules made of an event's requests."""

    approved: tuple[CapacityRequest, ...]
    left: tuple[tuple[str, str], ...]
    """Request and why no rule approves it."""


def approve_by_policy(out: Path, event: str, *, budget_usd: float | None = None) -> ByPolicy:
    """Put an event's drafts in review, and approve those that a rule of the operator's file lets through.

    `budget_usd`: what all requests that stand may cost together; None: no bound beside the rules'. Cheapest first.
    """
    operators = read_operators()
    actor, key = current_actor(operators)
    with opened(out) as ledger:
        with ledger.changing() as changing:
            known = known_requests(changing.bodies(event, REQUEST))
            edits = edited_files(out, known)
            clear = [known[name] for name in known.keys() - edits.keys()]
            may, left = _within(clear, operators, budget_usd)
            approved = tuple(_approved(changing, request, operators, actor, key) for request in may)
        write_requests(out, {request.id: request for request in approved})
    return ByPolicy(approved, (*left, *edits.items()))


def _within(
    known: Collection[CapacityRequest], operators: Operators, budget_usd: float | None
) -> tuple[list[CapacityRequest], tuple[tuple[str, str], ...]]:
    """Return the waiting requests that rules and budget let through, and the others, each with why not."""
    may, left = list[CapacityRequest](), list[tuple[str, str]]()
    spent = sum(max(0.0, r.total_usd) for r in known if r.state in _DECIDED)
    waiting = (request for request in known if request.state in ("draft", "in_review"))
    for request in sorted(waiting, key=lambda r: r.total_usd):
        why, cost = _why_not(request, operators), max(0.0, request.total_usd)
        if not why and budget_usd is not None and spent + cost > budget_usd:
            why = f"USD {cost:,.0f} beside USD {spent:,.0f} is above the budget of USD {budget_usd:,.0f}"
        if why:
            left.append((request.id, why))
        else:
            spent += cost
            may.append(request)
    return may, tuple(left)


def _why_not(request: CapacityRequest, operators: Operators) -> str:
    """Return why no rule approves a request; empty: one does."""
    if not operators.auto_approve:
        return f"{operators.source} has no rule under auto_approve"
    refused = list(_refused(request, operators))
    return "; ".join(refused) if len(refused) == len(operators.auto_approve) else ""


def _refused(request: CapacityRequest, operators: Operators) -> Iterator[str]:
    for name, rule in operators.auto_approve.items():
        why = rule.refuses(
            event=request.event,
            target=request.target,
            usd=request.total_usd,
            is_compared=request.model == "agrees",
        )
        if why:
            yield f"rule {name}: {why}"


def _rule(request: CapacityRequest, operators: Operators) -> str:
    """Return the first rule that approves a request."""
    refused = {line.split(":")[0].removeprefix("rule ") for line in _refused(request, operators)}
    return next(name for name in operators.auto_approve if name not in refused)


def _approved(
    ledger: Changing, request: CapacityRequest, operators: Operators, actor: Actor, key: Key | None
) -> CapacityRequest:
    if request.state == "draft":
        said = said_by(request, "in_review", "to be approved by rule", actor, key)
        request = moved(request, said)
        put_request(ledger, request, "in_review")
    name = _rule(request, operators)
    policy = Actor("policy", f"{name}@{operators.sha256}", actor.user)
    reason = f"rule {name} of {operators.source}"
    request = moved(request, said_by(request, "approved", reason, policy, None))
    put_request(ledger, request, "approved")
    return request
