"""The verdict: one word and one exit code for a run; the worst of what happened wins.

FAIL 1: an objective was missed in what was measured, or by a model of the minutes and level played that this run
bears out. WARN 10: none was, but a finding of severity S1 or S2 is open, or this run refutes the model, so that
nobody can tell whether the forecast's peak, or a zone lost, would be borne. PASS 0: all hold, and were tested.
ABORTED 3 (guardrail) or 4 (person) · INVALID 7 (the generator failed, or something was not measured) · ERROR 9
(the embedded shop, ours, was lost) and for any other exit code. Worst wins: 9 > 8 > 3, 4 > 7 > 1 > 10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Finding
from gameday.findings.rules import RULES
from gameday.findings.tables.objectives import missed_by_objective
from gameday.record import BySlot, RunRecord
from gameday.record.measures import (
    LATENESS_BOUND_S,
    LEAST_SLOTS,
    lateness_p99,
    least_samples,
    number_of,
    service_series,
)
from gameday.scenario import Criterion
from gameday.swarm import End, Health

__all__ = [
    "Validity",
    "Verdict",
    "judge",
    "judge_ladder",
    "unmeasured_objectives",
    "validity",
    "worst_code",
]

_BUSY = 0.7
"""Share of a core beyond which the CPU may be what made a worker late."""

_ORDER = (9, 8, 3, 4, 7, 6, 5, 2, 1, 10, 0)
_NAMES = {0: "PASS", 1: "FAIL", 3: "ABORTED", 4: "ABORTED", 7: "INVALID", 10: "WARN"}


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether the generator did what it planned. Nothing here is the target's."""

    lateness_p99_s: float
    sessions_planned: int
    sessions_started: int
    slots_off: int
    """Slots whose session starts differ from the plan."""
    steps_lost: int
    """Steps we planned and never came to, through our own fault."""
    busiest_worker: float
    """Share of a core the busiest worker used in its worst seconds."""
    near_limit: bool
    """Whether that is near the limit of a core."""
    imbalances: tuple[str, ...]
    faults: tuple[str, ...]
    """Why the run is invalid; empty = valid."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the run comes to."""

    name: str
    """PASS, WARN, FAIL, ABORTED, INVALID or ERROR."""
    exit_code: int
    reasons: tuple[str, ...]

    def warning_as(self, exit_code: int) -> Verdict:
        """Return the verdict with another exit code for WARN."""
        return replace(self, exit_code=exit_code) if self.name == _NAMES[10] else self


def worst_code(codes: list[int]) -> int:
    """Return the exit code that wins; 0 for none."""
    return min(codes, key=_ORDER.index, default=0)


def validity(run: RunRecord, *, health: Health, end: End, why: str) -> Validity:
    """Return whether the generator followed its plan; a stopped run is not blamed for the rest."""
    sessions, steps = run.sessions_by_slot(slots=run.whole), run.steps_by_slot(slots=run.whole)
    off = sessions["planned"] != sessions["started"] + sessions["held"]
    imbalances = tuple(run.imbalances())
    faults = []
    if health.workers_lost:
        faults.append(f"the generator lost {health.workers_lost} worker(s)")
    if end == "worker_lost":
        faults.append(f"the generator broke: {why}")
    if end == "complete":
        faults += _unfinished(int(off.sum()), sessions, steps)
    faults += _lateness(run, health)
    faults += [f"books do not balance: {line}" for line in imbalances]
    return Validity(
        lateness_p99_s=lateness_p99(run),
        sessions_planned=sessions.count("planned"),
        sessions_started=sessions.count("started"),
        slots_off=int(off.sum()),
        steps_lost=steps.count("lost"),
        busiest_worker=health.busiest,
        near_limit=health.busiest > _BUSY,
        imbalances=imbalances,
        faults=tuple(faults),
    )


def _unfinished(slots_off: int, sessions: BySlot, steps: BySlot) -> Iterator[str]:
    """Yield what a run that went on to its end did not do as planned."""
    if slots_off:
        yield f"session starts differ from the plan in {slots_off} slots"
    unfinished, gone = steps.count("unfinished"), sessions.count("lost")
    if unfinished or gone:
        yield f"{unfinished} steps were sent and never ended, {gone} sessions were lost"
    if lost := steps.count("lost"):
        yield f"{lost} planned steps were lost by the generator: never sent, or never told of"


def _lateness(run: RunRecord, health: Health) -> Iterator[str]:
    """Yield that the generator was late, where it was."""
    late_s = lateness_p99(run)
    if late_s > LATENESS_BOUND_S:
        yield (
            f"the generator was late: p99 {late_s * 1000:.0f} ms, bound "
            f"{LATENESS_BOUND_S * 1000:.0f} ms; {_limit_of(health, run)}"
        )


def _limit_of(health: Health, run: RunRecord) -> str:
    """Return what kept the generator from its plan: what is hit once in a hundred steps explains no p99."""
    enough = 0.01 * run.steps_by_slot(slots=run.whole).total("achieved")
    limits = {name: times for name, times in health.limits.items() if times >= enough}
    reasons = [f"the limit was {name} ({times} times)" for name, times in limits.items()]
    if health.machine.is_too_busy:
        reasons.append(f"this machine was busy: {health.machine.text}")
    if health.busiest > _BUSY or not reasons:
        reasons.append(f"busiest worker at {health.busiest:.0%} of a core")
    return ", ".join(reasons)


