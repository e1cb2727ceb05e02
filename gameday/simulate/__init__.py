"""The room where customers queue without a computer being hot.

Job:   play a load plan against the scenario's services, in simulated time.
In:    LoadPlan, Scenario, Seed.    Out: RunRecord, one a replication.
Never: send a byte, know Locust, judge a result.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.simulate.cluster import on_cluster
    from gameday.simulate.machine_code import compiling
    from gameday.simulate.offered import offered_erlangs, visits_per_s
    from gameday.simulate.real_speed import (
        LEAD_IN,
        AtRealSpeed,
        Take,
        at_real_speed,
        real_speed_model,
    )
    from gameday.simulate.replications import replicate, replicate_each, simulate

__all__ = [
    "AtRealSpeed",
    "LEAD_IN",
    "Take",
    "at_real_speed",
    "compiling",
    "offered_erlangs",
    "on_cluster",
    "real_speed_model",
    "replicate",
    "replicate_each",
    "simulate",
    "visits_per_s",
]

__getattr__ = opening(
    __name__,
    {
        "AtRealSpeed": "real_speed",
        "LEAD_IN": "real_speed",
        "Take": "real_speed",
        "at_real_speed": "real_speed",
        "compiling": "machine_code",
        "offered_erlangs": "offered",
        "on_cluster": "cluster",
        "real_speed_model": "real_speed",
        "replicate": "replications",
        "replicate_each": "replications",
        "simulate": "replications",
        "visits_per_s": "offered",
    },
)
