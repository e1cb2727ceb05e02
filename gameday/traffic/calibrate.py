"""Journeys from sessions: classes of customer, transition counts with intervals, laws of pauses.

Four fifths of the sessions are fitted, one fifth is held out: what the fitted journeys say of it stands beside
what it is. Classes are a rule, not a search, so that the same log always gives the same journeys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from gameday.history.sessions import Sessions
from gameday.scenario.journeys import EXIT, Journey
from gameday.traffic.chains import chain_of, length_law
from gameday.traffic.pauses import FittedPause, fit_pause
from gameday.vocabulary import Array

__all__ = ["CLASSES", "Calibration", "FittedJourney", "calibrate"]

CLASSES = (
    ("buyer", "checkout"),
    ("cart-abandoner", "cart"),
    ("searcher", "search"),
    ("browser", ""),
)
"""A session is of the first class whose step it has; of the last, if of none. It is of that class up to the last
such step, and what follows is a session of its own: so a buyer always buys, and no visit is lost."""
_ORDER = "checkout"
_HELD_OUT = 5
"""Every so manieth session is held out, by its number."""
_LEAST_SESSIONS = 20
"""A class of fewer is one with the browsers: its chances would say nothing."""


@dataclass(frozen=True, slots=True)
class FittedJourney:
    """One class of customer."""

    name: str
    steps: tuple[str, ...]
    sessions: int
    """It was fitted to."""
    share: float
    """Of all sessions."""
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
        low, high = _jeffreys(self.counts, total, level)
        return np.where(self.counts == 0, 0.0, low), np.where(self.counts == total, 1.0, high)

    def block(self, patience: str) -> dict[str, Any]:
        """Return the journey as a scenario writes it."""
        names = (*self.steps, EXIT)
        reached = [s for s, step in enumerate(self.steps) if self.counts[1 + s].sum() > 0]
        chances = self.chances
        length: dict[str, Any] = {}
        if self.lengths is not None:
            chances = _without_exit(self.counts)
            length = {"length": {"steps": list(_row(self.lengths / self.lengths.sum()))}}
        return {
            "start": _named(self.steps, chances[0]),
            "next": {self.steps[s]: _named(names, chances[1 + s]) for s in reached},
            "think": {s: p.law for s, p in self.pauses.items()} | {"other": "0s"},
            **length, "patience": patience,
        }  # fmt: skip

    def journey(self) -> Journey:
        """Return the journey itself."""
        return Journey.model_validate(self.block("30s"))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a log says of its customers."""

    journeys: tuple[FittedJourney, ...]
    types: dict[str, float]
    """Product type -> share of the sessions that are about one."""
    buys: tuple[dict[str, Any], ...]
    """Of all sessions, and of those that came to see each product type: how many ordered (of) it."""
    held_out: dict[str, Any]
    """How well the journeys tell the sessions they were not fitted to."""
    notes: tuple[str, ...]


def _jeffreys(hits: Array, of: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return the interval of shares under Jeffreys' prior."""
    low, high = (
        stats.beta.ppf(q, hits + 0.5, of - hits + 0.5) for q in ((1 - level) / 2, (1 + level) / 2)
    )
    return np.asarray(low), np.asarray(high)


def calibrate(seen: Sessions, resolution_s: float = 1.0) -> Calibration:
    """Return journeys, product mix and how well they tell the sessions held out."""
    held = np.arange(seen.count) % _HELD_OUT == _HELD_OUT - 1
    train, test = seen.only(~held & ~seen.is_cut), seen.only(held & ~seen.is_cut)
    ends = {name: step for name, step in CLASSES if train.having(step).sum() >= _LEAST_SESSIONS}
    (train, classes), (test, test_classes) = _apart(train, ends), _apart(test, ends)
    journeys = tuple(
        _fitted(name, train.only(classes == name), test.only(test_classes == name), train.count, resolution_s)
        for name, _ in CLASSES if (classes == name).any()
    )  # fmt: skip
    return Calibration(journeys, _types(seen), _buys(seen), _against(journeys, test), seen.notes)


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


def _fitted(
    name: str, train: Sessions, test: Sessions, of: int, resolution_s: float
) -> FittedJourney:
    steps, counts = train.steps, _counts(train)
    pauses = {}
    for s, step in enumerate(steps):
        before, after = (_pauses(part, s) for part in (train, test))
        if len(before):
            pauses[step] = fit_pause(before, after, resolution_s)
    lengths = _lengths(train, test, counts) if name == CLASSES[-1][0] else None
    return FittedJourney(name, steps, train.count, train.count / of, counts, lengths, pauses)


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
    lengths = np.bincount(np.diff(train.firsts), minlength=2)[1:].astype(float)
    held, seen = _counts(test), np.bincount(np.diff(test.firsts), minlength=2)[1:]
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


def _row(chances: Array) -> list[float]:
    """Return chances of six digits that sum to 1."""
    rounded = [round(float(c), 6) for c in chances]
    largest = int(np.argmax(rounded))
    rounded[largest] = round(rounded[largest] + 1 - sum(rounded), 6)
    return rounded


def _named(names: tuple[str, ...], chances: Array) -> dict[str, float]:
    """Return those above 0 by name."""
    rows = zip(names, _row(chances[: len(names)]), strict=False)
    return {name: chance for name, chance in rows if chance > 0}


def _without_exit(counts: Array) -> Array:
    """Return the chances where a step follows; from where none ever did, back to where sessions start."""
    moves = counts[:, :-1].copy()
    nowhere = (moves.sum(axis=1) == 0) & (counts.sum(axis=1) > 0)
    moves[nowhere] = counts[0, :-1]
    total = moves.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(moves, total, out=np.zeros(moves.shape), where=total > 0))


