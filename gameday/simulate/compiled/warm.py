"""Make the machine code of every kernel and keep it."""

from __future__ import annotations

import numpy as np

from gameday.simulate.compiled.kernel import begin, let_come, run
from gameday.simulate.compiled.layout import SPEC, STATS, WORLD
from gameday.simulate.machine_code import forget_old

__all__ = ["make"]


def make() -> None:
    """Compile by playing nothing: no session, no service, no time."""
    spec, world, stats = (np.zeros(1, dtype) for dtype in (SPEC, WORLD, STATS))
    spec["slot_s"] = spec["slots"] = 1
    begin(spec, world)
    let_come(spec, world)
    world["is_starved"] = 1
    run(spec, world, stats)
    forget_old()
