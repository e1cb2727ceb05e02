"""One run from its first file to its last: who it is, where it lies, and how it ends."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from gameday import __version__
from gameday.calibrate import Calibration
from gameday.capacity.living import EMBEDDED, Placed, read_placed
from gameday.errors import GamedayError, PreflightFailed, UsageError
from gameday.files import PLACED, sha256_of
from gameday.findings import Verdict
from gameday.history import History
from gameday.jobs.one_run.after_load import written_after_load
from gameday.jobs.one_run.order import Order
from gameday.ledger import Ledger, RunFolder, RunRow
from gameday.live import Show
from gameday.report import RunAbout
from gameday.safety import Journal, StopWatch, one_run_at_a_time
from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario
from gameday.swarm.control import forget_killed, forget_run_spec
from gameday.traffic import LoadPlan
from gameday.vocabulary import TimeGrid

__all__ = ["Run", "begun"]

_LIBRARIES = ("locust", "gevent", "numba", "numpy", "scipy", "pandas", "bokeh")


@dataclass
class Run:
    """What all phases of a run need."""

    order: Order
    loaded: LoadedScenario
    show: Show
    row: RunRow
    """As the ledger has it."""
    folder: RunFolder
    journal: Journal
    stop: StopWatch
    calibration: Calibration | None = None
    """What was measured before, and given; None: none was."""
    hashes: dict[str, str] = field(default_factory=dict)
    """Of scenario, history and plan, once they are known."""
    placed: Placed | None = None
    """What was placed, with which it is played; None: its fleets are as declared."""
    declared: LoadedScenario | None = None
    """The scenario as written, where something is placed."""

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario that is played, none of whose services is observed where a station stands in for them."""
        played = self.loaded.played
        if self.calibration is None or not played.is_black_box:
            return played
        observe = played.observe.model_copy(update={"services": []})
        return self.calibration.over(played).model_copy(update={"observe": observe})

    def place(self, minutes: TimeGrid) -> None:
        """Play with what was placed, as it is in these minutes; UsageError where it is not of this scenario."""
        placed = _placed(self.order, self.row.event, self.loaded.played)
        here = self._standing(placed.at(self.target_words))
        if left := len(placed.fleets) - len(placed.at(self.target_words).fleets):
            self.show.say(
                f"capacity: {left} fleets are placed in the embedded shop alone, not in this target"
            )
        if not here.fleets:
            return
        self.placed = here
        if changing := self.placed.changes_within(minutes):
            self.show.say(
                f"capacity: {', '.join(changing)} change within the window; the fewest of that time are played"
            )
        self.declared = self.loaded
        self.loaded = self.loaded.with_instances(self.placed.instances_in(minutes))
        for name in ("scenario", "model"):
            self.__dict__.pop(name, None)

    def _standing(self, placed: Placed) -> Placed:
        """Return the fleets whose requests still stand in the ledger; of a file that was given, all.

        UsageError where the file holds what was never approved.
        """
        if self.order.capacity is not None:
            return placed
        bodies = self.folder.ledger.subjects(self.row.event, "request")
        fleets = []
        for fleet in placed.fleets:
            request = json.loads(bodies.get(fleet.request, '{"state": "", "history": []}'))
            approved = {s["content"] for s in request["history"] if s["act"] == "approved"}
            if fleet.content not in approved:
                raise UsageError(
                    f"{self.order.out / self.row.event / PLACED}: holds what was never approved in the ledger "
                    f"({fleet.request}); `gameday capacity apply` writes it anew"
                )
            if request["state"] in ("released", "expired"):
                self.show.say(
                    f"capacity: {fleet.request} is {request['state']}: not placed any more"
                )
            else:
                fleets.append(fleet)
        return replace(placed, fleets=tuple(fleets))

    def model_in(self, scenario: Scenario, minutes: TimeGrid) -> Scenario:
        """Return a model of this run with the fleets that are placed in some minutes."""
        return (
            scenario
            if self.placed is None
            else scenario.with_instances(self.placed.instances_in(minutes))
        )

    def unplaced(self, scenario: Scenario) -> Scenario:
        """Return a model of this run with the fleets that were declared."""
        if self.placed is None:
            return scenario
        return scenario.with_instances(
            {(f.stack, f.service): f.instances_from for f in self.placed.fleets}
        )

    @property
    def target_words(self) -> str:
        """What is played against, as requests and findings have it."""
        return "given target" if self.order.has_own_target else EMBEDDED

    @property
    def servers_scale(self) -> float | None:
        """Share of full scale that the servers of the user's own target are; None: the plan's own."""
        return self.scenario.replay.target_fraction if self.order.has_own_target else None

    @cached_property
    def model(self) -> Scenario:
        """The scenario that the model plays: with what was measured before, where a calibration was given."""
        if self.calibration is None:
            return self.scenario
        declared = None if self.declared is None else self.declared.played
        return self.calibration.over(self.scenario, declared)

    @property
    def known_before(self) -> str:
        """The calibration that the model was given, in words: its file, its hash and what it was made from."""
        file, sha256 = self.order.calibration, self.hashes.get("calibration", "")
        if file is None or self.calibration is None:
            return ""
        sources = ", ".join(f"{source.kind} {source.name}" for source in self.calibration.sources)
        return f"{file.name} (sha256 {sha256[:12]}), made from {sources}"

    def note(self) -> None:
        """Write the manifest as it stands."""
        self.folder.note(
            self.row,
            seed=self.order.seed.root,
            command=self.order.command,
            gameday=__version__,
            scenario_file=_named(self.order.event),
            conversion_drift=self.order.drift,
            **({} if self.servers_scale is None else {"servers_scale": self.servers_scale}),
            libraries={name: version(name) for name in _LIBRARIES},
            **({"sha256": self.hashes} if self.hashes else {}),
        )

    def keep_hashes(self, history: History, plan: LoadPlan) -> None:
        """Remember what the run is played from, for its manifest."""
        self.hashes = {
            "scenario": (self.declared or self.loaded).played.sha256(),
            "history": history.sha256,
            "plan": plan.sha256(),
        }
        if self.placed is not None:
            self.hashes["capacity"] = self.placed.sha256
        if self.order.calibration is not None:
            self.hashes["calibration"] = sha256_of(self.order.calibration)

    def about(self) -> RunAbout:
        """Return which run it is, as its report says."""
        target = "the embedded shop" if self.order.targets is None else {**self.order.targets}
        row = self.row
        return RunAbout(
            row.run_id, row.event, row.started_utc, __version__, self.order.command, target
        )

    def end(self, verdict: Verdict) -> None:
        """Write the verdict into manifest and ledger."""
        self.row = replace(self.row, verdict=verdict.name, exit_code=verdict.exit_code)
        with written_after_load():
            self.note()

    @contextmanager
    def ending_aloud(self) -> Iterator[None]:
        """Let whatever ends the run early stand in its journal and manifest."""
        try:
            yield
        except BaseException as error:
            code = error.exit_code if isinstance(error, GamedayError) else 9
            code = 4 if isinstance(error, KeyboardInterrupt) else code
            verdict = "ABORTED" if code in (3, 4) else "ERROR"
            with suppress(PreflightFailed):  # a full disk must not hide the first error
                self.journal.write("ended early", why=str(error), exit_code=code)
                self.row = replace(self.row, verdict=verdict, exit_code=code)
                self.note()
            raise


