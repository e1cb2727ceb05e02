"""One database beside the runs: what ran, how it ended, what was found and asked for, and what became of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gameday.ledger.chain import Changing, Entry, chain_faults, entries_of, subjects_of
from gameday.ledger.database import FINDINGS, REQUESTS, RUNS, Database
from gameday.scenario.reading import is_file

__all__ = ["Ledger", "RunRow", "has_ledger"]

_NAME = "ledger.sqlite3"


def has_ledger(reports: Path) -> bool:
    """Return whether a folder of runs has a ledger."""
    return (reports / _NAME).is_file()


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
        self._database = Database(reports / _NAME)

    def record_run(self, row: RunRow) -> None:
        """Write or overwrite a run, its folder relative to the ledger's."""
        here = os.path.relpath(row.folder, self._reports)
        self._overwrite(RUNS, [asdict(replace(row, folder=here))])

    def record_results(
        self, run_id: str, findings: list[dict[str, Any]], requests: list[dict[str, Any]]
    ) -> None:
        """Write a run's findings and requests, given as plain data with id, severity and state."""
        self._overwrite(
            FINDINGS,
            [
                {
                    "run_id": run_id,
                    "finding": f["id"],
                    "severity": f["severity"],
                    "body": json.dumps(f),
                }
                for f in findings
            ],
        )
        self._overwrite(
            REQUESTS,
            [
                {"run_id": run_id, "request": r["id"], "state": r["state"], "body": json.dumps(r)}
                for r in requests
            ],
        )

    def _overwrite(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Write rows, in place of those of the same key."""
        with self._database.writing() as connection:
            for row in rows:
                own = (column == row[column.name] for column in table.primary_key.columns)
                connection.execute(table.delete().where(*own))
                connection.execute(table.insert().values(row))

    def runs(self, event: str | None = None) -> list[RunRow]:
        """Return runs, newest first, each with the folder it would be found in."""
        wanted = sa.select(RUNS).order_by(RUNS.c.started_utc.desc())
        if event is not None:
            wanted = wanted.where(RUNS.c.event == event)
        with self._database.reading() as connection:
            rows = [RunRow(**row) for row in connection.execute(wanted).mappings()]
        return [self._found(row) for row in rows]

    def _found(self, row: RunRow) -> RunRow:
        """Return the row with its folder from here on; of older ledgers it may be written in other ways."""
        folder = Path(os.path.normpath(self._reports / row.folder))
        usual = self._reports / row.event / row.run_id
        if not is_file(folder / "run.json") and is_file(usual / "run.json"):
            folder = usual
        return replace(row, folder=str(folder))

    def findings(self, run_id: str) -> list[str]:
        """Return a run's findings, each as the JSON that was written, worst first."""
        wanted = sa.select(FINDINGS.c.body).where(FINDINGS.c.run_id == run_id)
        ordered = wanted.order_by(FINDINGS.c.severity, FINDINGS.c.finding)
        with self._database.reading() as connection:
            return list(connection.execute(ordered).scalars())

    @contextmanager
    def changing(self) -> Iterator[Changing]:
        """Give the ledger to one process that changes what lives in it: all that it does is kept, or nothing."""
        with self._database.writing() as connection:
            yield Changing(connection)

    def subjects(self, event: str, kind: str) -> dict[str, str]:
        """Return what is kept of every request or finding of an event, by id, as JSON."""
        with self._database.reading() as connection:
            return subjects_of(connection, event, kind)

    def entries(self, event: str | None = None, subject: str | None = None) -> list[Entry]:
        """Return what was done, in its order: in an event, to one request or finding, or all."""
        with self._database.reading() as connection:
            return entries_of(connection, event, subject)

    def faults(self) -> list[str]:
        """Return where the chain was rewritten; empty: it is whole."""
        with self._database.reading() as connection:
            return list(chain_faults(connection))

    def close(self) -> None:
        """Close the file."""
        self._database.close()
