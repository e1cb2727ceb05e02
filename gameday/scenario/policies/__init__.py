"""What a service does when it is full, slow or failing; one file a policy.

Each holds its configuration and its arithmetic as pure scalar functions, called by the
embedded shop and by the queueing model alike, so the two cannot drift apart.
"""

from gameday.scenario.policies.autoscale import (
    METRICS,
    Autoscale,
    metric_of,
    servers_by_change,
    servers_wanted,
)
from gameday.scenario.policies.balance import Balance, first_of, is_less_busy, second_of
from gameday.scenario.policies.breaker import Breaker, failing_after, trips
from gameday.scenario.policies.budget import (
    Budget,
    may_retry,
    tokens_after_answer,
    tokens_after_retry,
)
from gameday.scenario.policies.cache import Cache, item_of
from gameday.scenario.policies.deadline import Deadline, deadline_s, is_too_late
from gameday.scenario.policies.hedge import Hedge, hedge_number
from gameday.scenario.policies.limit import Limit, is_over_limit, next_limit
from gameday.scenario.policies.load import Load, load_factor
from gameday.scenario.policies.outage import servers_left, stretched
from gameday.scenario.policies.overload import (
    ORDERS,
    CoDel,
    QueueOrder,
    has_waited_too_long,
    takes_last,
)
from gameday.scenario.policies.pauses import Pauses, seconds_with_pauses
from gameday.scenario.policies.pool import Pool, may_begin
from gameday.scenario.policies.retry import Retry, backoff_s, lineage
from gameday.scenario.policies.shed import is_shed, places_of, share_of
from gameday.scenario.policies.timeout import gives_up_at_s
from gameday.scenario.policies.waiting_room import room_now
from gameday.scenario.policies.warm_up import WarmUp, cold_factor, cold_share

__all__ = [
    "Autoscale",
    "Balance",
    "Breaker",
    "Budget",
    "Cache",
    "CoDel",
    "Deadline",
    "Hedge",
    "Limit",
    "METRICS",
    "ORDERS",
    "Load",
    "Pauses",
    "Pool",
    "QueueOrder",
    "Retry",
    "WarmUp",
    "backoff_s",
    "cold_factor",
    "cold_share",
    "deadline_s",
    "failing_after",
    "first_of",
    "gives_up_at_s",
    "has_waited_too_long",
    "hedge_number",
    "is_less_busy",
    "is_over_limit",
    "is_shed",
    "places_of",
    "is_too_late",
    "item_of",
    "lineage",
    "load_factor",
    "may_begin",
    "may_retry",
    "metric_of",
    "next_limit",
    "room_now",
    "second_of",
    "seconds_with_pauses",
    "servers_by_change",
    "servers_left",
    "servers_wanted",
    "share_of",
    "stretched",
    "takes_last",
    "tokens_after_answer",
    "tokens_after_retry",
    "trips",
]
