"""What was injected is gone, and the system stays down: its own reactions keep it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scipy import stats

from gameday.findings.evidence import Evidence, binomial_band
from gameday.findings.finding import Basis, Candidate
from gameday.findings.recovery import BACK, measured_goodput, phases, recovers_after
from gameday.vocabulary import Array

__all__ = ["look_for_metastable"]


@dataclass(frozen=True, slots=True)
class _Run:
    sent: Array
    done: Array


def look_for_metastable(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack, of the measurement and of the model at real speed."""
    if evidence.measured is not None and evidence.plan.speed == 1:
        for stack in evidence.scenario.stack_names:
            sent, done = measured_goodput(evidence.measured, stack)
            yield from _of(evidence, stack, [_Run(sent, done)], "measured")
    for runs in zip(*evidence.event, strict=True):
        yield from _of(
            evidence, runs[0].stack, [_Run(one.achieved, one.done) for one in runs], "model only"
        )


def _of(evidence: Evidence, stack: str, runs: list[_Run], basis: Basis) -> Iterator[Candidate]:
    part = phases(evidence.plan.injections, stack, len(runs[0].sent))
    if part is None or part.after is None:
        return
    before = sum(float(r.done[part.before].sum()) for r in runs)
    before /= max(1.0, sum(float(r.sent[part.before].sum()) for r in runs))
    sent = round(sum(float(r.sent[part.after].sum()) for r in runs))
    bad = sent - round(sum(float(r.done[part.after].sum()) for r in runs))
    stays = [r for r in runs if recovers_after(r.sent, r.done, part) is None]
    bound = 1 - BACK * min(1.0, before)
    p_value = float(stats.binom.sf(bad - 1, sent, bound)) if 2 * len(stays) > len(runs) else 1.0
    yield Candidate(
        rule="metastable", stack=stack, subject="all steps",
        title=f"{stack}: stays down though what was injected is gone", unit="share", bound=bound,
        value=binomial_band(bad, sent), samples=sent, basis=basis, p_value=p_value, tier=0,
        first_slot=part.after.start,
        suggestion="retry budgets, queues served within the time-out, a limit: `gameday simulate --inject` with "
        "--what-if says which of them brings it back",
        evidence={"injected": "; ".join(one.text for one in evidence.plan.injections),
                  "goodput_before": round(before, 4), "stay_down": f"{len(stays)} of {len(runs)} runs"},
    )  # fmt: skip
