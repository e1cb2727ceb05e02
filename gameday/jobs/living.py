"""What lives over an event's runs: requests and findings, out of the ledger and into it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gameday.capacity import CapacityRequest, as_json, as_yaml, from_mapping
from gameday.errors import UsageError
from gameday.files import REQUESTS, write_whole
from gameday.findings.living import KnownFinding
from gameday.jobs.past_runs import past_runs
from gameday.ledger import Act, Changing, Entry, Ledger, has_ledger
from gameday.products import from_json, to_json
from gameday.safety.identity import Statement

__all__ = [
    "FINDING",
    "REQUEST",
    "event_of",
    "known_findings",
    "known_requests",
    "living_findings",
    "living_requests",
    "opened",
    "put_finding",
    "put_request",
    "request_file",
    "write_requests",
]

REQUEST, FINDING = "request", "finding"


@contextmanager
def opened(out: Path) -> Iterator[Ledger]:
    """Give the ledger of a folder of runs; UsageError where there is none."""
    if not has_ledger(out):
        raise UsageError(
            f"no run yet under {out.absolute()}; give --out, or `gameday replay` first"
        )
    ledger = Ledger(out)
    try:
        yield ledger
    finally:
        ledger.close()


def event_of(event: str | None, out: Path) -> str:
    """Return an event's name as runs have it; None: that of the newest run. UsageError where no run is of it."""
    rows = past_runs(out)
    if not rows:
        raise UsageError(
            f"no run yet under {out.absolute()}; give --out, or `gameday replay` first"
        )
    names = list(dict.fromkeys(row.event for row in rows))
    if event is None:
        return names[0]
    found = [name for name in names if name == event or name.startswith(f"{event}-")]
    if not found:
        raise UsageError(
            f"--event: no run of '{event}' under {out.absolute()}; there are {', '.join(names)}"
        )
    return found[0]


def known_requests(bodies: Mapping[str, str]) -> dict[str, CapacityRequest]:
    """Return requests as the ledger keeps them, by id."""
    return {
        name: from_mapping(json.loads(body), f"ledger: {name}") for name, body in bodies.items()
    }


def known_findings(bodies: Mapping[str, str]) -> dict[str, KnownFinding]:
    """Return findings as the ledger keeps them, by id."""
    return {name: from_json(KnownFinding, json.loads(body)) for name, body in bodies.items()}


def living_requests(out: Path, event: str) -> dict[str, CapacityRequest]:
    """Return an event's requests as they stand, by id."""
    with opened(out) as ledger:
        return known_requests(ledger.subjects(event, REQUEST))


def living_findings(out: Path, event: str) -> dict[str, KnownFinding]:
    """Return an event's findings as they stand, by id."""
    with opened(out) as ledger:
        return known_findings(ledger.subjects(event, FINDING))


def put_request(ledger: Changing, request: CapacityRequest, act: str) -> Entry:
    """Keep a request after what was done to it, with the statement that says so."""
    body = json.dumps(asdict(request.history[-1]))
    return ledger.put(
        Act(request.event, REQUEST, request.id, act, request.state, body), as_json(request)
    )


def put_finding(
    ledger: Changing,
    event: str,
    finding: KnownFinding,
    act: str,
    *,
    run: str = "",
    by: Statement | None = None,
) -> Entry:
    """Keep a finding after what a run, or a person's statement, made of it."""
    body = json.dumps({"run": run, "why": finding.said} if by is None else asdict(by))
    return ledger.put(
        Act(event, FINDING, finding.id, act, finding.state, body), json.dumps(to_json(finding))
    )


def request_file(out: Path, request: CapacityRequest) -> Path:
    """Return where a request lies as it stands, for review."""
    return out / request.event / REQUESTS / f"{request.id}.yaml"


def write_requests(out: Path, requests: Mapping[str, CapacityRequest]) -> None:
    """Write requests as they stand; the ledger has them already."""
    for request in requests.values():
        text = as_yaml(request)
        write_whole(request_file(out, request), partial(_write, text=text))


def _write(path: Path, *, text: str) -> None:
    path.write_text(text, encoding="utf-8")