def _types(seen: Sessions) -> dict[str, float]:
    """Return each product type's share of the sessions that have one: that of most of their events."""
    counts = np.zeros((seen.count, len(seen.types)), np.int32)
    np.add.at(counts, (seen.session, seen.type_of), 1)
    named = counts[:, 1:]
    if not named.any():
        return {}
    about = named[named.sum(axis=1) > 0].argmax(axis=1)
    total = np.bincount(about, minlength=len(seen.types) - 1)
    shares = total / max(1, total.sum())
    return {name: float(s) for name, s in zip(seen.types[1:], shares, strict=True) if s > 0}


def _buys(seen: Sessions) -> tuple[dict[str, Any], ...]:
    """Return conversion overall and by product type, largest first, with 95 % intervals (Jeffreys)."""
    whole = seen.only(~seen.is_cut)
    order = whole.steps.index(_ORDER) if _ORDER in whole.steps else -1
    rows = []
    for place, name in enumerate(("all", *whole.types[1:])):
        mine = whole.type_of == place if place else np.ones(len(whole.step), bool)
        came, bought = (
            len(np.unique(whole.session[mine & which])) for which in (True, whole.step == order)
        )
        if came:
            low, high = _jeffreys(np.array(bought), np.array(came))
            rows.append({"type": name, "sessions": came, "buying": bought, "share": bought / came,
                         "low": float(low), "high": float(high)})  # fmt: skip
    return tuple(rows)


def _against(journeys: tuple[FittedJourney, ...], test: Sessions) -> dict[str, Any]:
    """Return step mix, conversion and length: told by the journeys, and of the sessions held out."""
    steps = test.steps
    chains = [chain_of(one.journey(), steps, dict.fromkeys(steps, 0.0)) for one in journeys]
    shares = np.array([one.share for one in journeys])
    visits, ever = shares @ [chain.visits for chain in chains], shares @ [c.ever for c in chains]
    laws = [length_law(one.journey(), steps) for one in journeys]
    longest = max(len(law) for law in laws)
    law = sum(
        one.share * np.pad(row, (0, longest - len(row)))
        for one, row in zip(journeys, laws, strict=True)
    )
    lengths = np.diff(test.firsts)
    upto = np.cumsum(np.bincount(lengths, minlength=longest)) / test.count
    told = np.append(np.cumsum(law), np.ones(max(0, len(upto) - longest)))
    mix = np.bincount(test.step, minlength=len(steps))
    has = np.array([test.having(step).sum() for step in steps])
    low, high = _jeffreys(has, np.array(test.count))
    return {
        "sessions": test.count,
        "steps": {
            step: {
                "mix_told": float(visits[s] / visits.sum()), "mix_seen": float(mix[s] / mix.sum()),
                "ever_told": float(ever[s]), "ever_seen": float(has[s] / test.count),
                "ever_low": float(low[s]), "ever_high": float(high[s]),
            }
            for s, step in enumerate(steps)
        },
        "length": {
            "mean_told": float((law * np.arange(longest)).sum()), "mean_seen": float(lengths.mean()),
            "distance": float(np.abs(told - upto).max()),
            "chance": float(1.36 / np.sqrt(test.count)),
        },
    }  # fmt: skip
