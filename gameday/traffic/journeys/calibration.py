"""Journeys from sessions: classes of customer, transition counts with intervals, laws of pauses.

Four fifths of the sessions are fitted, one fifth is held out, and the fitted journeys are compared with it.
Classes are a rule, not a search, so that the same log always gives the same journeys.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.errors import HistoryError
from gameday.history.importers import Sessions
from gameday.traffic.journeys.chain_losses import chain_losses
from gameday.traffic.journeys.fitted import Calibration, Conversion, FittedJourney, jeffreys
from gameday.traffic.journeys.held_out import goodness_of_fit
from gameday.traffic.journeys.pauses import FittedPause, fit_pause
from gameday.traffic.plan.mix import measure_group_mix, measure_product_mix
from gameday.vocabulary import LONGEST_WALK, Array, Seed

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
_LOSSES = Seed(1)
"""Of the chain's sessions that are held against those observed: the same at every import."""
_HELD_OUT = 5
"""Of so many sessions in a row the last is held out."""
_LEAST_SESSIONS = 20
"""A class of fewer sessions is merged with the browsers: its chances would say nothing."""


def calibrate(
    seen: Sessions,
    resolution_s: float = 1.0,
    zones: dict[str, str] | None = None,
    *,
    order: str = ORDER,
) -> Calibration:
    """Return journeys, product mix and their goodness of fit to the sessions held out.

    `zones` are the time zones of regions. `order` is the step whose sessions are buyers'.
    """
    train, test = _split(seen)
    class_steps = _class_steps(train, order)
    fitted, held_out = _classify(train, class_steps), _classify(test, class_steps)
    about = fitted.sessions.about(order)
    whole = _classify(seen.only(~seen.is_cut), class_steps)
    mixes = _class_mixes(fitted, about, zones or {})
    journeys = tuple(
        _fit_class(name, mix, fitted.of_class(name), held_out.of_class(name), resolution_s)
        for name, mix in mixes.items()
    )
    return Calibration(
        journeys,
        measure_product_mix(fitted.sessions, about, zones or {}),
        _conversions(seen, order),
        goodness_of_fit(journeys, held_out.sessions, order),
        chain_losses(journeys, fitted.sessions, order, _LOSSES),
        {journey.name: whole.of_class(journey.name) for journey in journeys},
        seen.notes,
    )


def _split(seen: Sessions) -> tuple[Sessions, Sessions]:
    """Return the sessions to fit and those to hold out; HistoryError where there are too few."""
    held = np.arange(seen.count) % _HELD_OUT == _HELD_OUT - 1
    train, test = seen.only(~held & ~seen.is_cut), seen.only(held & ~seen.is_cut)
    if min(train.count, test.count) == 0:
        raise HistoryError(
            f"the log has {seen.count} sessions, {int(seen.is_cut.sum())} of them under way when it ends: too few "
            "to fit journeys to some and hold others out; take a longer one"
        )
    return train, test


def _class_steps(train: Sessions, order: str) -> dict[str, str]:
    """Return class -> the step that makes a session one of it, of the classes with enough sessions."""
    steps = [(name, order if step == ORDER else step) for name, step in CLASSES]
    return {name: step for name, step in steps if train.having(step).sum() >= _LEAST_SESSIONS}


@dataclass(frozen=True, slots=True)
class _Classified:
    """Sessions, each cut behind the last step of its class."""

    sessions: Sessions
    classes: Array
    """Each session's class by name, shape (sessions,)."""

    def of_class(self, name: str) -> Sessions:
        """Return the sessions of one class."""
        return self.sessions.only(self.classes == name)


def _classify(seen: Sessions, class_steps: dict[str, str]) -> _Classified:
    """Return the sessions cut behind the last step of their class; what follows is a session of its own."""
    steps = list(class_steps.values())
    for rank, step in enumerate(steps):
        is_higher = np.zeros(seen.count, bool)
        for higher in steps[:rank]:
            is_higher |= seen.having(higher)
        seen = seen.cut_where(_is_after_last(seen, step) & ~is_higher[seen.session])
    classes = np.full(seen.count, CLASSES[-1][0], object)
    for name, step in reversed(class_steps.items()):
        classes[seen.having(step)] = name
    return _Classified(seen, classes)


def _is_after_last(seen: Sessions, step: str) -> Array:
    """Return whether each event comes after its session's last event of `step`, shape (events,)."""
    is_step = seen.step == seen.steps.index(step)
    upto = np.cumsum(is_step)
    before = upto - is_step  # events of the step before each event, in all sessions
    at_start = before[seen.firsts[:-1]][seen.session]
    at_end = np.append(upto, 0)[seen.firsts[1:] - 1][seen.session]
    return np.asarray((at_end > at_start) & (before == at_end))


