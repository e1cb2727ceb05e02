"""Which queue a request joins, whether it is admitted, and in which order those who wait are served.

One file a policy: its configuration, and its arithmetic as pure scalar functions. The embedded shop and the
queueing model call the same functions, so the two cannot drift apart.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.scenario.queue_policies.balance import (
        BALANCES,
        Balance,
        first_of,
        is_less_busy,
        second_of,
    )
    from gameday.scenario.queue_policies.limit import Limit, is_over_limit, next_limit
    from gameday.scenario.queue_policies.overload import (
        ORDERS,
        CoDel,
        QueueOrder,
        has_waited_too_long,
        takes_last,
    )
    from gameday.scenario.queue_policies.pool import Pool, may_begin
    from gameday.scenario.queue_policies.rate_limit import RateLimit, tokens_at
    from gameday.scenario.queue_policies.shed import is_shed, places_of, share_of
    from gameday.scenario.queue_policies.waiting_room import room_now

__all__ = [
    "BALANCES",
    "Balance",
    "CoDel",
    "Limit",
    "ORDERS",
    "Pool",
    "QueueOrder",
    "RateLimit",
    "first_of",
    "has_waited_too_long",
    "is_less_busy",
    "is_over_limit",
    "is_shed",
    "may_begin",
    "next_limit",
    "places_of",
    "room_now",
    "second_of",
    "share_of",
    "takes_last",
    "tokens_at",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "BALANCES": "balance",
            "Balance": "balance",
            "CoDel": "overload",
            "Limit": "limit",
            "ORDERS": "overload",
            "Pool": "pool",
            "QueueOrder": "overload",
            "RateLimit": "rate_limit",
            "first_of": "balance",
            "has_waited_too_long": "overload",
            "is_less_busy": "balance",
            "is_over_limit": "limit",
            "is_shed": "shed",
            "may_begin": "pool",
            "next_limit": "limit",
            "places_of": "shed",
            "room_now": "waiting_room",
            "second_of": "balance",
            "share_of": "shed",
            "takes_last": "overload",
            "tokens_at": "rate_limit",
        },
    )
