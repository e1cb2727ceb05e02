"""What brings a system back that stays down: how much less load, or which policy.

Each is simulated by itself with the same customers and chance: after the trigger has gone the load falls to a
share of the forecast and stays there; or every service has the policy from the start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gameday.experiments.recovery import does_it_recover
from gameday.experiments.rehearsal import Replications
from gameday.scenario import Scenario
from gameday.scenario.blocks import Service
from gameday.scenario.policies import Budget, CoDel, Limit
from gameday.scenario.reading import Injection
from gameday.traffic import LoadPlan
from gameday.vocabulary import SLOT_S

__all__ = ["find_remedies", "policies"]

_SHARES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Of the forecast: loads that are tried."""
_RATIO = 0.1
"""Retries a tenth of the load: the budget that is tried. Source: `Budget`."""

Play = Callable[[str, Scenario, LoadPlan], Replications]


def find_remedies(
    scenario: Scenario,
    calm: LoadPlan,
    injections: tuple[Injection, ...],
    down: set[str],
    play: Play,
) -> dict[str, Any]:
    """Return stack -> the largest share tried of the load that brings it back, and each policy's answer.

    `calm` is the plan with nothing injected; `down` are the stacks that stay down as they are. `load` says at
    which share of the forecast every replication comes back and at which larger one not: None where a tenth
    does not suffice.
    """
    as_it_is = play("nothing injected", scenario, calm)

    def back(name: str, variant: Scenario, plan: LoadPlan) -> dict[str, Any]:
        return does_it_recover(injections, play(name, variant, plan), as_it_is) or {}

    out: dict[str, Any] = {
        stack: {
            "load": _load(calm, injections, stack, partial(back, variant=scenario)),
            "policies": [],
            "replications": len(as_it_is),
        }
        for stack in sorted(down)
    }
    for name, variant in policies(scenario):
        answer = back(name, variant, calm.with_injections(injections))
        for stack in down:
            out[stack]["policies"].append(
                {"policy": name, "said": answer[stack]["said"], "after": answer[stack]["after"]}
            )
    return out


def _load(
    calm: LoadPlan,
    injections: tuple[Injection, ...],
    stack: str,
    back: Callable[..., dict[str, Any]],
) -> dict[str, float | None] | None:
    """Return the largest of _SHARES from which a stack comes back, and the next larger one, None = all."""
    mine = [one for one in injections if one.stack in (None, stack)]
    end_s = math.ceil(max(one.until_s for one in mine) / SLOT_S) * SLOT_S
    low, high = 0, len(_SHARES)
    while low < high:
        at = (low + high) // 2
        drop = Injection(f"traffic {_SHARES[at]:g}x", end_s, math.inf, traffic=_SHARES[at])
        answer = back(
            f"load falls to {_SHARES[at]:.0%}", plan=calm.with_injections((*injections, drop))
        )
        if _comes_back(answer[stack]):
            high = at
        else:
            low = at + 1
    if high == len(_SHARES):
        return None
    return {"share": _SHARES[high], "not_at": _SHARES[high - 1] if high else None}


def _comes_back(answer: dict[str, Any]) -> bool:
    return answer["recovers"] is not None and answer["recovers"]["mid"] == 1.0


def policies(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """Yield the scenario with one policy more in every service that can have it: those of the literature."""
    changes: list[tuple[str, Callable[[Service], dict[str, Any]]]] = [
        ("a retry budget of a tenth", _budget),
        ("a queue served within half the time-out", _short_queue),
        ("controlled delay (codel)", _codel),
        ("a limit on half the time-out", _limit),
        ("last in, first out under overload", _last_first),
        ("propagated deadlines", _heedful),
    ]
    for name, change in changes:
        services = {
            key: service.model_copy(update=change(service))
            for key, service in scenario.services.items()
        }
        if services != scenario.services:
            yield name, scenario.model_copy(update={"services": services})


def _budget(service: Service) -> dict[str, Any]:
    retry = service.retry
    if retry is None or not retry.attempts or retry.budget is not None:
        return {}
    return {"retry": retry.model_copy(update={"budget": Budget(ratio=_RATIO)})}


def _short_queue(service: Service) -> dict[str, Any]:
    """A server works off so many who wait in half the time-out, by its own work: calls below take longer."""
    places = 0.5 * service.timeout / service.time.mean
    return {"queue_per_server": places} if places < service.queue_per_server else {}


def _codel(service: Service) -> dict[str, Any]:
    target, interval = service.timeout / 10, service.timeout / 2
    return (
        {}
        if service.codel is not None
        else {"codel": CoDel.model_construct(target=target, interval=interval)}
    )


def _limit(service: Service) -> dict[str, Any]:
    return (
        {}
        if service.limit is not None
        else {"limit": Limit.model_construct(target=service.timeout / 2)}
    )


def _last_first(service: Service) -> dict[str, Any]:
    return {"queue_order": "adaptive"} if service.queue_order == "fifo" else {}


def _heedful(service: Service) -> dict[str, Any]:
    return {"deadline": "propagated"} if service.deadline == "own" else {}
