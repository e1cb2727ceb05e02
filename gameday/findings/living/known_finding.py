"""A finding as it stands over runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from gameday.findings.finding import Severity
from gameday.safety.identity import Statement

__all__ = ["FindingState", "KnownFinding", "Waiver"]

FindingState = Literal["open", "fixed", "waived"]


@dataclass(frozen=True, slots=True)
class Waiver:
    """Leave to go on with a finding open, signed by an approver, for a time."""

    until: date
    """The last day on which it holds."""
    statement: Statement


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding of an event: one id over all its runs."""

    id: str
    rule: str
    title: str
    """As last found."""
    stack: str
    subject: str
    owner: str
    """The team that answers for it; empty: the scenario names none."""
    due: date
    """The last day before nothing is changed any more."""
    severity: Severity
    state: FindingState
    played: str
    """Minutes and quantile at which it was found: of less, a run says nothing of it."""
    target: str
    """What it was found against."""
    load: float
    """Steps a minute in the busiest of them, at full scale."""
    low: float
    """With `high`, the interval of the number that was judged."""
    high: float
    bound: float
    first_run: str
    """In which it was found first."""
    found_in: str
    """The last run that found it."""
    tested_in: str
    """The last run that could tell."""
    said: str
    """What the last run said of it, and why."""
    waiver: Waiver | None = None
    """The last one, whether or not it still holds."""
