"""Explaining away: put one service's measured behaviour into the model of all, and see whose symptoms vanish.

What differs is a cause where the model comes nearer to the measured run with it, and a symptom where a cause
elsewhere makes it vanish. Causes are taken one by one, the one that explains most first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gameday.calibrate import Calibration
from gameday.calibrate.compared import Row, StackModel, StackObserved, Target, distance, rows_of
from gameday.experiments.diagnosis.candidates import Candidate, candidates_of
from gameday.scenario import Scenario

__all__ = ["Cause", "CauseKey", "Diagnosis", "diagnose"]

_REPLICATIONS = 6
_LEAST_NEARER = 20.0
"""Squared standard deviations, all numbers together, by which a cause must bring the model nearer.
Ours: in a healthy run no change of the model does."""
_LEAST_SHARE = 0.08
"""Of what is still unexplained that a cause must explain. Ours."""
_MOST_CAUSES = 6
_OFF = 9.0
"""Squared standard deviations from which one number is a symptom: about three of them."""


CauseKey = tuple[str, str, str, str]
"""Stack, service, kind and step of a cause; the step is empty where it is about all."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What is wrong with a stack, and what follows from it."""

    candidate: Candidate
    explained: float
    """Share of all that was off in the run, 0-1."""
    nearer: float
    """By how many squared standard deviations it brings the model nearer."""
    symptoms: tuple[Row, ...]
    """Numbers that were off and are not once it is in the model; those of other services and of steps."""

    @property
    def key(self) -> CauseKey:
        """Which cause it is."""
        found = self.candidate
        return found.stack, found.service, found.kind, found.step or ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a stack does not behave as declared."""

    stack: str
    causes: tuple[Cause, ...]
    """The one that explains most first."""
    set_aside: tuple[Candidate, ...]
    """What differs and explains nothing that the causes do not."""
    unexplained: tuple[Row, ...]
    """Numbers that are off with all causes in the model."""


def diagnose(scenario: Scenario, target: Target, calibration: Calibration) -> tuple[Diagnosis, ...]:
    """Return of each stack what is wrong with it: `scenario` is what was declared, `calibration`
    that of this run.
    """
    target = target.with_replications(_REPLICATIONS)
    return tuple(
        _of_stack(StackModel.of(scenario, stack, target), candidates_of(calibration, stack))
        for stack in scenario.stack_names
    )


def _of_stack(model: StackModel, candidates: Sequence[Candidate]) -> Diagnosis:
    runs, left = model.replications(), list(candidates)
    off = distance(model.seen, runs)
    causes: list[Cause] = []
    while left and len(causes) < _MOST_CAUSES:
        cause, with_it = _next_cause(model, runs, left)
        if cause is None:
            break
        causes.append(replace(cause, explained=cause.nearer / off))
        left.remove(cause.candidate)
        model.put(cause.candidate.service, cause.candidate.fields)
        runs = with_it
    unexplained = tuple(row for row in rows_of(model.seen, runs) if row.weight > _OFF)
    return Diagnosis(model.stack, tuple(causes), tuple(left), unexplained)


def _next_cause(
    model: StackModel, runs: list[StackObserved], left: Sequence[Candidate]
) -> tuple[Cause | None, list[StackObserved]]:
    """Return the candidate that explains most, and the model with it; None where none explains enough."""
    before = distance(model.seen, runs)
    tried = [_with(model, candidate) for candidate in left]
    after = [distance(model.seen, with_it) for with_it in tried]
    best = min(range(len(left)), key=lambda n: after[n])
    nearer = before - after[best]
    if nearer < max(_LEAST_NEARER, _LEAST_SHARE * before):
        return None, runs
    vanished = _vanished(model, runs, tried[best])
    return Cause(left[best], nearer / before, nearer, vanished), tried[best]


def _with(model: StackModel, candidate: Candidate) -> list[StackObserved]:
    """Return the model's replications with a candidate in it."""
    block = model.measured(candidate.service).told(candidate.fields)
    return model.replications({candidate.service: block})


def _vanished(
    model: StackModel, before: list[StackObserved], after: list[StackObserved]
) -> tuple[Row, ...]:
    """Return the numbers that were off and are not any more, as they were before."""
    now = {row.key: row for row in rows_of(model.seen, after)}
    return tuple(
        row
        for row in rows_of(model.seen, before)
        if row.weight > _OFF and row.key in now and now[row.key].weight < row.weight / 2
    )
