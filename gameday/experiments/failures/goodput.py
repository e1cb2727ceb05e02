"""Goodput minute by minute, in the parts of a window that an injection makes, and whether it comes back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gameday.experiments.replications.replication import Replication
from gameday.record import RunRecord
from gameday.scenario.reading import Injection
from gameday.vocabulary import SLOT_S, Array

__all__ = ["BACK", "Goodput", "Phases", "calm_shares", "phases", "planned_goodput"]

BACK = 0.95
"""Of what it would be with nothing injected: from there on goodput counts as come back. Ours."""
_FOR_SLOTS = 3
"""Slots in a row for which it must be back: one minute's chance is no recovery."""
_LESS = 0.8
"""Of the share lost in the first minutes after it: where the last ones lose less, it is on its way. Ours."""


@dataclass(frozen=True, slots=True)
class Phases:
    """A window's slots before, in and after what was injected."""

    before: slice
    during: slice
    is_endless: bool
    after: slice | None
    """None: too little is left to ask whether it comes back."""

    @property
    def why(self) -> str:
        """Why it is not asked."""
        return (
            "lasts to the window's end: whether it comes back is not asked"
            if self.is_endless
            else f"ends less than {_FOR_SLOTS} minutes before the window: not asked"
        )


def phases(injections: tuple[Injection, ...], stack: str, slots: int) -> Phases | None:
    """Return the parts of a stack's window of so many slots; None where nothing is injected into it."""
    injections = tuple(i for i in injections if i.stack in (None, stack))
    if not injections:
        return None
    first = int(min(injection.at_s for injection in injections) // SLOT_S)
    last = max(injection.until_s for injection in injections) / SLOT_S
    end = slots if last == math.inf else min(slots, math.ceil(last))
    after = slice(end, slots) if end + _FOR_SLOTS <= slots else None
    return Phases(slice(0, first), slice(first, end), last >= slots, after)


@dataclass(frozen=True, slots=True)
class Goodput:
    """One run of one stack, slot by slot of the window; all of shape (slots,)."""

    sent: Array
    """Steps that went out: who has left sends none."""
    done: Array
    """Those of them that ended well."""
    calm: Array | None
    """Share that ends well with nothing injected, in the model; None where it was not asked."""

    @staticmethod
    def measured(record: RunRecord, stack: str, calm: Array | None) -> Goodput:
        """Return what a record saw of a stack."""
        steps = record.steps_by_slot(stack)
        return Goodput(steps["achieved"], steps["done"], calm)

    @staticmethod
    def modelled(run: Replication, calm: Array | None) -> Goodput:
        """Return what a replication saw."""
        return Goodput(run.achieved, run.done, calm)

    def share(self, part: slice) -> float:
        """Return the share of a part's steps that ended well; NaN of none."""
        return _share(self.sent[part].sum(), self.done[part].sum())

    def _by_slot(self, part: slice) -> Array:
        """Return the same of each slot of a part."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.done[part] / self.sent[part])

    def expected(self, part: Phases) -> Array:
        """Return what each slot's share would be with nothing injected: that before, moved as the calm run moves.

        What a forecast does to the system by itself, growing or falling, is not put down to the injection.
        """
        before = self.share(part.before)
        if self.calm is None:
            return np.full(len(self.sent), before)
        then = np.nanmean(self.calm[part.before]) if not math.isnan(before) else math.nan
        moved = self.calm if not then > 0 else self.calm * (before / then)
        return np.minimum(1.0, moved)

    def minutes_to_recover(self, part: Phases) -> float | None:
        """Return minutes from the end of what was injected to the first of _FOR_SLOTS good ones.

        None = never, or not for good: the window's last slots together must be good too.
        """
        if part.after is None:
            return None
        bounds = BACK * self.expected(part)
        last = slice(part.after.stop - _FOR_SLOTS, part.after.stop)
        if not self.share(last) >= bounds[last].mean():
            return None
        is_back = self._by_slot(part.after) >= bounds[part.after]
        good = np.convolve(is_back.astype(int), np.ones(_FOR_SLOTS, int), "valid")
        found = np.flatnonzero(good == _FOR_SLOTS)
        return float(found[0]) if len(found) else None

    def goes_down(self, part: Phases) -> bool:
        """Return whether goodput was ever below BACK of what was expected, since it was injected."""
        since = slice(part.during.start, len(self.sent))
        return bool((self._by_slot(since) < BACK * self.expected(part)[since]).any())

    def is_recovering(self, part: Phases) -> bool:
        """Return whether less was lost in the last minutes than in the first ones after it: not down for good."""
        if part.after is None:
            return False
        width = min(_FOR_SLOTS, (part.after.stop - part.after.start) // 2)
        first = self.share(slice(part.after.start, part.after.start + width))
        last = self.share(slice(part.after.stop - width, part.after.stop))
        return 1 - last < _LESS * (1 - first)


def calm_shares(calm: Sequence[Sequence[Replication]]) -> dict[str, Array]:
    """Return stack -> share of each slot's steps that ends well, over replications with nothing injected."""
    out = {}
    for runs in zip(*calm, strict=True):
        sent, done = (np.sum([getattr(r, n) for r in runs], axis=0) for n in ("achieved", "done"))
        out[runs[0].stack] = np.divide(done, sent, out=np.full(len(sent), np.nan), where=sent > 0)
    return out


def planned_goodput(run: Replication) -> float:
    """Return the share, 0 to 1, of the steps that went out or were never reached which ended well; NaN of none."""
    return _share((run.achieved + run.unreached).sum(), run.done.sum())


def _share(sent: float, done: float) -> float:
    return float(done / sent) if sent else math.nan
