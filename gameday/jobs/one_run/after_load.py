"""After the load: what was measured is kept, and each phase can be cut short and loses only itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from gameday.errors import CleanUpFailed, PreflightFailed
from gameday.jobs.orders import orders_text
from gameday.ledger import RunFolder
from gameday.live import Show
from gameday.record import RunRecord
from gameday.report import Summary, render_report, summary_json
from gameday.safety import StopWatch
from gameday.scenario import Scenario
from gameday.simulate import RealSpeedRuns, RealSpeedWindow, RunControl, WaitForModel
from gameday.swarm import End, Played

if TYPE_CHECKING:
    from gameday.calibrate import Calibration
    from gameday.experiments.failures import StackLosses
    from gameday.jobs.one_run.run import Run

__all__ = [
    "AfterLoad",
    "cut_short",
    "not_asked",
    "not_identified",
    "not_judged",
    "report",
    "written_after_load",
]

T = TypeVar("T")

_WIDE = 0.5
"""Share of a fleet by which an order may differ from which on nobody can tell whether the fleet holds. Ours."""
_AT_REAL_SPEED = "the event at real speed"


@dataclass
class AfterLoad:
    """The phases that follow the load, which a person may end one by one."""

    played: Played
    stop: StopWatch

    def why_cut(self) -> str | None:
        """Return why phases are to be cut short; None while they may go on."""
        if self.played.end != "complete":  # also where a guardrail asked to stop
            return "the load ended early"
        return None if self.stop.reason is None else f"stopped by {self.stop.reason}"

    @contextmanager
    def phase(self, name: str, show: Show) -> Iterator[None]:
        """Run and show a phase. A person's interrupt ends it alone; what follows goes on."""
        with show.phase(name), _interruptible(show, "interrupted"):
            yield
            if self.played.end == "complete" and self.stop.reason is not None:
                show.update(f"left out: {self.stop.reason}")

    def keep(self, folder: RunFolder, predicted: tuple[RunRecord, ...]) -> None:
        """Write what was measured, and the model of the run, before anything is waited for."""
        with written_after_load():
            folder.write_records(measured=(self.played.record,), predicted=predicted)
            if self.played.orders:
                folder.write_text("orders.csv", orders_text(self.played.orders))

    def real_speed(self, take: WaitForModel[T], show: Show) -> RealSpeedRuns[T]:
        """Return the model of the window at real speed, or why it is missing."""
        modelled: RealSpeedRuns[T] = RealSpeedRuns(why="interrupted")
        with self.phase(f"{_AT_REAL_SPEED}, in the model", show):
            modelled = take(self.why_cut, show.update)
        return modelled  # noqa: RET504 - the phase may end early

    def calibrated(
        self, window: RealSpeedWindow[T], scenario: Scenario, show: Show
    ) -> RealSpeedRuns[T]:
        """Return the window at real speed in the model as calibrated, or why it is missing."""
        modelled: RealSpeedRuns[T] = RealSpeedRuns(why="interrupted")
        with self.phase(f"{_AT_REAL_SPEED}, in the model as calibrated", show):
            if (why := self.why_cut()) is not None:
                return RealSpeedRuns(why=why)
            control = RunControl(
                cancelled=lambda: self.why_cut() is not None,
                progress=lambda n: show.update(f"{n} replications"),
            )
            modelled = window.play(scenario, control)
            if (why := self.why_cut()) is not None:
                modelled = (
                    replace(modelled, why=why)
                    if len(modelled.event) > 1
                    else RealSpeedRuns(why=why)
                )
        return modelled

    def outcome(self, modelled: RealSpeedRuns[T]) -> tuple[End, str]:
        """Return how the run ended and why: by a person, too, where one left out what the verdict rests on.

        What can be lost, and the proof of requests, are no part of it: they say themselves that they are missing.
        """
        if self.played.end != "complete" or not modelled.why or self.stop.reason is None:
            return self.played.end, self.played.why
        return "person", f"stopped by {self.stop.reason} after the load; left out: {_AT_REAL_SPEED}"


@contextmanager
def _interruptible(show: Show, instead: str) -> Iterator[None]:
    """Let a person's interrupt end what is inside alone, and say what is there instead."""
    try:
        yield
    except KeyboardInterrupt:
        show.update(f"left out: {instead}")


def report(run: Run, summary: Summary, *, event: pd.DataFrame) -> None:
    """Write what a run came to, then its pages; an interrupt costs the pages alone."""
    told = summary_json(summary, run.scenario)
    with written_after_load():
        run.folder.write_event(event)
        run.folder.write_results(told, summary.requests)
    again = "`gameday report` draws it"
    with run.show.phase("report"), _interruptible(run.show, again), written_after_load():
        render_report(told, run.folder.path)
    with written_after_load():
        verdict = summary.verdict
        run.journal.write("done", verdict=verdict.name, exit_code=verdict.exit_code)


def cut_short(end: End, why: str) -> tuple[str, ...]:
    """Return that a run did not come to its end; empty: it did."""
    return () if end == "complete" else (f"the run ended early ({why or end})",)


def not_judged(modelled: RealSpeedRuns[T], *, peak_played: bool = True) -> tuple[str, ...]:
    """Return what no model at real speed, or no whole one, leaves unknown; and a peak that was not played."""
    out: tuple[str, ...] = ()
    if modelled.why:
        out += (
            f"{_AT_REAL_SPEED} (queues that build up, autoscaling, the sell-out minute, recovery): its model "
            f"has {len(modelled.event) or 'no'} replications: {modelled.why}",
        )
    if not peak_played:
        out += ("the forecast's peak that fleets are sized for: it was not played in the model",)
    return out


def not_asked(losses: Mapping[str, StackLosses]) -> Iterator[str]:
    """Yield what the time did not suffice for, of what can be lost."""
    for stack, lost in losses.items():
        if lost.not_asked:
            left, every = len(lost.not_asked), len(lost.not_asked) + len(lost.rows)
            yield (
                f"{stack}: whether {left} of {every} losses are borne: the time did not suffice; give more with "
                "--budget"
            )


def not_identified(calibration: Calibration | None, why_not: str = "") -> tuple[str, ...]:
    """Return the fleets of which a run observed too little to tell whether they hold; `why_not`: of all."""
    if why_not:
        return (f"whether the target is as declared: {why_not}",)
    rows = () if calibration is None else calibration.unidentified
    fleets = dict.fromkeys(f"{r.stack} {r.service}" for r in rows if (r.widens or 0.0) >= _WIDE)
    if not fleets:
        return ()
    return (
        f"whether {', '.join(fleets)} hold the forecast: how long they work, or how many servers "
        "they have, was not observed",
    )


@contextmanager
def written_after_load() -> Iterator[None]:
    """Say of a file that cannot be written that load did go out: exit 8, not 5."""
    try:
        yield
    except PreflightFailed as error:
        raise CleanUpFailed(f"the load was played, its report was not written: {error}") from error
