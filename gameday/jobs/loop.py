"""The loop: replay, size, approve by rule, apply, and replay again, until all holds or a bound is met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gameday.errors import UsageError
from gameday.jobs.apply_capacity import apply_capacity
from gameday.jobs.approve_by_policy import approve_by_policy
from gameday.jobs.living import living_requests
from gameday.jobs.one_run.order import Order
from gameday.jobs.replay import Replayed, replay_order
from gameday.live import Show

__all__ = ["Looped", "Round", "loop_order"]


_ENDED = (3, 4, 7, 8, 9)
"""Exit codes of rounds after which none is played: aborted, invalid, or an error."""

LoopEnd = Literal["passed", "nothing more to place", "yours to place", "rounds are over", "stopped"]


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the loop."""

    run: str
    folder: Path
    verdict: str
    reasons: tuple[str, ...]
    lives: str
    """What it made of findings and requests, in a line."""
    approved: tuple[str, ...]
    """Requests that a rule approved after it."""
    left: tuple[tuple[str, str], ...]
    """Requests that no rule approves, and why."""
    placed: int
    """Requests at work after it."""
    usd: float
    """What all that is at work costs."""


@dataclass(frozen=True, slots=True)
class Looped:
    """How a loop ended."""

    rounds: tuple[Round, ...]
    end: LoopEnd
    exit_code: int
    """Of the last round's verdict."""


def loop_order(
    order: Order,
    *,
    rounds: int,
    until_pass: bool = True,
    budget_usd: float | None,
    show: Callable[[int], Show],
    told: Callable[[int, Replayed, Round], None] = lambda number, replayed, round_: None,
) -> Looped:
    """Play an order until it passes, nothing more may be placed, or so many rounds are over.

    Without `until_pass` a round that passes ends nothing.

    Approvals come of the operator's rules alone; what a round measured is known to the next, and one that learned
    nothing of the target is played again. Against a target of the user's nothing is placed: the loop ends
    once there is something to place. `show`: of a round, by its number; `told` hears of each when it is over.
    """
    if rounds < 1:
        raise UsageError(f"--max-rounds: must be at least 1 (got {rounds})")
    played = list[Round]()
    for number in range(1, rounds + 1):
        replayed = replay_order(order, show(number))
        code = replayed.summary.verdict.exit_code
        played.append(_round(order, replayed, budget_usd, goes_on=code not in (0, *_ENDED)))
        told(number, replayed, played[-1])
        before, order = order, _knowing(order, replayed)
        end = _end(played[-1], code, is_own=order.has_own_target)
        if end is None and order is before and not _may_differ(played[-1], replayed):
            end = "nothing more to place"
        if end is not None and (until_pass or end != "passed"):
            return Looped(tuple(played), end, code)
    return Looped(tuple(played), "rounds are over", code)


def _may_differ(last: Round, replayed: Replayed) -> bool:
    """Return whether the next round may come out otherwise: more is placed, or this one learned nothing."""
    return last.placed != replayed.placed or bool(last.approved or replayed.summary.learned.why_not)


def _end(last: Round, code: int, *, is_own: bool) -> LoopEnd | None:
    """Return how a loop ends with its last round; None: it may go on."""
    if code == 0:
        return "passed"
    if code in _ENDED:
        return "stopped"
    if is_own:
        return "yours to place" if last.approved else "nothing more to place"
    return None


def _knowing(order: Order, replayed: Replayed) -> Order:
    """Return the next round's order: with what this one measured, where the target was not as the model had it."""
    learned = replayed.summary.learned
    if learned.why_not or all(row.agrees for row in learned.parameters):
        return order
    return replace(order, calibration=replayed.folder / "calibrated.yaml")


def _round(order: Order, replayed: Replayed, budget_usd: float | None, *, goes_on: bool) -> Round:
    summary, out = replayed.summary, order.out
    event = summary.about.event
    done = Round(
        run=summary.about.run_id,
        folder=replayed.folder,
        verdict=summary.verdict.name,
        reasons=summary.verdict.reasons,
        lives=summary.lives.words,
        approved=(),
        left=(),
        placed=0,
        usd=0.0,
    )
    if goes_on:
        by_rule = approve_by_policy(out, event, budget_usd=budget_usd)
        approved = tuple(
            f"{r.id}: {r.instances_from} -> {r.instances_to}" for r in by_rule.approved
        )
        done = replace(done, approved=approved, left=by_rule.left)
        if not order.has_own_target:
            apply_capacity(out, event)
    at_work = [r for r in living_requests(out, event).values() if r.state in ("active", "verified")]
    return replace(done, placed=len(at_work), usd=sum(r.total_usd for r in at_work))
