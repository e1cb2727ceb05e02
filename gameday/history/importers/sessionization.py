"""Sessionization: events of a log, cut into customers' sessions.

By the sessions that the log names, else by an inactivity timeout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gameday.history.importers.catalogue import Catalogue
from gameday.history.importers.sessions import Sessions
from gameday.vocabulary import Array

__all__ = ["Events", "split_into_sessions", "with_inferred"]

_MOST_TYPES = 20
"""Product types that stand for themselves; the rest is `other`."""
_USUAL_PAUSE = 0.95
"""Quantile of the pauses within sessions: who was silent for longer when the log ended had gone. Ours."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events as columns of numbers, shape (events,), and the names that the numbers stand for."""

    customer: Array
    """Hash of the session or the user, uint64."""
    at_s: Array
    """Seconds since 1970, UTC."""
    step: Array
    """Index of the step in `steps`."""
    type_of: Array
    """Index of the product type in `types`."""
    region: Array
    """Index of the region in `regions`; 0 where there is none."""
    steps: tuple[str, ...]
    types: tuple[str, ...]
    regions: tuple[str, ...]


def split_into_sessions(
    log: Events, catalogue: Catalogue, notes: list[str], *, are_named: bool, silence_s: float
) -> Sessions:
    """Return the sessions of a log's events.

    Where the log has no names of sessions (`are_named`), a pause longer than `silence_s` ends one.
    """
    events = _ordered(log)
    begins = np.diff(events.customer, prepend=events.customer[:1] + np.uint64(1)) != 0
    if not are_named:
        begins |= np.diff(events.at_s, prepend=-np.inf) > silence_s
    is_cut = _is_cut(events.at_s, begins, silence_s, notes)
    return Sessions(
        events.steps,
        events.types,
        session=np.cumsum(begins) - 1,
        at_s=events.at_s,
        step=events.step,
        type_of=events.type_of,
        is_inferred=np.zeros(len(events.step), bool),
        is_cut=is_cut,
        regions=events.regions,
        region_of=events.region[np.flatnonzero(begins)],
        catalogue=catalogue,
        notes=tuple(notes),
    )


def _ordered(log: Events) -> Events:
    """Return the events by customer and time, names in an order that does not depend on that of the rows."""
    steps, step = _by_name(log.steps, log.step)
    types, type_of = _largest_types(log.types, log.type_of)
    regions, region = _by_name(log.regions, log.region)
    step = step.astype(np.int32)
    order = np.lexsort((type_of, step, log.at_s, log.customer))
    return Events(
        log.customer[order],
        log.at_s[order],
        step[order],
        type_of[order],
        region[order],
        steps,
        types,
        regions,
    )


def _by_name(names: tuple[str, ...], number: Array) -> tuple[tuple[str, ...], Array]:
    """Return the names sorted, and the numbers that stand for them then."""
    if not names:
        return names, number
    rank = np.argsort(np.argsort(names))
    return tuple(sorted(names)), rank[number]


def _largest_types(types: Sequence[str], type_of: Array) -> tuple[tuple[str, ...], Array]:
    """Return names and numbers with `none` first, the largest types behind it, and `other` for the rest."""
    counts = np.bincount(type_of, minlength=len(types))
    real = [n for n, name in enumerate(types) if name not in ("none", "other")]
    by_count = sorted(real, key=lambda n: (-counts[n], types[n]))
    kept = by_count[:_MOST_TYPES]
    has_rest = len(by_count) > len(kept) or "other" in types
    names = ("none", *(types[n] for n in kept), *(("other",) if has_rest else ()))
    number = np.full(len(types), len(names) - 1, np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    if "none" in types:
        number[types.index("none")] = 0
    return names, number[type_of]


def _is_cut(at_s: Array, begins: Array, silence_s: float, notes: list[str]) -> Array:
    """Return which sessions are right-censored, shape (sessions,): the log ends before they may have ended."""
    last = np.append(np.flatnonzero(begins)[1:], len(begins)) - 1
    pauses_s = np.diff(at_s)[~begins[1:]]
    usual_s = float(np.quantile(pauses_s, _USUAL_PAUSE)) if len(pauses_s) else silence_s
    is_cut = at_s[last] > at_s.max() - min(usual_s, silence_s)
    if is_cut.any():
        notes.append(
            f"{int(is_cut.sum())} of {len(is_cut)} sessions had an event in the last {usual_s:.0f} s, within "
            f"which {_USUAL_PAUSE:.0%} of pauses end: where they end is not known"
        )
    return np.asarray(is_cut)


def with_inferred(seen: Sessions, after: str, before: str) -> Sessions:
    """Return the sessions with a `before` half way to each `after` that has none since the last one."""
    if after not in seen.steps:
        return seen
    steps = seen.steps if before in seen.steps else (*seen.steps, before)
    needy = np.flatnonzero(seen.step == steps.index(after))
    lacking = _lacking(seen, needy, steps.index(before))
    if not len(lacking):
        return seen
    is_first = np.isin(lacking, seen.firsts)
    earlier_s = np.where(is_first, seen.at_s[lacking], seen.at_s[np.maximum(lacking - 1, 0)])
    middle_s = (earlier_s + seen.at_s[lacking]) / 2
    note = f"{len(lacking)} of {len(needy)} {after} had no {before} in the log: one was inferred half way before"
    inserted = _with_inserted(seen, lacking, middle_s, steps.index(before))
    return replace(inserted, steps=steps, notes=(*seen.notes, note))


def _with_inserted(seen: Sessions, index: Array, at_s: Array, step: int) -> Sessions:
    """Return the sessions with an inferred event `step` before each event of `index`."""
    return replace(
        seen,
        session=np.insert(seen.session, index, seen.session[index]),
        at_s=np.insert(seen.at_s, index, at_s),
        step=np.insert(seen.step, index, step),
        type_of=np.insert(seen.type_of, index, seen.type_of[index]),
        is_inferred=np.insert(seen.is_inferred, index, True),
    )


def _lacking(seen: Sessions, needy: Array, before: int) -> Array:
    """Return those of the events `needy` with no step `before` since the session's start or the last of them."""
    so_far = np.cumsum(seen.step == before)
    start = seen.firsts[seen.session[needy]]
    since = np.maximum(start, np.append(-1, needy[:-1]) + 1)
    return np.asarray(needy[so_far[needy] == np.where(since > 0, so_far[since - 1], 0)])
