"""What the model says of an event: every number a mean over replications with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gameday.experiments.replications.replication import (
    NOBODY,
    QUANTITIES,
    SPANS,
    UNITS,
    Replication,
    Replications,
)
from gameday.queueing import Visit, build_cell, least_scale
from gameday.record.intervals import (
    Interval,
    binomial_band,
    interval_of,
    level_interval,
    t_interval,
)
from gameday.scenario import METRICS, Scenario
from gameday.vocabulary import Array, Band

__all__ = [
    "TOO_SMALL",
    "Bottleneck",
    "ModelAnswer",
    "ObjectiveAnswer",
    "Quantities",
    "ServiceAnswer",
    "StackAnswer",
    "rehearse",
    "said_of",
    "service_answers",
]

TOO_SMALL = "not judged: the cell is too small"
"""What is said of an objective instead of `holds` or `fails`."""


@dataclass(frozen=True, slots=True)
class Quantities:
    """What is known of a service over one span; as `QUANTITIES` has them."""

    utilisation: Interval
    wait_s: Interval
    p99_s: Interval
    turned_away: Interval
    queue: Interval
    servers: Interval


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """A service over the whole window and over its peak hour."""

    service: str
    event: Quantities
    peak_hour: Quantities


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """How a service breaks: it turns work away, or stays saturated."""

    service: str
    is_first: Interval
    """Share of replications in which it is the first to break."""
    breaks: Interval
    """Share of replications in which it breaks at all."""
    minutes_to_break: Interval | None
    """From the window's start; None where it never breaks."""
    at_utc: str | None
    """Median minute of the break."""
    when: str
    """The same in words."""


@dataclass(frozen=True, slots=True)
class ObjectiveAnswer:
    """What the replications say of an objective of a stack."""

    text: str
    unit: str
    """Of the value: seconds, share or number."""
    value: Interval
    said: str
    """holds, fails, undecided, not observed, or why it is not judged."""
    fails_in_some_minute: Interval
    """Share of replications in which a minute fails it."""
    minutes_to_breach: Interval | None
    at_utc: str | None
    when: str


