"""What a caller does about a slow or failing service: retries, hedges, time-outs, breakers, caches.

One file a policy: its configuration, and its arithmetic as pure scalar functions. The embedded shop and the
queueing model call the same functions, so the two cannot drift apart.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.scenario.caller_policies.breaker import Breaker, failing_after, trips
    from gameday.scenario.caller_policies.budget import (
        Budget,
        may_retry,
        tokens_after_answer,
        tokens_after_retry,
    )
    from gameday.scenario.caller_policies.cache import Cache, item_of
    from gameday.scenario.caller_policies.deadline import Deadline, deadline_s, is_too_late
    from gameday.scenario.caller_policies.hedge import Hedge, hedge_number
    from gameday.scenario.caller_policies.retry import Retry, backoff_s, lineage
    from gameday.scenario.caller_policies.timeout import gives_up_at_s

__all__ = [
    "Breaker",
    "Budget",
    "Cache",
    "Deadline",
    "Hedge",
    "Retry",
    "backoff_s",
    "deadline_s",
    "failing_after",
    "gives_up_at_s",
    "hedge_number",
    "is_too_late",
    "item_of",
    "lineage",
    "may_retry",
    "tokens_after_answer",
    "tokens_after_retry",
    "trips",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Breaker": "breaker",
            "Budget": "budget",
            "Cache": "cache",
            "Deadline": "deadline",
            "Hedge": "hedge",
            "Retry": "retry",
            "backoff_s": "retry",
            "deadline_s": "deadline",
            "failing_after": "breaker",
            "gives_up_at_s": "timeout",
            "hedge_number": "hedge",
            "is_too_late": "deadline",
            "item_of": "cache",
            "lineage": "retry",
            "may_retry": "budget",
            "tokens_after_answer": "budget",
            "tokens_after_retry": "budget",
            "trips": "breaker",
        },
    )
