"""A finding waived: an approver lets it stand until a day, and signs for it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path

from gameday.errors import UsageError
from gameday.findings.living import KnownFinding, waived
from gameday.jobs.living import FINDING, known_findings, opened, put_finding
from gameday.jobs.teams import approvers_of
from gameday.products import to_json
from gameday.safety.identity import (
    Actor,
    Statement,
    check_approver,
    current_actor,
    read_operators,
    sign,
)

__all__ = ["waive_finding"]


def waive_finding(out: Path, event: str, name: str, *, until: date, reason: str) -> KnownFinding:
    """Return an event's finding, waived by whoever runs this.

    UsageError where there is no such finding or it is fixed,
    SafetyRefusal where the actor may not approve for its team.
    """
    operators = read_operators()
    actor, key = current_actor(operators)
    now = datetime.now(UTC)
    with opened(out) as ledger, ledger.changing() as changing:
        finding = known_findings(changing.bodies(event, FINDING)).get(name)
        if finding is None:
            raise UsageError(f"no finding '{name}' of {event}; see `gameday findings --known`")
        check_approver(
            actor,
            operators,
            subject=finding.id,
            team=finding.owner,
            named=approvers_of(out, event, finding.owner),
        )
        said = sign(_said(finding, f"until {until}: {reason}", actor, now), key)
        after = waived(finding, until, said, now.date())
        put_finding(changing, event, after, "waived", by=said)
    return after


def _said(finding: KnownFinding, reason: str, actor: Actor, now: datetime) -> Statement:
    """Return what an approver says of a finding as it stands."""
    content = hashlib.sha256(json.dumps(to_json(finding), sort_keys=True).encode()).hexdigest()
    at = now.isoformat(timespec="seconds")
    return Statement(finding.id, "waived", content, at, reason, actor)
