"""The room where customers queue without a computer being hot.

Job:   play a load plan against the scenario's services, in simulated time.
In:    LoadPlan, Scenario, Seed.    Out: RunRecord, one a replication.
Never: send a byte, know Locust, judge a result.
"""

from gameday.simulate.closed_forms import erlang_c, servers_for, wait_quantile_s
from gameday.simulate.intervals import t_interval
from gameday.simulate.offered import offered_erlangs, visits_per_s
from gameday.simulate.real_speed import real_speed_model
from gameday.simulate.replicate import simulate

__all__ = [
    "erlang_c",
    "offered_erlangs",
    "real_speed_model",
    "servers_for",
    "simulate",
    "t_interval",
    "visits_per_s",
    "wait_quantile_s",
]
