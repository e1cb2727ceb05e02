"""Does it come back by itself? Goodput before, in and after what was injected, and the time to recover.

A system that stays down though the trigger is gone is metastable (Huang et al., OSDI 2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gameday.findings.evidence import binomial_band
from gameday.findings.rehearsal import Replications, not_below
from gameday.findings.replication import Replication
from gameday.findings.summary import band_of
from gameday.run_record import STEPS, RunRecord
from gameday.scenario.injections import Injection
from gameday.simulate import t_interval
from gameday.vocabulary import SLOT_S, Array

__all__ = [
    "BACK", "Phases", "measured_goodput", "measured_recovery", "phases", "recovers_after", "recovery",
]  # fmt: skip

BACK = 0.95
"""Of the goodput before: from there on it counts as come back. Ours."""
_FOR_SLOTS = 3
"""Slots in a row for which it must be back: one minute's chance is no recovery."""


@dataclass(frozen=True, slots=True)
class Phases:
    """A window's slots before, in and after what was injected."""

    before: slice
    during: slice
    is_endless: bool
    after: slice | None
    """None: too little is left to ask whether it comes back."""

    @property
    def why(self) -> str:
        """Why it is not asked."""
        return (
            _LASTS
            if self.is_endless
            else f"ends less than {_FOR_SLOTS} minutes before the window: not asked"
        )


def phases(injections: tuple[Injection, ...], stack: str, slots: int) -> Phases | None:
    """Return the parts of a stack's window of so many slots; None where nothing is injected into it."""
    injections = tuple(one for one in injections if one.stack in (None, stack))
    if not injections:
        return None
    first = int(min(one.at_s for one in injections) // SLOT_S)
    last = max(one.until_s for one in injections) / SLOT_S
    end = slots if last == math.inf else min(slots, math.ceil(last))
    after = slice(end, slots) if end + _FOR_SLOTS <= slots else None
    return Phases(slice(0, first), slice(first, end), last >= slots, after)


def recovery(
    injections: tuple[Injection, ...], replications: Replications
) -> dict[str, Any] | None:
    """Return stack -> goodput before, in and after, share of runs that come back, and how soon.

    Goodput is the share of the steps that go out in a minute which end well: who has left sends none. None where
    nothing is injected; `after` and what follows None where something lasts to the window's end.
    """
    if not injections:
        return None
    answers = {
        runs[0].stack: _of_stack(injections, runs)
        for runs in map(list, zip(*replications, strict=True))
    }
    return {stack: answer for stack, answer in answers.items() if answer is not None}


def measured_recovery(
    injections: tuple[Injection, ...], record: RunRecord, speed: float
) -> dict[str, dict[str, Any]] | None:
    """Return the same of one run that was measured: plain numbers, no intervals.

    Whether it comes back is said of a run at real speed alone (DESIGN §7.2).
    """
    if not injections:
        return None
    out = {}
    for stack in record.stacks:
        sent, done = measured_goodput(record, stack)
        part = phases(injections, stack, len(sent))
        if part is None:
            continue
        shares = {
            name: None if where is None or not sent[where].sum() else _share(sent, done, where)
            for name, where in (("before", part.before), ("in", part.during), ("after", part.after))
        }
        minutes = recovers_after(sent, done, part)
        said = _said(part, shares, minutes, speed)
        out[stack] = {**shares, "minutes_to_recover": minutes, "said": said}
    return out


def measured_goodput(record: RunRecord, stack: str) -> tuple[Array, Array]:
    """Return the steps that went out in each slot of the window, and those of them that ended well."""
    steps = record.step_counts[record.stacks.index(stack)][:, :, record.judged].sum(axis=0)
    return steps[STEPS.index("achieved")], steps[STEPS.index("done")]


_LASTS = "lasts to the window's end: whether it comes back is not asked"
_BACK_AGAIN = "comes back by itself"


def _said(
    part: Phases, shares: dict[str, float | None], minutes: float | None, speed: float
) -> str:
    if part.after is None:
        return part.why
    if None in shares.values():
        return "not observed"
    if speed != 1:
        return f"played at {speed:g}x: whether it comes back is the model's to say"
    return "stays down" if minutes is None else _BACK_AGAIN


def _of_stack(injections: tuple[Injection, ...], runs: list[Replication]) -> dict[str, Any] | None:
    part = phases(injections, runs[0].stack, len(runs[0].achieved))
    if part is None:
        return None
    out: dict[str, Any] = {
        "before": _band(runs, part.before), "in": _band(runs, part.during),
        "after": None, "recovers": None, "minutes_to_recover": None,
    }  # fmt: skip
    if part.after is None:
        return out | {"said": part.why}
    minutes = [recovers_after(run.achieved, run.done, part) for run in runs]
    back = [m for m in minutes if m is not None]
    share = binomial_band(len(back), len(runs))
    out |= {
        "after": _band(runs, part.after), "recovers": band_of(share),
        "minutes_to_recover": band_of(not_below(t_interval(back), 0.0)) if back else None,
    }  # fmt: skip
    if len(back) == len(runs):
        return out | {"said": _BACK_AGAIN}
    return out | {"said": "stays down" if not back else "stays down in some replications"}


def _share(sent: Array, done: Array, part: slice) -> float:
    asked = sent[part].sum()
    return float(done[part].sum() / asked) if asked else math.nan


def _band(runs: list[Replication], part: slice) -> dict[str, Any]:
    shares = [_share(run.achieved, run.done, part) for run in runs]
    band = not_below(t_interval(shares), 0.0)
    return band_of(replace(band, high=min(band.high, 1.0)))


def recovers_after(sent: Array, done: Array, part: Phases) -> float | None:
    """Return minutes from the end of what was injected to the first of _FOR_SLOTS good ones; None = never."""
    if part.after is None:
        return None
    before = _share(sent, done, part.before)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Array = done[part.after] / sent[part.after]
    good = np.convolve((share >= BACK * before).astype(int), np.ones(_FOR_SLOTS, int), "valid")
    found = np.flatnonzero(good == _FOR_SLOTS)
    return float(found[0]) if len(found) else None
