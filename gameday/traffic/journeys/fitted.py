"""The product: journeys fitted to a log, with intervals and their goodness of fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy import stats

from gameday.history.importers import Sessions
from gameday.products import WhereKnown, to_json
from gameday.scenario.blocks import EXIT, Journey
from gameday.traffic.journeys.pauses import FittedPause, PauseLaw
from gameday.traffic.plan.mix import ProductMix
from gameday.vocabulary import Array

__all__ = [
    "Calibration",
    "Conversion",
    "FittedJourney",
    "GoodnessByType",
    "GoodnessOfFit",
    "JourneyBlock",
    "LengthFit",
    "StepFit",
    "chances_of",
    "jeffreys",
]


@dataclass(frozen=True, slots=True)
class LengthBlock:
    """A journey's `length`, as a scenario writes it."""

    steps: list[float]
    """Chance of one step, of two ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyBlock:
    """A journey, as a scenario writes it."""

    start: dict[str, float]
    next: dict[str, dict[str, float]]
    think: dict[str, PauseLaw]
    length: Annotated[LengthBlock | None, WhereKnown] = None
    patience: str
    """As `8s`."""
    share: Annotated[dict[str, float] | None, WhereKnown] = None
    """Region -> share of the day's sessions."""
    hours: Annotated[list[float] | None, WhereKnown] = None
    """Weight of the share by local hour."""
    products: Annotated[dict[str, float] | None, WhereKnown] = None
    """Product type -> share of its sessions."""


@dataclass(frozen=True, slots=True)
class FittedJourney:
    """One class of customer."""

    name: str
    steps: tuple[str, ...]
    sessions: int
    """How many it was fitted to."""
    share: float
    """Share of all sessions."""
    regions: dict[str, float]
    """Region (`all` where the log says none) -> share of its sessions."""
    hours: list[float] | None
    """Weight of the share by local hour; None where the log is shorter than two days."""
    products: dict[str, float]
    """Product type -> share of those of its sessions that are about one."""
    counts: Array
    """Transitions, shape (1 + steps, steps + 1): the first row is the start, the last column the exit."""
    lengths: Array | None
    """Sessions of one step, of two ...; None where chances to leave after each step fit better."""
    pauses: dict[str, FittedPause]
    """Step -> law of the pause after it."""

    @property
    def chances(self) -> Array:
        """Shares of the counts, rows as theirs."""
        total = self.counts.sum(axis=1, keepdims=True)
        share = np.divide(self.counts, total, out=np.zeros(self.counts.shape), where=total > 0)
        return np.asarray(share)

    def intervals(self, level: float = 0.95) -> tuple[Array, Array]:
        """Return the chances' intervals: each row's Dirichlet posterior under Jeffreys' prior, by its margins."""
        total = self.counts.sum(axis=1, keepdims=True)
        low, high = jeffreys(self.counts, total, level)
        return np.where(self.counts == 0, 0.0, low), np.where(self.counts == total, 1.0, high)

    def block(self, patience: str) -> JourneyBlock:
        """Return the journey as a scenario writes it; `patience` as `8s`."""
        names = (*self.steps, EXIT)
        reached = [s for s, step in enumerate(self.steps) if self.counts[1 + s].sum() > 0]
        chances, length = self.chances, None
        if self.lengths is not None:
            chances = _without_exit(self.counts)
            length = LengthBlock(chances_of(self.lengths / self.lengths.sum()))
        return JourneyBlock(
            start=_named(self.steps, chances[0]),
            next={self.steps[s]: _named(names, chances[1 + s]) for s in reached},
            think={step: pause.law for step, pause in self.pauses.items()} | {"other": "0s"},
            length=length,
            patience=patience,
        )

    def journey(self) -> Journey:
        """Return the journey itself."""
        return Journey.model_validate(to_json(self.block("30s")))


@dataclass(frozen=True, slots=True)
class Conversion:
    """How many of the sessions that came to see a product type ordered it, with a 95 % interval (Jeffreys)."""

    product_type: Annotated[str, Field(alias="type")]
    """`all`: any type."""
    sessions: int
    buying: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class StepFit:
    """A step as fitted journeys have it (told) and as sessions held out have it (seen)."""

    mix_told: float
    """Share of all steps."""
    mix_seen: float
    ever_told: float
    """Share of sessions that come to it."""
    ever_seen: float
    ever_low: float
    """Of what is seen, an interval: 99 % for all steps together, chance in what was fitted included."""
    ever_high: float


