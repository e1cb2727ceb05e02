"""Services that nobody observes, told from how customers' steps are answered: each explanation is
tried in the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gameday.calibrate.calibration import Parameter
from gameday.calibrate.compared.discrepancy import distance
from gameday.calibrate.compared.observed import StackObserved, mean_of
from gameday.calibrate.compared.stack_model import StackModel
from gameday.queueing import build_cell
from gameday.record import percentile
from gameday.scenario.blocks import MeasuredFields, Spread
from gameday.scenario.server_policies import Degraded

__all__ = ["fit_unseen"]

_NEARER = 30.0
"""Squared standard deviations by which an explanation must bring the model nearer. Ours: dozens are tried."""
_NEARER_SHARE = 0.25
"""Of what is off that it must explain. Ours."""
_MOST = 2
"""Explanations in one stack. Ours: a third is told apart by nothing that customers see."""
_FACTORS = (0.5, 1.5, 2.0, 3.0, 4.5)
_STEP_FACTORS = (2.0, 4.0, 8.0)
_SERVERS = (0.15, 0.35, 0.5, 0.7)
_FAILING = (0.05, 0.15, 0.35)
_TAIL = 4.0
_FASTEST, _LEAST_FAST = 0.05, 5
"""Share of the replies that are the fastest ones, and how many they must be."""
_LEAST_LONGER = 0.2
"""Share of a service's work by which they must take longer for that to be a guess of its own. Ours."""
_MOST_RIVALS = 3
"""That are named."""
_FINER, _ROUNDS = 5, 2
"""Parameters, the nearest ones, whose values are refined, and how often: near saturation a value between two of
the grid may come far nearer than both."""
_BEYOND = 1.4
"""Times the highest value of the grid up to which it is refined."""
_AS_NEAR = 0.1
"""Of what the best explanation explains, what another may explain less and still be as good. Ours."""
_KNOWN = 0.12
"""Standard deviation of a logarithm that is read off a grid. Ours: about its steps."""
_BY = "fit of the model to response times and failures of steps"


@dataclass(frozen=True, slots=True)
class _Guess:
    """One thing that may be wrong with a service that nobody observes."""

    service: str
    parameter: str
    declared: float
    value: float
    """In the unit of the declared one."""
    step: str | None = None
    log_sd: float = _KNOWN
    """Standard deviation of the value's logarithm."""
    rivals: tuple[str, ...] = ()
    """Other things that would explain nearly as much, in words."""

    def fields(self) -> MeasuredFields:
        """Return the fields of `Measured` that say so."""
        if self.parameter == "failing share":
            return {"degraded": Degraded(share=min(1.0, self.value), refuses=True)}
        if self.step is not None:
            return {"step_factors": {self.step: self.spread()}}
        return {self.parameter: self.spread()}

    def spread(self) -> Spread:
        """Return the value with its interval; servers are whole."""
        if self.parameter == "servers":
            return Spread.exactly(max(1.0, round(self.value)))
        return Spread.around(self.value, self.log_sd)

    @property
    def words(self) -> str:
        """What it says."""
        return f"{self.service} {self.parameter} {self.value:.3g}"

    @property
    def key(self) -> tuple[str, str]:
        """What it is a value of."""
        return self.service, self.parameter


def fit_unseen(model: StackModel) -> list[Parameter]:
    """Put into the model what explains best how steps are answered; return it, the best first.

    Services of which nothing is observed compete, and those whose own work is hidden behind calls
    to them. Where all is answered as the model has it, nothing is claimed.
    """
    found: list[Parameter] = []
    services = [
        name for name in model.services if model.is_hidden(name) or model.hidden_calls(name)
    ]
    while services and len(found) < _MOST:
        best = _nearest(model, services)
        if best is None:
            break
        model.put(best.service, best.fields())
        found.append(_row(model, best))
        services = [name for name in services if name != best.service]
    return found


def _nearest(model: StackModel, services: list[str]) -> _Guess | None:
    """Return what brings the model nearest; None where nothing explains enough."""
    runs = model.replications()
    before, longer_s = distance(model.seen, runs), _longer_s(model, mean_of(runs))
    guesses = [guess for name in services for guess in _guesses(model, name, longer_s)]
    tried = _tried(model, guesses)
    for _ in range(_ROUNDS):
        between = [g for first in _first_of_each(tried) for g in _between(first, tried)]
        tried = sorted([*tried, *_tried(model, between)], key=_by_distance)
    best, nearest = tried[0]
    if before - nearest < max(_NEARER, _NEARER_SHARE * before):
        return None
    as_near = nearest + max(_NEARER / 2, _AS_NEAR * (before - nearest))
    near = [guess for guess, far in tried if far <= as_near]
    return replace(best, log_sd=_log_sd(best, near), rivals=tuple(_rivals(best, near)))


def _log_sd(best: _Guess, near: list[_Guess]) -> float:
    """Return the standard deviation of a value's logarithm, of those of the same parameter that are as near."""
    values = [guess.value for guess in near if guess.key == best.key and guess.value > 0]
    half = max((abs(math.log(value / best.value)) for value in values), default=0.0)
    return max(_KNOWN, half / 1.96)


def _rivals(best: _Guess, near: list[_Guess]) -> Iterator[str]:
    """Yield what else comes as near, the nearest of each parameter, in words."""
    seen = {best.key}
    for guess in near:
        if guess.key not in seen:
            seen.add(guess.key)
            yield guess.words


