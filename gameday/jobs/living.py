"""What lives over an event's runs: requests and findings, out of the ledger and into it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from gameday.capacity import CapacityRequest, as_json, as_yaml, from_mapping
from gameday.capacity.living import content_sha256
from gameday.errors import UsageError
from gameday.files import REQUESTS, write_whole
from gameday.findings.living import KnownFinding
from gameday.jobs.past_runs import past_runs
from gameday.ledger import Act, Changing, Entry, Ledger, has_ledger
from gameday.products import from_json, to_json
from gameday.safety.identity import Statement
from gameday.scenario.reading import from_yaml

__all__ = [
    "FINDING",
    "REQUEST",
    "edited_files",
    "event_of",
    "is_edited",
    "known_findings",
    "known_requests",
    "living_findings",
    "living_requests",
    "opened",
    "put_finding",
    "put_request",
    "read_request",
    "request_file",
    "write_requests",
    "written_request",
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
    """Return requests as the ledger keeps them, by id; UsageError where one is damaged."""
    return {
        name: from_mapping(_read_body(name, body), f"ledger: {name}")
        for name, body in bodies.items()
    }


def known_findings(bodies: Mapping[str, str]) -> dict[str, KnownFinding]:
    """Return findings as the ledger keeps them, by id; UsageError where one is damaged."""
    try:
        return {
            name: from_json(KnownFinding, _read_body(name, body)) for name, body in bodies.items()
        }
    except ValueError as error:
        raise UsageError(f"ledger: a finding in it is damaged ({error}); {_AUDIT}") from None


_AUDIT = "`gameday capacity audit` says where; put back a copy of the ledger"


def _read_body(name: str, body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise UsageError(f"ledger: {name} is damaged; {_AUDIT}") from None


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


def written_request(out: Path, request: CapacityRequest) -> CapacityRequest | None:
    """Return what a request's file holds; None: there is none. UsageError where it holds no request."""
    file = request_file(out, request)
    return read_request(file) if file.is_file() else None


def read_request(file: Path) -> CapacityRequest:
    """Return the request of a file; UsageError says what is wrong with it."""
    try:
        data = from_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: is not UTF-8 text (byte {error.start})") from None
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from None
    return from_mapping(data, str(file))


def is_edited(request: CapacityRequest, written: CapacityRequest) -> bool:
    """Return whether a file holds another content than the ledger, and is no copy of before the last act."""
    content = content_sha256(written)
    is_known = content in {said.content for said in request.history}
    is_stale = is_known and len(written.history) < len(request.history)
    return content != content_sha256(request) and not is_stale


def edited_files(out: Path, requests: Mapping[str, CapacityRequest]) -> dict[str, str]:
    """Return the requests whose files were edited and not taken up, or cannot be read, each with what to do."""
    found = {}
    for name, request in requests.items():
        try:
            written = written_request(out, request)
        except UsageError as error:
            found[name] = f"its file cannot be read: mend it, or remove it ({error})"
            continue
        if written is not None and is_edited(request, written):
            found[name] = (
                "its file was edited: take that up with `gameday capacity move`, or remove the file"
            )
    return found


def write_requests(out: Path, requests: Mapping[str, CapacityRequest]) -> None:
    """Write requests as they stand; the ledger has them already."""
    for request in requests.values():
        text = as_yaml(request)
        write_whole(request_file(out, request), partial(_write, text=text))


def _write(path: Path, *, text: str) -> None:
    path.write_text(text, encoding="utf-8")
