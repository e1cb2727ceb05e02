"""Journeys from sessions: classes of customer, transition counts with intervals, laws of pauses.

Four fifths of the sessions are fitted, one fifth is held out: what the fitted journeys say of it stands beside
what it is. Classes are a rule, not a search, so that the same log always gives the same journeys.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gameday.errors import HistoryError
from gameday.history.importers import Sessions
from gameday.traffic.journeys.fitted import Calibration, FittedJourney, jeffreys
from gameday.traffic.journeys.held_out import against, by_type
from gameday.traffic.journeys.pauses import fit_pause
from gameday.traffic.plan.mix import hours_of, product_mix, shares_by_region
from gameday.vocabulary import LONGEST_WALK, Array

__all__ = ["CLASSES", "ORDER", "calibrate"]

CLASSES = (
    ("buyer", "checkout"),
    ("cart-abandoner", "cart"),
    ("searcher", "search"),
    ("browser", ""),
)
"""A session is of the first class whose step it has; of the last, if of none. It is of that class up to the last
such step, and what follows is a session of its own: so a buyer always buys, and no visit is lost."""
ORDER = "checkout"
"""The step of an order, where no scenario says which one is."""
_HELD_OUT = 5
"""Every so manieth session is held out, by its number."""
_LEAST_SESSIONS = 20
"""A class of fewer is one with the browsers: its chances would say nothing."""


def calibrate(
    seen: Sessions,
    resolution_s: float = 1.0,
    zones: dict[str, str] | None = None,
    *,
    order: str = ORDER,
) -> Calibration:
    """Return journeys, product mix and how well they tell the sessions held out; `zones` are those of regions.

    `order` is the step whose sessions are buyers'.
    """
    held = np.arange(seen.count) % _HELD_OUT == _HELD_OUT - 1
    train, test = seen.only(~held & ~seen.is_cut), seen.only(held & ~seen.is_cut)
    if min(train.count, test.count) == 0:
        raise HistoryError(
            f"the log has {seen.count} sessions, {int(seen.is_cut.sum())} of them under way when it ends: too few "
            "to fit journeys to some and hold others out; take a longer one"
        )
    classes_of = [(name, order if step == ORDER else step) for name, step in CLASSES]
    ends = {name: step for name, step in classes_of if train.having(step).sum() >= _LEAST_SESSIONS}
    (train, classes), (test, test_classes) = _apart(train, ends), _apart(test, ends)
    about, names = train.about(order), [name for name, _ in CLASSES if (classes == name).any()]
    group = np.array([names.index(name) for name in classes], int)
    shares = shares_by_region(train, group, len(names))
    hours = hours_of(train, group, len(names), zones or {})
    journeys = tuple(
        FittedJourney(
            **_fitted(
                name, train.only(classes == name), test.only(test_classes == name), resolution_s
            ),
            share=float((group == j).mean()),
            regions={region: float(row[j]) for region, row in shares.items()},
            hours=None if hours is None else [round(float(w), 4) for w in hours[j]],
            products=_mix(train, about[group == j]),
        )
        for j, name in enumerate(names)
    )
    products = product_mix(train, about, zones or {})
    told = against(journeys, [one.share for one in journeys], test)
    told["types"] = by_type(journeys, test, order)
    return Calibration(journeys, products, _buys(seen, order), told, seen.notes)


def _mix(seen: Sessions, about: Array) -> dict[str, float]:
    """Return product type -> share of the sessions that are about one."""
    counts = np.bincount(about, minlength=len(seen.types))[1:]
    shares = counts / max(1, counts.sum())
    return {name: float(s) for name, s in zip(seen.types[1:], shares, strict=True) if s > 0}


def _apart(seen: Sessions, ends: dict[str, str]) -> tuple[Sessions, Array]:
    """Return the sessions cut behind the last step of their class, and each one's class."""
    for place, step in enumerate(ends.values()):
        higher = np.zeros(seen.count, bool)
        for before_it in list(ends.values())[:place]:
            higher |= seen.having(before_it)
        is_it = seen.step == seen.steps.index(step)
        before = np.cumsum(is_it) - is_it  # how many stand before each event
        mine = np.append(np.cumsum(is_it), 0)[seen.firsts[1:] - 1][
            seen.session
        ]  # up to its session's end
        first = before[seen.firsts[:-1]][seen.session]
        seen = seen.cut_where((mine > first) & (before == mine) & ~higher[seen.session])
    out = np.full(seen.count, CLASSES[-1][0], object)
    for name, step in reversed(ends.items()):
        out[seen.having(step)] = name
    return seen, out


