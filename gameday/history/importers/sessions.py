"""The product: customers' sessions as a log tells them, event by event."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gameday.history.importers.catalogue import Catalogue
from gameday.vocabulary import Array

__all__ = ["Sessions"]


@dataclass(frozen=True, slots=True)
class Sessions:
    """What customers did: events session by session, by time within one; shape (events,) but for
    `is_cut` and `region_of`.
    """

    steps: tuple[str, ...]
    types: tuple[str, ...]
    """Product types; the first stands for none."""
    session: Array
    """Number of the session, from 0, rising."""
    at_s: Array
    """Seconds since 1970, UTC."""
    step: Array
    """Index of the step."""
    type_of: Array
    """Index of the product type."""
    is_inferred: Array
    """Whether the event is not in the log, but a later one implies it."""
    is_cut: Array
    """Whether the session is right-censored, shape (sessions,): the log ends before it may have ended."""
    regions: tuple[str, ...]
    """Where customers are, as the log calls it; empty where it does not say."""
    region_of: Array
    """Index of each session's region, shape (sessions,); 0 where there is none."""
    catalogue: Catalogue
    notes: tuple[str, ...] = ()
    """What was found, left out or inferred on the way in."""
    doubts: tuple[str, ...] = ()
    """Why they may be wrong, each with what to write to change it."""

    @property
    def count(self) -> int:
        """How many sessions."""
        return len(self.is_cut)

    @property
    def firsts(self) -> Array:
        """Index of each session's first event, and behind the last one the number of events."""
        return np.append(np.flatnonzero(np.diff(self.session, prepend=-1)), len(self.session))

    def having(self, step: str) -> Array:
        """Return whether each session has an event of `step`, shape (sessions,)."""
        out = np.zeros(self.count, bool)
        if step in self.steps:
            out[self.session[self.step == self.steps.index(step)]] = True
        return out

    def cut_where(self, rest: Array) -> Sessions:
        """Return the sessions, each cut in two where `rest`, shape (events,), becomes true.

        Within a session it must stay true once it is; the second part ends as the whole does.
        """
        begins = np.diff(self.session, prepend=-1) > 0
        begins_rest = rest & ~np.append(False, rest[:-1] & ~begins[1:]) & ~begins
        session = np.cumsum(begins | begins_rest) - 1
        whole = self.session[np.flatnonzero(begins | begins_rest)]
        goes_on = np.append(np.diff(whole) == 0, False)
        return replace(
            self,
            session=session,
            is_cut=self.is_cut[whole] & ~goes_on,
            region_of=self.region_of[whole],
        )

    def only(self, kept: Array) -> Sessions:
        """Return the sessions where `kept`, shape (sessions,), is true, numbered anew."""
        events = kept[self.session]
        number = np.cumsum(kept) - 1
        return replace(
            self,
            session=number[self.session[events]],
            at_s=self.at_s[events],
            step=self.step[events],
            type_of=self.type_of[events],
            is_inferred=self.is_inferred[events],
            is_cut=self.is_cut[kept],
            region_of=self.region_of[kept],
        )

    def about(self, order: str) -> Array:
        """Return the type each session is about, shape (sessions,): its first `order`'s, else most of its events'.

        Index of the type; 0 where no event has one.
        """
        counts = np.zeros((self.count, len(self.types)), np.int32)
        np.add.at(counts, (self.session, self.type_of), 1)
        counts[:, 0] = 0
        out = np.where(counts.any(axis=1), counts.argmax(axis=1), 0)
        if order in self.steps:
            bought = np.flatnonzero((self.step == self.steps.index(order)) & (self.type_of > 0))[
                ::-1
            ]
            out[self.session[bought]] = self.type_of[bought]
        return np.asarray(out)
