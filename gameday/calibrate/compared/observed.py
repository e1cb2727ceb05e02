"""What a run shows of a service, slot by slot; the same of a run that was measured and of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gameday.record import ATTEMPTS, BINS, LOADS, InstanceLoad, RunRecord, percentile
from gameday.record.measures import BAD
from gameday.vocabulary import Array

__all__ = ["BIN_S", "Answer", "Look", "Observed", "StackObserved", "mean_of"]

BIN_S = 1e-4 * np.exp((np.arange(BINS) + 0.5) * np.log(1.01))
"""Middle of each latency bin, seconds: record.histograms has 1 % wide ones from 0.1 ms."""
_QUIET = 1 / 3
"""Share of the slots that are the least busy. Ours."""
_LEAST_REPLIES = 30
_TRIM = 0.995
_LEAST_CV = 0.05


@dataclass(frozen=True)
class Observed:
    """One service of one stack over the slots of a window; NaN = not observed."""

    service: str
    slot_s: float
    attempts: Array
    """Shape (ATTEMPTS, slots)."""
    loads: Array
    """Shape (LOADS, slots)."""
    visits: Array
    """Counts of visits by their seconds, queue to reply, shape (slots, BINS)."""
    instances: tuple[InstanceLoad, ...] = ()
    """What each instance did in the whole run, where they were told apart."""

    @staticmethod
    def of(record: RunRecord, stack: str, service: str, slots: slice) -> Observed:
        """Return what a record shows of a service of a stack."""
        place = record.stacks.index(stack), record.services.index(service)
        return Observed(
            service,
            record.slot_wall_s,
            record.attempts[place][:, slots],
            record.loads[place][:, slots],
            record.visits[place][slots],
            tuple(one for one in record.instances if (one.stack, one.service) == (stack, service)),
        )

    @staticmethod
    def mean_of(runs: Sequence[Observed]) -> Observed:
        """Return the mean of one service in several runs; histograms are added."""
        return Observed(
            runs[0].service,
            runs[0].slot_s,
            np.mean([run.attempts for run in runs], axis=0),
            np.mean([run.loads for run in runs], axis=0),
            np.sum([run.visits for run in runs], axis=0, dtype=float),
        )

    def attempt(self, *outcomes: str) -> Array:
        """Return attempts of these outcomes together, shape (slots,)."""
        return np.asarray(sum(self.attempts[ATTEMPTS.index(name)] for name in outcomes))

    def counted(self, *outcomes: str) -> Array:
        """Return attempts of those of these outcomes that are counted, shape (slots,); NaN where none is."""
        rows = np.array([self.attempt(name) for name in outcomes])
        return np.where(np.isnan(rows).all(axis=0), np.nan, np.nansum(rows, axis=0))

    def load(self, name: str) -> Array:
        """Return one of LOADS, shape (slots,)."""
        return np.asarray(self.loads[LOADS.index(name)])

    @cached_property
    def arrived(self) -> Array:
        """Attempts that came, shape (slots,); where only their ends were counted, those."""
        ends = [self.attempt(name) for name in ("done", "failed", "shed", "timed_out")]
        ended = ends[0] + np.sum([np.nan_to_num(end) for end in ends[1:]], axis=0)
        came = self.attempt("arrived")
        return np.asarray(np.where(np.isnan(came), ended, came))

    @cached_property
    def served(self) -> Array:
        """Attempts that got a server, shape (slots,); those that ended, where it is not known who got none."""
        served = self.attempt("arrived") - self.attempt("shed", "timed_out")
        ended = self.attempt("done") + np.nan_to_num(self.attempt("failed"))
        return np.asarray(np.where(np.isnan(served), ended, served))

    @cached_property
    def known(self) -> Array:
        """Slots in which busy seconds and attempts were seen and somebody was served, shape (slots,)."""
        busy = self.load("busy_s")
        return np.asarray(~np.isnan(busy) & ~np.isnan(self.served) & (self.served > 0))

    @property
    def is_observed(self) -> bool:
        """Whether enough was seen to say what a visit holds a server for."""
        return bool(self.known.sum() >= 3)

    @property
    def concurrency(self) -> Array:
        """Mean servers in use, shape (slots,)."""
        return self.load("busy_s") / self.slot_s

    @property
    def queue(self) -> Array:
        """Mean number waiting, shape (slots,)."""
        return self.load("queue_s") / self.slot_s

    def hold_s(self, slots: slice = slice(None)) -> float:
        """Seconds that a visit holds a server, mean of some slots; NaN where nobody was served."""
        known = self.known[slots]
        served = float(self.served[slots][known].sum())
        busy_s = float(self.load("busy_s")[slots][known].sum())
        return busy_s / served if served else float("nan")

    @cached_property
    def histogram(self) -> Array:
        """Visits by their seconds over the window, shape (BINS,)."""
        return np.asarray(self.visits.sum(axis=0))

    def visit_s(self, level: float) -> float:
        """Return a quantile of the seconds of a visit; NaN of none."""
        return percentile(self.histogram, level)

    @property
    def visit_mean_s(self) -> float:
        """Mean seconds of a visit, queue to reply; NaN of none."""
        counted = float(self.histogram.sum())
        return float(self.histogram @ BIN_S) / counted if counted else float("nan")


@dataclass(frozen=True, slots=True)
class Answer:
    """How long a step's customers wait."""

    mean_s: float
    cv: float

    @staticmethod
    def of(histogram: Array) -> Answer:
        """Return mean and coefficient of variation; what lies beyond `_TRIM` counts as that quantile."""
        upto = np.cumsum(histogram) / histogram.sum()
        seconds = np.minimum(BIN_S, BIN_S[int(np.searchsorted(upto, _TRIM))])
        mean_s = float(np.average(seconds, weights=histogram))
        variance = float(np.average((seconds - mean_s) ** 2, weights=histogram))
        return Answer(mean_s, max(_LEAST_CV, variance**0.5 / mean_s))


