"""What brings a system back that stays down: how much less load, or which policy.

Each is simulated by itself with the same customers and chance: after the trigger has gone the load falls to a
share of the forecast and stays there; or every service has the policy from the start.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gameday.experiments.failures.recovery import Recovery, does_it_recover
from gameday.experiments.replications.replication import Replications
from gameday.record.intervals import Interval
from gameday.scenario import Scenario
from gameday.scenario.blocks import Service
from gameday.scenario.caller_policies import Budget
from gameday.scenario.queue_policies import CoDel, Limit
from gameday.scenario.reading import Injection
from gameday.traffic import LoadPlan
from gameday.vocabulary import SLOT_S

__all__ = ["LoadRemedy", "PolicyRemedy", "Remedies", "find_remedies", "policies"]

_SHARES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Of the forecast: loads that are tried."""
_RATIO = 0.1
"""Retries a tenth of the load: the budget that is tried. Source: `Budget`."""

Play = Callable[[str, Scenario, LoadPlan], Replications]
"""What plays a variant by its name."""
Answers = dict[str, Recovery]
"""Stack -> whether it comes back."""


@dataclass(frozen=True, slots=True)
class LoadRemedy:
    """The largest share of the forecast that was tried from which a stack comes back."""

    share: float
    not_at: float | None
    """The next larger share, at which it does not; None: there is none."""


@dataclass(frozen=True, slots=True)
class PolicyRemedy:
    """Whether a stack comes back with a policy in every service."""

    policy: str
    said: str
    after: Interval | None
    """Goodput after what was injected."""


@dataclass(frozen=True, slots=True)
class Remedies:
    """What brings a stack back that stays down."""

    load: LoadRemedy | None
    """None where a tenth of the forecast does not suffice."""
    policies: tuple[PolicyRemedy, ...]
    replications: int


@dataclass(frozen=True, slots=True)
class _Trial:
    """A plan into which something is injected that a system does not come back from by itself."""

    calm: LoadPlan
    """With nothing injected."""
    injections: tuple[Injection, ...]
    play: Play
    as_it_is: Replications
    """Of the calm plan."""

    def answers(
        self, name: str, scenario: Scenario, *, then: tuple[Injection, ...] = ()
    ) -> Answers:
        """Return whether a variant comes back, where `then` is injected too."""
        plan = self.calm.with_injections((*self.injections, *then))
        replications = self.play(name, scenario, plan)
        return does_it_recover(self.injections, replications, self.as_it_is) or {}


def find_remedies(
    scenario: Scenario,
    calm: LoadPlan,
    injections: tuple[Injection, ...],
    down: set[str],
    play: Play,
) -> dict[str, Remedies]:
    """Return what brings back each stack of `down`, which stay down as they are.

    `calm` is the plan with nothing injected. Loads are shares of the forecast at which every replication comes
    back.
    """
    trial = _Trial(calm, injections, play, play("nothing injected", scenario, calm))
    stacks = sorted(down)
    loads = {stack: _load(trial, scenario, stack) for stack in stacks}
    policies_tried: dict[str, list[PolicyRemedy]] = {stack: [] for stack in stacks}
    for name, variant in policies(scenario):
        answers = trial.answers(name, variant)
        for stack in stacks:
            answer = answers[stack]
            policies_tried[stack].append(PolicyRemedy(name, answer.said, answer.after))
    count = len(trial.as_it_is)
    return {stack: Remedies(loads[stack], tuple(policies_tried[stack]), count) for stack in stacks}


def _load(trial: _Trial, scenario: Scenario, stack: str) -> LoadRemedy | None:
    """Return the largest of _SHARES from which a stack comes back, found by bisection."""
    its_injections = [
        injection for injection in trial.injections if injection.stack in (None, stack)
    ]
    end_s = math.ceil(max(injection.until_s for injection in its_injections) / SLOT_S) * SLOT_S

    def comes_back_at(share: float) -> bool:
        drop = Injection(f"traffic {share:g}x", end_s, math.inf, traffic=share)
        answers = trial.answers(f"load falls to {share:.0%}", scenario, then=(drop,))
        return _comes_back(answers[stack])

    first = bisect_left(_SHARES, True, key=comes_back_at)
    if first == len(_SHARES):
        return None
    return LoadRemedy(_SHARES[first], _SHARES[first - 1] if first else None)


def _comes_back(answer: Recovery) -> bool:
    return answer.recovers is not None and answer.recovers.mid == 1.0


def policies(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """Yield the scenario with one policy more in every service that can have it: those of the literature."""
    changes: list[tuple[str, Callable[[Service], Service]]] = [
        ("a retry budget of a tenth", _budget),
        ("a queue served within half the time-out", _short_queue),
        ("controlled delay (codel)", _codel),
        ("a limit on half the time-out", _limit),
        ("last in, first out under overload", _last_first),
        ("propagated deadlines", _heedful),
    ]
    for name, change in changes:
        services = {key: change(service) for key, service in scenario.services.items()}
        if services != scenario.services:
            yield name, scenario.model_copy(update={"services": services})


def _budget(service: Service) -> Service:
    retry = service.retry
    if retry is None or not retry.attempts or retry.budget is not None:
        return service
    budgeted = retry.model_copy(update={"budget": Budget(ratio=_RATIO)})
    return service.model_copy(update={"retry": budgeted})


def _short_queue(service: Service) -> Service:
    """Return the service with a queue that it works off in half the time-out, by its own work alone."""
    places = 0.5 * service.timeout / service.time.mean
    if places >= service.queue_per_server:
        return service
    return service.model_copy(update={"queue_per_server": places})


def _codel(service: Service) -> Service:
    if service.codel is not None:
        return service
    target, interval = service.timeout / 10, service.timeout / 2
    codel = CoDel.model_construct(target=target, interval=interval)
    return service.model_copy(update={"codel": codel})


def _limit(service: Service) -> Service:
    if service.limit is not None:
        return service
    limit = Limit.model_construct(target=service.timeout / 2)
    return service.model_copy(update={"limit": limit})


def _last_first(service: Service) -> Service:
    if service.queue_order != "fifo":
        return service
    return service.model_copy(update={"queue_order": "adaptive"})


def _heedful(service: Service) -> Service:
    if service.deadline != "own":
        return service
    return service.model_copy(update={"deadline": "propagated"})
