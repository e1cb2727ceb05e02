"""What a change does: the difference of two variants, pair by pair of replications.

Each pair shares its customers and its draws (common random numbers), so what differs is the change alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gameday.experiments.rehearsal.stack_answers import ServiceAnswer, service_answers
from gameday.experiments.replications.replication import Replication, Replications
from gameday.record.intervals import Interval, interval_of, t_interval

__all__ = ["ObjectiveChange", "objective_change", "service_change"]

Pair = tuple[Replication, Replication]
"""A replication before and after the change."""


@dataclass(frozen=True, slots=True)
class ObjectiveChange:
    """By how much the number of an objective changes, in its unit."""

    change: Interval


def service_change(
    before: Replications, after: Replications
) -> dict[str, tuple[ServiceAnswer, ...]]:
    """Return stack -> services with the change of each quantity."""
    return {
        pairs[0][0].stack: service_answers(
            pairs[0][0].services,
            np.stack([changed.spans - as_is.spans for as_is, changed in pairs]),
            of_change=True,
        )
        for pairs in _pairs(before, after)
    }


def objective_change(
    before: Replications, after: Replications
) -> dict[str, tuple[ObjectiveChange, ...]]:
    """Return stack -> objectives, in the scenario's order, with their change."""
    changes = {}
    for pairs in _pairs(before, after):
        values = [changed.numbers[:, 0] - as_is.numbers[:, 0] for as_is, changed in pairs]
        changes[pairs[0][0].stack] = tuple(
            ObjectiveChange(interval_of(t_interval([value[number] for value in values])))
            for number in range(len(pairs[0][0].numbers))
        )
    return changes


def _pairs(before: Replications, after: Replications) -> Iterator[list[Pair]]:
    """Yield the pairs of each stack; where one variant has more replications the rest is left out."""
    for as_is, changed in zip(zip(*before, strict=True), zip(*after, strict=True), strict=True):
        yield list(zip(as_is, changed, strict=False))
