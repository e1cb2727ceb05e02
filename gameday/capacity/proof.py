"""The proof of an order: the case it is sized for, in the model, before it is placed and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gameday.capacity.order import with_order
from gameday.capacity.request import CapacityRequest
from gameday.experiments.failures import PeakCase, case_words, played_with
from gameday.experiments.rehearsal import said_of
from gameday.experiments.replications import Replication
from gameday.findings import Standing
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
    progress: Callable[[str], None] = lambda said: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[CapacityRequest, ...]:
    """Return the requests with their proof: each stack's case with all of them placed.

    `seed` is that of the cases, so before and after share customers and chance, pair by pair.
    """
    ordered = with_order(scenario, requests)
    proofs: dict[str, dict[str, Any]] = {}
    for case in cases:
        mine = [request for request in requests if request.stack == case.stack]
        if not mine:
            continue
        progress(f"{case.stack}: {case_words(case)}, {len(mine)} requests placed")
        after = played_with(case, ordered, seed=seed, cancelled=cancelled)
        if len(after) == len(
            case.runs
        ):  # replications pair up by number: cut short, they would not
            proofs[case.stack] = _proof(scenario, case, after, standing, len(mine))
    return tuple(_with_proof(r, proofs.get(r.stack), cases) for r in requests)


def _with_proof(
    request: CapacityRequest, proof: dict[str, Any] | None, cases: tuple[PeakCase, ...]
) -> CapacityRequest:
    """Return the request with its stack's proof, and whether the minutes played hold its own peak."""
    if proof is None:
        return replace(request, proof={"said": _NOT_PLAYED})
    [window] = [case.plan.window for case in cases if case.stack == request.stack]
    if request.peak is None or window.start <= request.peak < window.end:
        return replace(request, proof=proof)
    missed = (
        f"not of its own peak, {request.peak:%Y-%m-%dT%H:%MZ}, which is not in the minutes played"
    )
    return replace(
        request,
        proof={"of": f"{proof['of']}; {missed}"}
        | {
            name: row | {"holds_after": False, "said": _OTHER_MINUTES}
            if isinstance(row, dict)
            else row
            for name, row in proof.items()
            if name != "of"
        },
    )


def _proof(
    scenario: Scenario,
    case: PeakCase,
    after: tuple[Replication, ...],
    standing: Standing,
    placed: int,
) -> dict[str, Any]:
    """Return what was played, and objective -> before, after, change, and whether it holds after."""
    pairs = list(zip(case.runs, after, strict=True))
    out: dict[str, Any] = {
        "of": f"{case_words(case)}; {placed} requests of {case.stack} placed",
        "replications": len(pairs),
    }
    for number, criterion in enumerate(scenario.objectives):
        rows = [tuple(run.number_of(number)[0] for run in pair) for pair in pairs]
        before, with_it = (
            level_interval([row[i] for row in rows], METRICS[criterion.metric]) for i in (0, 1)
        )
        said = said_of(with_it, criterion.holds)
        model = standing.of(case.stack, services_behind(scenario, case.stack, criterion))
        out[criterion.text] = {
            "before": _words(before, criterion),
            "after": _words(with_it, criterion),
            "change": _words(t_interval([row[1] - row[0] for row in rows]), criterion),
            "said": _REFUTED if model == "refuted" else said + _DOUBT.get(model, ""),
            "holds_after": said == "holds" and model != "refuted",
        }
    return out


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
