"""The proof of an order: the case it is sized for, in the model, before it is placed and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gameday.capacity.joint_sizing import SizedStack
from gameday.capacity.order import with_order
from gameday.capacity.request import CapacityRequest, Proof, ProofRow
from gameday.experiments.failures import PeakCase, case_words, played_with
from gameday.experiments.rehearsal import said_of
from gameday.experiments.replications import Replication
from gameday.findings import Model, Standing
from gameday.queueing import services_behind
from gameday.record.intervals import level_interval, t_interval
from gameday.scenario import METRICS, Criterion, Scenario
from gameday.vocabulary import Band, Seed

__all__ = ["verify"]

_NOT_PLAYED = "not proven: the case that it is sized for was not played in the model"
_OTHER_MINUTES = "not proven: played in other minutes than those of its own peak"
_REFUTED = "not proven: model refuted by this run"
_DOUBT = {"not compared": " (model not compared with this run)"}
"""What is said beside an answer of a model that the run could not be compared with."""


def verify(
    scenario: Scenario,
    cases: tuple[PeakCase, ...],
    requests: tuple[CapacityRequest, ...],
    standing: Standing,
    *,
    seed: Seed,
    sized: tuple[SizedStack, ...] = (),
    progress: Callable[[str], None] = lambda phase: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[CapacityRequest, ...]:
    """Return the requests with their proof: each stack's case with all of them placed.

    `seed` is that of the cases, so before and after share customers and chance, pair by pair. What was `sized` was
    played already where all of it is placed.
    """
    known = {each.stack: each for each in sized}
    ordered = with_order(scenario, requests)
    proofs: dict[str, Proof] = {}
    for case in cases:
        placed = sum(request.stack == case.stack for request in requests)
        if not placed:
            continue
        progress(f"{case.stack}: {case_words(case)}, {placed} requests placed")
        found = known.get(case.stack)
        after = (
            found.runs
            if found is not None and found.is_of(ordered)
            else played_with(case, ordered, seed=seed, cancelled=cancelled)
        )
        if len(after) == len(case.runs):  # they pair up by number: cut short, they would not
            proofs[case.stack] = _proof(scenario, case, after, standing, placed)
    return tuple(_with_proof(r, proofs.get(r.stack), cases) for r in requests)


def _with_proof(
    request: CapacityRequest, proof: Proof | None, cases: tuple[PeakCase, ...]
) -> CapacityRequest:
    """Return the request with its stack's proof, and whether the minutes played hold its own peak."""
    if proof is None:
        return replace(request, proof=Proof(why_not=_NOT_PLAYED))
    [window] = [case.plan.window for case in cases if case.stack == request.stack]
    if request.peak is None or window.start <= request.peak < window.end:
        return replace(request, proof=proof)
    missed = (
        f"not of its own peak, {request.peak:%Y-%m-%dT%H:%MZ}, which is not in the minutes played"
    )
    rows = {
        text: replace(row, holds_after=False, said=_OTHER_MINUTES)
        for text, row in proof.objectives.items()
    }
    return replace(request, proof=replace(proof, case=f"{proof.case}; {missed}", objectives=rows))


def _proof(
    scenario: Scenario,
    case: PeakCase,
    after: tuple[Replication, ...],
    standing: Standing,
    placed: int,
) -> Proof:
    """Return objective -> before, after, change, and whether it holds after."""
    rows = {}
    for number, criterion in enumerate(scenario.objectives):
        model = standing.of(case.stack, services_behind(scenario, case.stack, criterion))
        as_is, placed_too = (
            [run.number_of(number)[0] for run in runs] for runs in (case.runs, after)
        )
        rows[criterion.text] = _row(criterion, as_is, placed_too, model)
    played = f"{case_words(case)}; {placed} requests of {case.stack} placed"
    return Proof(played, len(after), objectives=rows)


def _row(criterion: Criterion, before: list[float], after: list[float], model: Model) -> ProofRow:
    unit = METRICS[criterion.metric]
    placed = level_interval(after, unit)
    change = t_interval([b - a for a, b in zip(before, after, strict=True)])
    answer = said_of(placed, criterion.holds)
    return ProofRow(
        before=_words(level_interval(before, unit), criterion),
        after=_words(placed, criterion),
        change=_words(change, criterion),
        said=_REFUTED if model == "refuted" else answer + _DOUBT.get(model, ""),
        holds_after=answer == "holds" and model != "refuted",
    )


def _words(band: Band, criterion: Criterion) -> str:
    """Return a band in words: percent for shares, milliseconds for latencies."""
    if band.mid != band.mid:
        return "not observed"
    unit = METRICS[criterion.metric]
    if unit == "share":
        return f"{100 * band.mid:.2f} % ({100 * band.low:.2f} to {100 * band.high:.2f})"
    if unit == "s":
        return f"{1000 * band.mid:.0f} ms ({1000 * band.low:.0f} to {1000 * band.high:.0f})"
    return f"{band.mid:.2f} ({band.low:.2f} to {band.high:.2f})"
