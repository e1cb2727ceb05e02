"""What was injected is gone, and the system stays down: its own reactions keep it there."""

from __future__ import annotations

from collections.abc import Iterator

import scipy

from gameday.experiments.failures import BACK, Goodput, Phases, calm_shares, phases
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Basis, Candidate
from gameday.record.intervals import binomial_band, level_interval, p_above
from gameday.vocabulary import Band

__all__ = ["look_for_metastable"]


def look_for_metastable(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack, of the measurement and of the model at real speed."""
    calm = calm_shares(evidence.calm)
    slots = evidence.plan.window.slots
    for stack in evidence.scenario.stack_names:
        part = phases(evidence.plan.injections, stack, slots)
        if part is None or part.after is None:
            continue
        if evidence.measured is not None and evidence.plan.speed == 1:
            run = Goodput.measured(evidence.measured, stack, calm.get(stack))
            yield _measured(evidence, stack, part, part.after, run)
        mine = [run for each in evidence.event_judged for run in each if run.stack == stack]
        if len(mine) > 1:
            runs = [Goodput.modelled(run, calm.get(stack)) for run in mine]
            yield _modelled(evidence, stack, part, part.after, runs)


def _stays_down(run: Goodput, part: Phases) -> bool:
    return run.minutes_to_recover(part) is None and not run.is_recovering(part)


def _bound(run: Goodput, part: Phases, after: slice) -> float:
    """Return the share of the steps after it that may end badly."""
    return 1 - BACK * float(run.expected(part)[after].mean())


def _measured(
    evidence: Evidence, stack: str, part: Phases, after: slice, run: Goodput
) -> Candidate:
    sent = round(float(run.sent[after].sum()))
    bad = sent - round(float(run.done[after].sum()))
    bound = _bound(run, part, after)
    p_value = float(scipy.stats.binom.sf(bad - 1, sent, bound)) if _stays_down(run, part) else 1.0
    return _candidate(
        evidence,
        stack,
        after.start,
        binomial_band(bad, sent),
        bound,
        sent,
        p_value,
        "measured",
        {"goodput_before": round(run.share(part.before), 4)},
    )


def _modelled(
    evidence: Evidence, stack: str, part: Phases, after: slice, runs: list[Goodput]
) -> Candidate:
    lost = [1 - run.share(after) for run in runs]
    bound = max(_bound(run, part, after) for run in runs)
    down = sum(_stays_down(run, part) for run in runs)
    p_value = p_above(lost, bound) if 2 * down > len(runs) else 1.0
    return _candidate(
        evidence,
        stack,
        after.start,
        level_interval(lost, "share"),
        bound,
        round(sum(float(run.sent[after].sum()) for run in runs)),
        p_value,
        "model only",
        {"stay_down": f"{down} of {len(runs)} runs"},
    )


def _candidate(
    evidence: Evidence,
    stack: str,
    first_slot: int,
    value: Band,
    bound: float,
    samples: int,
    p_value: float,
    basis: Basis,
    more: dict[str, float | str],
) -> Candidate:
    return Candidate(
        rule="metastable",
        stack=stack,
        subject="all steps",
        title=f"{stack}: stays down though what was injected is gone",
        unit="share",
        bound=bound,
        value=value,
        samples=samples,
        basis=basis,
        p_value=p_value,
        tier=0,
        first_slot=first_slot,
        suggestion="retry budgets, queues served within the time-out, a limit: `gameday simulate --inject` with "
        "--what-if says which of them brings it back",
        evidence={"injected": "; ".join(one.text for one in evidence.plan.injections), **more},
        services=evidence.scenario.stack_services(stack) if basis == "model only" else (),
    )
