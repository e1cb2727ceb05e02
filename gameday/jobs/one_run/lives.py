"""What a run does to what lives over runs: findings are tested again, requests amended or verified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from gameday.capacity import CapacityRequest
from gameday.capacity.living import (
    EMBEDDED,
    Change,
    content_sha256,
    expire,
    is_expired,
    is_placed,
    met,
    scored,
    verified,
)
from gameday.findings import RULES, Evidence, Finding, Tests
from gameday.findings.living import Retest, RetestOf, retest
from gameday.findings.tables import service_rows
from gameday.jobs.living import (
    FINDING,
    REQUEST,
    edited_files,
    known_findings,
    known_requests,
    put_finding,
    put_request,
    write_requests,
)
from gameday.jobs.one_run.after_load import written_after_load
from gameday.jobs.one_run.questions import Asked
from gameday.jobs.one_run.run import Run
from gameday.ledger import Changing
from gameday.report import Lives
from gameday.safety.identity import run_actor

__all__ = ["Found", "lives_after"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a run came to."""

    findings: tuple[Finding, ...]
    tests: Tests
    asked: Asked
    faults: tuple[str, ...] = ()
    """Why nothing can be told by it: it is invalid, or did not come to its end; empty: it can."""


def lives_after(run: Run, evidence: Evidence, found: Found) -> Lives:
    """Return, and keep in the ledger, what a run makes of findings and requests; write what it changed."""
    with run.folder.ledger.changing() as ledger:
        now = _RunLives(ledger, run, evidence, found.faults)
        retests = now.retests(found.findings, found.tests)
        changes, unchanged = now.changes(found.asked, found.findings)
    with written_after_load():
        write_requests(run.order.out, {c.request.id: c.request for c in changes})
    return Lives(retests, changes, unchanged)


