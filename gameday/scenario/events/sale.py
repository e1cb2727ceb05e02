"""A sale of hours or days: it builds up, opens with a rush, holds, and closes with a second rush."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gameday.vocabulary import Array

__all__ = ["Sale"]


class Sale:
    """Phased on its start AND its end, so one of 24 h predicts one of 48 h."""

    name: ClassVar[str] = "sale"
    nearest: ClassVar[tuple[str, ...]] = ("season", "match")
    """Kinds whose effect it borrows until one of its own was seen, the nearest first."""
    start_knots_min: ClassVar[tuple[float, ...]] = (
        -720,
        -360,
        -180,
        -90,
        -45,
        -20,
        -1,
        0,
        5,
        10,
        20,
        40,
        80,
        160,
        320,
    )
    """Minutes from the start at which the effect's slope may change. Ours: denser towards the start."""
    end_knots_min: ClassVar[tuple[float, ...]] = (
        -240,
        -120,
        -60,
        -30,
        -15,
        -1,
        0,
        15,
        30,
        60,
        120,
        240,
        480,
        720,
    )
    """Minutes from the end at which the effect's slope may change."""
    plateau: ClassVar[bool] = True
    """Whether there is a lasting level between start and end."""

    masked_min: ClassVar[float | None] = None
    """None: the fit leaves out none of its minutes."""

    @staticmethod
    def log_effect(from_start_min: Array, from_end_min: Array) -> Array:
        """Return log of (traffic / ordinary traffic) at strength 1; minutes from start and end.

        Ours: a ramp of 2 h, an opening spike that halves in 60 min, a plateau, a closing surge, and a dip after
        the end.
        """
        inside = (from_start_min >= 0) & (from_end_min < 0)
        ramp = np.where(from_start_min < 0, np.clip(1 + from_start_min / 120, 0, 1) * 0.35, 0.0)
        opening = np.where(inside, 0.65 * 0.5 ** (np.abs(from_start_min) / 60), 0.0)
        closing = np.where(inside, 0.4 * 0.5 ** (np.abs(from_end_min) / 45), 0.0)
        after = np.where(from_end_min >= 0, -0.3 * np.exp(-np.abs(from_end_min) / 180), 0.0)
        return np.asarray(ramp + 0.95 * inside + opening + closing + after)