@dataclass(frozen=True)
class StackObserved:
    """What a run shows of a stack: its services, and how customers' steps were answered."""

    services: dict[str, Observed]
    steps: tuple[str, ...]
    achieved: Array
    """Steps that went out, shape (steps, slots)."""
    bad: Array
    """Those of them that failed through the target, same shape."""
    response: Array
    """Counts of responses by their seconds, shape (steps, slots, BINS)."""

    @cached_property
    def quiet_slots(self) -> Array:
        """The least busy slots, in which few wait, shape (slots,), bool."""
        load = self.achieved.sum(axis=0)
        played = np.asarray(load > 0)
        if not played.any():
            return played
        return np.asarray(played & (load <= np.quantile(load[played], _QUIET)))

    def quiet_answer(self, step: int) -> Answer | None:
        """Return how a step is answered in the least busy slots, in all where those are too few; None: too few."""
        quiet, whole = (self.response[step][x].sum(axis=0) for x in (self.quiet_slots, slice(None)))
        histogram = quiet if quiet.sum() >= _LEAST_REPLIES else whole
        return Answer.of(histogram) if histogram.sum() >= _LEAST_REPLIES else None

    @staticmethod
    def of(
        record: RunRecord, stack: str, services: Sequence[str], slots: slice | None = None
    ) -> StackObserved:
        """Return this of a record's window, or of `slots`."""
        s, window = record.stacks.index(stack), slots or record.judged
        by_step = [record.steps_by_slot(stack, [step], slots=window) for step in record.steps]
        return StackObserved(
            {name: Observed.of(record, stack, name, window) for name in services},
            record.steps,
            np.array([counts["achieved"] for counts in by_step]),
            np.array([counts.together(*BAD) for counts in by_step]),
            record.latency[s, :, 0][:, window],
        )


@dataclass(frozen=True, slots=True)
class Look:
    """What reads a StackObserved off a model's record of a single stack, where the record was made."""

    services: tuple[str, ...]
    slots: slice | None = None
    """Of the grid that are looked at; None: the window."""

    def __call__(self, record: RunRecord) -> StackObserved:
        """Return what the record shows."""
        [stack] = record.stacks
        return self.at(record, stack)

    def at(self, record: RunRecord, stack: str) -> StackObserved:
        """Return what a record of any stacks shows of one."""
        return StackObserved.of(record, stack, self.services, self.slots)


def mean_of(runs: Sequence[StackObserved]) -> StackObserved:
    """Return the mean of several runs of one plan; histograms are added."""
    first, n = runs[0], len(runs)
    return StackObserved(
        {name: Observed.mean_of([run.services[name] for run in runs]) for name in first.services},
        first.steps,
        np.mean([run.achieved for run in runs], axis=0),
        np.mean([run.bad for run in runs], axis=0),
        np.sum([run.response for run in runs], axis=0, dtype=float) / n,
    )
