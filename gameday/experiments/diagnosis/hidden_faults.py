"""The drill of the finder: faults hidden in the model of a scenario, and whether they would be named.

The same record as of a real run, with what the scenario does not observe left out; so it says of
one's own graph and metrics what diagnosis can do, before anything is really wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle

from gameday.calibrate import calibrate_model
from gameday.calibrate.compared import Target
from gameday.experiments.diagnosis.candidates import KINDS, Kind
from gameday.experiments.diagnosis.explain import Diagnosis, diagnose
from gameday.experiments.diagnosis.felt_faults import felt_fault
from gameday.experiments.diagnosis.observation import More, as_observed, missing
from gameday.experiments.diagnosis.planting import Fault
from gameday.record.intervals import Interval, binomial_band, interval_of
from gameday.scenario import Scenario
from gameday.simulate import RunControl, simulate
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed

__all__ = [
    "Attempt",
    "Drill",
    "KindScore",
    "ServiceScore",
    "drill",
    "name_fault",
]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One hidden fault, and what diagnosis made of it."""

    fault: Fault
    named_service: str | None
    """The first cause's; None: none was found."""
    named_kind: Kind | None

    @property
    def is_service_right(self) -> bool:
        """Whether the first cause is in the right service."""
        return self.named_service == self.fault.service

    @property
    def is_kind_right(self) -> bool:
        """Whether it is of the right kind too."""
        return self.is_service_right and self.named_kind == self.fault.kind


@dataclass(frozen=True, slots=True)
class KindScore:
    """How faults of one kind were named."""

    kind: Kind
    tried: int
    service_right: int
    kind_right: int


@dataclass(frozen=True, slots=True)
class ServiceScore:
    """How faults in one service were named."""

    stack: str
    service: str
    tried: int
    service_right: int
    taken_for: tuple[tuple[str, int], ...]
    """What was named instead, the most frequent first; `nothing` where nothing was."""
    not_observed: tuple[str, ...]
    """Metrics of it that the scenario does not observe."""


@dataclass(frozen=True, slots=True)
class Drill:
    """How well the finder names what is wrong, on this graph and with what is observed of it."""

    attempts: tuple[Attempt, ...]
    healthy: int
    """Runs without a fault."""
    false: int
    """Those of them in which a cause was named."""
    service_right: Interval
    """Share of faults whose service was named first."""
    kind_right: Interval
    kinds: tuple[KindScore, ...]
    services: tuple[ServiceScore, ...]
    """The one that is named worst first."""
    not_felt: tuple[Kind, ...]
    """Kinds that nobody would notice in this window, whichever service has them; or that none can have."""
    advice: tuple[str, ...]
    """What to observe besides, and what it would do."""


