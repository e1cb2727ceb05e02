"""Waivers: what they need, and whether one holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from gameday.errors import UsageError
from gameday.findings.living.known_finding import KnownFinding, Waiver
from gameday.safety.identity import Statement

__all__ = ["waived", "waived_now"]


def waived(finding: KnownFinding, until: date, statement: Statement, today: date) -> KnownFinding:
    """Return the finding waived until a day; UsageError where it is fixed, or the day has passed."""
    if finding.state == "fixed":
        raise UsageError(f"{finding.id}: is fixed; there is nothing to waive")
    if until < today:
        raise UsageError(f"--until: must be today or later (got {until})")
    return replace(finding, state="waived", waiver=Waiver(until, statement))


def waived_now(finding: KnownFinding, today: date) -> bool:
    """Return whether a waiver holds: it ends with its day."""
    return (
        finding.state == "waived" and finding.waiver is not None and finding.waiver.until >= today
    )