@dataclass(frozen=True, slots=True)
class LengthFit:
    """Steps a session as fitted journeys have them (told) and as sessions held out have them (seen)."""

    mean_told: float
    mean_seen: float
    distance: float
    """Largest gap of their distributions (Kolmogorov-Smirnov)."""
    chance: float
    """The gap that chance alone exceeds in 5 of 100 samples of this size."""
    upto_told: list[float]
    """Chance of one step at most, of two ..."""
    upto_seen: list[float]


@dataclass(frozen=True, slots=True)
class GoodnessOfFit:
    """How well journeys predict sessions that they were not fitted to."""

    sessions: int
    steps: dict[str, StepFit]
    length: LengthFit

    @property
    def misfits(self) -> dict[str, StepFit]:
        """The steps whose share of sessions is told outside the interval of what is seen."""
        return {
            step: fit
            for step, fit in self.steps.items()
            if not fit.ever_low <= fit.ever_told <= fit.ever_high
        }


@dataclass(frozen=True, slots=True)
class GoodnessByType(GoodnessOfFit):
    """The goodness of fit to all sessions held out, and to those about each product type."""

    types: dict[str, GoodnessOfFit]


@dataclass(frozen=True, slots=True)
class ToldAndSeen:
    """A share by the chain, and in the sessions."""

    told: float
    seen: float


@dataclass(frozen=True, slots=True)
class ChainLosses:
    """How sessions of a chain differ from those observed."""

    by_two_before: float
    """Share of moves that go elsewhere than the journeys tell by the two steps before: total variation, 0-1."""
    by_chance: float
    """What it would be by chance alone, of so many sessions of the journeys."""
    largest: tuple[str, str, str] | None
    """The three steps in a row that differ most."""
    largest_share: ToldAndSeen | None
    """Share of the moves behind the first two of them that go to the third."""
    again: dict[str, ToldAndSeen]
    """Step -> share of sessions that come to it twice or more."""
    empty_cart: ToldAndSeen | None
    """Share of orders before which nothing was put in a cart; None: the sessions have no cart, or no order."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a log says of its customers."""

    journeys: tuple[FittedJourney, ...]
    products: tuple[ProductMix, ...]
    buys: tuple[Conversion, ...]
    """Of all sessions first, then of those that came to see each product type."""
    held_out: GoodnessByType
    losses: ChainLosses
    sessions: dict[str, Sessions]
    """Journey -> all sessions of its class."""
    notes: tuple[str, ...]


def jeffreys(hits: Array, of: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return the interval of shares under Jeffreys' prior; from 0 where none hit, to 1 where all did."""
    low, high = (
        stats.beta.ppf(q, hits + 0.5, of - hits + 0.5) for q in ((1 - level) / 2, (1 + level) / 2)
    )
    return np.where(np.asarray(hits) <= 0, 0.0, low), np.where(hits >= of, 1.0, high)


def chances_of(chances: Array) -> list[float]:
    """Return the chances rounded to six digits that sum to 1; the largest takes the rest."""
    rounded = [round(float(c), 6) for c in chances]
    largest = int(np.argmax(rounded))
    rounded[largest] = round(rounded[largest] + 1 - sum(rounded), 6)
    return rounded


def _named(names: tuple[str, ...], chances: Array) -> dict[str, float]:
    """Return name -> chance, of those above 0."""
    rows = zip(names, chances_of(chances[: len(names)]), strict=False)
    return {name: chance for name, chance in rows if chance > 0}


def _without_exit(counts: Array) -> Array:
    """Return the transition probabilities of visits that a step follows, shape (1 + steps, steps).

    After a step that none ever followed, the session goes where sessions start.
    """
    moves = counts[:, :-1].copy()
    nowhere = (moves.sum(axis=1) == 0) & (counts.sum(axis=1) > 0)
    moves[nowhere] = counts[0, :-1]
    total = moves.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(moves, total, out=np.zeros(moves.shape), where=total > 0))
