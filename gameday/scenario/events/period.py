"""A period: days that are rehearsed as they come; it has no effect of its own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gameday.vocabulary import Array

__all__ = ["Period"]


class Period:
    """A stretch of the calendar with no effect of its own."""

    name: ClassVar[str] = "period"
    nearest: ClassVar[tuple[str, ...]] = ()
    """Kinds whose effect it borrows until one of its own was seen, the nearest first."""
    start_knots_min: ClassVar[tuple[float, ...]] = ()
    end_knots_min: ClassVar[tuple[float, ...]] = ()
    plateau: ClassVar[bool] = False
    masked_min: ClassVar[float | None] = None
    """None: the fit leaves out none of its minutes."""

    @staticmethod
    def log_effect(from_start_min: Array, from_end_min: Array) -> Array:
        """Return 0 everywhere."""
        return np.zeros_like(np.asarray(from_start_min, float))