def judge(
    findings: tuple[Finding, ...],
    *,
    end: End,
    why: str,
    faults: tuple[str, ...],
    unmeasured: tuple[str, ...],
    unjudged: tuple[str, ...] = (),
    waived: frozenset[str] = frozenset(),
) -> Verdict:
    """Return the verdict of a run that sent load.

    `unmeasured`: objectives of which too little was seen; `unjudged`: what only the model could have told,
    and did not: that is never a pass. `waived`: ids of findings that an approver lets stand: they warn of nothing,
    but what they find missed stays missed.
    """
    missed = [f for f in findings if RULES[f.rule].fails_run and not f.doubt]
    reasons = [*_of_the_end(end, why, faults), *((7, fault) for fault in faults)]
    reasons += [(1, finding.title) for finding in missed]
    reasons += _of_the_others(findings, missed, waived)
    # A target that failed leaves little to measure: that is its miss, not our failure.
    unknown = 1 if missed else 7
    if end == "complete":
        reasons += [(unknown, f"not measured: {objective}") for objective in unmeasured]
    reasons += [(10, f"not judged: {question}") for question in unjudged]
    code = worst_code([c for c, _ in reasons])
    ranked = sorted(reasons, key=lambda reason: _ORDER.index(reason[0]))
    return Verdict(_NAMES.get(code, "ERROR"), code, tuple(text for _, text in ranked))


def _of_the_others(
    findings: tuple[Finding, ...], missed: list[Finding], waived: frozenset[str]
) -> Iterator[tuple[int, str]]:
    """Yield what findings warn of, and those that are waived."""
    for warning in _warnings(tuple(f for f in findings if f.id not in waived), missed):
        yield 10, warning
    for finding in findings:
        if finding.id in waived and finding not in missed:
            yield 0, f"waived: {finding.title}"


def judge_ladder(end: End, why: str, faults: tuple[str, ...]) -> Verdict:
    """Return how a ladder of loads ended: it is played to learn the target, so no objective is judged."""
    reasons = [*_of_the_end(end, why, faults), *((7, fault) for fault in faults)]
    code = worst_code([c for c, _ in reasons])
    return Verdict(
        _NAMES.get(code, "ERROR") if code else "NO VERDICT",
        code,
        tuple(text for _, text in reasons),
    )


def _of_the_end(end: End, why: str, faults: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return the exit code and the reason of a run that did not go on to its end."""
    if end == "worker_lost":
        return [] if faults else [(7, f"the generator broke: {why}")]
    code = {"shop_lost": 9, "guardrail": 3, "person": 4}.get(end)
    return [] if code is None else [(code, why)]


def _warnings(findings: tuple[Finding, ...], missed: list[Finding]) -> Iterator[str]:
    """Yield why nobody can be sure of a run that failed nothing: open S1 and S2, then what the run refutes."""
    for finding in findings:
        is_cause = RULES[finding.rule].is_cause and finding.severity == "S3"
        if (finding.severity in ("S1", "S2") or is_cause) and finding not in missed:
            doubt = f" ({finding.doubt})" if finding.doubt else ""
            yield f"{finding.severity} {finding.title}{doubt}"
    refuting = [finding for finding in findings if RULES[finding.rule].refutes_model]
    refuted = {(f.stack, service): None for f in refuting for service in f.services}
    if refuted:
        names = ", ".join(f"{stack} {service}" for stack, service in refuted)
        yield f"model refuted by this run: {names}"


def unmeasured_objectives(
    evidence: Evidence, findings: tuple[Finding, ...] = ()
) -> tuple[str, ...]:
    """Return objectives that too few replies speak of: they are not passed, they are unknown.

    Those missed in what was measured, as `findings` have it, are known from however few.
    """
    run, scenario = evidence.measured, evidence.scenario
    if run is None:
        return ()
    unknown = [] if scenario.objectives else ["the scenario has no objective"]
    if evidence.is_extrapolated:
        unknown.append(
            f"objectives at the forecast load: the target met {evidence.load_share:.3g} of it "
            "(--scale against replay.target_fraction)"
        )
    known = missed_by_objective(f for f in findings if f.basis == "measured")
    for criterion in scenario.objectives:
        for stack in scenario.stack_names:
            why = _unmeasured(run, criterion, stack)
            if why is not None and (stack, criterion.text) not in known:
                unknown.append(f"{stack}: {criterion.text}: {why}")
    return tuple(unknown)


def _unmeasured(run: RunRecord, criterion: Criterion, stack: str) -> str | None:
    """Return why too little was seen to judge a criterion; None: enough was."""
    if criterion.is_of_service:
        slots = (~np.isnan(service_series(run, criterion, stack))).sum()
        return "service not observed" if slots < LEAST_SLOTS else None
    replies, least = number_of(run, criterion, stack)[1], least_samples(criterion)
    return f"{replies} replies, {least} are needed" if replies < least else None
