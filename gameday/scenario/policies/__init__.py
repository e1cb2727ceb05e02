"""What a service does when it is full, slow or failing; one file a policy.

Each holds its configuration and its arithmetic as pure scalar functions, called by the
embedded shop and by the queueing model alike, so the two cannot drift apart.
"""

from gameday.scenario.policies.autoscale import Autoscale, servers_wanted
from gameday.scenario.policies.limit import Limit, is_over_limit, next_limit
from gameday.scenario.policies.outage import servers_left, slowed
from gameday.scenario.policies.retry import Retry, backoff_s, lineage
from gameday.scenario.policies.shed import is_shed
from gameday.scenario.policies.timeout import gives_up_at_s

__all__ = [
    "Autoscale",
    "Limit",
    "Retry",
    "backoff_s",
    "gives_up_at_s",
    "is_over_limit",
    "is_shed",
    "lineage",
    "next_limit",
    "servers_left",
    "servers_wanted",
    "slowed",
]
