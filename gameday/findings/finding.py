"""The product: a breach with its evidence; and the candidate a rule makes before chance is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gameday.products import IsoInstant
from gameday.vocabulary import Band

__all__ = ["Basis", "Candidate", "Finding", "Model", "Severity"]

Severity = Literal["S1", "S2", "S3", "S4"]
Basis = Literal["measured", "model only"]
Model = Literal["", "agrees", "refuted", "not compared"]
"""What the run says of the model that a finding rests on; empty: it rests on none."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One test of one rule on one subject, healthy or not: all of them count for Holm."""

    stack: str
    subject: str
    """A step or a service."""
    title: str
    value: Band
    """The number judged, with its interval."""
    bound: float
    unit: str
    """s, share, count or times, of value and bound."""
    p_value: float
    """Chance of a value this bad if the bound just held."""
    samples: int
    basis: Basis
    tier: int
    """Criticality of the subject: 0 = orders are lost without it."""
    first_slot: int | None
    """First slot of the window in which it was bad; None = cannot say."""
    suggestion: str
    evidence: dict[str, float | int | str] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    """Services whose model it rests on or, of a disagreement, refutes; empty: it rests on what was measured."""
    quantile: float | None = None
    """Quantile of the event's strength at which it was bad; None: that which was played."""
    is_exact: bool = False
    """Whether it speaks from any number of samples: `p_value` is of an exact test, or of no test of samples."""
    step: str = ""
    """Step that a finding about a service is about alone; empty: all."""
    extrapolated: str = ""
    """That the model is judged at a load far above what was played; empty: as the evidence has it."""

    @property
    def is_wholly_bad(self) -> bool:
        """Whether the whole interval lies beyond the bound."""
        return self.value.low > self.bound


@dataclass(frozen=True, slots=True)
class Finding:
    """What breached, how surely, how badly, since when."""

    id: str
    """Stable over runs: rule, stack, subject, and the step where it is about one alone."""
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
    first_breach: IsoInstant | None
    """Event time, UTC."""
    load_share: float | None
    """Forecast load at the first breach, as a share of the window's peak."""
    suggestion: str
    evidence: dict[str, float | int | str]
    services: tuple[str, ...] = ()
    """As the candidate's."""
    model: Model = ""
    """What this run says of the model of those services."""
    cause: str = ""
    """Id of the cause that this finding follows from; empty: none is known."""
    refuted_by: tuple[str, ...] = ()
    """What was measured against what that model predicted, a line each; empty unless `model` is refuted."""

    extrapolated: str = ""
    """That the model it rests on is judged at a load far above what was measured; empty: it is not, or none is."""

    @property
    def doubt(self) -> str:
        """Why it may be false; empty: it was measured, or the run bears out its model, at that load."""
        return {
            "refuted": "model refuted by this run",
            "not compared": "model not compared with this run",
        }.get(self.model, self.extrapolated)
