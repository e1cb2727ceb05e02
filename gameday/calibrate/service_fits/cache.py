"""Whether the cache before a service was cold, or keeps less than declared: its hits, slot by
slot, beside the model's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from gameday.calibrate.compared.observed import Observed
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.record.measures import moving_mean
from gameday.scenario.blocks import Spread
from gameday.scenario.caller_policies import Cache
from gameday.vocabulary import Array

__all__ = ["fit"]

_APART = 0.05
"""Share of lookups by which hits must be fewer. Ours."""
_SLOTS = 3
_NOTHING = 1e-9
"""Share of the declared answers that an empty cache begins with."""
_SMALLER = (1.0, 0.6, 0.35, 0.2, 0.1, 0.05, 0.02, 0.01, 0.0)
"""Entries as a share of the declared ones that are tried. Ours: each step moves the hits by a few per cent."""


def fit(case: ServiceCase) -> Found | None:
    """Return the cache that hits as seldom as it was seen to: empty when the run began, or smaller."""
    cache = case.model.service(case.name).cache
    seen, expected = _hits(case.seen), _hits(case.expected)
    known = ~(np.isnan(seen) | np.isnan(expected))
    if cache is None or known.sum() < _SLOTS:
        return None
    fewer = moving_mean((expected - seen)[known], _SLOTS)
    if fewer.max() < _APART:
        return None
    best = min(_tried(cache), key=lambda one: _distance(case, one, seen, known))
    return None if best == cache else _differs(case, cache, best)


def _tried(cache: Cache) -> Iterator[Cache]:
    """Yield caches that are smaller, or empty when the run begins, or both."""
    for share, begins in product(_SMALLER, ("full", "empty")):
        entries = max(1, round(share * cache.entries))
        yield cache.model_copy(update={"entries": entries, "begins": begins})


def _differs(case: ServiceCase, declared: Cache, found: Cache) -> Found:
    looked_up = float(np.nansum(case.seen.load("lookups")))
    by = "hits of the cache"
    if found.entries == declared.entries:
        cold = Spread.exactly(_NOTHING)
        return case.differs({"cache": found}, "cache.begins", 1.0, cold, by, looked_up)
    now = Spread.exactly(found.entries)
    return case.differs({"cache": found}, "cache.entries", declared.entries, now, by, looked_up)


def _distance(case: ServiceCase, cache: Cache, seen: Array, known: Array) -> float:
    block = case.model.measured(case.name).model_copy(update={"cache": cache})
    played = case.model.simulate({case.name: block}).services[case.name]
    return float(((_hits(played) - seen)[known] ** 2).sum())


def _hits(observed: Observed) -> Array:
    """Return the share of lookups that hit, shape (slots,); NaN where none was seen."""
    lookups = observed.load("lookups")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(lookups > 0, observed.load("hits") / lookups, np.nan))
