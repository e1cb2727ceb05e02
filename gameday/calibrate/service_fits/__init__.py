"""What of a service can be told from a run, one file a parameter: `fit(case)` says what it found, or nothing."""

from __future__ import annotations

from collections.abc import Callable

from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.calibrate.service_fits import (
    autoscaling,
    cache,
    classes,
    contention,
    demand,
    instances,
    law,
    queue_bound,
    refusals,
    retries,
    servers,
    slowness,
    visits,
    way,
)

__all__ = [
    "OF_ANSWERS",
    "OF_FLOWS",
    "OF_GROWTH",
    "OF_KINDS",
    "OF_LOADS",
    "OF_VISITS",
    "ServiceFit",
]

ServiceFit = Callable[[ServiceCase], Found | None]

OF_FLOWS: tuple[ServiceFit, ...] = (visits.fit,)
"""From how many visits it gets, beside its callers."""
OF_LOADS: tuple[ServiceFit, ...] = (
    servers.fit,
    refusals.fit,
    demand.fit,
    instances.fit,
    queue_bound.fit,
    cache.fit,
    autoscaling.fit,
)
"""From what its servers, its queue and its callers count."""
OF_VISITS: tuple[ServiceFit, ...] = (law.fit,)
"""From how its visits spread and end, once loads are as measured."""
OF_GROWTH: tuple[ServiceFit, ...] = (contention.fit,)
"""From how it changes with the load."""
OF_KINDS: tuple[ServiceFit, ...] = (slowness.fit, retries.fit, classes.fit)
"""What few systems need, each found by letting explanations compete."""
OF_ANSWERS: tuple[ServiceFit, ...] = (way.fit,)
"""From how customers are answered, for what stands before the services that are observed."""
