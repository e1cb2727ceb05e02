"""What a run says of a criterion: the numbers of steps and services over its window, and slot by slot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gameday.record.histograms import counts_above, percentile
from gameday.record.run_record import LATENCIES, RunRecord
from gameday.scenario import METRICS, Criterion, quantile_level
from gameday.vocabulary import Array

__all__ = [
    "BAD",
    "LATENESS_BOUND_S",
    "LEAST_SAMPLES",
    "LEAST_SLOTS",
    "SATURATED",
    "SATURATED_SLOTS",
    "TURNED_AWAY",
    "bad_slots",
    "first_where",
    "latency_rows",
    "lateness_p99",
    "least_samples",
    "moving_mean",
    "number_of",
    "service_number",
    "service_series",
    "share_of",
    "steps_of",
    "visit_count",
]

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


def share_of(run: RunRecord, criterion: Criterion, stack: str) -> tuple[int, int, Array]:
    """Return (bad, all, bad share per slot) of a rate in the window: of errors, or of leaving."""
    bad_names = ("abandoned",) if criterion.metric == "abandonment rate" else BAD
    counts = run.steps_by_slot(stack, steps_of(run, criterion))
    bad, all_ = counts.together(*bad_names), counts["achieved"]
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
    above = counts_above(rows, LATENESS_BOUND_S).sum(axis=1)
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
        achieved = run.steps_by_slot(stack, steps_of(run, criterion))["achieved"]
        enough = achieved >= LEAST_SAMPLES
        shares = share_of(run, criterion, stack)[2]
        return np.asarray(enough & np.array([not criterion.holds(share) for share in shares], bool))
    least, longest_s = least_samples(criterion), run.longest_response_s(steps_of(run, criterion))
    return np.array(
        [
            row.sum() >= least and not criterion.holds(percentile(row, criterion.level, longest_s))
            for row in latency_rows(run, criterion, stack)
        ]
    )


def moving_mean(values: Array | Sequence[float], slots: int) -> Array:
    """Return the means of so many consecutive values of n, shape (n - slots + 1,)."""
    return np.convolve(values, np.full(slots, 1 / slots), "valid")


def first_where(bad: Array) -> int | None:
    """Return the first slot that is bad; None if none is."""
    found = np.flatnonzero(bad)
    return int(found[0]) if len(found) else None
