"""The map of the compiled engine's memory: every table is an array of records, one dtype each.

A kernel is handed three single records, SPEC, WORLD and BOOKS, that hold numbers and the addresses
of the tables; `session_at(w, i)` is record i of `w.sessions`. A record is a bare pointer to numba:
handing it on costs nothing, where an array's reference would be counted at every call. Links are
indices, NONE where there is none. Both engines know the same things by the same names.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gameday.simulate.compiled.inlined import inlined

__all__ = [
    "ATTEMPT",
    "BALANCES",
    "BOOKS",
    "CALL",
    "CHOICE",
    "EVENT",
    "GROUP",
    "ITEM",
    "JOURNEY",
    "LANE",
    "LAWS",
    "MEMBER",
    "NEXT",
    "NONE",
    "NUMBER",
    "PATIENT",
    "SALE",
    "SCRIPT",
    "SERVICE",
    "SESSION",
    "SHARE",
    "SMALL",
    "SPEC",
    "SUM",
    "SWITCH",
    "VISIT",
    "WORK",
    "WORLD",
    "reader",
]

NONE = -1


def _dtype(**fields: str) -> np.dtype[Any]:
    """Return the dtype with these fields, each `letter: names`."""
    kinds = {"f": "f8", "i": "i8", "u": "u8", "n": "i4", "s": "f4"}
    parts = [(name, kinds[kind]) for kind, names in fields.items() for name in names.split()]
    return np.dtype(parts, align=True)


# --- what changes -----------------------------------------------------------------------------------

SESSION = _dtype(
    u="key",
    f="start_s nominal_s sent_s deadline_s",
    i="number deadline_seq",
    n="journey product place step began planned_slot sent_slot tries since mood outcome work works cart before "
    "behind is_over",
)
"""A customer. `before`, `behind`: neighbours among those of a journey whose patience runs."""

WORK = _dtype(n="session script group exchange pending place tries bad bad_at has_left members")
"""The exchanges of one step, done once. `members`: exchanges that have not ended."""

CALL = _dtype(
    f="deadline_s hedge_at_s",
    i="session line hedge_seq item era",
    n="visit parent is_root exchange place number ok member outcome zone first second is_hedged before "
    "behind",
)
"""A caller waiting for a service: of an exchange (`is_root`) or of an attempt above. `item`: what it
looked for in the cache; `first`, `second`: attempts under way, where callers hedge; `before`, `behind`:
neighbours among those who will ask a second time (`is_hedged`)."""

ATTEMPT = _dtype(
    f="arrived_s deadline_s caller_s",
    i="deadline_seq session line",
    n="call visit number exchange place group pending ok has_replied is_queued ahead after before behind "
    "lane zone",
)
"""The server's side of one try. `ahead`, `after`: neighbours in the queue; `before`, `behind`:
neighbours among those whose caller still waits; `caller_s`: the caller's own deadline."""

SERVICE = _dtype(
    f="since_s busy_since_scaling timeout_s backoff_s scale_interval_s scale_target scale_delay_s "
    "limit_target_s slow stretch tokens tokens_each tokens_most codel_target_s codel_interval_s "
    "contention coherency cold_s cold_factor pause_every_s pause_s "
    "queue_since_scaling acted_s scale_cooldown_s hedge_s open_s failures window failing open_until_s "
    "skew key_share places_each",
    i="in_use servers queued wanted slot oldest newest is_armed retries most is_down order "
    "lane_from lane_to balance is_in_zone zones outage connected connections each is_plain is_heedful "
    "arrived_since_scaling scale_metric bands_from bands_to least oldest_hedge newest_hedge "
    "is_hedge_armed is_trying era keys entries items_from kept item_oldest item_newest",
)
"""A service, its rules, and what its lanes come to together. `oldest`, `newest`: of the callers who
wait; `balance`: its place in BALANCES, NONE = one lane. A rule that is not there is 0: `scale_interval_s`
(it does not scale), `limit_target_s`, `tokens_each` (retries have no budget), `codel_interval_s` (whoever
waits is served), `cold_s` (new servers are as quick as old ones), `pause_every_s`, `open_s` (no breaker),
`hedge_s`, `entries` (no cache). Bands: rows of three: above, below, change. `is_heedful`: it heeds
deadlines; `is_plain`: its work takes as long as it says; `each`: servers an instance."""