@dataclass(frozen=True, slots=True)
class StackAnswer:
    """What the model says of one stack."""

    services: tuple[ServiceAnswer, ...]
    bottlenecks: tuple[Bottleneck, ...]
    """The likeliest first."""
    objectives: tuple[ObjectiveAnswer, ...]
    """In the scenario's order."""
    peak_hour_utc: str
    imbalances: tuple[str, ...]
    """Accounts that do not balance, in words."""
    little_residual: float
    """Of the worst replication; NaN where nobody waited."""
    is_observed: bool
    """Whether a customer came in any replication."""
    visits: int
    """To services, mean of the replications."""
    notes: tuple[str, ...]

    def service(self, name: str) -> ServiceAnswer:
        """Return what is said of a service."""
        return next(answer for answer in self.services if answer.service == name)


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What the model says of an event, stack by stack."""

    replications: int
    stacks: dict[str, StackAnswer]


def rehearse(scenario: Scenario, replications: Replications, scale: float) -> ModelAnswer:
    """Return per stack: services by span, which breaks first, objectives, accounts.

    In a cell too small to judge by (`scale` below `least_scale`) no objective holds or fails.
    """
    is_judged = scale >= least_scale(scenario)
    stacks = [list(runs) for runs in zip(*replications, strict=True)]
    return ModelAnswer(
        len(replications),
        {runs[0].stack: _of_stack(scenario, runs, is_judged=is_judged) for runs in stacks},
    )


def _of_stack(scenario: Scenario, runs: list[Replication], *, is_judged: bool) -> StackAnswer:
    first = runs[0]
    return StackAnswer(
        services=service_answers(first.services, np.stack([run.spans for run in runs])),
        bottlenecks=_bottlenecks(scenario, runs),
        objectives=tuple(
            _objective(scenario, number, runs, is_judged=is_judged)
            for number in range(len(scenario.objectives))
        ),
        peak_hour_utc=first.grid.instant(first.hour.start).isoformat(),
        imbalances=tuple(sorted({line for run in runs for line in run.imbalances})),
        little_residual=max(run.little_residual for run in runs),
        is_observed=any(run.arrived.any() for run in runs),
        visits=round(float(np.mean([run.arrived.sum() for run in runs]))),
        notes=first.notes,
    )


def service_answers(
    services: tuple[str, ...], spans: Array, *, of_change: bool = False
) -> tuple[ServiceAnswer, ...]:
    """Return services with an interval of each quantity and span; `spans` as Replication's, one a row.

    Only an interval `of_change` goes below nothing, or that of a share beyond all.
    """

    def interval(span: int, quantity: int, service: int) -> Interval:
        values = spans[:, span, quantity, service].tolist()
        if of_change:
            return interval_of(t_interval(values))
        return interval_of(level_interval(values, UNITS[QUANTITIES[quantity]]))

    return tuple(
        ServiceAnswer(
            name,
            *(
                Quantities(*(interval(span, q, number) for q in range(len(QUANTITIES))))
                for span in range(len(SPANS))
            ),
        )
        for number, name in enumerate(services)
    )


def _bottlenecks(scenario: Scenario, runs: list[Replication]) -> tuple[Bottleneck, ...]:
    """Return services by how likely each is the first to break, then by how likely it breaks at all.

    Of those that break in the same minute the deepest in the call graph counts: who calls it holds
    a server for it, and breaks because of it.
    """
    names, depth = runs[0].services, _depths(scenario, runs[0].stack)
    firsts = np.zeros(len(names), int)
    for run in runs:
        broken = [
            (run.breaks_at[i], -depth[name], i)
            for i, name in enumerate(names)
            if run.breaks_at[i] >= 0
        ]
        if broken:
            firsts[min(broken)[2]] += 1
    rows = []
    for i, name in enumerate(names):
        began = _began(runs, [int(run.breaks_at[i]) for run in runs])
        is_first = interval_of(binomial_band(int(firsts[i]), len(runs)))
        rows.append(
            Bottleneck(name, is_first, began.share, began.minutes, began.at_utc, began.when)
        )
    return tuple(sorted(rows, key=lambda row: (-(row.is_first.mid or 0), -(row.breaks.mid or 0))))


@dataclass(frozen=True, slots=True)
class _Began:
    """In what share of replications something began, and when."""

    share: Interval
    minutes: Interval | None
    at_utc: str | None
    when: str


def _began(runs: list[Replication], first_slots: list[int]) -> _Began:
    """Return how often something began, and when, of the first slot of each replication (-1 = in none)."""
    slots = [float(slot) for slot in first_slots if slot >= 0]
    share = interval_of(binomial_band(len(slots), len(runs)))
    if not slots:
        return _Began(share, None, None, "-")
    minutes = level_interval(slots, "number")
    at_utc = runs[0].grid.instant(int(np.median(slots))).isoformat()
    when = f"{at_utc[:16]} (+{minutes.low:.0f} to +{minutes.high:.0f} min)"
    if len(slots) < 2:
        when = f"{at_utc[:16]} (once)"
    elif minutes.mid == 0.0:
        when = f"{at_utc[:16]} or before"
    return _Began(share, interval_of(minutes), at_utc, when)


def _depths(scenario: Scenario, stack: str) -> dict[str, int]:
    """Return how many calls lie above each service at most."""
    depths: dict[str, int] = dict.fromkeys(scenario.stack_services(stack), 0)

    def go_down(visit: Visit, above: int) -> None:
        depths[visit.service] = max(depths[visit.service], above)
        for group in visit.then:
            for below in group:
                go_down(below, above + 1)

    for groups in build_cell(scenario, stack, scale=1.0).visits.values():
        for group in groups:
            for visit in group:
                go_down(visit, 0)
    return depths


def _objective(
    scenario: Scenario, number: int, runs: list[Replication], *, is_judged: bool
) -> ObjectiveAnswer:
    """Return what the runs say of an objective: holds, fails, undecided or not observed; and from when on."""
    criterion = scenario.objectives[number]
    unit = METRICS[criterion.metric]
    band = level_interval([run.number_of(number)[0] for run in runs], unit)
    answer = said_of(band, criterion.holds) if is_judged else TOO_SMALL
    met = [run for run in runs if not math.isnan(run.number_of(number)[0])]
    began = _began(met, [int(run.fails_at[number]) for run in met])
    return ObjectiveAnswer(
        text=criterion.text,
        unit={"s": "seconds", "share": "share"}.get(unit, "number"),
        value=interval_of(band),
        said=answer if met else NOBODY,
        fails_in_some_minute=began.share,
        minutes_to_breach=began.minutes,
        at_utc=began.at_utc,
        when=began.when,
    )


def said_of(band: Band, holds: Callable[[float], bool]) -> str:
    """Return `holds`, `fails` or `undecided` by whether the whole interval does."""
    if np.isnan(band.mid):
        return "not observed"
    ends = {bool(holds(end)) for end in (band.low, band.high)}
    return "undecided" if len(ends) == 2 else ("holds" if ends == {True} else "fails")
