"""What rules look at: the runs, the plan they played, and small sums over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gameday.queueing import least_scale
from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.swarm import MachineUse
from gameday.traffic import LoadPlan

if TYPE_CHECKING:
    from gameday.experiments.failures import PeakCase, StackLosses
    from gameday.experiments.replications import Replication

__all__ = ["Evidence"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a rule may look at."""

    scenario: Scenario
    plan: LoadPlan
    measured: RunRecord | None
    """The swarm's run; None when only the model ran."""
    predicted: tuple[RunRecord, ...]
    """The model of the run as played, one a replication."""
    event: tuple[tuple[Replication, ...], ...] = ()
    """The model of the window at real speed: one entry a replication, in each one a stack."""
    event_scale: float | None = None
    """Share of full scale at which it was simulated."""
    n_minus_one: dict[str, StackLosses] = field(default_factory=dict)
    """What can be lost at the peak, stack by stack; empty where it was not asked."""
    load_share: float = 1.0
    """Load on the target as a share of what the forecast means for it; 1 in a cell."""
    calm: tuple[tuple[Replication, ...], ...] = ()
    """The window at real speed with nothing injected; empty where nothing is."""
    machine: MachineUse = field(default_factory=MachineUse)
    """What other work left of this machine while load went out."""
    peak: tuple[PeakCase, ...] = ()
    """The event's peak at the quantile that fleets are sized for, zones lost, one a stack; empty: not played."""
    event_missing: str = ""
    """Why the model at real speed is missing, or has fewer replications than were wanted."""

    @property
    def event_judged(self) -> tuple[tuple[Replication, ...], ...]:
        """The model at real speed, where its cell is large enough to judge by; else nothing."""
        is_large = (self.event_scale or 0.0) >= least_scale(self.scenario)
        return self.event if is_large else ()

    def judged_runs(self, stack: str) -> list[Replication]:
        """Return the replications of a stack at real speed that may be judged by; empty where there is none."""
        return [run for runs in self.event_judged for run in runs if run.stack == stack]
