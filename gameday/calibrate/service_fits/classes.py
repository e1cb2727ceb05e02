"""How much work each step's visits are, told from how customers' steps are answered while few wait.

With a constant mix of steps, total busy time cannot be split by step; response times at low load can, at the
service that works for most of them. The work of all visits together stays as the utilisation law has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.calibrate.calibration import Parameter
from gameday.calibrate.compared.observed import StackObserved
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.calibrate.contest import is_nearer
from gameday.scenario.blocks import Spread
from gameday.vocabulary import Array

__all__ = ["fit"]

_UNLIKE = 1.3
"""Times by which steps' answers must differ from the model's more than others' do. Ours."""
_OWN = 0.5
"""Share of a step's answer that the service works on, from which on it is told from the answer. Ours."""
_ROUNDS = 2
_LEAST_FACTOR = 0.05
_LOG_SD = 0.05
"""Of a step's factor. Ours: what the way to the target and back adds to all steps is in it."""
_SAME = 0.1
"""Log of a factor up to which a step is as declared. Ours."""


@dataclass(frozen=True, slots=True)
class _Told:
    """The steps whose work at a service can be told from their answers."""

    steps: list[int]
    names: list[str]
    own_s: Array
    """Seconds that the service works on one execution, shape (steps told,)."""
    weights: Array
    """Its busy seconds of each, as a share of those of all steps, same shape."""


def fit(case: ServiceCase) -> Found | None:
    """Return a factor for each step that is mostly its work, where they differ from the model each otherwise."""
    if (
        not case.seen.is_observed
        or case.hidden_calls
        or case.model.measured(case.name).step_factors
    ):
        return None
    predicted = case.model.simulate()
    told = _told(case, predicted)
    if len(told.steps) < 2:
        return None
    ratios = _answers_s(case.model.seen, told) / _answers_s(predicted, told)
    if not ratios.max() > _UNLIKE * ratios.min():
        return None
    of_all, factors = _sparse(case, told, _factors(case, told, predicted))
    now = case.model.measured(case.name).time_factor.times(of_all)
    spreads = {
        name: Spread.around(float(factor), _LOG_SD)
        for name, factor in zip(told.names, factors, strict=True)
        if factor != 1.0
    }
    fields = {"step_factors": spreads, "time_factor": now}
    return _found(case, spreads, now) if spreads and is_nearer(case, fields) else None


def _found(case: ServiceCase, spreads: dict[str, Spread], now: Spread) -> Found:
    """Return the factors of steps, and that on all visits which is left."""
    rows = [_row(case, f"step_factors.{name}", 1.0, spread) for name, spread in spreads.items()]
    of_all = _row(case, "time_factor", case.declared.time_factor.mid, now)
    return Found({"step_factors": spreads, "time_factor": now}, (*rows, of_all))


def _answers_s(observed: StackObserved, told: _Told) -> Array:
    """Return how long customers of each step told wait while few do, mean, s."""
    answers = [observed.quiet_answer(index) for index in told.steps]
    return np.array([np.nan if answer is None else answer.mean_s for answer in answers])


def _sparse(case: ServiceCase, told: _Told, factors: Array) -> tuple[float, Array]:
    """Return a factor on all visits, and those on single steps beside it of which as many as can be are 1.

    One step of three that takes longer is no service that does. The work of all steps together stays.
    """
    now = case.model.measured(case.name).time_factor.mid / case.declared.time_factor.mid

    def differing(of_all: float) -> tuple[int, float]:
        alone = int((np.abs(np.log(factors / of_all)) >= _SAME).sum())
        away = abs(float(np.log(now * of_all)))
        return alone + (away >= _SAME), away

    alone = factors / min((1.0, *factors.tolist()), key=differing)
    kept = np.where(np.abs(np.log(alone)) >= _SAME, alone, 1.0)
    return float(1.0 / (1.0 - told.weights.sum() + told.weights @ kept)), kept


def _row(case: ServiceCase, name: str, declared: float, now: Spread) -> Parameter:
    return case.parameter(
        name,
        declared,
        now,
        agrees=bool(abs(np.log(now.mid / declared)) < _SAME),
        by="how customers of its steps are answered while few wait",
        samples=np.nansum(case.seen.served),
    )


def _factors(case: ServiceCase, told: _Told, predicted: StackObserved) -> Array:
    """Return the factors with which the model answers as the target does, all work together unchanged."""
    factors = np.ones(len(told.steps))
    for _ in range(_ROUNDS):
        longer_s = _answers_s(case.model.seen, told) - _answers_s(predicted, told)
        factors = np.maximum(_LEAST_FACTOR, factors + longer_s / told.own_s)
        rest = 1.0 - told.weights.sum()
        factors = factors / (rest + told.weights @ factors)
        predicted = _with_factors(case, told.names, factors)
    return factors


def _with_factors(case: ServiceCase, names: list[str], factors: Array) -> StackObserved:
    """Return what the model shows where work for these steps takes so many times as long."""
    pairs = zip(names, factors, strict=True)
    spreads = {name: Spread.exactly(float(factor)) for name, factor in pairs}
    block = case.model.measured(case.name).model_copy(update={"step_factors": spreads})
    return case.model.simulate({case.name: block})


def _told(case: ServiceCase, predicted: StackObserved) -> _Told:
    """Return the steps that the service works on for most of their time."""
    work, scenario, seen = case.model.work(case.name), case.model.scenario, case.model.seen
    own_s = work.own_s * work.visits
    busy_s = own_s * case.executions
    steps = [
        index
        for index in range(len(scenario.steps))
        if seen.quiet_answer(index) is not None
        and (shown := predicted.quiet_answer(index)) is not None
        and own_s[index] > _OWN * shown.mean_s
    ]
    names = list(scenario.steps)
    return _Told(
        steps, [names[i] for i in steps], own_s[steps], busy_s[steps] / max(1e-12, busy_s.sum())
    )
