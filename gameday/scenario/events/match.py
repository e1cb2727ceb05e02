"""A match: visitors gather before kick-off, follow it, and leave after the whistle."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gameday.vocabulary import Array

__all__ = ["Match"]


class Match:
    """Phased on kick-off alone; its length does not vary."""

    name: ClassVar[str] = "match"
    nearest: ClassVar[tuple[str, ...]] = ("sale", "season")
    """Kinds whose effect it borrows until one of its own was seen, the nearest first."""
    start_knots_min: ClassVar[tuple[float, ...]] = (
        -240,
        -120,
        -60,
        -30,
        -15,
        0,
        15,
        30,
        45,
        60,
        90,
        105,
        120,
        150,
        180,
        240,
        300,
        420,
    )
    """Minutes from kick-off; halves of 45 min, 15 min between."""
    end_knots_min: ClassVar[tuple[float, ...]] = ()
    plateau: ClassVar[bool] = False

    masked_min: ClassVar[float | None] = None
    """None: the fit leaves out none of its minutes."""

    @staticmethod
    def log_effect(from_start_min: Array, from_end_min: Array) -> Array:
        """Return log of (traffic / ordinary traffic) at strength 1; minutes from start and end."""
        rise = np.clip((from_start_min + 60) / 60, 0, 1)
        fall = np.exp(-np.maximum(from_end_min, 0) / 60)
        return np.asarray(1.2 * rise * fall)