@dataclass
class _RunLives:
    """A run at the ledger, while nobody else changes it."""

    ledger: Changing
    run: Run
    evidence: Evidence
    faults: tuple[str, ...]

    def retests(self, findings: tuple[Finding, ...], tests: Tests) -> tuple[Retest, ...]:
        """Return, and keep, what the run says of its findings and of every one that it may tell of."""
        run, event = self.run, self.run.row.event
        known = known_findings(self.ledger.bodies(event, FINDING))
        comparable = {name: f for name, f in known.items() if self._may_tell(f.target)}
        out = retest(
            comparable,
            tuple(f for f in findings if f.id in comparable or f.id not in known),
            self.evidence,
            tests,
            RetestOf(
                run.row.run_id,
                datetime.now(UTC).date(),
                _due(run),
                run.target_words,
                self.faults,
            ),
        )
        for each in out:
            put_finding(self.ledger, event, each.finding, each.tested, run=run.row.run_id)
        return out

    def changes(
        self, wanted: Asked, findings: tuple[Finding, ...]
    ) -> tuple[tuple[Change, ...], tuple[str, ...]]:
        """Return, and keep, what becomes of each request; and why some stay as they were."""
        run, event = self.run, self.run.row.event
        known = known_requests(self.ledger.bodies(event, REQUEST))
        if self.faults:
            return (), (f"requests stay as they were: {self.faults[0]}",) if known else ()
        new = {request.id: replace(request, target=run.target_words) for request in wanted.requests}
        changes, notes = list[Change](), list[str]()
        edits = edited_files(run.order.out, known)
        for name in sorted({*known, *new}):
            if name in edits:
                notes.append(f"{name}: {edits[name]}; this run leaves it as it is")
            elif (why := self._why_left(known.get(name), new.get(name), wanted)) is not None:
                notes.append(f"{name}: {why}")
            else:
                changes += self._changed(known.get(name), new.get(name), findings)
        return tuple(changes), tuple(notes)

    def _why_left(
        self, old: CapacityRequest | None, new: CapacityRequest | None, wanted: Asked
    ) -> str | None:
        """Return why this run says nothing of a request; None: it does."""
        if old is None:
            return None
        if not self._may_tell(old.target):
            return "stands for your target; a rehearsal with the embedded shop does not change it"
        evidence = self.evidence
        if evidence.not_calibrated and not evidence.known_before and old.model == "agrees":
            return (
                "stays as it was: it was sized by a model that a run bore out, and this one learned nothing of "
                f"the target ({evidence.not_calibrated})"
            )
        if new is None and not _is_answered(old, wanted):
            return "stays as it was: this run did not size it"
        return None

    def _changed(
        self,
        old: CapacityRequest | None,
        new: CapacityRequest | None,
        findings: tuple[Finding, ...],
    ) -> Iterator[Change]:
        now = datetime.now(UTC)
        at, actor = now.isoformat(timespec="seconds"), run_actor(self.run.row.run_id)
        if old is not None and is_expired(old, now):
            yield self._kept(expire(old, actor=actor, at=at))
            return
        change = met(self._scored(old), new, actor=actor, at=at)
        if change is None:
            return
        change, is_active = self._kept(change), change.request.state == "active"
        if not is_active or change.act != "confirmed" or not self._is_placed(change.request):
            yield change
        elif why := self._why_not_verified(change.request, findings):
            yield replace(change, what=f"{change.what}; not verified: {why}")
        else:
            score = f"; {change.request.record[-1].words}" if change.request.record else ""
            what = f"placed and played: no finding of severity S1 or S2 that more servers answer{score}"
            done = verified(change.request, actor=actor, at=at, what=what)
            yield self._kept(Change(done, "verified", what))

    def _scored(self, request: CapacityRequest | None) -> CapacityRequest | None:
        """Return a request with the score of its prediction, where it was placed in this run."""
        if request is None or not self._is_placed(request):
            return request
        score = scored(
            request.prediction,
            service_rows(self.evidence),
            self.evidence.plan,
            run=self.run.row.run_id,
            stack=request.stack,
            service=request.service,
        )
        return replace(request, record=(*request.record, score))

    def _why_not_verified(self, request: CapacityRequest, findings: tuple[Finding, ...]) -> str:
        """Return why an active request that was placed is not verified by this run; empty: it is."""
        peak, window = request.peak, self.evidence.plan.window
        if peak is not None and not window.start <= peak < window.end:
            return f"its peak, {peak:%Y-%m-%dT%H:%MZ}, was not played"
        if self.evidence.is_extrapolated:
            return self.evidence.far_words
        if self.evidence.not_calibrated:
            return f"nothing was learned of the target ({self.evidence.not_calibrated})"
        for finding in findings:
            own = finding.stack == request.stack and request.service in finding.subject.split()
            if own and RULES[finding.rule].servers_help and finding.severity in ("S1", "S2"):
                return f"{finding.severity} {finding.title}"
        return ""

    def _is_placed(self, request: CapacityRequest) -> bool:
        placed = self.run.placed
        fleets = () if placed is None else placed.fleets
        return is_placed(request) and any(
            (fleet.request, fleet.content) == (request.id, content_sha256(request))
            for fleet in fleets
        )

    def _kept(self, change: Change) -> Change:
        """Return a change that the ledger keeps."""
        put_request(self.ledger, change.request, change.act)
        return change

    def _may_tell(self, target: str) -> bool:
        """Return whether this run may say anything of what was found, or asked for, against a target."""
        return not (self.run.target_words == EMBEDDED and target not in ("", EMBEDDED))


def _is_answered(request: CapacityRequest, wanted: Asked) -> bool:
    """Return whether a run that does not ask for a service says that it needs none."""
    is_sized = request.stack in wanted.sized
    withheld = {(row.stack, row.service) for row in wanted.withheld}
    return is_sized and (request.stack, request.service) not in withheld


def _due(run: Run) -> date:
    """Return the last day before nothing is changed any more, ahead of the first region's start."""
    scenario = run.scenario
    start = min(scenario.span(scenario.event, region)[0] for region in scenario.region_names)
    return (start - timedelta(seconds=scenario.capacity.freeze)).date()
