"""How many servers a service has at an instant, and how fast they work.

One file a policy: its configuration, and its arithmetic as pure scalar functions. The embedded shop and the
queueing model call the same functions, so the two cannot drift apart.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.scenario.server_policies.autoscale import (
        METRICS,
        Autoscale,
        metric_of,
        servers_by_change,
        servers_wanted,
    )
    from gameday.scenario.server_policies.degraded import Degraded
    from gameday.scenario.server_policies.load import Load, load_factor
    from gameday.scenario.server_policies.outage import servers_left, stretched
    from gameday.scenario.server_policies.pauses import Pauses, seconds_with_pauses
    from gameday.scenario.server_policies.warm_up import WarmUp, cold_factor, cold_share

__all__ = [
    "Autoscale",
    "Degraded",
    "Load",
    "METRICS",
    "Pauses",
    "WarmUp",
    "cold_factor",
    "cold_share",
    "load_factor",
    "metric_of",
    "seconds_with_pauses",
    "servers_by_change",
    "servers_left",
    "servers_wanted",
    "stretched",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Autoscale": "autoscale",
            "Degraded": "degraded",
            "Load": "load",
            "METRICS": "autoscale",
            "Pauses": "pauses",
            "WarmUp": "warm_up",
            "cold_factor": "warm_up",
            "cold_share": "warm_up",
            "load_factor": "load",
            "metric_of": "autoscale",
            "seconds_with_pauses": "pauses",
            "servers_by_change": "autoscale",
            "servers_left": "outage",
            "servers_wanted": "autoscale",
            "stretched": "outage",
        },
    )
