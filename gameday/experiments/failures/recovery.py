"""Does it come back by itself? Goodput before, in and after what was injected, and the time to recover.

A system that stays down though the trigger is gone is metastable (Huang et al., OSDI 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from gameday.experiments.failures.goodput import Goodput, Phases, calm_shares, phases
from gameday.experiments.replications.replication import NOBODY, Replications
from gameday.record import RunRecord
from gameday.record.intervals import Interval, binomial_band, interval_of, level_interval
from gameday.scenario.reading import Injection

__all__ = ["MeasuredRecovery", "Recovery", "does_it_recover", "measured_recovery"]

_BACK_AGAIN = "comes back by itself"
_BEARS = "does not go down"
_DOWN = "stays down"
_ON_ITS_WAY = "still recovering at the window's end"


@dataclass(frozen=True, slots=True)
class Recovery:
    """Goodput of a stack in the model: share of the steps that go out in a minute which end well."""

    before: Interval | None
    """None: what is injected begins with the window."""
    during: Annotated[Interval, Field(alias="in")]
    after: Interval | None
    """None, as what follows: something lasts to the window's end, or nobody came after it."""
    recovers: Interval | None
    """Share of replications that come back."""
    minutes_to_recover: Interval | None
    """Of those that do, from the end of what was injected."""
    said: str


@dataclass(frozen=True, slots=True)
class MeasuredRecovery:
    """The same of one run that was measured: plain numbers, no intervals."""

    before: float | None
    during: Annotated[float | None, Field(alias="in")]
    after: float | None
    minutes_to_recover: float | None
    """None: it does not come back, or was not played at real speed."""
    said: str


def does_it_recover(
    injections: tuple[Injection, ...], replications: Replications, calm: Replications = ()
) -> dict[str, Recovery] | None:
    """Return stack -> goodput before, in and after, share of runs that come back, and how soon.

    Goodput is back when it is what it was before, as far as the `calm` runs with nothing injected keep it
    there: who has left sends no step. None where nothing is injected.
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
) -> dict[str, MeasuredRecovery] | None:
    """Return stack -> the same of one run that was measured; None where nothing is injected.

    Whether it comes back is said of a run at real speed alone: at a higher one minutes are not what they are.
    """
    if not injections:
        return None
    calm_share, answers = calm_shares(calm), {}
    for stack in record.stacks:
        run = Goodput.measured(record, stack, calm_share.get(stack))
        part = phases(injections, stack, len(run.sent))
        if part is None:
            continue
        before, during, after = (
            None if slots is None or not run.sent[slots].sum() else run.share(slots)
            for slots in (part.before, part.during, part.after)
        )
        minutes = run.minutes_to_recover(part) if speed == 1 else None
        is_known = None not in (before, during, after)
        answer = _in_words(part, run, speed, is_known=is_known)
        answers[stack] = MeasuredRecovery(before, during, after, minutes, answer)
    return answers


def _in_words(part: Phases, run: Goodput, speed: float, *, is_known: bool) -> str:
    if part.after is None:
        return part.why
    if not is_known:
        return "not observed"
    if speed != 1:
        return f"played at {speed:g}x: whether it comes back is the model's to say"
    if run.minutes_to_recover(part) is not None:
        return _BACK_AGAIN if run.goes_down(part) else _BEARS
    return _ON_ITS_WAY if run.is_recovering(part) else _DOWN


def _of_stack(part: Phases, runs: list[Goodput]) -> Recovery:
    before = _share(runs, part.before) if part.before.stop else None
    during = _share(runs, part.during)
    if part.after is None:
        return Recovery(before, during, None, None, None, part.why)
    runs = [run for run in runs if _is_met(run, part, part.after)]
    if not runs:
        return Recovery(before, during, None, None, None, NOBODY)
    minutes = [run.minutes_to_recover(part) for run in runs]
    known = [minute for minute in minutes if minute is not None]
    return Recovery(
        before,
        during,
        _share(runs, part.after),
        interval_of(binomial_band(len(known), len(runs))),
        interval_of(level_interval(known, "number")) if known else None,
        _of_replications(part, runs, minutes),
    )


def _of_replications(part: Phases, runs: list[Goodput], minutes: list[float | None]) -> str:
    """Return whether the replications come back, in words."""
    away = [run for run, minute in zip(runs, minutes, strict=True) if minute is None]
    if not away:
        bears = not any(run.goes_down(part) for run in runs)
        return _BEARS if bears else _BACK_AGAIN
    if 2 * sum(run.is_recovering(part) for run in away) > len(away):
        return _ON_ITS_WAY
    return f"{_DOWN} in some replications" if len(away) < len(runs) else _DOWN


def _is_met(run: Goodput, part: Phases, after: slice) -> bool:
    """Return whether somebody came after it, and it is known what would be without it."""
    return bool(run.sent[after].any() and np.isfinite(run.expected(part)[after]).any())


def _share(runs: list[Goodput], part: slice) -> Interval:
    return interval_of(level_interval([run.share(part) for run in runs], "share"))
