"""What lives over runs, and the chain of what was done to it: each entry holds the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import sqlalchemy as sa

from gameday.ledger.database import ENTRIES, SUBJECTS

__all__ = ["Act", "Changing", "Entry", "chain_faults", "entries_of", "subjects_of"]

_FIRST = "0" * 64
"""What the first entry has in place of the hash before."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to a request or a finding."""

    event: str
    kind: str
    """request or finding."""
    subject: str
    """Its id."""
    act: str
    state: str
    """In which it is afterwards."""
    body: str
    """JSON: who did it, when, why, signed or not, and what changed."""


@dataclass(frozen=True, slots=True)
class Entry(Act):
    """An act as the chain holds it."""

    number: int
    """From 1, without gaps."""
    kept: str
    """Hash of what it made of its subject."""
    previous: str
    """Hash of the entry before."""
    sha256: str
    """Of this entry, the hash before included."""

    def hashed(self) -> str:
        """Return the hash that its fields have."""
        fields = (self.number, self.event, self.kind, self.subject, self.act, self.state)
        told = json.dumps([*fields, self.body, self.kept, self.previous], separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Changing:
    """The ledger while one process changes what lives in it, and nobody else can."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def bodies(self, event: str, kind: str) -> dict[str, str]:
        """Return what is kept of every subject of a kind, by id, as JSON."""
        return subjects_of(self._connection, event, kind)

    def entries(self, event: str, subject: str) -> list[Entry]:
        """Return what was done to a subject, in its order."""
        return entries_of(self._connection, event, subject)

    def faults(self) -> list[str]:
        """Return where the chain was rewritten, or does not fit what is kept; empty: it is whole."""
        return list(chain_faults(self._connection))

    def put(self, act: Act, subject: str) -> Entry:
        """Append an act, and keep what it made of its subject, JSON."""
        last = self._connection.execute(
            sa.select(ENTRIES.c.number, ENTRIES.c.sha256).order_by(ENTRIES.c.number.desc()).limit(1)
        ).first()
        number, previous = (0, _FIRST) if last is None else last
        fields = (act.event, act.kind, act.subject, act.act, act.state, act.body)
        entry = Entry(
            *fields, number=number + 1, kept=_sha256(subject), previous=previous, sha256=""
        )
        entry = replace(entry, sha256=entry.hashed())
        row = {name: getattr(entry, name) for name in ENTRIES.c.keys()}  # noqa: SIM118 - columns, no mapping
        self._connection.execute(ENTRIES.insert().values(row))
        self._keep(act, subject)
        return entry

    def _keep(self, act: Act, subject: str) -> None:
        key = {"event": act.event, "kind": act.kind, "subject": act.subject}
        own = sa.and_(*(SUBJECTS.c[name] == value for name, value in key.items()))
        self._connection.execute(SUBJECTS.delete().where(own))
        row = {**key, "state": act.state, "body": subject}
        self._connection.execute(SUBJECTS.insert().values(row))


def subjects_of(connection: sa.Connection, event: str, kind: str) -> dict[str, str]:
    """Return what is kept of every subject of a kind, by id."""
    rows = connection.execute(
        sa.select(SUBJECTS.c.subject, SUBJECTS.c.body)
        .where(SUBJECTS.c.event == event, SUBJECTS.c.kind == kind)
        .order_by(SUBJECTS.c.subject)
    )
    return {row.subject: row.body for row in rows}


def entries_of(connection: sa.Connection, event: str | None, subject: str | None) -> list[Entry]:
    """Return entries in their order: of an event, of a subject, or all."""
    wanted = sa.select(ENTRIES).order_by(ENTRIES.c.number)
    if event is not None:
        wanted = wanted.where(ENTRIES.c.event == event)
    if subject is not None:
        wanted = wanted.where(ENTRIES.c.subject == subject)
    rows = connection.execute(wanted).mappings()
    return [Entry(**row) for row in rows]


def chain_faults(connection: sa.Connection) -> Iterator[str]:
    """Yield where the chain was rewritten, or does not fit what is kept of its subjects."""
    previous, last = _FIRST, dict[tuple[str, str, str], tuple[str, str]]()
    for number, entry in enumerate(entries_of(connection, None, None), 1):
        if entry.number != number:
            yield f"entry {number} is missing"
            return
        if entry.previous != previous or entry.sha256 != entry.hashed():
            yield f"entry {number} ({entry.subject}: {entry.act}) was changed after it was written"
            return
        previous = entry.sha256
        last[entry.event, entry.kind, entry.subject] = entry.state, entry.kept
    rows = connection.execute(sa.select(SUBJECTS))
    now = {(r.event, r.kind, r.subject): (r.state, _sha256(r.body)) for r in rows}
    for key in sorted(set(last) | set(now)):
        if last.get(key) != now.get(key):
            yield f"{key[2]}: what is kept of it is not what the chain tells of"
