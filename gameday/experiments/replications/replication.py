"""One replication of one stack, reduced to numbers: what intervals are made of.

A record of a whole event is hundreds of megabytes of histograms; this is what is asked of it, read off
where the record was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from gameday.record import ATTEMPTS, LOADS, RunRecord, percentile
from gameday.record.measures import (
    BAD,
    LEAST_SAMPLES,
    SATURATED,
    SATURATED_SLOTS,
    TURNED_AWAY,
    bad_slots,
    moving_mean,
    number_of,
    service_series,
)
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array, TimeGrid

__all__ = [
    "NOBODY",
    "QUANTITIES",
    "SPANS",
    "UNITS",
    "Look",
    "Replication",
    "Replications",
    "first_run",
    "peak_hour",
]

NOBODY = "not observed: no customer came"
"""What is answered of what no customer met: it neither holds nor fails."""

QUANTITIES = ("utilisation", "wait_s", "p99_s", "turned_away", "queue", "servers")
"""Of a service: busy share of its servers; mean wait for one; p99 of a visit, queue to reply; share of
attempts shed, timed out or orphaned; mean number waiting; mean servers."""
UNITS = dict(zip(QUANTITIES, ("share", "s", "s", "share", "count", "count"), strict=True))
SPANS = ("event", "peak_hour")
_LOST = [ATTEMPTS.index(name) for name in ("shed", "timed_out", "orphaned")]
_UNSERVED = [ATTEMPTS.index(name) for name in ("shed", "timed_out")]
_SHED = ATTEMPTS.index("shed")
_CHANCE = 1e-5
"""Of a minute in which so many are turned away though the share is within its bound: rarer than one in
an event's minutes and services."""


@dataclass(frozen=True, slots=True)
class Replication:
    """What one replication of one stack comes to, over the window."""

    stack: str
    services: tuple[str, ...]
    grid: TimeGrid
    """The window's slots."""
    hour: slice
    """Its peak hour."""
    series: Array
    """Shape (QUANTITIES, services, slots); NaN where nothing came."""
    spans: Array
    """The same over the window and its peak hour, shape (SPANS, QUANTITIES, services)."""
    numbers: Array
    """What it says of each objective and from how many, shape (objectives, 2)."""
    fails_at: Array
    """First slot in which each objective fails, shape (objectives,); -1 = in none."""
    breaks_at: Array
    """First slot in which each service breaks, shape (services,); -1 = in none."""
    arrived: Array
    """Attempts, shape (services, slots)."""
    served: Array
    """Those of them that got a server, same shape."""
    busy_s: Array
    """Server-seconds in use, same shape."""
    lost: Array
    """Attempts shed, timed out or orphaned, same shape."""
    lookups: Array
    """What callers looked for in the cache before the service, same shape."""
    hits: Array
    """What they found there, same shape."""
    unreached: Array
    """Steps planned for each slot that never went out, shape (slots,)."""
    achieved: Array
    """Steps that went out in it, same shape."""
    done: Array
    """Those of them that ended well, same shape."""
    steps: tuple[str, ...]
    step_counts: Array
    """Of each step: went out, ended well, failed through the target; shape (steps, 3, slots)."""
    step_p99_s: Array
    """p99 of each step's response, shape (steps,); NaN of none."""
    sold_out: dict[str, float]
    """Product type -> when a customer is first told that it is gone, s of event time from the window's start."""
    imbalances: tuple[str, ...]
    little_residual: float
    notes: tuple[str, ...]

    def number_of(self, objective: int) -> tuple[float, int]:
        """Return what it says of an objective, and from how many."""
        return float(self.numbers[objective, 0]), int(self.numbers[objective, 1])

    def series_of(self, service: str, quantity: str) -> Array:
        """Return one of QUANTITIES of a service, shape (slots,)."""
        return np.asarray(self.series[QUANTITIES.index(quantity), self.services.index(service)])


Replications = tuple[tuple[Replication, ...], ...]
"""One entry a replication, in each one a stack."""


@dataclass(frozen=True, slots=True)
class Look:
    """What reads a Replication off a record of a single stack."""

    scenario: Scenario
    hours: dict[str, slice]
    """Stack -> its peak hour, slots of the window."""

    @staticmethod
    def at(scenario: Scenario, plan: LoadPlan) -> Look:
        """Return the look at runs of a plan."""
        return Look(scenario, {s: peak_hour(scenario, plan, s) for s in scenario.stack_names})

    def __call__(self, record: RunRecord) -> Replication:
        """Return what the record comes to."""
        [stack] = record.stacks
        seen, hour = _Services.of(record, self.scenario.stack_services(stack)), self.hours[stack]
        minutes = [seen.quantities(slice(slot, slot + 1)) for slot in range(seen.slots)]
        series = np.stack(minutes, axis=2)
        spans = [seen.quantities(part) for part in (slice(0, seen.slots), hour)]
        steps = record.steps_by_slot(stack)
        return Replication(
            stack=stack,
            services=seen.names,
            grid=record.grid.part(record.lead_in, seen.slots),
            hour=hour,
            series=series,
            spans=np.stack(spans),
            numbers=_numbers(record, self.scenario),
            fails_at=_fails_at(record, self.scenario),
            breaks_at=_breaks_at(series, seen.attempts),
            arrived=seen.attempts[:, 0],
            served=seen.attempts[:, 0] - seen.attempts[:, _UNSERVED].sum(axis=1),
            busy_s=seen.loads[:, LOADS.index("busy_s")],
            lost=seen.attempts[:, _LOST].sum(axis=1),
            lookups=seen.loads[:, LOADS.index("lookups")],
            hits=seen.loads[:, LOADS.index("hits")],
            unreached=steps["planned"] - steps["sent"],
            achieved=steps["achieved"],
            done=steps["done"],
            steps=record.steps,
            step_counts=_step_counts(record),
            step_p99_s=_step_p99(record),
            sold_out={product: at_s for (_, product), at_s in record.sold_out.items()},
            imbalances=tuple(record.imbalances()),
            little_residual=record.little_residual(),
            notes=record.notes,
        )


