"""Does it come back by itself? Goodput before, in and after what was injected, and the time to recover.

A system that stays down though the trigger is gone is metastable (Huang et al., OSDI 2022).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gameday.experiments.failures.goodput import Goodput, Phases, calm_shares, phases
from gameday.experiments.rehearsal.stack_answers import NOBODY, Replications
from gameday.record import RunRecord
from gameday.record.intervals import band_of, binomial_band, level_interval
from gameday.scenario.reading import Injection

__all__ = ["measured_recovery", "does_it_recover"]

_BACK_AGAIN = "comes back by itself"
_BEARS = "does not go down"
_DOWN = "stays down"
_ON_ITS_WAY = "still recovering at the window's end"


def does_it_recover(
    injections: tuple[Injection, ...], replications: Replications, calm: Replications = ()
) -> dict[str, Any] | None:
    """Return stack -> goodput before, in and after, share of runs that come back, and how soon.

    Goodput is the share of the steps that go out in a minute which end well: who has left sends none. It is
    back when it is what it was before, as far as the `calm` runs with nothing injected keep it there. None
    where nothing is injected; `after` and what follows None where something lasts to the window's end.
    """
    if not injections:
        return None
    shares = calm_shares(calm)
    answers = {}
    for runs in zip(*replications, strict=True):
        stack = runs[0].stack
        part = phases(injections, stack, len(runs[0].achieved))
        if part is not None:
            answers[stack] = _of_stack(part, [Goodput.modelled(r, shares.get(stack)) for r in runs])
    return answers


def measured_recovery(
    injections: tuple[Injection, ...], record: RunRecord, speed: float, calm: Replications = ()
) -> dict[str, dict[str, Any]] | None:
    """Return the same of one run that was measured: plain numbers, no intervals.

    Whether it comes back is said of a run at real speed alone (DESIGN §7.2).
    """
    if not injections:
        return None
    shares_calm, out = calm_shares(calm), {}
    for stack in record.stacks:
        run = Goodput.measured(record, stack, shares_calm.get(stack))
        part = phases(injections, stack, len(run.sent))
        if part is None:
            continue
        shares = {
            name: None if where is None or not run.sent[where].sum() else run.share(where)
            for name, where in (("before", part.before), ("in", part.during), ("after", part.after))
        }
        said = _said(part, run, shares, speed)
        minutes = run.minutes_to_recover(part) if speed == 1 else None
        out[stack] = {**shares, "minutes_to_recover": minutes, "said": said}
    return out


def _said(part: Phases, run: Goodput, shares: dict[str, float | None], speed: float) -> str:
    if part.after is None:
        return part.why
    if None in shares.values():
        return "not observed"
    if speed != 1:
        return f"played at {speed:g}x: whether it comes back is the model's to say"
    if run.minutes_to_recover(part) is not None:
        return _BACK_AGAIN if run.goes_down(part) else _BEARS
    return _ON_ITS_WAY if run.is_recovering(part) else _DOWN


def _of_stack(part: Phases, runs: list[Goodput]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "before": _band(runs, part.before) if part.before.stop else None,
        "in": _band(runs, part.during),
        "after": None,
        "recovers": None,
        "minutes_to_recover": None,
    }
    if part.after is None:
        return out | {"said": part.why}
    runs = [run for run in runs if _is_met(run, part, part.after)]
    if not runs:
        return out | {"said": NOBODY}
    minutes = [run.minutes_to_recover(part) for run in runs]
    back = [m for m in minutes if m is not None]
    out |= {
        "after": _band(runs, part.after),
        "recovers": band_of(binomial_band(len(back), len(runs))),
        "minutes_to_recover": band_of(level_interval(back, "number")) if back else None,
    }
    if len(back) == len(runs):
        bears = not any(run.goes_down(part) for run in runs)
        return out | {"said": _BEARS if bears else _BACK_AGAIN}
    away = [run for run, m in zip(runs, minutes, strict=True) if m is None]
    if 2 * sum(run.is_recovering(part) for run in away) > len(away):
        return out | {"said": _ON_ITS_WAY}
    return out | {"said": f"{_DOWN} in some replications" if back else _DOWN}


def _is_met(run: Goodput, part: Phases, after: slice) -> bool:
    """Return whether somebody came after it, and it is known what would be without it."""
    return bool(run.sent[after].any() and np.isfinite(run.expected(part)[after]).any())


def _band(runs: list[Goodput], part: slice) -> dict[str, Any]:
    return band_of(level_interval([run.share(part) for run in runs], "share"))
