"""The past that a verb rests on, and what was found and mended in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gameday.history import History
    from gameday.scenario import Scenario

__all__ = ["told_past"]


def told_past(scenario: Scenario, file: Path | None, seed: int) -> History:
    """Return the past of a file, or the scenario's own; what was mended in it is said on standard error."""
    from gameday.history import read_history
    from gameday.vocabulary import Seed

    past = read_history(scenario, file=file, seed=Seed(seed))
    for note in past.notes:
        typer.echo(f"history: {note}", err=True)
    return past
