"""The proof of an order: the case it is sized for, in the model, before it is placed and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from gameday.capacity.joint_sizing import SizedStack
from gameday.capacity.order import with_order
from gameday.capacity.request import CapacityRequest, Proof, ProofRow
from gameday.experiments.failures import EventPhase, PeakCase, case_words, played_with
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
    """Return the requests with their proof: each stack's cases with all of them placed.

    `seed` is that of the cases, so before and after share customers and chance, pair by pair. What was `sized` was
    played already where all of it is placed.
    """
    played = list[_Played]()
    for case in (case for case in cases if any(r.stack == case.stack for r in requests)):
        progress(f"{case.stack}: {case_words(case)}, requests placed")
        ordered = with_order(scenario, requests, case.plan.window)
        after = _after(case, ordered, sized, seed, cancelled)
        if len(after) == len(case.runs):  # they pair up by number: cut short, they would not
            played.append(_Played(case, _proof(scenario, case, after, standing, requests)))
    return tuple(_with_proof(r, [p for p in played if p.case.stack == r.stack]) for r in requests)


def _after(
    case: PeakCase,
    ordered: Scenario,
    sized: tuple[SizedStack, ...],
    seed: Seed,
    cancelled: Callable[[], bool],
) -> tuple[Replication, ...]:
    """Return the case with what is ordered: as it was played where that was `sized`."""
    for each in sized:
        of_case = (each.stack, _name(each.phase)) == (case.stack, _name(case.phase))
        if of_case and each.is_of(ordered):
            return each.runs
    return played_with(case, ordered, seed=seed, cancelled=cancelled)


def _name(phase: EventPhase | None) -> str:
    return "" if phase is None else phase.name


@dataclass(frozen=True, slots=True)
class _Played:
    """A case, and the proof of it with the requests placed."""

    case: PeakCase
    proof: Proof

    def holds_minute(self, instant: datetime) -> bool:
        """Return whether its minutes hold an instant."""
        window = self.case.plan.window
        return window.start <= instant < window.end


def _with_proof(request: CapacityRequest, played: list[_Played]) -> CapacityRequest:
    """Return the request with the proof of every phase of its stack, and whether its own peak was among them."""
    if not played:
        return replace(request, proof=Proof(why_not=_NOT_PLAYED))
    proof = _joined(played)
    if request.peak is None or any(each.holds_minute(request.peak) for each in played):
        return replace(request, proof=proof)
    missed = (
        f"not of its own peak, {request.peak:%Y-%m-%dT%H:%MZ}, which is not in the minutes played"
    )
    rows = {
        text: replace(row, holds_after=False, said=_OTHER_MINUTES)
        for text, row in proof.objectives.items()
    }
    return replace(request, proof=replace(proof, case=f"{proof.case}; {missed}", objectives=rows))


def _joined(played: list[_Played]) -> Proof:
    """Return the proofs of several phases as one: the phase stands behind an objective's text."""
    if len(played) == 1:
        return played[0].proof
    rows = {
        f"{text} ({_name(each.case.phase)})": row
        for each in played
        for text, row in each.proof.objectives.items()
    }
    case = "; ".join(each.proof.case for each in played)
    return Proof(case, min(each.proof.replications for each in played), objectives=rows)


def _proof(
    scenario: Scenario,
    case: PeakCase,
    after: tuple[Replication, ...],
    standing: Standing,
    requests: tuple[CapacityRequest, ...],
) -> Proof:
    """Return objective -> before, after, change, and whether it holds after."""
    rows, placed = {}, sum(request.stack == case.stack for request in requests)
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
