"""What rules look at: the runs, the plan they played, and small sums over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from gameday.run_record import LATENCIES, STEPS, RunRecord, bin_of, percentile
from gameday.scenario import Criterion, Scenario, build_cell
from gameday.scenario.cells import least_scale
from gameday.scenario.criteria import METRICS, quantile_level
from gameday.swarm.machine import MachineUse
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array, Band

if TYPE_CHECKING:
    from gameday.findings.peak_case import PeakCase
    from gameday.findings.replication import Replication

__all__ = [
    "BAD", "LATENESS_BOUND_S", "LEAST_SAMPLES", "LEAST_SLOTS", "SATURATED", "SATURATED_SLOTS",
    "TURNED_AWAY", "Evidence", "bad_slots", "binomial_band", "first_where",
    "lateness_p99", "latency_rows", "least_samples", "number_of", "quantile_band", "service_number",
    "services_behind", "visited_services",
    "service_series", "share_of", "step_tier", "steps_of", "visit_count",
]  # fmt: skip

LATENESS_BOUND_S = 0.05
"""p99 of the generator's lateness beyond which it did not follow its plan. Ours: a twentieth of
the shortest objective; the engine idles at 1-2 ms."""

LEAST_SAMPLES = 30
"""Fewer than this say nothing. Ours: the usual floor for a share with an interval."""

SATURATED = 0.9
"""Busy share of the servers. Ours: above it a small cell's wait is many service times."""
SATURATED_SLOTS = 3
"""Consecutive slots that must be busy together: one minute's chance is not saturation."""
TURNED_AWAY = 0.005
"""Share of attempts. Ours: half of the usual 1 % error objective, before customers see it."""

BAD = ("failed", "check_failed", "abandoned")
"""Outcomes of a step that are the target's fault."""


_LATENESS = LATENCIES.index("lateness")


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
    n_minus_one: dict[str, Any] = field(default_factory=dict)
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


LEAST_SLOTS = 3
"""Slots in which a service must have been observed for an objective on it to be judged."""


def least_samples(criterion: Criterion) -> int:
    """Return the replies that must speak of a step before its objective is judged.

    A p99 needs a hundred: fewer need not hold one reply beyond it.
    """
    if METRICS[criterion.metric] != "s":
        return LEAST_SAMPLES
    return max(LEAST_SAMPLES, round(1 / (1 - criterion.level)))


def steps_of(run: RunRecord, criterion: Criterion) -> tuple[str, ...]:
    """Return the steps that a criterion speaks of."""
    return run.steps if criterion.subject == "all steps" else (criterion.subject,)


def services_behind(scenario: Scenario, stack: str, criterion: Criterion) -> tuple[str, ...]:
    """Return the services of a stack that a criterion depends on: those that its steps visit, or itself."""
    if criterion.is_of_service:
        return (criterion.subject,)
    visited = visited_services(scenario, stack)
    mine = {
        service
        for step, services in visited.items()
        if criterion.subject in ("all steps", step)
        for service in services
    }
    return tuple(name for name in scenario.stack_services(stack) if name in mine)


def visited_services(scenario: Scenario, stack: str) -> dict[str, set[str]]:
    """Return step -> the services of a stack that it visits, for customers of any product type."""
    out: dict[str, set[str]] = {}
    for (step, _), groups in build_cell(scenario, stack, scale=1.0).visits.items():
        visits = (visit for group in groups for entry in group for visit in entry.walk())
        out.setdefault(step, set()).update(visit.service for visit in visits)
    return out


def share_of(run: RunRecord, criterion: Criterion, stack: str) -> tuple[int, int, Array]:
    """Return (bad, all, bad share per slot) of a rate in the window: of errors, or of leaving."""
    bad_names = ("abandoned",) if criterion.metric == "abandonment rate" else BAD
    mine = [run.steps.index(step) for step in steps_of(run, criterion)]
    counts = run.step_counts[run.stacks.index(stack), mine][:, :, run.judged].sum(axis=0)
    bad = counts[[STEPS.index(name) for name in bad_names]].sum(axis=0)
    all_ = counts[STEPS.index("achieved")]
    share = np.divide(bad, all_, out=np.zeros(len(bad)), where=all_ > 0)
    return int(bad.sum()), int(all_.sum()), share


def latency_rows(run: RunRecord, criterion: Criterion, stack: str) -> Array:
    """Return response histograms of a criterion's steps per slot of the window, (slots, BINS).

    In a run whose generator was late, its late slots are empty: what customers waited there is not
    the target's.
    """
    mine = [run.steps.index(step) for step in steps_of(run, criterion)]
    rows = run.latency[run.stacks.index(stack), mine, 0][:, run.judged].sum(axis=0)
    rows[_late_slots(run, stack)] = 0
    return np.asarray(rows)


def lateness_p99(run: RunRecord) -> float:
    """Return the p99 of the generator's own lateness over the run, seconds; NaN for a model's."""
    return percentile(run.latency[:, :, _LATENESS].sum(axis=(0, 1, 2)), 0.99)


