"""What a first-order chain loses of sessions: what two steps before decide, repeats, orders with an empty cart.

The chain is played with chance of its own; the sessions are those it was fitted to.
"""

from __future__ import annotations

import numpy as np

from gameday.history.importers import Sessions
from gameday.traffic.journeys.fitted import ChainLosses, FittedJourney, ToldAndSeen
from gameday.vocabulary import LONGEST_WALK, Array, Seed

__all__ = ["chain_losses"]

_PLAYED = 20_000
"""Sessions of the chain that are played: shares are then within half a point. Ours."""
_LEAST = 0.005
"""Share of sessions that see a step again below which it is left out. Ours."""


def chain_losses(
    journeys: tuple[FittedJourney, ...], seen: Sessions, order: str, seed: Seed
) -> ChainLosses:
    """Return what the fitted journeys lose of the sessions `seen`; `order` is the step of an order."""
    steps = seen.steps
    played, observed = _played(journeys, len(steps), seed), _walks_of(seen)
    half = _halves(len(played), len(observed))
    by_chain, triples = _triples(played, len(steps)), _triples(observed, len(steps))
    told = _told(triples, by_chain)
    by_chance = _distance(_triples(played[half:], len(steps)), _triples(played[:half], len(steps)))
    apart = np.abs(triples - told)
    largest = np.unravel_index(int(apart.argmax()), apart.shape) if triples.sum() else None
    return ChainLosses(
        by_two_before=_distance(triples, by_chain),
        by_chance=by_chance,
        largest=None if largest is None else _names(largest, (*steps, "exit")),
        largest_share=None if largest is None else _share_of(largest, told, triples),
        again=_seen_again(played, observed, steps),
        empty_cart=_empty_cart(played, observed, steps, order),
    )


def _halves(played: int, observed: int) -> int:
    """Return where the sessions played are parted so that behind it are as many as were observed, half at most."""
    return played - min(observed, played // 2)


def _names(place: tuple[np.intp, ...], names: tuple[str, ...]) -> tuple[str, str, str]:
    first, second, third = place
    return names[first], names[second], names[third]


def _told(triples: Array, by_chain: Array) -> Array:
    """Return the third steps that journeys tell behind the pairs that were seen; shape as of `_triples`.

    `by_chain`: triples of the journeys. A pair that they do not make goes on as its second step does.
    """
    pairs, made = triples.sum(axis=2, keepdims=True), by_chain.sum(axis=2, keepdims=True)
    moves = by_chain.sum(axis=0)
    totals = moves.sum(axis=1, keepdims=True)
    by_last = np.divide(moves, totals, out=np.zeros(moves.shape), where=totals > 0)
    by_pair = np.divide(by_chain, made, out=np.zeros(by_chain.shape), where=made > 0)
    return np.asarray(pairs * np.where(made > 0, by_pair, by_last))


def _distance(triples: Array, by_chain: Array) -> float:
    """Return the share of moves that go elsewhere than journeys tell, by the two steps before."""
    return float(np.abs(triples - _told(triples, by_chain)).sum() / 2 / max(1, triples.sum()))


def _played(journeys: tuple[FittedJourney, ...], steps: int, seed: Seed) -> Array:
    """Return walks of the chains in any order, one a row: indices of steps, and `steps` from their end on."""
    chance = seed.stream("chain losses")
    parts = []
    for fitted in journeys:
        count = round(_PLAYED * fitted.share)
        chances = fitted.chances if fitted.lengths is None else _without_exit(fitted.chances)
        lengths = _lengths(fitted, count, chance)
        parts.append(_walk(chances, lengths, steps, chance))
    width = max(part.shape[1] for part in parts)
    padded = [np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=steps) for p in parts]
    return chance.permutation(np.concatenate(padded))


def _without_exit(chances: Array) -> Array:
    kept = chances.copy()
    kept[:, -1] = 0.0
    totals = kept.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(kept, totals, out=np.zeros_like(kept), where=totals > 0))


def _lengths(fitted: FittedJourney, count: int, chance: np.random.Generator) -> Array:
    """Return how many steps each of so many sessions has at most."""
    if fitted.lengths is None:
        return np.full(count, LONGEST_WALK)
    law = fitted.lengths / fitted.lengths.sum()
    return chance.choice(np.arange(1, len(law) + 1), size=count, p=law)


def _walk(chances: Array, lengths: Array, steps: int, chance: np.random.Generator) -> Array:
    """Return walks through a chain, rows of `chances` as of FittedJourney."""
    upto = np.cumsum(chances, axis=1)
    columns, at = [], np.zeros(len(lengths), int)
    for position in range(LONGEST_WALK):
        drawn = (upto[at] < chance.random(len(at))[:, None]).sum(axis=1)
        step = np.where(lengths > position, np.minimum(drawn, steps), steps)
        step = np.where((at == 0) & (position > 0), steps, step)
        columns.append(step)
        at = np.where(step < steps, step + 1, 0)
        if (step == steps).all():
            break
    return np.stack(columns, axis=1)


def _walks_of(seen: Sessions) -> Array:
    """Return sessions as walks, one a row, up to their longest walk."""
    firsts = seen.firsts
    lengths = np.minimum(np.diff(firsts), LONGEST_WALK)
    out = np.full((len(lengths), int(lengths.max(initial=0)) + 1), len(seen.steps))
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    out[row, place] = seen.step[np.repeat(firsts[:-1], lengths) + place]
    return out


def _seen_again(played: Array, observed: Array, steps: tuple[str, ...]) -> dict[str, ToldAndSeen]:
    """Return step -> share of walks that come to it twice or more, of the steps that many do."""
    out = {}
    for index, step in enumerate(steps):
        told, seen = (
            float(((walks == index).sum(axis=1) >= 2).mean()) for walks in (played, observed)
        )
        if max(told, seen) >= _LEAST:
            out[step] = ToldAndSeen(told, seen)
    return out


def _triples(walks: Array, steps: int) -> Array:
    """Return how often three steps follow each other, shape (steps, steps, steps + 1): the third may be an end."""
    if walks.shape[1] < 3:
        return np.zeros((steps, steps, steps + 1))
    first, second, third = walks[:, :-2].ravel(), walks[:, 1:-1].ravel(), walks[:, 2:].ravel()
    inside = (first < steps) & (second < steps)
    key = (first[inside] * steps + second[inside]) * (steps + 1) + third[inside]
    return np.bincount(key, minlength=steps * steps * (steps + 1)).reshape(steps, steps, steps + 1)


def _share_of(place: tuple[np.intp, ...], told: Array, triples: Array) -> ToldAndSeen:
    pair = max(1.0, float(triples[place[0], place[1]].sum()))
    return ToldAndSeen(float(told[place] / pair), float(triples[place] / pair))


def _empty_cart(
    played: Array, observed: Array, steps: tuple[str, ...], order: str
) -> ToldAndSeen | None:
    if "cart" not in steps or order not in steps:
        return None
    shares = [_without_cart(w, steps.index("cart"), steps.index(order)) for w in (played, observed)]
    told, seen = shares
    return None if told is None or seen is None else ToldAndSeen(told, seen)


def _without_cart(walks: Array, cart: int, order: int) -> float | None:
    """Return the share of orders with no cart since the order before; None where there is no order."""
    orders = empty = 0
    filled = np.zeros(len(walks), bool)
    for column in walks.T:
        filled |= column == cart
        is_order = column == order
        orders += int(is_order.sum())
        empty += int((is_order & ~filled).sum())
        filled &= ~is_order
    return empty / orders if orders else None