def drill(
    scenario: Scenario,
    plan: LoadPlan,
    *,
    faults: int,
    seed: Seed,
    scale: float | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Drill:
    """Return how the finder does on hidden faults, all kinds in turn, and on a fifth as many healthy runs."""
    trial = _Trial(scenario, plan, scale, RunControl(workers=1))
    hidden, not_felt = _attempts(trial, faults, seed, progress)
    attempts = [attempt for attempt, _ in hidden]
    healthy = max(1, faults // 5)
    false = sum(
        any(d.causes for d in trial.diagnose(scenario, seed.child("healthy", str(number))))
        for number in range(healthy)
    )
    services = tuple(_by_service(scenario, attempts))
    return Drill(
        attempts=tuple(attempts),
        healthy=healthy,
        false=false,
        service_right=_share(attempts, lambda a: a.is_service_right),
        kind_right=_share(attempts, lambda a: a.is_kind_right),
        kinds=tuple(_by_kind(attempts)),
        services=services,
        not_felt=tuple(not_felt),
        advice=tuple(_advice(trial, hidden, services)),
    )


def _attempts(
    trial: _Trial, faults: int, seed: Seed, progress: Callable[[str], None]
) -> tuple[list[tuple[Attempt, Seed]], list[Kind]]:
    """Return what diagnosis makes of so many faults, each with its run's seed, and the kinds nobody can feel."""
    hidden, not_felt = list[tuple[Attempt, Seed]](), list[Kind]()
    for number, kind in enumerate(cycle(KINDS)):
        if len(hidden) == faults or len(not_felt) == len(KINDS):
            break
        if kind in not_felt:
            continue
        of_fault = seed.child(str(number))
        fault = felt_fault(
            trial.scenario, trial.plan, kind, of_fault.child("fault"), scale=trial.scale
        )
        if fault is None:
            not_felt.append(kind)
            continue
        hidden.append((trial.attempt(fault, of_fault.child("run")), of_fault.child("run")))
        right = sum(attempt.is_service_right for attempt, _ in hidden)
        progress(f"{len(hidden)} faults, the right service first in {right}")
    return hidden, not_felt


@dataclass(frozen=True, slots=True)
class _Trial:
    """A scenario in whose model faults are hidden."""

    scenario: Scenario
    plan: LoadPlan
    scale: float | None
    control: RunControl
    also: More | None = None
    """What is observed besides."""

    def diagnose(self, real: Scenario, seed: Seed) -> tuple[Diagnosis, ...]:
        """Return what diagnosis makes of a run of a system that is really so."""
        once = replace(self.control, replications=1)
        [record] = simulate(real, self.plan, seed=seed, control=once, scale=self.scale)
        seen = as_observed(record, self.scenario, self.also)
        target = Target.of(
            self.plan, seen, seed=seed.child("model"), scale=self.scale, control=self.control
        )
        return diagnose(self.scenario, target, calibrate_model(self.scenario, target))

    def attempt(self, fault: Fault, seed: Seed) -> Attempt:
        """Return what diagnosis makes of a hidden fault."""
        return name_fault(fault, self.diagnose(fault.planted(self.scenario), seed))


def name_fault(fault: Fault, diagnoses: tuple[Diagnosis, ...]) -> Attempt:
    """Return a fault beside the first cause that was named in its stack."""
    [diagnosis] = [d for d in diagnoses if d.stack == fault.stack]
    if not diagnosis.causes:
        return Attempt(fault, None, None)
    first = diagnosis.causes[0].candidate
    return Attempt(fault, first.service, first.kind)


def _share(attempts: list[Attempt], is_right: Callable[[Attempt], bool]) -> Interval:
    return interval_of(binomial_band(sum(map(is_right, attempts)), len(attempts)))


def _by_kind(attempts: list[Attempt]) -> Iterator[KindScore]:
    for kind in KINDS:
        of_kind = [a for a in attempts if a.fault.kind == kind]
        if of_kind:
            yield KindScore(
                kind,
                len(of_kind),
                sum(a.is_service_right for a in of_kind),
                sum(a.is_kind_right for a in of_kind),
            )


def _by_service(scenario: Scenario, attempts: list[Attempt]) -> list[ServiceScore]:
    places = sorted({(a.fault.stack, a.fault.service) for a in attempts})
    scores = [_score_of(scenario, attempts, *place) for place in places]
    return sorted(scores, key=lambda s: (s.service_right / s.tried, s.service))


def _score_of(
    scenario: Scenario, attempts: list[Attempt], stack: str, service: str
) -> ServiceScore:
    here = [a for a in attempts if (a.fault.stack, a.fault.service) == (stack, service)]
    wrong = Counter(a.named_service or "nothing" for a in here if not a.is_service_right)
    return ServiceScore(
        stack,
        service,
        len(here),
        sum(a.is_service_right for a in here),
        tuple(wrong.most_common(3)),
        tuple(missing(scenario, service)),
    )


_MOST_ADVICE = 2


def _advice(
    trial: _Trial, hidden: list[tuple[Attempt, Seed]], services: tuple[ServiceScore, ...]
) -> Iterator[str]:
    """Yield what observing more of a service named worst would do for faults that were missed, in their runs."""
    worst = [s for s in services if s.service_right < s.tried and s.not_observed][:_MOST_ADVICE]
    missed = [(a.fault, run) for a, run in hidden if not a.is_service_right]
    before = len(hidden) - len(missed)
    for score in worst:
        better = replace(trial, also=More(score.service, score.not_observed))
        gained = sum(better.attempt(fault, run).is_service_right for fault, run in missed)
        yield (
            f"{before} of these {len(hidden)} faults would be named; with {', '.join(score.not_observed)} of "
            f"{score.service} observed, {gained} of the {len(missed)} others too"
        )
