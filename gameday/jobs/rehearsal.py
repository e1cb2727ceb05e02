"""What a rehearsal answers: the event in the queueing model, its variants, and what can be lost."""

from __future__ import annotations

from dataclasses import dataclass

from gameday.experiments.failures import Recovery, Remedies, StackLosses
from gameday.experiments.rehearsal import (
    FullScaleWait,
    Headroom,
    ObjectiveChange,
    QueueCheck,
    SellOut,
    ServiceAnswer,
    StackAnswer,
    StackSeries,
)
from gameday.experiments.replications import NOBODY

__all__ = ["Rehearsal", "Variant"]


@dataclass(frozen=True, slots=True)
class Variant:
    """The event as it would be with a change, and the change pair by pair of replications."""

    text: str
    """The change, as it was asked for."""
    unseen: dict[str, list[str]]
    """Stack -> what a scaled-down system of this size cannot show of it."""
    replications: int
    stacks: dict[str, StackAnswer]
    series: dict[str, StackSeries]
    recovery: dict[str, Recovery] | None
    sell_out: dict[str, tuple[SellOut, ...]]
    change: dict[str, tuple[ServiceAnswer, ...]]
    """Stack -> services with the change of each quantity."""
    objectives_change: dict[str, tuple[ObjectiveChange, ...]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The event in the model, as it is; dictionaries are by stack."""

    event: str
    asked: str
    """The scenario's name or file, as it was asked for."""
    window_start: str
    window_end: str
    lead_in_slots: int
    speed: float
    scale: float
    quantile: float
    seed: int
    replications: int
    stacks: dict[str, StackAnswer]
    series: dict[str, StackSeries]
    sell_out: dict[str, tuple[SellOut, ...]]
    injected: tuple[str, ...]
    recovery: dict[str, Recovery] | None
    small_stations: dict[str, list[str]]
    """Services with too few servers in the scaled-down system to show the waits of the whole."""
    full_scale: dict[str, tuple[FullScaleWait, ...]]
    cross_check: dict[str, tuple[QueueCheck, ...]]
    what_ifs: tuple[Variant, ...] = ()
    headroom: dict[str, tuple[Headroom, ...]] | None = None
    """None: not asked."""
    cures: dict[str, Remedies] | None = None
    """Of stacks that stay down; None where none does."""
    n_minus_one: dict[str, StackLosses] | None = None
    """None: not asked."""
    notes: tuple[str, ...] = ()
    """What its numbers rest on that need not hold."""

    def exit_code(self) -> int:
        """Return 1 where an objective fails as it is; 10 where nobody came by whom one could be judged; else 0."""
        answers = {row.said for stack in self.stacks.values() for row in stack.objectives}
        return 1 if "fails" in answers else 10 if NOBODY in answers else 0

    def stays_down(self) -> set[str]:
        """Return the stacks that mostly do not come back though what was injected is gone."""
        return {
            stack
            for stack, row in (self.recovery or {}).items()
            if row.recovers is not None and (row.recovers.mid or 0.0) < 0.5
        }

    def variants(self) -> list[tuple[str, Rehearsal | Variant]]:
        """Return the event as it is and as it would be, each with its name."""
        return [("as it is", self), *((variant.text, variant) for variant in self.what_ifs)]
