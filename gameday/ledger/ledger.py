"""One SQLite file beside the runs: what ran, how it ended, what was found and asked for."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from gameday.errors import PreflightFailed
from gameday.scenario.reading import is_file

__all__ = ["Ledger", "RunRow"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, event TEXT NOT NULL, folder TEXT NOT NULL, started_utc TEXT NOT NULL,
    verdict TEXT NOT NULL, exit_code INTEGER NOT NULL, pid INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS findings (
    run_id TEXT NOT NULL, finding TEXT NOT NULL, severity TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (run_id, finding)
) STRICT;
CREATE TABLE IF NOT EXISTS requests (
    run_id TEXT NOT NULL, request TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (run_id, request)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run."""

    run_id: str
    event: str
    folder: str
    """As written: from the ledger's folder on, so that runs may be moved with it. As read: from here on."""
    started_utc: str
    verdict: str
    exit_code: int
    pid: int
    """Of the process that played it."""


class Ledger:
    """The ledger of one reports folder."""

    def __init__(self, reports: Path) -> None:
        self._reports = reports
        try:
            reports.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(reports / "ledger.sqlite3", timeout=10)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise PreflightFailed(
                f"{reports}: the ledger cannot be opened ({error}); free space or choose another "
                "folder with --out"
            ) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Commit what is written inside; PreflightFailed where the disk or the file does not take it."""
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise PreflightFailed(f"the ledger cannot be written ({error}); free space") from error

    def record_run(self, row: RunRow) -> None:
        """Write or overwrite a run, its folder relative to the ledger's."""
        here = os.path.relpath(row.folder, self._reports)
        with self._writing():
            self._db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?,?,?,?,?,?,?)",
                astuple(replace(row, folder=here)),
            )

    def record_results(
        self, run_id: str, findings: list[dict[str, Any]], requests: list[dict[str, Any]]
    ) -> None:
        """Write a run's findings and requests, given as plain data with id, severity and state."""
        with self._writing():
            self._db.executemany(
                "INSERT OR REPLACE INTO findings VALUES (?,?,?,?)",
                [(run_id, f["id"], f["severity"], json.dumps(f)) for f in findings],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO requests VALUES (?,?,?,?)",
                [(run_id, r["id"], r["state"], json.dumps(r)) for r in requests],
            )

    def set_request_state(self, run_id: str, request: str, state: str) -> None:
        """Write a request's new state."""
        with self._writing():
            self._db.execute(
                "UPDATE requests SET state = ? WHERE run_id = ? AND request = ?",
                (state, run_id, request),
            )

    def runs(self, event: str | None = None) -> list[RunRow]:
        """Return runs, newest first, each with the folder it would be found in."""
        rows = self._db.execute(
            "SELECT * FROM runs WHERE ?1 IS NULL OR event = ?1 ORDER BY started_utc DESC", (event,)
        )
        return [self._found(RunRow(*row)) for row in rows]

    def _found(self, row: RunRow) -> RunRow:
        """Return the row with its folder from here on; of older ledgers it may be written in other ways."""
        folder = Path(os.path.normpath(self._reports / row.folder))
        usual = self._reports / row.event / row.run_id
        if not is_file(folder / "run.json") and is_file(usual / "run.json"):
            folder = usual
        return replace(row, folder=str(folder))

    def findings(self, run_id: str) -> list[str]:
        """Return a run's findings, each as the JSON that was written, worst first."""
        rows = self._db.execute(
            "SELECT body FROM findings WHERE run_id = ? ORDER BY severity, finding", (run_id,)
        )
        return [body for (body,) in rows]

    def close(self) -> None:
        """Close the file."""
        self._db.close()