@dataclass(frozen=True, slots=True)
class _Services:
    """What a record has of a stack's services, over its window."""

    names: tuple[str, ...]
    attempts: Array
    """Shape (services, ATTEMPTS, slots)."""
    loads: Array
    """Shape (services, LOADS, slots)."""
    visits: Array
    """Shape (services, slots, BINS)."""
    longest_s: Array
    """Shape (services,)."""
    slot_wall_s: float

    @staticmethod
    def of(record: RunRecord, names: Sequence[str]) -> _Services:
        """Return these services of a record of a single stack."""
        places = [record.services.index(name) for name in names]
        return _Services(
            tuple(names),
            record.attempts[0, places][:, :, record.judged],
            record.loads[0, places][:, :, record.judged],
            record.visits[0, places][:, record.judged],
            record.longest_visit_s[places],
            record.slot_wall_s,
        )

    @property
    def slots(self) -> int:
        """How many slots the window has."""
        return int(self.loads.shape[2])

    def quantities(self, part: slice) -> Array:
        """Return QUANTITIES over some slots, shape (QUANTITIES, services)."""
        attempts, loads = self.attempts[:, :, part], self.loads[:, :, part]
        counts, load = attempts.sum(axis=2), loads.sum(axis=2)
        busy_s, queue_s, servers = load[:, 0], load[:, 1], load[:, 2]
        arrived = counts[:, 0]
        histograms = zip(self.visits[:, part], self.longest_s, strict=True)
        p99_s = [percentile(rows.sum(axis=0), 0.99, longest_s) for rows, longest_s in histograms]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack(
                [
                    np.minimum(1.0, busy_s / (servers * self.slot_wall_s)),
                    queue_s / (arrived - counts[:, _SHED]),
                    np.array(p99_s),
                    counts[:, _LOST].sum(axis=1) / arrived,
                    queue_s / (self.slot_wall_s * loads.shape[2]),
                    servers / loads.shape[2],
                ]
            )


def _step_counts(record: RunRecord) -> Array:
    rows = [record.steps_by_slot(slots=record.judged, steps=[step]) for step in record.steps]
    return np.stack([[c["achieved"], c["done"], c.together(*BAD)] for c in rows])


def _step_p99(record: RunRecord) -> Array:
    [stack] = record.stacks
    return np.array(
        [
            percentile(record.response(stack, step), 0.99, record.longest_response_s([step]))
            for step in record.steps
        ]
    )


def peak_hour(scenario: Scenario, plan: LoadPlan, stack: str) -> slice:
    """Return the hour of the window with the most steps forecast for a stack; the whole, if shorter."""
    regions = [plan.regions.index(region) for region in scenario.stack_regions(stack)]
    steps = plan.forecast[regions][:, :, plan.lead_in :].sum(axis=(0, 1))
    width = min(60, len(steps))
    upto = np.concatenate([[0.0], np.cumsum(steps)])
    first = int((upto[width:] - upto[:-width]).argmax())
    return slice(first, first + width)


def _numbers(record: RunRecord, scenario: Scenario) -> Array:
    """Return the number of each objective over the window, and from how many it is; NaN where nobody came.

    An idle service keeps no objective: nothing was asked of it.
    """
    rows = []
    for criterion in scenario.objectives:
        if criterion.is_of_service:
            seen = service_series(record, criterion, record.stacks[0])
            arrived = record.attempts_by_slot(record.stacks[0], criterion.subject)["arrived"]
            known = seen[~np.isnan(seen)] if arrived.any() else seen[:0]
            rows.append((float(known.mean()) if len(known) else float("nan"), len(known)))
        else:
            rows.append(number_of(record, criterion, record.stacks[0]))
    return np.array(rows, float).reshape(-1, 2)


def _fails_at(record: RunRecord, scenario: Scenario) -> Array:
    [stack] = record.stacks
    return np.array(
        [first_run(bad_slots(record, c, stack), c.for_s) for c in scenario.objectives], int
    )


def first_run(bad: Array, for_s: float) -> int:
    """Return the first slot from which on it is bad for `for_s` seconds of event time; -1 = none."""
    length = max(1, round(for_s / 60))
    if len(bad) < length:
        return -1
    whole = np.convolve(bad.astype(int), np.ones(length, int), "valid") == length
    return int(whole.argmax()) if whole.any() else -1


def _breaks_at(series: Array, attempts: Array) -> Array:
    """Return the first slot in which each service turns work away or stays saturated; -1 = none."""
    busy, arrived = series[QUANTITIES.index("utilisation")], attempts[:, 0]
    by_chance = scipy.stats.binom.sf(attempts[:, _LOST].sum(axis=1) - 1, arrived, TURNED_AWAY)
    turned = (by_chance < _CHANCE) & (arrived >= LEAST_SAMPLES)
    breaks = zip(map(_stays_saturated, busy), turned, strict=True)
    return np.array([first_run(lost | full, 0.0) for full, lost in breaks])


def _stays_saturated(busy: Array) -> Array:
    """Return whether each slot and those before it are saturated together, shape (slots,)."""
    full = np.zeros(len(busy), bool)
    if len(busy) >= SATURATED_SLOTS:
        mean = moving_mean(np.nan_to_num(busy), SATURATED_SLOTS)
        full[SATURATED_SLOTS - 1 :] = mean > SATURATED
    return full