def _placed(order: Order, event: str, scenario: Scenario) -> Placed:
    """Return what was placed for an event; UsageError where it does not fit the scenario."""
    usual = order.out / event / PLACED
    if order.as_declared or (order.capacity is None and not usual.is_file()):
        return Placed(event)
    file = order.capacity or usual
    placed = read_placed(file)
    if faults := placed.faults(scenario):
        raise UsageError(
            f"{file}: does not fit the scenario: {'; '.join(faults)}; run with --as-declared, then apply again"
        )
    return placed


def _named(event: str) -> str:
    """Return how the scenario is found again: a bundled one's name, or its file's whole path."""
    return str(Path(event).absolute()) if Path(event).is_file() else event


@contextmanager
def begun(
    order: Order, loaded: LoadedScenario, show: Show, calibration: Calibration | None = None
) -> Iterator[Run]:
    """Begin a run: the only one on this machine, with a folder, a journal and a switch to stop it."""
    started = datetime.now(UTC)
    run_id = f"{started:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    event = loaded.played.event.name
    with ExitStack() as stack:
        stack.enter_context(one_run_at_a_time(run_id))
        path = order.out / event / run_id
        forget_killed(order.out)
        stack.callback(forget_run_spec, path)  # once the journal is closed
        journal = Journal(path / "journal.jsonl")
        stack.callback(journal.close)
        ledger = Ledger(order.out)
        stack.callback(ledger.close)
        when = started.isoformat(timespec="seconds")
        row = RunRow(run_id, event, str(path), when, "RUNNING", -1, os.getpid())
        folder = RunFolder(path, ledger)
        run = Run(order, loaded, show, row, folder, journal, StopWatch(path), calibration)
        run.note()
        stack.enter_context(run.stop)
        yield run
