"""One chain from a forecast to the run that verified what was ordered: of a finding, or of a request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gameday.capacity import CapacityRequest
from gameday.errors import UsageError
from gameday.findings.living import KnownFinding
from gameday.jobs.living import FINDING, REQUEST, known_findings, known_requests, opened
from gameday.jobs.past_runs import read_json
from gameday.ledger import Entry, Ledger, RunRow
from gameday.safety.identity import Statement

__all__ = ["Link", "Trace", "trace"]

Stage = Literal["forecast", "finding", "request", "approval", "order", "export", "verified"]
_STAGES: dict[str, Stage] = {
    "approved": "approval",
    "rejected": "approval",
    "in_review": "approval",
    "ordered": "order",
    "active": "order",
    "exported": "export",
    "verified": "verified",
}
"""Act -> stage; any other belongs to the request itself."""


@dataclass(frozen=True, slots=True)
class Link:
    """Something that happened, of the chain."""

    stage: Stage
    subject: str
    """Id of the finding or request; of a forecast, the run's."""
    what: str
    at: str
    """UTC; of what a run did, when it began."""
    by: str


@dataclass(frozen=True, slots=True)
class Trace:
    """The chain of a finding or a request, as far as it goes."""

    subject: str
    links: tuple[Link, ...]
    missing: tuple[Stage, ...]
    """Stages that nothing was done for yet."""


def trace(out: Path, event: str, subject: str) -> Trace:
    """Return the chain of a finding or a request of an event; UsageError where there is none of that id."""
    with opened(out) as ledger:
        findings = known_findings(ledger.subjects(event, FINDING))
        requests = known_requests(ledger.subjects(event, REQUEST))
        if subject not in findings and subject not in requests:
            raise UsageError(
                f"no finding or request '{subject}' of {event}; see `gameday findings` and `gameday capacity show`"
            )
        names = _together(subject, findings, requests)
        links = tuple(_links(ledger, event, names))
    stages: tuple[Stage, ...] = (
        *("forecast", "finding", "request", "approval", "order", "export", "verified"),
    )
    return Trace(subject, links, tuple(s for s in stages if all(link.stage != s for link in links)))


def _together(
    subject: str, findings: dict[str, KnownFinding], requests: dict[str, CapacityRequest]
) -> list[str]:
    """Return a subject and what belongs to it: the findings that a request answers, the requests for a finding."""
    if subject in requests:
        return [*(name for name in requests[subject].findings if name in findings), subject]
    return [subject, *(name for name, request in requests.items() if subject in request.findings)]


def _links(ledger: Ledger, event: str, names: list[str]) -> Iterator[Link]:
    runs = {row.run_id: row for row in ledger.runs(event)}
    entries = [entry for name in names for entry in ledger.entries(event, name)]
    first = next((run for entry in entries if (run := _run_of(entry)) in runs), None)
    if first is not None:
        yield _forecast(runs[first])
    for entry in entries:
        yield _finding(entry, runs) if entry.kind == FINDING else _request(entry)


def _run_of(entry: Entry) -> str:
    """Return the run that made an entry; empty: none did."""
    told: dict[str, Any] = json.loads(entry.body)
    actor: dict[str, Any] = told.get("actor", {})
    return str(told.get("run") or (actor.get("name") if actor.get("kind") == "run" else ""))


def _forecast(row: RunRow) -> Link:
    manifest = Path(row.folder) / "run.json"
    if not manifest.is_file():
        return Link(
            "forecast", row.run_id, "its run's folder is not there any more", row.started_utc, ""
        )
    told = read_json(manifest)
    hashes = ", ".join(f"{name} {str(sha)[:12]}" for name, sha in told.get("sha256", {}).items())
    what = f"seed {told.get('seed')}, sha256 of {hashes}; in {row.folder}/demand.parquet"
    return Link("forecast", row.run_id, what, row.started_utc, f"run:{row.run_id}")


def _finding(entry: Entry, runs: dict[str, RunRow]) -> Link:
    told = json.loads(entry.body)
    if "actor" in told:
        said = Statement.of_mapping(told)
        return Link(
            "finding", entry.subject, f"{entry.act}: {said.reason}", said.at, str(said.actor)
        )
    run = _run_of(entry)
    at = runs[run].started_utc if run in runs else ""
    return Link("finding", entry.subject, str(told.get("why", entry.act)), at, f"run:{run}")


def _request(entry: Entry) -> Link:
    said = Statement.of_mapping(json.loads(entry.body))
    signed = ", signed" if said.signature else ""
    what = f"{entry.act}: {said.reason} (content {said.content[:12]}{signed})"
    return Link(_STAGES.get(entry.act, "request"), entry.subject, what, said.at, str(said.actor))
