"""The verdict: one word and one exit code for a run; the worst of what happened wins.

FAIL 1: an objective was missed in what was measured, or by a model of the minutes and level played that this run
bears out. WARN 10: none was, but a finding of severity S1 or S2 is open, or this run refutes the model, so that
nobody can tell whether the forecast's peak, or a zone lost, would be borne. PASS 0: all hold, and were tested.
ABORTED 3 (guardrail) or 4 (person) · INVALID 7 (the generator failed, or something was not measured) · ERROR 9
(the embedded shop, ours, was lost) and for any other exit code. Worst wins: 9 > 8 > 3, 4 > 7 > 1 > 10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Finding
from gameday.record import SESSIONS, STEPS, RunRecord
from gameday.record.measures import (
    LATENESS_BOUND_S,
    LEAST_SLOTS,
    lateness_p99,
    least_samples,
    number_of,
    service_series,
)
from gameday.swarm import End, Health

__all__ = [
    "Validity",
    "Verdict",
    "judge",
    "unmeasured_objectives",
    "validity",
    "worst_code",
]

_BUSY = 0.7
"""Share of a core beyond which the CPU may be what made a worker late."""

_EXTRAPOLATED = 1.3
"""The forecast may exceed the played load by so much and no more. Source: DESIGN §2, basis."""
_ORDER = (9, 8, 3, 4, 7, 6, 5, 2, 1, 10, 0)
_NAMES = {0: "PASS", 1: "FAIL", 3: "ABORTED", 4: "ABORTED", 7: "INVALID", 10: "WARN"}
_FAILS = ("missed_objective", "lost_orders")
"""Rules whose findings fail a run, where they were measured or the run bears out their model."""


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


def worst_code(codes: list[int]) -> int:
    """Return the exit code that wins; 0 for none."""
    return min(codes, key=_ORDER.index, default=0)


def validity(run: RunRecord, *, health: Health, end: End, why: str) -> Validity:
    """Return whether the generator followed its plan; a stopped run is not blamed for the rest."""
    sessions = run.session_counts.sum(axis=0)
    begun = sessions[SESSIONS.index("started")] + sessions[SESSIONS.index("held")]
    off = sessions[SESSIONS.index("planned")] != begun
    lateness = lateness_p99(run)
    lost = int(run.step_counts[:, :, STEPS.index("lost")].sum())
    faults = []
    if end == "worker_lost":
        faults.append(f"the generator broke: {why}")
    if end == "complete":
        if off.any():
            faults.append(f"session starts differ from the plan in {int(off.sum())} slots")
        unfinished = int(run.step_counts[:, :, STEPS.index("unfinished")].sum())
        gone = int(sessions[SESSIONS.index("lost")].sum())
        if unfinished or gone:
            faults.append(
                f"{unfinished} steps were sent and never ended, {gone} sessions were lost"
            )
        if lost:
            faults.append(
                f"{lost} planned steps were lost by the generator: never sent, or never told of"
            )
    if health.workers_lost:
        faults.insert(0, f"the generator lost {health.workers_lost} worker(s)")
    if lateness > LATENESS_BOUND_S:
        faults.append(
            f"the generator was late: p99 {lateness * 1000:.0f} ms, bound "
            f"{LATENESS_BOUND_S * 1000:.0f} ms; {_limit_of(health, run)}"
        )
    imbalances = tuple(run.imbalances())
    faults += [f"books do not balance: {line}" for line in imbalances]
    return Validity(
        lateness,
        int(sessions[0].sum()),
        int(sessions[1].sum()),
        int(off.sum()),
        lost,
        health.busiest,
        health.busiest > _BUSY,
        imbalances,
        tuple(faults),
    )


def _limit_of(health: Health, run: RunRecord) -> str:
    """Say what kept the generator from its plan: what is hit once in a hundred steps explains no p99."""
    enough = 0.01 * run.step_counts[:, :, STEPS.index("achieved")].sum()
    limits = {name: n for name, n in health.limits.items() if n >= enough}
    said = [f"the limit was {name} ({n} times)" for name, n in limits.items()]
    if health.machine.is_too_busy:
        said.append(f"this machine was busy: {health.machine.text}")
    if health.busiest > _BUSY or not said:
        said.append(f"busiest worker at {health.busiest:.0%} of a core")
    return ", ".join(said)


def judge(
    findings: tuple[Finding, ...],
    *,
    end: End,
    why: str,
    faults: tuple[str, ...],
    unmeasured: tuple[str, ...],
    unjudged: tuple[str, ...] = (),
) -> Verdict:
    """Return the verdict of a run that sent load.

    `unmeasured`: objectives of which too little was seen; `unjudged`: what only the model could have told,
    and did not: that is never a pass.
    """
    reasons: list[tuple[int, str]] = []
    if end == "shop_lost":
        reasons.append((9, why))
    if end == "guardrail":
        reasons.append((3, why))
    if end == "person":
        reasons.append((4, why))
    if end == "worker_lost" and not faults:
        reasons.append((7, f"the generator broke: {why}"))
    reasons += [(7, fault) for fault in faults]
    missed = [f for f in findings if f.rule in _FAILS and not f.doubt]
    reasons += [(1, finding.title) for finding in missed]
    reasons += [(10, said) for said in _warnings(findings, missed)]
    # A target that failed leaves little to measure: that is its miss, not our failure.
    unknown = 1 if missed else 7
    reasons += [(unknown, f"not measured: {what}") for what in unmeasured if end == "complete"]
    reasons += [(10, f"not judged: {what}") for what in unjudged]
    code = worst_code([c for c, _ in reasons])
    ranked = sorted(reasons, key=lambda r: _ORDER.index(r[0]))
    return Verdict(_NAMES.get(code, "ERROR"), code, tuple(text for _, text in ranked))


def _warnings(findings: tuple[Finding, ...], missed: list[Finding]) -> Iterator[str]:
    """Yield why nobody can be sure of a run that failed nothing: open S1 and S2, then what the run refutes."""
    for finding in findings:
        if finding.severity in ("S1", "S2") and finding not in missed:
            yield f"{finding.severity} {finding.title}" + (
                f" ({finding.doubt})" if finding.doubt else ""
            )
    refuted = {
        (f.stack, service): None
        for f in findings
        if f.rule == "disagreement"
        for service in f.services
    }
    if refuted:
        yield "model refuted by this run: " + ", ".join(f"{a} {b}" for a, b in refuted)


def unmeasured_objectives(
    evidence: Evidence, findings: tuple[Finding, ...] = ()
) -> tuple[str, ...]:
    """Return objectives that too few replies speak of: they are not passed, they are unknown.

    Those missed in what was measured, as `findings` have it, are known from however few.
    """
    run, out = evidence.measured, []
    missed = {
        (f.stack, f.evidence["objective"])
        for f in findings
        if f.rule == "missed_objective" and f.basis == "measured"
    }
    if run is None:
        return ()
    if not evidence.scenario.objectives:
        out.append("the scenario has no objective")
    if evidence.load_share < 1 / _EXTRAPOLATED:
        out.append(
            f"objectives at the forecast load: the target met {evidence.load_share:.3g} of it "
            "(--scale against replay.target_fraction)"
        )
    for criterion in evidence.scenario.objectives:
        for stack in evidence.scenario.stack_names:
            if criterion.is_of_service:
                seen = service_series(run, criterion, stack)
                if (~np.isnan(seen)).sum() < LEAST_SLOTS:
                    out.append(f"{stack}: {criterion.text}: service not observed")
                continue
            _, n = number_of(run, criterion, stack)
            least = least_samples(criterion)
            if n < least and (stack, criterion.text) not in missed:
                out.append(f"{stack}: {criterion.text}: {n} replies, {least} are needed")
    return tuple(out)
