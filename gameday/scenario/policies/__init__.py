"""What a service does when it is full, slow or failing; one file a policy.

Each holds its configuration and its arithmetic as pure scalar functions, called by the
embedded shop and by the queueing model alike, so the two cannot drift apart.
"""

from gameday.scenario.policies.autoscale import Autoscale, servers_wanted
from gameday.scenario.policies.budget import (
    Budget,
    may_retry,
    tokens_after_answer,
    tokens_after_retry,
)
from gameday.scenario.policies.limit import Limit, is_over_limit, next_limit
from gameday.scenario.policies.outage import servers_left, slowed
from gameday.scenario.policies.overload import CoDel, QueueOrder, has_waited_too_long
from gameday.scenario.policies.retry import Retry, backoff_s, lineage
from gameday.scenario.policies.shed import is_shed
from gameday.scenario.policies.timeout import gives_up_at_s

__all__ = [
    "Autoscale",
    "Budget",
    "CoDel",
    "Limit",
    "QueueOrder",
    "Retry",
    "backoff_s",
    "gives_up_at_s",
    "has_waited_too_long",
    "is_over_limit",
    "is_shed",
    "lineage",
    "may_retry",
    "next_limit",
    "servers_left",
    "servers_wanted",
    "slowed",
    "tokens_after_answer",
    "tokens_after_retry",
]
