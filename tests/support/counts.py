"""How much is tried: an eighth by day, for `make test` is run at every change; all by night."""

from __future__ import annotations

import os
from typing import Any

import pytest

__all__ = ["BY_DAY", "NIGHT", "by_night", "examples"]

NIGHT = os.environ.get("GAMEDAY_TESTS") == "night"
BY_DAY = 12
"""Examples of a property that names no number of its own, by day; by night hypothesis' own 100."""


def examples(by_night: int) -> int:
    """Return how many examples a property gets of those it gets by night."""
    return by_night if NIGHT else max(8, by_night // 8)


def by_night(*values: Any) -> Any:
    """Return a case that `make nightly` alone plays: one more of what another case shows by day."""
    return pytest.param(*values, marks=pytest.mark.nightly)
