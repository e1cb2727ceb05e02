"""The two engines by their names: same specification, same records."""

from __future__ import annotations

from typing import Any, Literal

from gameday.run_record import RunRecord

__all__ = ["Engine", "run_engine"]

Engine = Literal["compiled", "reference"]


def run_engine(engine: Engine, *asked: Any, **how: Any) -> RunRecord:
    """Return one replication of one stack, as `run_reference` documents it."""
    if engine == "reference":
        from gameday.simulate.reference import run_reference

        return run_reference(*asked, **how)
    from gameday.simulate.compiled import run_compiled  # numba: a second to import

    return run_compiled(*asked, **how)
