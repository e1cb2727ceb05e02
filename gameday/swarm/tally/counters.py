"""How much counters grew between two readings: instance by instance first, then summed.

A counter only grows; where it falls, its process began anew from zero (Prometheus: rates come before sums). A sum
over instances hides that: one of ten that restarts takes a tenth off. So a growth that cannot be told is NaN, not
known, and never a number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping

__all__ = [
    "Instances",
    "grown",
    "grown_buckets",
    "instance_name",
    "is_continuous",
    "labels_of",
    "risen",
    "total",
]

Instances = Mapping[str, float]
"""The series behind one name at one instant: labels as text -> value; NaN where it was exposed without one."""

_RESTART = 0.5
"""What keeps more than this share of its value did not begin anew: it is a sum that lost a part. Ours."""


def instance_name(labels: Mapping[str, str]) -> str:
    """Return labels as the text by which an instance is known."""
    return json.dumps(sorted(labels.items()))


def labels_of(name: str) -> tuple[tuple[str, str], ...]:
    """Return the labels in an instance's name; none where it has none."""
    return tuple((str(k), str(v)) for k, v in json.loads(name)) if name.startswith("[") else ()


def total(instances: Instances | None) -> float:
    """Return the sum over instances; NaN where there is none, or one has no value."""
    return math.fsum(instances.values()) if instances and _all_known(instances) else math.nan


def grown(
    before: Instances | None, after: Instances | None, *, ever: Collection[str] | None = None
) -> float:
    """Return by how much a counter grew, summed over its instances; NaN where that cannot be told.

    `ever` names the instances that were seen before: one that is not among them has counted from zero. None:
    an instance that comes may have counted for long. What an instance counted before it went is not known.
    """
    if not before or not after or not set(before) <= set(after):
        return math.nan
    known = dict(before) | dict.fromkeys(_newborn(before, after, ever), 0.0)
    return math.fsum(risen(known.get(name, math.nan), after[name]) for name in after)


def _newborn(before: Instances, after: Instances, ever: Collection[str] | None) -> set[str]:
    """Return the instances that were never seen before."""
    return set() if ever is None else set(after) - set(before) - set(ever)


def risen(old: float, new: float) -> float:
    """Return the rise of one counter; one that began anew has counted from zero."""
    if new >= old:
        return new - old
    return new if new <= _RESTART * old else math.nan


def is_continuous(
    before: Instances | None, after: Instances | None, *, ever: Collection[str] | None = None
) -> bool:
    """Return whether the same processes counted from one reading to the next, but for those newly come."""
    if not before or not after:
        return True  # not exposed, or not read: nothing to tell a restart by
    if not set(before) <= set(after) <= set(before) | _newborn(before, after, ever):
        return False
    return all(after[name] >= value for name, value in before.items())


def grown_buckets(
    before: Mapping[float, Instances],
    after: Mapping[float, Instances],
    *,
    ever: Collection[str] | None = None,
) -> dict[float, float]:
    """Return upper bound -> visits that a cumulative histogram gained up to it; empty where that cannot be told.

    A process that began anew is told by any of its buckets, and then all of them have counted from zero.
    """
    if not after or set(before) != set(after):
        return {}
    anew, top = _restarted(before, after), max(after)
    rises = (risen(before[top].get(n, math.nan), after[top].get(n, math.nan)) for n in anew)
    if any(map(math.isnan, rises)):
        return {}
    since = {
        bound: {name: 0.0 if name in anew else value for name, value in before[bound].items()}
        for bound in after
    }
    gained = {bound: grown(since[bound], after[bound], ever=ever) for bound in after}
    return gained if _all_known(gained) else {}


def _restarted(before: Mapping[float, Instances], after: Mapping[float, Instances]) -> set[str]:
    """Return the instances of which any bucket fell."""
    return {
        name
        for bound in after
        for name, value in after[bound].items()
        if value < before[bound].get(name, math.nan)
    }


def _all_known(values: Mapping[str, float] | Mapping[float, float]) -> bool:
    return all(map(math.isfinite, values.values()))
