"""What a cause does to customers: the event in the model as calibrated, beside the same without the cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gameday.experiments.replications import Replication
from gameday.record.intervals import Interval, interval_of, t_interval
from gameday.scenario import Scenario
from gameday.vocabulary import Array, Band

__all__ = ["Effect", "StepEffect", "effect_of"]

_LEAST_BAD = 0.005
"""Points of failed steps that customers feel: half of the usual 1 % objective. Ours."""
_LEAST_SLOWER = 0.25
"""Share by which a step's p99 grows that customers feel. Ours."""
_GONE_OUT, _DONE, _BAD = range(3)


@dataclass(frozen=True, slots=True)
class StepEffect:
    """What a cause does to one step over the window, at event scale."""

    step: str
    p99_before_s: float
    """Without the cause, mean of the replications; NaN where nobody came."""
    p99_after_s: float
    longer_s: Interval
    """By how much longer it is with the cause than without it: mean of the replications, pair by pair."""
    bad_at_peak: Interval
    """Share of the step that fails in the worst ten minutes together, with the cause."""
    more_bad: Interval
    """Points by which that share is higher than without it."""

    @property
    def fails_more(self) -> bool:
        """Whether surely more of it fails than customers do not notice."""
        return self.more_bad.low is not None and self.more_bad.low > _LEAST_BAD

    @property
    def is_felt(self) -> bool:
        """Whether its customers notice: more fail, or they wait longer."""
        is_surely_longer = self.longer_s.low is not None and self.longer_s.low > 0
        longer = self.p99_after_s > (1 + _LEAST_SLOWER) * self.p99_before_s
        return self.fails_more or (longer and is_surely_longer)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a cause does over the window, at event scale."""

    steps: tuple[StepEffect, ...]
    """Those that are felt, the one that fails most first."""
    orders_lost: Interval
    """Orders that end well without the cause and not with it; None where no step places orders."""

    @property
    def is_felt(self) -> bool:
        """Whether any customer notices."""
        return bool(self.steps)

    @property
    def loses_orders(self) -> bool:
        """Whether it surely loses orders."""
        return self.orders_lost.low is not None and self.orders_lost.low > 0


def effect_of(
    scenario: Scenario,
    scale: float,
    after: Sequence[Replication],
    before: Sequence[Replication],
) -> Effect | None:
    """Return what a cause does; replications of one stack with it and without it share customers and chance.

    None where there are fewer than two pairs. `scale`: share of full scale that was simulated.
    """
    pairs = list(zip(before, after, strict=False))
    if len(pairs) < 2:
        return None
    steps = [_of_step(number, pairs) for number in range(len(after[0].steps))]
    felt = sorted(
        (step for step in steps if step.is_felt),
        key=lambda s: (-(s.bad_at_peak.mid or 0.0), s.p99_before_s - s.p99_after_s),
    )
    return Effect(tuple(felt), _orders_lost(scenario, scale, pairs))


def _orders_lost(
    scenario: Scenario, scale: float, pairs: list[tuple[Replication, Replication]]
) -> Interval:
    """Return the orders that end well without a cause and not with it, at event scale."""
    steps = [n for n, step in enumerate(pairs[0][0].steps) if scenario.steps[step].places_order]
    if not steps:
        return Interval(None, None, None)
    lost = [float((b.step_counts - a.step_counts)[steps, _DONE].sum()) / scale for b, a in pairs]
    return interval_of(_rounded(t_interval(lost)))


def _of_step(number: int, pairs: list[tuple[Replication, Replication]]) -> StepEffect:
    peak = _worst_minutes(np.mean([a.step_counts[number] for _, a in pairs], axis=0))
    bad = np.array([[_bad_share(run.step_counts[number], peak) for run in pair] for pair in pairs])
    p99_s = np.array([[run.step_p99_s[number] for run in pair] for pair in pairs])
    before_s, after_s = p99_s.mean(axis=0)
    return StepEffect(
        pairs[0][1].steps[number],
        float(before_s),
        float(after_s),
        interval_of(t_interval((p99_s[:, 1] - p99_s[:, 0]).tolist())),
        interval_of(t_interval(bad[:, 1].tolist()).within(0.0, 1.0)),
        interval_of(t_interval((bad[:, 1] - bad[:, 0]).tolist())),
    )


def _worst_minutes(counts: Array, slots: int = 10) -> slice:
    """Return the minutes in which most of a step fail together; `counts` has the shape (3, slots)."""
    width = min(slots, counts.shape[1])
    failed = np.convolve(counts[_BAD], np.ones(width), "valid")
    went_out = np.convolve(counts[_GONE_OUT], np.ones(width), "valid")
    weight = failed if failed.any() else went_out
    first = int(weight.argmax())
    return slice(first, first + width)


def _bad_share(counts: Array, part: slice) -> float:
    went_out = float(counts[_GONE_OUT, part].sum())
    return float(counts[_BAD, part].sum()) / went_out if went_out else 0.0


def _rounded(band: Band) -> Band:
    return Band(round(band.mid), np.floor(band.low), np.ceil(band.high), band.level)
