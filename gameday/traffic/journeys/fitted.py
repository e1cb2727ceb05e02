"""The product: journeys as a log tells them, with intervals, and how well they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from gameday.scenario.blocks import EXIT, Journey
from gameday.traffic.journeys.pauses import FittedPause
from gameday.traffic.plan.mix import ProductMix
from gameday.vocabulary import Array

__all__ = ["Calibration", "FittedJourney", "chances_of", "jeffreys"]


@dataclass(frozen=True, slots=True)
class FittedJourney:
    """One class of customer."""

    name: str
    steps: tuple[str, ...]
    sessions: int
    """It was fitted to."""
    share: float
    """Of all sessions."""
    regions: dict[str, float]
    """Region (`all` where the log says none) -> share of its sessions."""
    hours: list[float] | None
    """Weight of the share by local hour; None where the log is shorter than two days."""
    products: dict[str, float]
    """Product type -> share of those of its sessions that are about one."""
    counts: Array
    """Transitions, shape (1 + steps, steps + 1): the first row is the start, the last column the exit."""
    lengths: Array | None
    """Sessions of one step, of two ...: of those whom no step of theirs ends; None: the chain ends them."""
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

    def block(self, patience: str) -> dict[str, Any]:
        """Return the journey as a scenario writes it."""
        names = (*self.steps, EXIT)
        reached = [s for s, step in enumerate(self.steps) if self.counts[1 + s].sum() > 0]
        chances = self.chances
        length: dict[str, Any] = {}
        if self.lengths is not None:
            chances = _without_exit(self.counts)
            length = {"length": {"steps": list(chances_of(self.lengths / self.lengths.sum()))}}
        return {
            "start": _named(self.steps, chances[0]),
            "next": {self.steps[s]: _named(names, chances[1 + s]) for s in reached},
            "think": {s: p.law for s, p in self.pauses.items()} | {"other": "0s"},
            **length,
            "patience": patience,
        }

    def journey(self) -> Journey:
        """Return the journey itself."""
        return Journey.model_validate(self.block("30s"))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a log says of its customers."""

    journeys: tuple[FittedJourney, ...]
    products: tuple[ProductMix, ...]
    buys: tuple[dict[str, Any], ...]
    """Of all sessions, and of those that came to see each product type: how many ordered (of) it."""
    held_out: dict[str, Any]
    """How well the journeys tell the sessions they were not fitted to."""
    notes: tuple[str, ...]


def jeffreys(hits: Array, of: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return the interval of shares under Jeffreys' prior."""
    low, high = (
        stats.beta.ppf(q, hits + 0.5, of - hits + 0.5) for q in ((1 - level) / 2, (1 + level) / 2)
    )
    return np.asarray(low), np.asarray(high)


def chances_of(chances: Array) -> list[float]:
    """Return chances of six digits that sum to 1."""
    rounded = [round(float(c), 6) for c in chances]
    largest = int(np.argmax(rounded))
    rounded[largest] = round(rounded[largest] + 1 - sum(rounded), 6)
    return rounded


def _named(names: tuple[str, ...], chances: Array) -> dict[str, float]:
    """Return those above 0 by name."""
    rows = zip(names, chances_of(chances[: len(names)]), strict=False)
    return {name: chance for name, chance in rows if chance > 0}


def _without_exit(counts: Array) -> Array:
    """Return the chances where a step follows; from where none ever did, back to where sessions start."""
    moves = counts[:, :-1].copy()
    nowhere = (moves.sum(axis=1) == 0) & (counts.sum(axis=1) > 0)
    moves[nowhere] = counts[0, :-1]
    total = moves.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(moves, total, out=np.zeros(moves.shape), where=total > 0))
