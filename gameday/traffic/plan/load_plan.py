"""The product: when sessions start, per journey and slot, and the seed that decides all else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gameday.scenario.reading import Injection
from gameday.traffic.plan.nominal import StackResponses, event_response_s
from gameday.vocabulary import SLOT_S, Array, Clock, Seed, TimeGrid

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Arrivals", "LoadPlan", "whole_starts"]

_BUNCH_SLOTS = 1 / 600
"""How long a bunch lasts: a tenth of a second of event time."""
_PART_SLOTS = 20
"""Slots whose arrivals are made at once."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Every session start of a played plan, by time. A session's number is its index."""

    at_s: Array
    """Wall seconds from the window's start, sorted; negative in the lead-in. Shape (sessions,)."""
    region: Array
    """Index of the region, shape (sessions,)."""
    journey: Array
    """Index of the journey, shape (sessions,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """A window of the event at a speed and a scale."""

    grid: TimeGrid
    """The played slots: the window, with the lead-in before it."""
    lead_in: int
    """Slots before the window, played so that customers are under way; not judged."""
    regions: tuple[str, ...]
    steps: tuple[str, ...]
    journeys: tuple[str, ...]
    starts: Array
    """Session starts a minute at full scale, shape (regions, journeys, grid.slots)."""
    forecast: Array
    """Steps a minute at full scale, launches included, shape (regions, steps, grid.slots)."""
    caused: Array
    """Steps a minute that `starts` cause, same shape; minus forecast is the residual."""
    played: Array
    """Sessions to start in each slot of the run, integers, shape of `starts`."""
    half_life_slots: dict[str, float] = field(repr=False)
    """Launch journeys: half-life in slots, for arrivals inside a slot from the release on."""
    speed: float
    """Event time per wall time, s."""
    scale: float
    """Share of full scale, k."""
    quantile: float
    seed: Seed
    nominal: StackResponses = field(repr=False)
    """Stack -> step -> response with no queue, in the scaled-down system (cell)."""
    spacing: str = "poisson"
    """How starts lie inside a slot: `poisson`, as independent customers come, or `even`."""
    dispersion: float = 1.0
    """Index of dispersion of starts in short intervals: 1 for independent customers, more where they come in
    bunches."""
    released: dict[str, dict[str, int]] = field(default_factory=dict, repr=False)
    """Launch journey -> region -> slot of the grid of the release; earlier starts are spread evenly in a slot."""
    injections: tuple[Injection, ...] = ()
    """What happens meanwhile; more or fewer customers are in the arrays already."""

    @property
    def clock(self) -> Clock:
        """How event time and full scale become the run's."""
        return Clock(self.speed, self.scale, self.lead_in * self.slot_wall_s)

    @property
    def slot_wall_s(self) -> float:
        """Wall seconds a slot lasts."""
        return Clock(self.speed).slot_wall_s

    @property
    def window(self) -> TimeGrid:
        """The slots that are judged."""
        return self.grid.part(self.lead_in, self.grid.slots - self.lead_in)

    @property
    def duration_s(self) -> float:
        """Wall seconds of the window, lead-in apart."""
        return self.window.slots * self.slot_wall_s

    @property
    def lead_in_s(self) -> float:
        """Wall seconds of the lead-in."""
        return self.clock.lead_in_s

    def event_response_s(self, stack: str) -> dict[str, float]:
        """Return each step's mean response with no queue in event time, s."""
        return event_response_s(self.nominal[stack], speed=self.speed)

    def slot_of(self, at_s: float) -> int:
        """Return the window's slot at wall second `at_s`; outside 0..slots-1 it is not judged."""
        return int(np.floor(at_s / self.slot_wall_s))

    def arrivals(self) -> Arrivals:
        """Return every session start: as many in each slot as `played`, their times in it drawn from the seed.

        Given its count, a Poisson stream is uniform in a slot; a launch's is denser early.
        """
        parts = list(self.arrivals_by_part())
        return Arrivals(
            np.concatenate([part.at_s for part in parts]),
            np.concatenate([part.region for part in parts]),
            np.concatenate([part.journey for part in parts]),
        )

    def arrivals_by_part(self) -> Iterator[Arrivals]:
        """Yield `arrivals` some minutes at a time, so that memory does not grow with the event."""
        streams = {
            (r, j): self.seed.stream("arrivals", region, journey)
            for r, region in enumerate(self.regions)
            for j, journey in enumerate(self.journeys)
        }
        for first in range(0, max(1, self.grid.slots), _PART_SLOTS):
            part = slice(first, min(first + _PART_SLOTS, self.grid.slots))
            yield self._part(part, streams)

    def _part(self, part: slice, streams: dict[tuple[int, int], np.random.Generator]) -> Arrivals:
        """Return the arrivals of some slots; `streams`: (region, journey) -> its generator."""
        times = [self._times(r, j, part, stream) for (r, j), stream in streams.items()]
        counts = [len(at_s) for at_s in times]
        region, journey = (
            np.repeat(np.array(indices, np.int16), counts) for indices in zip(*streams, strict=True)
        )
        at_s = np.concatenate(times)
        order = _order_of(at_s)
        return Arrivals(at_s[order], region[order], journey[order])

    def _times(self, r: int, j: int, part: slice, stream: np.random.Generator) -> Array:
        """Return the arrivals of one region and journey in some slots, wall seconds from the window's start."""
        counts = self.played[r, j, part]
        fraction = self._fractions(counts, stream)
        slot = np.repeat(np.arange(part.start, part.stop), counts)
        name = self.journeys[j]
        if half_life := self.half_life_slots.get(name):
            released = self.released.get(name, {}).get(self.regions[r], 0)
            fraction = np.where(slot >= released, _decaying(fraction, half_life), fraction)
        return np.asarray((slot - self.lead_in + fraction) * self.slot_wall_s)

    def _fractions(self, counts: Array, stream: np.random.Generator) -> Array:
        """Return how much of its slot has passed at each start, in [0, 1), slot by slot."""
        if self.spacing == "even":
            first = np.repeat(np.cumsum(counts) - counts, counts)
            return np.asarray((np.arange(counts.sum()) - first + 0.5) / np.repeat(counts, counts))
        count = int(counts.sum())
        if self.dispersion <= 1.0:
            return stream.random(count)
        return self._bunched(counts, count, stream)

    def _bunched(self, counts: Array, count: int, stream: np.random.Generator) -> Array:
        """Return `_fractions` of a batch Poisson process whose geometric batches give the wanted dispersion.

        With chance p that a customer is the first of a batch its variance over its mean is (2 - p) / p.
        """
        is_first = stream.random(count) < 2.0 / (self.dispersion + 1.0)
        is_first[(np.cumsum(counts) - counts)[counts > 0]] = True
        bunch = np.cumsum(is_first) - 1
        middle = stream.random(int(is_first.sum()))[bunch] if count else np.zeros(0)
        return np.asarray(middle + (1.0 - middle) * _BUNCH_SLOTS * stream.random(count))

    def of_new_customers(self, number: int) -> LoadPlan:
        """Return the plan with new Poisson counts of session starts in each slot; `number` says which draw.

        A swarm plays the plan's own whole counts; a prediction of the event does not know them.
        """
        seed = self.seed.child("customers", str(number))
        mean = np.maximum(0.0, self.clock.played(self.starts))
        return replace(self, seed=seed, played=seed.stream("counts").poisson(mean))

    def times(self, factor: float) -> LoadPlan:
        """Return the plan with `factor` times the customers; cell, stock and clock stay as they are."""
        share = factor * self.scale / self.speed
        return replace(
            self,
            starts=factor * self.starts,
            forecast=factor * self.forecast,
            caused=factor * self.caused,
            played=whole_starts(share * self.starts, self.seed),
        )

    def traffic_factor(self) -> Array:
        """Return the factor by which injections multiply the customers of each slot, shape (grid.slots,)."""
        factor = np.ones(self.grid.slots)
        for change in self.injections:
            first = self.lead_in + round(change.at_s / SLOT_S)
            last = self.grid.slots
            if change.for_s != np.inf:
                last = first + round(change.for_s / SLOT_S)
            factor[first:last] *= 1.0 if change.traffic is None else change.traffic
        return factor

    def with_injections(self, injections: tuple[Injection, ...]) -> LoadPlan:
        """Return the plan with these injections; those that change the traffic multiply its arrays."""
        plan = replace(self, injections=injections)
        factor = plan.traffic_factor()
        if (factor == 1.0).all():
            return plan
        starts = self.starts * factor
        return replace(
            plan,
            starts=starts,
            forecast=self.forecast * factor,
            caused=self.caused * factor,
            played=whole_starts(self.clock.stock_scale * starts, self.seed),
        )

    def table(self) -> pd.DataFrame:
        """Return the plan as `plan.parquet` holds it."""
        import pandas as pd  # a worker never asks for it

        index = pd.MultiIndex.from_product(
            [self.regions, self.journeys, pd.to_datetime(self.grid.minutes(), unit="m", utc=True)],
            names=["region", "journey", "slot_utc"],
        )
        columns = {"starts": self.starts.ravel(), "played": self.played.ravel()}
        return pd.DataFrame(columns, index=index).reset_index()

    def sha256(self) -> str:
        """Return the hash of what is played: counts, seed, speed and scale, hex."""
        played = (self.speed, self.scale, self.seed.root, self.spacing, self.dispersion)
        head = "|".join(map(str, (self.grid, self.lead_in, *played)))
        head += "".join(f"|{injection.text}" for injection in self.injections)
        return hashlib.sha256(head.encode() + self.played.tobytes()).hexdigest()


def _order_of(at_s: Array) -> Array:
    """Return what sorts times; ties stay in their order."""
    order = np.argsort(at_s)  # four times as fast as the stable sort that ties need
    in_order = at_s[order]
    if (in_order[1:] == in_order[:-1]).any():
        return np.argsort(at_s, kind="stable")
    return order


def _decaying(fraction: Array, half_life: float) -> Array:
    """Return uniform numbers as fractions of a slot in which the rate halves every `half_life` slots."""
    return np.asarray(-np.log2(1 - fraction * (1 - 0.5 ** (1 / half_life))) * half_life)


def whole_starts(starts: Array, seed: Seed) -> Array:
    """Return whole sessions per slot whose running sum is always less than one away from that of `starts`."""
    phase = seed.stream("rounding").random(starts.shape[:2])[:, :, None]
    upto = np.floor(np.cumsum(starts, axis=2) + phase)
    return np.diff(upto, axis=2, prepend=0.0).astype(int)
