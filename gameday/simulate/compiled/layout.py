"""The compiled engine's memory: every table is an array of records, one dtype each.

A kernel is given three single records that hold numbers and the addresses of the tables: SPEC (what does not
change), WORLD (what does) and STATS (what is counted). `session_at(world, i)` is record i of
`world.sessions`. To numba a record is a bare pointer: passing it on costs nothing, where an array's
reference would be counted at every call. Links are indices, NONE where there is none. Indices have the same
names everywhere: i session, k work of a step, c call, a attempt, s service, j journey.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gameday.scenario.blocks import Service
from gameday.simulate.compiled.inlined import inlined
from gameday.vocabulary import Array

__all__ = [
    "ATTEMPT",
    "CHANGE",
    "CALL",
    "CHOICE",
    "EVENT",
    "GROUP",
    "ITEM",
    "JOURNEY",
    "LANE",
    "LAWS",
    "LOOK",
    "MEMBER",
    "NEXT",
    "NONE",
    "NUMBER",
    "ORDER",
    "PATIENT",
    "PAUSE",
    "Row",
    "SALE",
    "SCRIPT",
    "SERVICE",
    "SESSION",
    "SHARE",
    "SMALL",
    "SPEC",
    "SUM",
    "STATS",
    "VISIT",
    "WORK",
    "WORLD",
    "reader",
    "signed",
    "table",
]

NONE = -1


Row = dict[str, float]
"""Some fields of a record; the others are 0."""


def _dtype(**fields: str) -> np.dtype[Any]:
    """Return the aligned dtype with these fields; the letter of a group of names says their type."""
    kinds = {"f": "f8", "i": "i8", "u": "u8", "n": "i4", "s": "f4"}
    parts = [(name, kinds[kind]) for kind, names in fields.items() for name in names.split()]
    return np.dtype(parts, align=True)


# --- what changes -----------------------------------------------------------------------------------

SESSION = _dtype(
    u="key",
    f="start_s nominal_s sent_s deadline_s",
    i="number deadline_seq",
    n="journey product position step began planned_slot sent_slot tries since mood outcome work works cart before "
    "behind is_over",
)
"""A customer. `position`: of the step in its walk; `tries`: of the step before this one, `since`: how many of
them before `mood`, the outcome it reacts to; `before`, `behind`: neighbours in the list of a journey's customers
whose patience runs."""

WORK = _dtype(
    n="session script group exchange pending position tries bad_outcome bad_member has_left members"
)
"""The exchanges of one step, tried once. `members`: exchanges that have not ended; `pending`: required ones of the
present group that have not; `bad_outcome`: of the first of them that went wrong, `bad_member`."""

CALL = _dtype(
    f="deadline_s hedge_at_s",
    i="session line hedge_seq item era",
    n="visit parent is_root exchange position number ok member outcome zone first second is_hedged before "
    "behind",
)
"""A caller that waits for a service: an exchange (`is_root`) or an attempt. `line`: its lineage, which retries led
to it; `item`: what it looked up in the cache; `first`, `second`: attempts under way, where callers hedge;
`before`, `behind`: neighbours in the list of those whose hedge timer runs (`is_hedged`)."""

ATTEMPT = _dtype(
    f="arrived_s deadline_s caller_s",
    i="deadline_seq session line",
    n="call visit number exchange position group pending ok has_replied is_queued ahead after before behind "
    "lane zone",
)
"""The server's side of one request. `ahead`, `after`: neighbours in the queue; `before`, `behind`: neighbours in
the list of those whose caller's timer runs; `caller_s`: until when anybody waits for the caller."""

_POLICIES = Service.policy_kinds().values()
SERVICE = _dtype(
    f=" ".join(
        [
            "since_s timeout_s slow stretch places_each",
            *(name for policy in _POLICIES for name in policy.real_columns),
        ]
    ),
    i=" ".join(
        [
            "in_use servers queued wanted slot oldest newest is_armed most least is_down queue_order outage",
            "lane_from lane_to zones connected servers_per_instance is_plain is_heedful",
            "oldest_hedge newest_hedge is_hedge_armed",
            *(name for policy in _POLICIES for name in policy.whole_columns),
        ]
    ),
)
"""A service, the columns of its policies, and the sums over its lanes. `oldest`, `newest`: of the attempts whose
caller's timer runs. The columns of a policy that is absent are 0. `is_heedful`: it heeds deadlines; `is_plain`:
only outages change how long its work takes."""

