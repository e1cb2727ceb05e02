"""One run from its first file to its last: who it is, where it lies, and how it ends."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version

from gameday import __version__
from gameday.errors import GamedayError, PreflightFailed
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
    hashes: dict[str, str] = field(default_factory=dict)
    """Of scenario, history and plan, once they are known."""

    @property
    def scenario(self) -> Scenario:
        """The scenario that is played."""
        return self.loaded.played

    def note(self) -> None:
        """Write the manifest as it stands."""
        self.folder.note(
            self.row,
            seed=self.order.seed.root,
            command=self.order.command,
            gameday=__version__,
            libraries={name: version(name) for name in _LIBRARIES},
            **({"sha256": self.hashes} if self.hashes else {}),
        )

    def keep_hashes(self, history: History, plan: LoadPlan) -> None:
        """Remember what the run is played from, for its manifest."""
        self.hashes = {
            "scenario": self.scenario.sha256(),
            "history": history.sha256,
            "plan": plan.sha256(),
        }

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


@contextmanager
def begun(order: Order, loaded: LoadedScenario, show: Show) -> Iterator[Run]:
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
        run = Run(order, loaded, show, row, folder, journal, StopWatch(path))
        run.note()
        stack.enter_context(run.stop)
        yield run
