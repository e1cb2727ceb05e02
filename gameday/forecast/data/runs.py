"""Runs: stretches in a row where something holds."""

from __future__ import annotations

import numpy as np

from gameday.vocabulary import Array

__all__ = ["runs_of"]


def runs_of(holds: Array) -> list[tuple[int, int]]:
    """Return (first, one after the last) of each run of true values, shape (n,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], holds.astype(np.int8), [0]])))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]