def _fitted(name: str, train: Sessions, test: Sessions, resolution_s: float) -> dict[str, Any]:
    """Return what a class's own sessions say of how it walks: fields of FittedJourney."""
    steps, counts = train.steps, _counts(train)
    pauses = {}
    for s, step in enumerate(steps):
        before, after = (_pauses(part, s) for part in (train, test))
        if len(before):
            pauses[step] = fit_pause(before, after, resolution_s)
    lengths = _lengths(train, test, counts) if name == CLASSES[-1][0] else None
    return {
        "name": name,
        "steps": steps,
        "sessions": train.count,
        "counts": counts,
        "lengths": lengths,
        "pauses": pauses,
    }


def _counts(seen: Sessions) -> Array:
    """Return transitions, shaped as FittedJourney.counts."""
    n = len(seen.steps)
    counts = np.zeros((n + 1, n + 1))
    counts[0, :n] = np.bincount(seen.step[seen.firsts[:-1]], minlength=n)
    is_last = np.zeros(len(seen.step), bool)
    is_last[seen.firsts[1:] - 1] = True
    following = np.where(is_last, n, np.append(seen.step[1:], 0))
    np.add.at(counts, (1 + seen.step, following), 1)
    return counts


def _lengths(train: Sessions, test: Sessions, counts: Array) -> Array | None:
    """Return sessions by length where that tells those held out better than exits after each step; else None."""
    lengths, seen = (
        np.bincount(np.minimum(np.diff(part.firsts), LONGEST_WALK), minlength=2)[1:].astype(float)
        for part in (train, test)
    )
    held = _counts(test)
    by_chain = float((held * np.log(_smoothed(counts))).sum())
    size = max(len(lengths), len(seen))
    law = _smoothed(np.pad(lengths, (0, size - len(lengths)))[None])[0]
    by_length = float((held[:, :-1] * np.log(_smoothed(counts[:, :-1]))).sum())
    by_length += float((np.pad(seen, (0, size - len(seen))) * np.log(law)).sum())
    return lengths if by_length > by_chain else None


def _smoothed(counts: Array) -> Array:
    """Return shares by row under Jeffreys' prior: no chance is 0."""
    return np.asarray((counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True))


def _pauses(seen: Sessions, step: int) -> Array:
    """Return the pauses after a step, s, that the log saw at both ends."""
    inside = np.diff(seen.session) == 0
    known = ~seen.is_inferred[1:] & ~seen.is_inferred[:-1]
    return np.asarray(np.diff(seen.at_s)[inside & known & (seen.step[:-1] == step)])


def _buys(seen: Sessions, order_step: str) -> tuple[dict[str, Any], ...]:
    """Return conversion overall and by product type, largest first, with 95 % intervals (Jeffreys)."""
    whole = seen.only(~seen.is_cut)
    order = whole.steps.index(order_step) if order_step in whole.steps else -1
    rows = []
    for place, name in enumerate(("all", *whole.types[1:])):
        mine = whole.type_of == place if place else np.ones(len(whole.step), bool)
        came, bought = (
            len(np.unique(whole.session[mine & which])) for which in (True, whole.step == order)
        )
        if came:
            low, high = jeffreys(np.array(bought), np.array(came))
            rows.append(
                {
                    "type": name,
                    "sessions": came,
                    "buying": bought,
                    "share": bought / came,
                    "low": float(low),
                    "high": float(high),
                }
            )
    return tuple(rows)