@dataclass(frozen=True, slots=True)
class _ClassMix:
    """How many sessions are of a class; fields as those of FittedJourney."""

    share: float
    regions: dict[str, float]
    hours: list[float] | None
    products: dict[str, float]


def _class_mixes(fitted: _Classified, about: Array, zones: dict[str, str]) -> dict[str, _ClassMix]:
    """Return class -> its shares, of the classes that have sessions.

    `about` is the product type of each session, as by `Sessions.about`.
    """
    sessions = fitted.sessions
    names = [name for name, _ in CLASSES if (fitted.classes == name).any()]
    group = np.array([names.index(name) for name in fitted.classes])
    mix = measure_group_mix(sessions, group, len(names), zones)
    return {
        name: _ClassMix(
            share=float((group == j).mean()),
            regions=mix.shares(j),
            hours=mix.hours(j),
            products=_type_shares(sessions.types, about[group == j]),
        )
        for j, name in enumerate(names)
    }


def _type_shares(types: tuple[str, ...], about: Array) -> dict[str, float]:
    """Return product type -> share of the sessions that are about one; `about` as by `Sessions.about`."""
    counts = np.bincount(about, minlength=len(types))[1:]
    shares = counts / max(1, counts.sum())
    return {name: float(s) for name, s in zip(types[1:], shares, strict=True) if s > 0}


def _fit_class(
    name: str, mix: _ClassMix, train: Sessions, test: Sessions, resolution_s: float
) -> FittedJourney:
    """Return the journey of a class, fitted to its own sessions."""
    counts = _transition_counts(train)
    return FittedJourney(
        name=name,
        steps=train.steps,
        sessions=train.count,
        share=mix.share,
        regions=mix.regions,
        hours=mix.hours,
        products=mix.products,
        counts=counts,
        lengths=_lengths(train, test, counts) if name == CLASSES[-1][0] else None,
        pauses=_fit_pauses(train, test, resolution_s),
    )


def _fit_pauses(train: Sessions, test: Sessions, resolution_s: float) -> dict[str, FittedPause]:
    """Return step -> law of the pause after it, of the steps that a pause follows."""
    return {
        step: fit_pause(pauses_s, _pauses_s(test, s), resolution_s)
        for s, step in enumerate(train.steps)
        if len(pauses_s := _pauses_s(train, s))
    }


def _transition_counts(seen: Sessions) -> Array:
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
    """Return sessions by number of steps where that makes those held out likelier than exits after each step.

    None where it does not; `counts` are the transitions of `train`.
    """
    lengths, held_lengths = _sessions_by_length(train), _sessions_by_length(test)
    held = _transition_counts(test)
    by_chain = _log_likelihood(held, _smoothed(counts))
    size = max(len(lengths), len(held_lengths))
    law = _smoothed(np.pad(lengths, (0, size - len(lengths)))[None])[0]
    by_length = _log_likelihood(held[:, :-1], _smoothed(counts[:, :-1]))
    by_length += _log_likelihood(np.pad(held_lengths, (0, size - len(held_lengths))), law)
    return lengths if by_length > by_chain else None


def _sessions_by_length(seen: Sessions) -> Array:
    """Return how many sessions have one step, two ..., those of more than the longest walk with it."""
    steps = np.minimum(np.diff(seen.firsts), LONGEST_WALK)
    return np.bincount(steps, minlength=2)[1:].astype(float)


def _log_likelihood(counts: Array, chances: Array) -> float:
    return float((counts * np.log(chances)).sum())


def _smoothed(counts: Array) -> Array:
    """Return shares by row under Jeffreys' prior: no chance is 0."""
    return np.asarray((counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True))


def _pauses_s(seen: Sessions, step: int) -> Array:
    """Return the pauses after a step, s, of which the log has both ends."""
    inside = np.diff(seen.session) == 0
    known = ~seen.is_inferred[1:] & ~seen.is_inferred[:-1]
    return np.asarray(np.diff(seen.at_s)[inside & known & (seen.step[:-1] == step)])


def _conversions(seen: Sessions, order_step: str) -> tuple[Conversion, ...]:
    """Return conversion overall and by product type, largest first."""
    whole = seen.only(~seen.is_cut)
    order = whole.steps.index(order_step) if order_step in whole.steps else -1
    is_order = whole.step == order
    found = [_conversion("all", whole.session, is_order)]
    for k, name in enumerate(whole.types[1:], start=1):
        of_type = whole.type_of == k
        found.append(_conversion(name, whole.session[of_type], is_order[of_type]))
    return tuple(conversion for conversion in found if conversion.sessions)


def _conversion(product_type: str, session: Array, is_order: Array) -> Conversion:
    """Return the share of sessions that order; the arrays are by event of the type."""
    came, bought = len(np.unique(session)), len(np.unique(session[is_order]))
    low, high = jeffreys(np.array(bought), np.array(came))
    return Conversion(product_type, came, bought, bought / max(1, came), float(low), float(high))
