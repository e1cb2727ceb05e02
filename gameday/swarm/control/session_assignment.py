"""Who plays which sessions: by turns from an instant on, dealt anew when workers come or go."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gameday.vocabulary import Array

__all__ = ["Deal", "dealt"]


class Deal(NamedTuple):
    """From `from_s` on, a worker plays every `players`-th session, by its turn."""

    from_s: float
    """Wall second from the window's start; sessions that start earlier are dealt by the deal before."""
    turn: int
    """-1 = none at all."""
    players: int


def dealt(deals: tuple[Deal, ...], at_s: Array) -> Array:
    """Return the numbers of the sessions that `deals`, in order of time, give; `at_s` is sorted."""
    parts = []
    for place, deal in enumerate(deals):
        first = int(np.searchsorted(at_s, deal.from_s))
        last = len(at_s)
        if place + 1 < len(deals):
            last = int(np.searchsorted(at_s, deals[place + 1].from_s))
        if deal.turn >= 0 and first < last:
            begin = first + (deal.turn - first) % deal.players
            parts.append(np.arange(begin, last, deal.players))
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
