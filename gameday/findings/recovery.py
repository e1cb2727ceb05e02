"""Does it come back by itself? Goodput before, in and after what was injected, and the time to recover.

A system that stays down though the trigger is gone is metastable (Huang et al., OSDI 2022).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gameday.findings.evidence import binomial_band
from gameday.findings.rehearsal import Replications, not_below
from gameday.findings.replication import Replication
from gameday.findings.summary import band_of
from gameday.scenario.injections import Injection
from gameday.simulate import t_interval
from gameday.vocabulary import SLOT_S, Array

__all__ = ["recovery"]

_BACK = 0.95
"""Of the goodput before: from there on it counts as come back. Ours."""
_FOR_SLOTS = 3
"""Slots in a row for which it must be back: one minute's chance is no recovery."""


def recovery(
    injections: tuple[Injection, ...], replications: Replications
) -> dict[str, Any] | None:
    """Return stack -> goodput before, in and after, share of runs that come back, and how soon.

    Goodput is the share of planned steps that end well in their minute. None where nothing is
    injected; `after` and what follows None where something lasts to the window's end.
    """
    if not injections:
        return None
    first = int(min(one.at_s for one in injections) // SLOT_S)
    last = max(one.until_s for one in injections) / SLOT_S
    return {
        runs[0].stack: _of_stack(runs, first, math.inf if last == math.inf else math.ceil(last))
        for runs in map(list, zip(*replications, strict=True))
    }


def _of_stack(runs: list[Replication], first: int, last: float) -> dict[str, Any]:
    slots = runs[0].planned.shape[0]
    end = int(min(last, slots))
    out: dict[str, Any] = {
        "before": _band([_share(run, slice(0, first)) for run in runs]),
        "in": _band([_share(run, slice(first, end)) for run in runs]),
        "after": None, "recovers": None, "minutes_to_recover": None,
    }  # fmt: skip
    if end + _FOR_SLOTS > slots:
        return out | {"said": "lasts to the window's end: whether it comes back is not asked"}
    minutes = [_recovers_after(run, first, end) for run in runs]
    back = [m for m in minutes if m is not None]
    share = binomial_band(len(back), len(runs))
    out |= {
        "after": _band([_share(run, slice(end, slots)) for run in runs]), "recovers": band_of(share),
        "minutes_to_recover": band_of(not_below(t_interval(back), 0.0)) if back else None,
    }  # fmt: skip
    if len(back) == len(runs):
        return out | {"said": "comes back by itself"}
    return out | {"said": "stays down" if not back else "stays down in some replications"}


def _share(run: Replication, part: slice) -> float:
    planned = run.planned[part].sum()
    return float(run.done[part].sum() / planned) if planned else math.nan


def _band(shares: list[float]) -> dict[str, Any]:
    return band_of(not_below(t_interval(shares), 0.0))


def _recovers_after(run: Replication, first: int, end: int) -> float | None:
    """Return minutes from the end of what was injected to the first of _FOR_SLOTS good ones; None = never."""
    before = _share(run, slice(0, first))
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Array = run.done[end:] / run.planned[end:]
    good = np.convolve((share >= _BACK * before).astype(int), np.ones(_FOR_SLOTS, int), "valid")
    found = np.flatnonzero(good == _FOR_SLOTS)
    return float(found[0]) if len(found) else None
