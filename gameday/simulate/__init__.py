"""The room where customers queue without a computer being hot.

Job:   play a load plan against the scenario's services, in simulated time.
In:    LoadPlan, Scenario, Seed.    Out: RunRecord, one a replication.
Never: send a byte, know Locust, judge a result.
"""

from gameday.simulate.machine_code import compiling
from gameday.simulate.offered import offered_erlangs
from gameday.simulate.real_speed import at_real_speed, real_speed_model
from gameday.simulate.replicate import replicate, simulate

__all__ = [
    "at_real_speed",
    "compiling",
    "offered_erlangs",
    "real_speed_model",
    "replicate",
    "simulate",
]
