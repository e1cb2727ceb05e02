"""Make the machine code of every kernel and keep it."""

from __future__ import annotations

import numpy as np

from gameday.simulate.compiled import kernel, layout
from gameday.simulate.machine_code import forget_old

__all__ = ["make"]


def make() -> None:
    """Compile by playing nothing: no session, no service, no time."""
    spec, world, books = (np.zeros(1, d) for d in (layout.SPEC, layout.WORLD, layout.BOOKS))
    spec["slot_s"] = spec["slots"] = 1
    kernel.begin(spec, world)
    kernel.let_come(spec, world)
    world["is_starved"] = 1
    kernel.run(spec, world, books)
    forget_old()
