"""Observed sessions as a table beside a scenario, and journeys that play them whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from gameday.history.importers import Sessions
from gameday.products import WhereKnown
from gameday.traffic.journeys.fitted import Calibration, JourneyBlock
from gameday.vocabulary import LONGEST_WALK

__all__ = ["MOST_SESSIONS", "WalkedBlock", "session_table", "walked"]

MOST_SESSIONS = 20_000
"""Sessions of a journey that are kept: every worker holds them. Ours."""


@dataclass(frozen=True, slots=True)
class WalkedBlock:
    """A journey that plays observed sessions, as a scenario writes it; fields as those of `JourneyBlock`."""

    walks: str
    sessions: str
    """Name of the file that has them."""
    patience: str
    share: Annotated[dict[str, float] | None, WhereKnown] = None
    hours: Annotated[list[float] | None, WhereKnown] = None
    products: Annotated[dict[str, float] | None, WhereKnown] = None


def walked(block: JourneyBlock, file: str) -> WalkedBlock:
    """Return a journey that plays the sessions of a file, in place of its chain."""
    return WalkedBlock("sessions", file, block.patience, block.share, block.hours, block.products)


def session_table(found: Calibration) -> pd.DataFrame:
    """Return all sessions, a row a step: columns journey, session, step, pause_s.

    Of a journey with more than the most that are kept, as many at even distances.
    """
    tables = [_rows(name, sessions) for name, sessions in found.sessions.items()]
    return pd.concat(tables, ignore_index=True)


def _rows(journey: str, seen: Sessions) -> pd.DataFrame:
    lengths = np.diff(seen.firsts)
    chosen = np.flatnonzero(lengths <= LONGEST_WALK)
    if len(chosen) > MOST_SESSIONS:
        chosen = chosen[np.linspace(0, len(chosen) - 1, MOST_SESSIONS).astype(int)]
    kept = seen.only(np.isin(np.arange(seen.count), chosen))
    pauses = np.append(np.diff(kept.at_s), 0.0)
    pauses[kept.firsts[1:] - 1] = 0.0
    return pd.DataFrame(
        {
            "journey": journey,
            "session": kept.session,
            "step": np.array(kept.steps, object)[kept.step],
            "pause_s": np.maximum(pauses, 0.0).round(3),
        }
    )
