"""The room of the queueing model: customers queue in simulated time.

Job:   play a load plan against the scenario's services, in simulated time.
In:    LoadPlan, Scenario, Seed.    Out: RunRecord, one a replication.
Never: send a byte, know Locust, judge a result.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.simulate.cluster import on_cluster
    from gameday.simulate.machine_code import compiling
    from gameday.simulate.offered import (
        busy_s_per_step,
        offered_erlangs,
        visits_per_s,
        visits_per_step,
    )
    from gameday.simulate.real_speed import (
        LEAD_IN,
        CoreBudget,
        RealSpeedRuns,
        RealSpeedWindow,
        WaitForModel,
        plan_at_real_speed,
    )
    from gameday.simulate.replications import (
        REPLICATIONS,
        RunControl,
        replicate,
        replicate_each,
        simulate,
    )

__all__ = [
    "CoreBudget",
    "LEAD_IN",
    "REPLICATIONS",
    "RealSpeedRuns",
    "RealSpeedWindow",
    "RunControl",
    "WaitForModel",
    "compiling",
    "busy_s_per_step",
    "offered_erlangs",
    "on_cluster",
    "plan_at_real_speed",
    "replicate",
    "replicate_each",
    "simulate",
    "visits_per_s",
    "visits_per_step",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "CoreBudget": "real_speed",
            "LEAD_IN": "real_speed",
            "RealSpeedRuns": "real_speed",
            "RealSpeedWindow": "real_speed",
            "REPLICATIONS": "replications",
            "RunControl": "replications",
            "WaitForModel": "real_speed",
            "compiling": "machine_code",
            "busy_s_per_step": "offered",
            "offered_erlangs": "offered",
            "on_cluster": "cluster",
            "plan_at_real_speed": "real_speed",
            "replicate": "replications",
            "replicate_each": "replications",
            "simulate": "replications",
            "visits_per_s": "offered",
            "visits_per_step": "offered",
        },
    )