LANE = _dtype(
    f="limit most_inside standing_since_s cold_since_s cold_share phase",
    i="inside in_use servers queued first last queue_bound sized lost room before zone turn",
)
"""Servers with a queue of their own. `first`, `last`: of its queue; `before`: servers of the lanes before
it; `sized`: its servers with those that are `lost`; `phase` below 0 = drawn."""
BALANCES = ("round_robin", "random", "least_connections", "two_choices")

ITEM = _dtype(n="older newer is_kept")
"""An answer callers may have kept, with its neighbours by last use."""

SALE = _dtype(f="opens_s countdown_s admits_per_s gone_s room room_s", i="left most")
"""What is sold of a product type that is limited, as `scenario.sales.Sale`."""

PATIENT = _dtype(i="oldest newest is_armed")
"""Of a journey: whose patience runs."""

EVENT = _dtype(f="when_s", i="key what")
NUMBER, SUM, SMALL, SHARE = _dtype(i="n"), _dtype(f="x"), _dtype(n="n"), _dtype(s="x")

WORLD = _dtype(
    f="now_s arrives_s",
    i="arrival arrival_key sessions works calls attempts services lanes items patients sales events urgent normal "
    "free_sessions free_works free_calls free_attempts "
    "sessions_free works_free calls_free attempts_free "
    "room ring_mask event_count is_tight is_starved sequence urgent_from urgent_to normal_from normal_to",
)
"""Addresses of tables, of the stacks of what is free in them, and how much is. `room`: what one event
may begin of anything; `is_tight`: something has less left; `is_starved`: the last session of this part
of the plan has come; `arrival`, `arrives_s`, `arrival_key`: the next one."""

# --- what does not change ----------------------------------------------------------------------------

JOURNEY = _dtype(
    f="patience_s failed_again failed_pause_s sold_out_again sold_out_pause_s waiting_again waiting_pause_s",
    i="failed_most sold_out_most waiting_most start_from start_to length_from length_to time",
)
NEXT = _dtype(i="choice_from choice_to")
"""Of a journey and step, `journey * steps + step`."""
CHOICE = _dtype(f="upto", i="step pause")
PAUSE = _dtype(f="mean_s second third", i="law row_from row_to")
"""A law as a visit's; before it in the table those of no length, of law `deterministic`."""
SCRIPT = _dtype(i="group_from group_to")
GROUP = _dtype(i="member_from member_to")
"""Of exchanges in a script, or of calls below a visit."""
MEMBER = _dtype(i="visit is_required is_optional action")
VISIT = _dtype(
    f="mean_s second third factor share hold_s",
    i="law row_from row_to service number group_from group_to is_held",
)
"""`law`: its place in LAWS; `second`, `third`: its other parameters; rows: those of its table."""
LAWS = ("deterministic", "exponential", "lognormal", "gamma", "pareto", "empirical")

SWITCH = _dtype(f="at_s until_s share slow", i="service zone is_down is_flush least")
"""What is injected or scheduled."""

SPEC = _dtype(
    f="slot_s until_s offset_s speed",
    i="slots steps products service_count root arrivals "
    "switches switch_count "
    "journeys nexts choices pauses nominal scripts script_of groups members visits law_rows is_limited "
    "arrival_s arrival_number arrival_journey arrival_product plan_root",
)

BOOKS = _dtype(i="steps sessions attempts loads response visits delay slots")
"""Addresses of a record's arrays, in their own order."""


def reader(dtype: np.dtype[Any]) -> Any:
    """Return the kernel function (address, index) -> record of a table of `dtype`."""
    record, size = numba.from_dtype(dtype), dtype.itemsize

    @intrinsic
    def read(typing: Any, address: Any, index: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            offset = builder.mul(args[1], ir.Constant(ir.IntType(64), size))
            return builder.inttoptr(builder.add(args[0], offset), context.get_value_type(record))

        return record(types.int64, types.int64), code

    @inlined
    def at(address: int, index: int) -> Any:
        return read(address, index)

    return at
