"""Whether servers come later than autoscaling is declared to bring them, or not at all."""

from __future__ import annotations

import numpy as np

from gameday.calibrate.compared.observed import Observed
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.scenario.blocks import Spread
from gameday.scenario.server_policies import Autoscale

__all__ = ["fit"]

_LEAST_SHARE = 0.05
"""Of the servers that must be missing on average. Ours."""
_DELAYS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 1000.0)
"""Times the declared delay that are tried; the last is never within a run. Ours."""


def fit(case: ServiceCase) -> Found | None:
    """Return the delay with which servers come as late as they were seen to."""
    policy = case.model.service(case.name).autoscale
    seen = case.seen.load("servers")
    if policy is None or np.isnan(seen).all():
        return None
    if not _are_missing(case):
        return None
    delays = [policy.delay * times for times in _DELAYS]
    best = min(delays, key=lambda delay_s: _distance(case, policy, delay_s))
    if best == policy.delay:
        return None
    return case.differs(
        {"autoscale": policy.model_copy(update={"delay": best})},
        "autoscale.delay",
        policy.delay,
        Spread.exactly(best),
        by="when servers came",
        samples=np.nansum(case.seen.served),
    )


def _are_missing(case: ServiceCase) -> bool:
    """Return whether servers that autoscaling was to bring were missing."""
    seen, expected = case.seen.load("servers"), case.expected.load("servers")
    missing = float(np.nanmean(expected - seen)) / max(1.0, float(np.nanmean(expected)))
    return missing > _LEAST_SHARE and expected.max() > 1.1 * expected.min()


def _distance(case: ServiceCase, policy: Autoscale, delay_s: float) -> float:
    slower = policy.model_copy(update={"delay": delay_s})
    block = case.model.measured(case.name).model_copy(update={"autoscale": slower})
    played: Observed = case.model.simulate({case.name: block}).services[case.name]
    return float(np.nansum((played.load("servers") - case.seen.load("servers")) ** 2))
