"""The ledger checked: its chain, the signatures in it, the moves it tells of, and the receipts of approvals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gameday.capacity.living import MOVES
from gameday.jobs.living import REQUEST, opened
from gameday.jobs.past_runs import read_json
from gameday.ledger import Entry
from gameday.safety.identity import Statement, statement_fault

__all__ = ["Audit", "audit_ledger"]


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found."""

    entries: int
    head: str
    """Hash of the last entry; empty: there is none."""
    faults: tuple[str, ...]


def audit_ledger(out: Path, receipts: tuple[Path, ...] = ()) -> Audit:
    """Return what is wrong with the ledger of a folder of runs; UsageError where there is none."""
    with opened(out) as ledger:
        entries, faults = ledger.entries(), ledger.faults()
    faults += [*_signatures(entries), *_moves(entries)]
    faults += [fault for receipt in receipts for fault in _receipt_faults(receipt, entries)]
    return Audit(len(entries), entries[-1].sha256 if entries else "", tuple(faults))


def _signatures(entries: list[Entry]) -> Iterator[str]:
    for entry in entries:
        told = json.loads(entry.body)
        if "signature" not in told:
            continue
        try:
            statement = Statement.of_mapping(told)
        except (KeyError, TypeError) as error:
            yield f"entry {entry.number}: holds no statement ({error})"
            continue
        if fault := statement_fault(statement):
            yield f"entry {entry.number} ({entry.subject}: {entry.act}): {fault}"


def _moves(entries: list[Entry]) -> Iterator[str]:
    """Yield the moves that no request may make."""
    states = dict[tuple[str, str], str]()
    for entry in (each for each in entries if each.kind == REQUEST):
        key = (entry.event, entry.subject)
        before = states.get(key)
        is_new = before is None or not MOVES[before] or entry.act == "superseded"
        may = ("draft",) if is_new else MOVES.get(before or "", ())
        if entry.state not in (before, *may):
            yield f"entry {entry.number}: {entry.subject} went from {before} to {entry.state}"
        states[key] = entry.state


def _receipt_faults(receipt: Path, entries: list[Entry]) -> Iterator[str]:
    told = read_json(receipt)
    heads = {entry.number: entry for entry in entries}
    entry = heads.get(told.get("entry", 0))
    if entry is None or entry.sha256 != told.get("head"):
        yield f"{receipt}: the ledger was rewritten: entry {told.get('entry')} is not the one that it names"
    elif (entry.subject, json.loads(entry.body).get("content")) != (
        told.get("request"),
        told.get("content"),
    ):
        yield f"{receipt}: is not of the approval in entry {entry.number}"
