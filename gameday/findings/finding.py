"""The product: a breach with its evidence; and the candidate a rule makes before chance is judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from gameday.vocabulary import Band

__all__ = ["Basis", "Candidate", "Finding", "Severity"]

Severity = Literal["S1", "S2", "S3", "S4"]
Basis = Literal["measured", "extrapolated", "model only"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One test of one rule on one subject, healthy or not: all of them count for Holm."""

    rule: str
    stack: str
    subject: str
    """A step or a service."""
    title: str
    value: Band
    """The number judged, with its interval."""
    bound: float
    unit: str
    """s, share or count, of value and bound."""
    p_value: float
    """Chance of a value this bad if the bound just held."""
    samples: int
    basis: Basis
    tier: int
    """Criticality of the subject: 0 = orders are lost without it."""
    first_slot: int | None
    """First slot of the window in which it was bad; None = cannot say."""
    suggestion: str
    evidence: dict[str, float | str] = field(default_factory=dict)

    @property
    def is_wholly_bad(self) -> bool:
        """Whether the whole interval lies beyond the bound."""
        return self.value.low > self.bound


@dataclass(frozen=True, slots=True)
class Finding:
    """What breached, how surely, how badly, since when."""

    id: str
    """Stable over runs: rule, stack and subject."""
    rule: str
    severity: Severity
    title: str
    stack: str
    subject: str
    value: Band
    bound: float
    unit: str
    basis: Basis
    p_value: float
    """After Holm's correction."""
    samples: int
    first_breach: datetime | None
    """Event time, UTC."""
    load_share: float | None
    """Forecast load at the first breach, as a share of the window's peak."""
    suggestion: str
    evidence: dict[str, float | str]

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain data for JSON."""
        data = asdict(self)
        data["first_breach"] = self.first_breach.isoformat() if self.first_breach else None
        return data
