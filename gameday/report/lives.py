"""What a run did to what lives over runs, as its report tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from gameday.capacity import CapacityRequest
from gameday.capacity.living import Change
from gameday.findings.living import Retest

__all__ = ["LifeRows", "Lives", "RequestChange", "RetestRow", "life_rows"]


@dataclass(frozen=True, slots=True)
class Lives:
    """What became of findings and requests in a run."""

    retests: tuple[Retest, ...] = ()
    changes: tuple[Change, ...] = ()
    unchanged: tuple[str, ...] = ()
    """Requests that stay as they were, and why."""

    @property
    def waived(self) -> frozenset[str]:
        """Findings that an approver lets stand."""
        return frozenset(r.finding.id for r in self.retests if r.finding.state == "waived")

    def as_they_stand(self, requests: tuple[CapacityRequest, ...]) -> tuple[CapacityRequest, ...]:
        """Return what a run asks for, with the state, history and record that each request has."""
        now = {change.request.id: change.request for change in self.changes}
        return tuple(now.get(request.id, request) for request in requests)


@dataclass(frozen=True, slots=True)
class RetestRow:
    """A finding, and what the run said of it."""

    id: str
    title: str
    severity: str
    tested: str
    why: str
    state: str
    owner: str
    due: date
    found_in: str


@dataclass(frozen=True, slots=True)
class RequestChange:
    """A request, and what the run did to it."""

    id: str
    act: str
    what: str
    state: str
    revision: int
    owner: str
    score: str
    """How its last prediction came out; empty: it was not placed."""


@dataclass(frozen=True, slots=True)
class LifeRows:
    """Both, as files and pages hold them."""

    findings: tuple[RetestRow, ...]
    requests: tuple[RequestChange, ...]
    unchanged: tuple[str, ...]
    words: str
    """In a line."""


def life_rows(lives: Lives, run: str) -> LifeRows:
    """Return what a run did to what lives."""
    return LifeRows(
        findings=tuple(
            RetestRow(
                id=r.finding.id,
                title=r.finding.title,
                severity=r.finding.severity,
                tested=r.tested,
                why=r.why,
                state=r.finding.state,
                owner=r.finding.owner,
                due=r.finding.due,
                found_in=r.finding.found_in,
            )
            for r in lives.retests
        ),
        requests=tuple(_change(change, run) for change in lives.changes),
        unchanged=lives.unchanged,
        words=", ".join(_words(lives)),
    )


def _change(change: Change, run: str) -> RequestChange:
    request = change.request
    score = next((score.words for score in request.record if score.run == run), "")
    return RequestChange(
        request.id, change.act, change.what, request.state, request.revision, request.owner, score
    )


def _words(lives: Lives) -> Iterator[str]:
    """Yield how many findings and requests are what."""
    before = Counter(r.tested for r in lives.retests)
    for tested in ("new", "again", "worse", "open", "fixed", "not tested"):
        if before[tested]:
            yield f"{before[tested]} {'finding' if before[tested] == 1 else 'findings'} {tested}"
    acts = Counter(change.act for change in lives.changes)
    for act, count in acts.items():
        yield f"{count} {'request' if count == 1 else 'requests'} {act}"
