"""What rules look at: the runs, the plan they played, and small sums over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gameday.calibrate import FURTHEST
from gameday.queueing import least_scale
from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.swarm import MachineUse
from gameday.traffic import LoadPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gameday.calibrate import Calibration, Equivalent, Knee
    from gameday.experiments.diagnosis import CauseKey, Diagnosis, Effect
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
    calibration: Calibration | None = None
    """What the run says of the target's servers and times; None: nothing was learned."""
    knees: tuple[Knee, ...] = ()
    """Where each service is full, of a ladder of loads; empty for any other run."""
    equivalents: tuple[Equivalent, ...] = ()
    """The stations that answer like a target of which nothing else is known, a stack each."""
    calibrated: tuple[RunRecord, ...] = ()
    """The model of the run as played with what the run showed of its services; empty: nothing differs."""
    diagnosis: tuple[Diagnosis, ...] = ()
    """Why the target is not as declared, a stack each; empty: it was not asked."""
    effects: Mapping[CauseKey, Effect] = field(default_factory=dict)
    """What each cause does to customers at the forecast's load."""
    not_calibrated: str = ""
    """Why nothing was learned of the target from this run; empty: it was."""
    known_before: str = ""
    """The calibration that the model was given before the run, in words; empty: it was as declared."""
    event_missing: str = ""
    """Why the model at real speed is missing, or has fewer replications than were wanted."""

    @property
    def is_extrapolated(self) -> bool:
        """Whether the forecast's load is so far above the target's that what was learned need not hold at it."""
        return self.load_share < 1 / FURTHEST

    @property
    def far_words(self) -> str:
        """That the forecast's load lies so far above what the target met; empty: it does not."""
        if not self.is_extrapolated:
            return ""
        return f"extrapolated: the target met {self.load_share:.2g} of the forecast's load"

    @property
    def model_of_run(self) -> tuple[RunRecord, ...]:
        """The model of the run as played: calibrated where the run showed that it differs, else as declared."""
        return self.calibrated or self.predicted

    @property
    def event_judged(self) -> tuple[tuple[Replication, ...], ...]:
        """The model at real speed, where its cell is large enough to judge by; else nothing."""
        is_large = (self.event_scale or 0.0) >= least_scale(self.scenario)
        return self.event if is_large else ()

    def judged_runs(self, stack: str) -> list[Replication]:
        """Return the replications of a stack at real speed that may be judged by; empty where there is none."""
        return [run for runs in self.event_judged for run in runs if run.stack == stack]
