"""What a run says of every finding of the runs before it: fixed, open, worse, or not tested and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate, Finding
from gameday.findings.living.known_finding import KnownFinding
from gameday.findings.living.waivers import waived_now
from gameday.findings.rules import RULES
from gameday.findings.search import Tests, finding_id
from gameday.record.measures import LEAST_SAMPLES

__all__ = ["Retest", "RetestOf", "Tested", "retest"]

Tested = Literal["new", "again", "open", "worse", "fixed", "not tested"]
"""new: nobody found it before; again: it was fixed, and is not; open: as it was."""

_AS_MUCH = 0.95
"""Share of the load at which a finding was made that a run must bring to tell whether it is fixed. Ours."""


@dataclass(frozen=True, slots=True)
class Retest:
    """A finding after a run."""

    tested: Tested
    finding: KnownFinding
    """As it stands now."""
    why: str


@dataclass(frozen=True, slots=True)
class RetestOf:
    """The run that says something of findings."""

    run: str
    today: date
    due: date
    """Until when a finding is to be mended."""
    target: str
    """What it was played against."""
    faults: tuple[str, ...] = ()
    """Why nothing can be told by it, as it is invalid or ended early; empty: it can."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What a re-test looks at."""

    of: RetestOf
    evidence: Evidence
    tests: Tests
    hurt: frozenset[str]
    """Stacks of which it has a finding of severity S1 or S2."""

    @property
    def played(self) -> str:
        """Minutes and quantile."""
        plan = self.evidence.plan
        window = plan.window
        return f"{window.start:%Y-%m-%dT%H:%MZ} to {window.end:%Y-%m-%dT%H:%MZ}, p{100 * plan.quantile:g}"

    @property
    def load(self) -> float:
        """Steps a minute in the busiest minute that the target met, at full scale."""
        plan = self.evidence.plan
        busiest = plan.forecast.sum(axis=(0, 1))[plan.lead_in :].max()
        return float(busiest) * min(1.0, self.evidence.load_share)


def retest(
    known: Mapping[str, KnownFinding],
    findings: tuple[Finding, ...],
    evidence: Evidence,
    tests: Tests,
    of: RetestOf,
) -> tuple[Retest, ...]:
    """Return what a run says of its own findings and of those known before, worst first."""
    hurt = frozenset(f.stack for f in findings if f.severity in ("S1", "S2"))
    this = _Run(of, evidence, tests, hurt)
    out = [_found(this, finding, known.get(finding.id)) for finding in findings]
    left = known.keys() - {finding.id for finding in findings}
    out += [_not_found(this, known[name]) for name in left if known[name].state != "fixed"]
    return tuple(sorted(out, key=lambda each: (each.finding.severity, each.finding.id)))


def _found(run: _Run, finding: Finding, before: KnownFinding | None) -> Retest:
    tested, why = _tested(finding, before)
    holds = before is not None and waived_now(before, run.of.today) and tested != "worse"
    now = KnownFinding(
        id=finding.id,
        rule=finding.rule,
        title=finding.title,
        stack=finding.stack,
        subject=finding.subject,
        owner=_owner(run.evidence, finding),
        due=run.of.due,
        severity=finding.severity,
        state="waived" if holds else "open",
        played=run.played,
        target=run.of.target,
        load=run.load,
        low=finding.value.low,
        high=finding.value.high,
        bound=finding.bound,
        first_run=run.of.run if before is None else before.first_run,
        found_in=run.of.run,
        tested_in=run.of.run,
        said=f"{tested}: {why}",
        waiver=None if before is None else before.waiver,
    )
    return Retest(tested, now, why)


def _tested(finding: Finding, before: KnownFinding | None) -> tuple[Tested, str]:
    if before is None:
        return "new", "nobody found it before"
    if before.state == "fixed":
        return "again", f"run {before.tested_in} found it fixed"
    if finding.severity < before.severity:
        return "worse", f"{before.severity} became {finding.severity}"
    if finding.value.low > before.high:
        return "worse", f"{before.high:.3g} at most became {finding.value.low:.3g} at least"
    return "open", f"found as in run {before.found_in}"


def _owner(evidence: Evidence, finding: Finding) -> str:
    """Return the team of the services or steps that a finding is about; the first that has one."""
    names = (*finding.subject.split(), *finding.services)
    return next((team for name in names if (team := evidence.scenario.owner(name))), "")


def _not_found(run: _Run, before: KnownFinding) -> Retest:
    """Return what a run says of a finding that it did not make itself."""
    if before.state == "waived" and not waived_now(before, run.of.today):
        before = replace(before, state="open")
    if (why := next(_why_not_tested(run, before), None)) is not None:
        return Retest("not tested", replace(before, said=f"not tested: {why}"), why)
    candidates = _candidates(run, before)
    above = (test for test in candidates if test.value.mid > test.bound)
    if not _is_cause(before) and (open_ := next(above, None)):
        why = f"cannot be told: {open_.value.low:.3g} to {open_.value.high:.3g} at a bound of {open_.bound:.3g}"
        return Retest("open", replace(before, said=f"open: {why}", tested_in=run.of.run), why)
    why = "; ".join(_words(candidate) for candidate in candidates) or _no_cause(run)
    fixed = replace(before, state="fixed", tested_in=run.of.run, said=f"fixed: {why}")
    return Retest("fixed", fixed, why)


def _no_cause(run: _Run) -> str:
    """Return why a difference that is not found any more hurts nobody."""
    if run.evidence.known_before:
        return (
            "the target does not differ in it from the model, which was calibrated before the run, and its stack "
            "has no finding of severity S1 or S2"
        )
    return "no longer among what differs"


def _is_cause(finding: KnownFinding) -> bool:
    return finding.rule in RULES and RULES[finding.rule].is_cause


def _candidates(run: _Run, before: KnownFinding) -> list[Candidate]:
    """Return the tests of this run that would have found it, with samples enough to tell."""
    made = run.tests.get(before.rule, ())
    own = (test for test in made if finding_id(before.rule, test) == before.id)
    return [test for test in own if test.is_exact or test.samples >= LEAST_SAMPLES]


def _why_not_tested(run: _Run, before: KnownFinding) -> Iterator[str]:
    if run.of.faults:
        yield run.of.faults[0]
    if run.load < _AS_MUCH * before.load:
        share = run.load / before.load
        yield f"the run brought {share:.0%} of the load at which it was found ({before.played})"
    if _is_cause(before):
        if run.evidence.calibration is None or run.evidence.not_calibrated:
            yield f"nothing was learned of the target: {run.evidence.not_calibrated or 'not asked'}"
        if run.evidence.known_before and before.stack in run.hurt:
            yield "the model was calibrated on it before the run, and customers of its stack are hurt still"
    elif not _candidates(run, before):
        yield f"the run made no test {before.rule} of {before.subject} in {before.stack}"


def _words(test: Candidate) -> str:
    number = f"{test.value.mid:.3g} ({test.value.low:.3g} to {test.value.high:.3g})"
    return f"{number} {test.unit}, bound {test.bound:.3g}"