def _late_slots(run: RunRecord, stack: str) -> Array:
    """Return the slots of the window in which a late generator was late, each with the one before.

    A generator held up reads late the replies to what it sent just before.
    """
    if not lateness_p99(run) > LATENESS_BOUND_S:
        return np.zeros(run.grid.slots - run.lead_in, bool)
    rows = run.latency[run.stacks.index(stack), :, _LATENESS, run.judged].sum(axis=0)
    above = rows[:, int(bin_of(LATENESS_BOUND_S)) + 1 :].sum(axis=1)
    late = above > 0.01 * rows.sum(axis=1)
    return np.asarray(late | np.append(late[1:], False))


def number_of(run: RunRecord, criterion: Criterion, stack: str) -> tuple[float, int]:
    """Return what one run says of a criterion on steps, and from how many; NaN if from none."""
    if METRICS[criterion.metric] != "s":
        bad, all_, _ = share_of(run, criterion, stack)
        return (bad / all_ if all_ else float("nan")), all_
    histogram = latency_rows(run, criterion, stack).sum(axis=0)
    longest_s = run.longest_response_s(steps_of(run, criterion))
    return percentile(histogram, criterion.level, longest_s), int(histogram.sum())


def service_number(run: RunRecord, stack: str, service: str, metric: str) -> float:
    """Return `utilisation` (mean over what was seen) or a visit's `p50` or `p99`; NaN if not seen."""
    if metric == "utilisation":
        busy = run.utilisation(stack, service)[run.judged]
        known = busy[~np.isnan(busy)]
        return float(known.mean()) if len(known) else float("nan")
    longest_s = float(run.longest_visit_s[run.services.index(service)])
    return percentile(_visits(run, stack, service), quantile_level(metric), longest_s)


def visit_count(run: RunRecord, stack: str, service: str) -> float:
    """Return how many visits' times are known in the window."""
    return float(_visits(run, stack, service).sum())


def _visits(run: RunRecord, stack: str, service: str) -> Array:
    rows = run.visits[run.stacks.index(stack), run.services.index(service), run.judged]
    return np.asarray(rows.sum(axis=0))


def service_series(run: RunRecord, criterion: Criterion, stack: str) -> Array:
    """Return a service's utilisation or mean queue per slot of the window; NaN = not observed."""
    if criterion.metric == "utilisation":
        return run.utilisation(stack, criterion.subject)[run.judged]
    row = run.loads[run.stacks.index(stack), run.services.index(criterion.subject), 1]
    return np.asarray(row[run.judged] / run.slot_wall_s)


def bad_slots(run: RunRecord, criterion: Criterion, stack: str) -> Array:
    """Return the slots of the window in which a criterion does not hold, from what came in each."""
    if criterion.is_of_service:
        seen = service_series(run, criterion, stack)
        return np.array([not np.isnan(value) and not criterion.holds(value) for value in seen])
    if METRICS[criterion.metric] != "s":
        mine = [run.steps.index(step) for step in steps_of(run, criterion)]
        achieved = run.step_counts[
            run.stacks.index(stack), mine, STEPS.index("achieved"), run.judged
        ]
        enough = achieved.sum(axis=0) >= LEAST_SAMPLES
        shares = share_of(run, criterion, stack)[2]
        return np.asarray(enough & np.array([not criterion.holds(share) for share in shares], bool))
    least, longest_s = least_samples(criterion), run.longest_response_s(steps_of(run, criterion))
    return np.array([
        row.sum() >= least and not criterion.holds(percentile(row, criterion.level, longest_s))
        for row in latency_rows(run, criterion, stack)
    ])  # fmt: skip


def binomial_band(bad: int, all_: int) -> Band:
    """Return a share with its 95 % interval (Clopper and Pearson, 1934)."""
    if all_ == 0:
        return Band(float("nan"), float("nan"), float("nan"))
    low = float(scipy.stats.beta.ppf(0.025, bad, all_ - bad + 1)) if bad else 0.0
    high = float(scipy.stats.beta.ppf(0.975, bad + 1, all_ - bad)) if bad < all_ else 1.0
    return Band(bad / all_, low, high)


def quantile_band(histogram: Array, level: float, longest_s: float = np.inf) -> Band:
    """Return a latency quantile with its 95 % interval from order statistics, seconds, at most `longest_s`."""
    n = int(histogram.sum())
    if n == 0:
        return Band(float("nan"), float("nan"), float("nan"))
    low = max(0.0, float(scipy.stats.binom.ppf(0.025, n, level)) - 1) / n
    high = min(1.0, (float(scipy.stats.binom.ppf(0.975, n, level)) + 1) / n)
    return Band(*(percentile(histogram, q, longest_s) for q in (level, low, high)))


def first_where(bad: Array) -> int | None:
    """Return the first slot that is bad; None if none is."""
    found = np.flatnonzero(bad)
    return int(found[0]) if len(found) else None


def step_tier(scenario: Scenario, step: str) -> int:
    """Return 0 for a step that puts goods in a cart or orders them, else 1."""
    if step not in scenario.steps:
        return 1
    actions = {exchange.action for exchange in scenario.steps[step].each_exchange()}
    return 0 if actions & {"add_to_cart", "place_order"} else 1