def _tried(model: StackModel, guesses: list[_Guess]) -> list[tuple[_Guess, float]]:
    """Return guesses with how near they bring the model, the nearest first."""
    tried = []
    for guess in guesses:
        block = model.measured(guess.service).told(guess.fields())
        runs = model.replications({guess.service: block})
        tried.append((guess, distance(model.seen, runs)))
    return sorted(tried, key=_by_distance)


def _by_distance(tried: tuple[_Guess, float]) -> float:
    return tried[1]


def _between(guess: _Guess, tried: list[tuple[_Guess, float]]) -> Iterator[_Guess]:
    """Yield the guesses halfway from one to its neighbours among those of the same parameter."""
    values = {other.value for other, _ in tried if other.key == guess.key} | {guess.declared}
    below, above = (
        max((v for v in values if v < guess.value), default=None),
        min((v for v in values if v > guess.value), default=_BEYOND * guess.value),
    )
    for other in (below, above):
        if other is not None:
            middle = math.sqrt(guess.value * other) if other > 0 else guess.value / 2
            yield replace(guess, value=middle)


def _first_of_each(tried: list[tuple[_Guess, float]]) -> list[_Guess]:
    """Return the nearest guess of each of the parameters that come nearest."""
    found: dict[tuple[str, str], _Guess] = {}
    for guess, _ in tried:
        found.setdefault(guess.key, guess)
    return list(found.values())[:_FINER]


def _longer_s(model: StackModel, predicted: StackObserved) -> dict[str, float]:
    """Return step -> by how many seconds its fastest replies, which waited least, take longer than the model's."""
    out = {}
    for index, step in enumerate(model.seen.steps):
        seen, shown = (x.response[index].sum(axis=0) for x in (model.seen, predicted))
        if min(seen.sum(), shown.sum()) * _FASTEST >= _LEAST_FAST:
            out[step] = percentile(seen, _FASTEST) - percentile(shown, _FASTEST)
    return out


def _guesses(model: StackModel, name: str, longer_s: Mapping[str, float]) -> Iterator[_Guess]:
    now = model.measured(name).time_factor.mid
    for factor in (*_FACTORS, 1.0 / now):
        if factor != 1.0:
            yield _Guess(name, "time_factor", now, factor * now)
    yield from _guesses_of_steps(model, name, longer_s)
    if model.is_hidden(name):
        yield from _guesses_of_hidden(model, name)


def _guesses_of_steps(
    model: StackModel, name: str, longer_s: Mapping[str, float]
) -> Iterator[_Guess]:
    """Yield that visits from one of several steps take longer."""
    steps, told = _visiting(model, name), dict(_told(model, name, longer_s))
    for step in steps if len(steps) > 1 else ():
        now = model.measured(name).step_factors.get(step, Spread.exactly(1.0)).mid
        for factor in (*_STEP_FACTORS, *([told[step]] if step in told else [])):
            yield _Guess(name, f"step_factors.{step}", now, factor * now, step)


def _told(
    model: StackModel, name: str, longer_s: Mapping[str, float]
) -> Iterator[tuple[str, float]]:
    """Yield, by step, how many times as long a service must work for what the fastest replies take longer.

    Longer than those of the step that changed least: what all take longer, they wait.
    """
    work, steps = model.work(name), list(model.seen.steps)
    for step, seconds in longer_s.items():
        own_s = float((work.own_s * work.visits)[steps.index(step)])
        of_step_s = seconds - min(longer_s.values())
        if own_s > 0 and of_step_s > _LEAST_LONGER * own_s:
            yield step, 1.0 + of_step_s / own_s


def _guesses_of_hidden(model: StackModel, name: str) -> Iterator[_Guess]:
    """Yield what else may be wrong with a service of which nothing is observed."""
    known, servers = model.measured(name), _servers(model, name)
    for number in sorted({max(1.0, round(share * servers)) for share in _SERVERS}):
        if number < servers:
            yield _Guess(name, "servers", servers, number)
    refusing = known.degraded.share if known.degraded and known.degraded.refuses else 0.0
    for share in _FAILING:
        yield _Guess(name, "failing share", refusing, min(1.0, refusing + share))
    cv = float(model.service(name).time.scv ** 0.5)
    if cv < _TAIL / 2:
        yield _Guess(name, "cv", cv, _TAIL)


def _servers(model: StackModel, name: str) -> float:
    """Return the servers at full scale, as far as they are known."""
    known = model.measured(name).servers
    declared = model.scenario.services[name].servers(model.stack)
    return float(declared) if known is None else known.mid


def _visiting(model: StackModel, name: str) -> list[str]:
    """Return the steps that visit a service, whatever the product."""
    cell = build_cell(model.scenario, model.stack, scale=model.scale)
    return [
        step
        for (step, product), groups in cell.visits.items()
        if product is None
        and any(v.service == name for group in groups for entry in group for v in entry.walk())
    ]


def _row(model: StackModel, guess: _Guess) -> Parameter:
    return Parameter(
        stack=model.stack,
        service=guess.service,
        name=guess.parameter,
        declared=guess.declared,
        measured=guess.spread(),
        agrees=False,
        by=_BY
        if not guess.rivals
        else f"{_BY}; as near comes {' or '.join(guess.rivals[:_MOST_RIVALS])}",
        samples=round(float(model.seen.achieved.sum())),
    )
