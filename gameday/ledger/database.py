"""The ledger's file as a database: opened, brought to today's version, written in whole transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gameday.errors import PreflightFailed

__all__ = ["ENTRIES", "FINDINGS", "REQUESTS", "RUNS", "SUBJECTS", "Database"]

_NEWEST = "2"
"""Version of the tables below: the last of `versions/`."""
_WAIT_S = 60
"""For other processes that write."""

_TABLES = sa.MetaData()


def _table(name: str, *columns: str, keys: int, numbers: tuple[str, ...] = ()) -> sa.Table:
    """Return a table whose first `keys` columns are its key."""
    made = (
        sa.Column(c, sa.Integer if c in numbers else sa.Text, primary_key=n < keys)
        for n, c in enumerate(columns)
    )
    return sa.Table(name, _TABLES, *made)


RUNS = _table(
    *("runs", "run_id", "event", "folder", "started_utc", "verdict", "exit_code", "pid"),
    keys=1,
    numbers=("exit_code", "pid"),
)
FINDINGS = _table("findings", "run_id", "finding", "severity", "body", keys=2)
REQUESTS = _table("requests", "run_id", "request", "state", "body", keys=2)
SUBJECTS = _table("subjects", "event", "kind", "subject", "state", "body", keys=3)
ENTRIES = _table(
    *(
        "entries",
        "number",
        "event",
        "kind",
        "subject",
        "act",
        "state",
        "body",
        "kept",
        "previous",
        "sha256",
    ),
    keys=1,
    numbers=("number",),
)


class Database:
    """One SQLite file; PreflightFailed where it cannot be opened, or does not take what is written."""

    def __init__(self, file: Path) -> None:
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(file)), connect_args={"timeout": _WAIT_S}
        )
        sa.event.listen(self._engine, "connect", _as_we_want)
        sa.event.listen(self._engine, "begin", _begin)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if self._version() != _NEWEST:
                self._upgrade()
        except (OSError, SQLAlchemyError) as error:
            self.close()
            raise PreflightFailed(
                f"{file.parent}: the ledger cannot be opened ({_plain(error)}); free space or choose another "
                "folder with --out"
            ) from None

    def _version(self) -> str | None:
        with self._engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()

    def _upgrade(self) -> None:
        """Bring the tables to the newest version; of a newer program's, SQLAlchemyError."""
        from alembic import command  # only a ledger that is new, or old, needs it
        from alembic.config import Config
        from alembic.util.exc import CommandError

        config = Config()
        config.set_main_option("script_location", "gameday.ledger:migrations")
        config.set_main_option("version_locations", str(Path(__file__).parent / "versions"))
        config.set_main_option("path_separator", "os")
        with self._engine.execution_options(writes=True).begin() as connection:  # others wait
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise SQLAlchemyError(f"it is of a newer gameday: {error}") from None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection to read with, at one instant."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise PreflightFailed(
                f"the ledger cannot be read ({_plain(error)}); put a copy of ledger.sqlite3 in its place"
            ) from error

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection that alone may write until the end; what is inside is kept whole, or not at all."""
        try:
            with self._engine.execution_options(writes=True).begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise PreflightFailed(
                f"the ledger cannot be written ({_plain(error)}); free space"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()


def _as_we_want(connection: Any, record: object) -> None:
    """Leave transactions to `_begin`, and let readers read while somebody writes."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")


def _begin(connection: sa.Connection) -> None:
    """Begin at once as a writer, or as a reader."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _plain(error: Exception) -> str:
    """Return what the database said, without the statement."""
    return str(getattr(error, "orig", None) or error)
