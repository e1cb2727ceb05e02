"""What pages draw of minutes: the highest of every five, so that no launch is missed."""

from __future__ import annotations

import numpy as np

from gameday.vocabulary import Array

__all__ = ["DRAWN_MIN", "drawn"]

DRAWN_MIN = 5
"""A page draws one value of so many minutes."""


def drawn(minutes: Array) -> list[float | None]:
    """Return the highest known value of every so many minutes, shape (slots,); None where none is known."""
    highest = np.fmax.reduceat(minutes, np.arange(0, len(minutes), DRAWN_MIN))
    return [None if np.isnan(value) else float(value) for value in highest]