LANE = _dtype(
    f="limit most_inside standing_since_s cold_since_s cold_share phase",
    i="inside in_use servers queued first last queue_bound sized lost room before zone turn",
)
"""Servers with a queue of their own, as `queueing.RunningLane`. `first`, `last`: of its queue; `before`: servers
of the lanes before it; `phase` below 0 = drawn."""

ITEM = _dtype(n="older newer is_cached")
"""An item that callers may have in their cache, with its neighbours by last use."""

SALE = _dtype(f="opens_s countdown_s admits_per_s gone_s room room_s", i="left most")
"""The sale of a limited product type, as `queueing.Sale`."""

PATIENT = _dtype(i="oldest newest is_armed")
"""Of a journey: the list of customers whose patience runs."""

EVENT = _dtype(f="when_s", i="key packed")
"""`key`: rank of the kind and sequence number; `packed`: kind and index of what it is about."""
NUMBER, SUM, SMALL, SHARE = _dtype(i="n"), _dtype(f="x"), _dtype(n="n"), _dtype(s="x")

WORLD = _dtype(
    f="now_s arrives_s",
    i="arrival arrival_key sessions works calls attempts services lanes items patients sales events urgent normal "
    "free_sessions free_works free_calls free_attempts "
    "sessions_free works_free calls_free attempts_free "
    "room ring_mask event_count is_tight is_starved sequence urgent_from urgent_to normal_from normal_to",
)
"""Addresses of tables and of their free lists, and how many are free. `room`: the most that one event may begin of
anything; `is_tight`: some table has less left; `is_starved`: the last session of this part of the plan has
come; `arrival`, `arrives_s`, `arrival_key`: the next one."""

# --- what does not change ----------------------------------------------------------------------------

JOURNEY = _dtype(
    f="patience_s failed_again failed_pause_s sold_out_again sold_out_pause_s waiting_again waiting_pause_s",
    i="failed_most sold_out_most waiting_most start_from start_to length_from length_to time walk_from walks",
)
"""`walks`: observed sessions that are played whole, 0 where a chain is walked; `walk_from`: the first of them."""
WALK = _dtype(i="step_from")
"""Of an observed session: its first row of WALK_STEP; the next session's is where it ends."""
WALK_STEP = _dtype(f="pause_s", i="step")
NEXT = _dtype(i="choice_from choice_to")
"""Of a journey and step, at index `journey * steps + step`: its choices of the next one."""
CHOICE = _dtype(f="upto", i="step pause")
"""A row of a cumulative distribution; `upto`: the sum of the weights to here."""
PAUSE = _dtype(f="mean_s second third", i="law row_from row_to")
"""A law of think time, as a visit's of service time; the first of the table has no length."""
SCRIPT = _dtype(i="group_from group_to")
GROUP = _dtype(i="member_from member_to")
"""Of exchanges in a script, or of calls below a visit."""
MEMBER = _dtype(i="visit is_required is_optional action")
CART, ORDER, LOOK = 1, 2, 3
"""`action`: what an exchange does with a limited product; 0 = nothing."""
VISIT = _dtype(
    f="mean_s second third factor share hold_s chance",
    i="law row_from row_to service number group_from group_to is_held",
)
"""`law`: index in LAWS; `second`, `third`: its other parameters; rows: those of its table; `factor`: own work is
the law's time x `factor`; `chance`: share of its caller's visits that make it;
`is_held`: the server waits for the calls below."""
LAWS = ("deterministic", "exponential", "lognormal", "gamma", "pareto", "empirical")

CHANGE = _dtype(
    f="at_s until_s share_left slow_factor", i="service zone is_down is_flush least_servers"
)
"""What is injected or scheduled, as `queueing.TimedChange`."""

SPEC = _dtype(
    f="slot_s until_s offset_s speed",
    i="slots steps products service_count root arrivals "
    "changes change_count "
    "journeys nexts choices pauses walks walk_steps nominal "
    "scripts script_of groups members visits law_rows is_limited "
    "arrival_s arrival_number arrival_journey arrival_product plan_root",
)

STATS = _dtype(i="steps sessions attempts loads response visits delay slots")
"""Addresses of a record's arrays, in their own order."""


def table(dtype: np.dtype[Any], rows: list[Row]) -> Array:
    """Return rows, all of the same fields, as a table; it has one row at least, so its address is ours."""
    records = np.zeros(max(1, len(rows)), dtype)
    for name in rows[0] if rows else ():
        records[name] = [row[name] for row in rows]
    return records


def signed(root: int) -> int:
    """Return an unsigned 64-bit number as the signed one of the same bits."""
    return root - (1 << 64) if root >= 1 << 63 else root


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
