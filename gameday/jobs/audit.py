"""The ledger checked: its chain, the signatures in it, the moves it tells of, and the receipts of approvals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.capacity.living import MOVES
from gameday.files import REQUESTS
from gameday.jobs.living import REQUEST, opened
from gameday.jobs.past_runs import read_json
from gameday.ledger import Entry
from gameday.safety.identity import (
    Actor,
    Operators,
    Statement,
    read_operators,
    same_person,
    statement_fault,
)

__all__ = ["Audit", "audit_ledger"]


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found."""

    entries: int
    head: str
    """Hash of the last entry; empty: there is none."""
    faults: tuple[str, ...]


def audit_ledger(out: Path, receipts: tuple[Path, ...] = ()) -> Audit:
    """Return what is wrong with the ledger of a folder of runs, with the receipts that lie there and those given.

    UsageError where there is no ledger.
    """
    operators = read_operators()
    with opened(out) as ledger:
        entries, faults = ledger.entries(), ledger.faults()
        runs = {row.run_id for row in ledger.runs()}
    faults += [*_statements(entries, operators, runs), *_moves(entries)]
    beside = sorted(out.glob(f"*/{REQUESTS}/*.receipt.json"))
    for receipt in dict.fromkeys((*receipts, *beside)):
        faults += _receipt_faults(receipt, entries)
    return Audit(len(entries), entries[-1].sha256 if entries else "", tuple(faults))


def _told(entry: Entry) -> Mapping[str, Any]:
    """Return what an entry's body holds; empty: it holds nothing that can be read."""
    try:
        told = json.loads(entry.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _statements(entries: list[Entry], operators: Operators, runs: set[str]) -> Iterator[str]:
    """Yield the entries whose statement cannot be their actor's, or that their actor may not make."""
    asked: dict[tuple[str, str], list[Actor]] = {}
    for entry in entries:
        told = _told(entry)
        if "signature" not in told and entry.kind != REQUEST:
            if not told or told.get("run") not in runs:
                yield f"entry {entry.number} ({entry.subject}: {entry.act}): is of no run that the ledger has"
            continue
        try:
            said = Statement.of_mapping(told)
        except (KeyError, TypeError) as error:
            yield f"entry {entry.number}: holds no statement ({error})"
            continue
        own = asked.setdefault((entry.event, entry.subject), [])
        if entry.act == "drafted" or (entry.act == "superseded" and entry.state == "draft"):
            own.clear()
        if entry.act in ("in_review", "edited"):
            own.append(said.actor)
        for fault in _faults_of(entry, said, own, operators, runs):
            yield f"entry {entry.number} ({entry.subject}: {entry.act}): {fault}"


def _faults_of(
    entry: Entry, said: Statement, asked: list[Actor], operators: Operators, runs: set[str]
) -> Iterator[str]:
    if fault := statement_fault(said):
        yield fault
    meant = {"drafted": "draft", "superseded": "draft"}
    if (said.subject, said.act) != (entry.subject, meant.get(entry.act, entry.act)):
        yield f"holds a statement of {said.subject}: {said.act}"
    if said.actor.kind == "run" and said.actor.name not in runs:
        yield f"the ledger has no run {said.actor.name}"
    if entry.act == "verified" and said.actor.kind != "run":
        yield "a run alone verifies"
    if entry.act not in ("approved", "rejected", "waived"):
        return
    rule, _, _ = said.actor.name.partition("@")
    if said.actor.kind == "policy":
        if rule not in operators.auto_approve:
            yield f"{operators.source} has no rule {rule}"
    elif not operators.person_of(said.actor):
        yield f"{operators.source} does not list {said.actor}"
    elif entry.act == "approved" and any(same_person(said.actor, a, operators) for a in asked):
        yield f"{said.actor} asked for it, too"


def _moves(entries: list[Entry]) -> Iterator[str]:
    """Yield the moves that no request may make."""
    states = dict[tuple[str, str], str]()
    for entry in (each for each in entries if each.kind == REQUEST):
        key = (entry.event, entry.subject)
        before = states.get(key)
        is_new = before is None or not MOVES.get(before) or entry.act == "superseded"
        may = ("draft",) if is_new else MOVES.get(before or "", ())
        if entry.state not in (before, *may):
            yield f"entry {entry.number}: {entry.subject} went from {before} to {entry.state}"
        states[key] = entry.state


def _receipt_faults(receipt: Path, entries: list[Entry]) -> Iterator[str]:
    told = read_json(receipt)
    by_number = {entry.number: entry for entry in entries}
    number = told.get("entry")
    entry = by_number.get(number) if isinstance(number, int) else None
    if entry is None or entry.sha256 != told.get("head"):
        yield f"{receipt}: the ledger was rewritten: entry {number} is not the one that it names"
    elif (entry.subject, _told(entry).get("content")) != (told.get("request"), told.get("content")):
        yield f"{receipt}: is not of the approval in entry {number}"
