"""What was injected is gone, and the system stays down: its own reactions keep it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gameday.experiments.failures import BACK, Goodput, Phases, calm_shares, phases
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Basis, Candidate
from gameday.findings.rule import Rule
from gameday.record.intervals import binomial_band, level_interval, p_above, p_share_above
from gameday.vocabulary import Band

__all__ = ["RULE"]


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack, of the measurement and of the model at real speed."""
    calm = calm_shares(evidence.calm)
    slots = evidence.plan.window.slots
    for stack in evidence.scenario.stack_names:
        part = phases(evidence.plan.injections, stack, slots)
        if part is None or part.after is None:
            continue
        if evidence.measured is not None and evidence.plan.speed == 1:
            run = Goodput.measured(evidence.measured, stack, calm.get(stack))
            lost = _measured(part, part.after, run)
            yield _candidate(evidence, stack, part.after, lost, "measured")
        modelled = evidence.judged_runs(stack)
        if len(modelled) > 1:
            runs = [Goodput.modelled(run, calm.get(stack)) for run in modelled]
            lost = _modelled(part, part.after, runs)
            yield _candidate(evidence, stack, part.after, lost, "model only")


def _stays_down(run: Goodput, part: Phases) -> bool:
    return run.minutes_to_recover(part) is None and not run.is_recovering(part)


def _bound(run: Goodput, part: Phases, after: slice) -> float:
    """Return the share of the steps after it that may end badly."""
    return 1 - BACK * float(run.expected(part)[after].mean())


@dataclass(frozen=True, slots=True)
class _Lost:
    """What of the steps after the trigger ended badly, tested."""

    share: Band
    bound: float
    samples: int
    p_value: float
    evidence: dict[str, float | int | str]


def _measured(part: Phases, after: slice, run: Goodput) -> _Lost:
    sent = round(float(run.sent[after].sum()))
    bad = sent - round(float(run.done[after].sum()))
    bound = _bound(run, part, after)
    p_value = p_share_above(bad, sent, bound) if _stays_down(run, part) else 1.0
    before = {"goodput_before": round(run.share(part.before), 4)}
    return _Lost(binomial_band(bad, sent), bound, sent, p_value, {**before})


def _modelled(part: Phases, after: slice, runs: list[Goodput]) -> _Lost:
    lost = [1 - run.share(after) for run in runs]
    bound = max(_bound(run, part, after) for run in runs)
    down = sum(_stays_down(run, part) for run in runs)
    return _Lost(
        level_interval(lost, "share"),
        bound,
        round(sum(float(run.sent[after].sum()) for run in runs)),
        p_above(lost, bound) if 2 * down > len(runs) else 1.0,
        {"stay_down": f"{down} of {len(runs)} runs"},
    )


def _candidate(
    evidence: Evidence, stack: str, after: slice, lost: _Lost, basis: Basis
) -> Candidate:
    injected = "; ".join(injection.text for injection in evidence.plan.injections)
    return Candidate(
        stack=stack,
        subject="all steps",
        title=f"{stack}: stays down though what was injected is gone",
        unit="share",
        bound=lost.bound,
        value=lost.share,
        samples=lost.samples,
        basis=basis,
        p_value=lost.p_value,
        tier=0,
        first_slot=after.start,
        suggestion="retry budgets, queues served within the time-out, a limit: `gameday simulate --inject` with "
        "--what-if says which of them brings it back",
        evidence={"injected": injected, **lost.evidence},
        services=evidence.scenario.stack_services(stack) if basis == "model only" else (),
    )


RULE = Rule(name="metastable", look=_look, hurts_customers=True)
