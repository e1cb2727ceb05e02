"""A season: days or weeks that lie on another level, a tournament or a holiday month."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gameday.vocabulary import Array

__all__ = ["Season"]


class Season:
    """One level from start to end, reached and left within an hour."""

    name: ClassVar[str] = "season"
    nearest: ClassVar[tuple[str, ...]] = ("sale",)
    """Kinds whose effect it borrows until one of its own was seen, the nearest first."""
    start_knots_min: ClassVar[tuple[float, ...]] = ()
    end_knots_min: ClassVar[tuple[float, ...]] = ()
    plateau: ClassVar[bool] = True
    masked_min: ClassVar[float | None] = None
    """None: the fit leaves out none of its minutes."""

    @staticmethod
    def log_effect(from_start_min: Array, from_end_min: Array) -> Array:
        """Return log of (traffic / ordinary traffic) at strength 1; minutes from start and end."""
        return np.asarray(0.5 * np.clip(np.minimum(from_start_min, -from_end_min) / 60, 0, 1))
