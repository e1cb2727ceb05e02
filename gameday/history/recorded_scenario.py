"""A whole scenario around recorded steps: one service, one region, a past made up, to be changed by a person."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from statistics import mean, median
from typing import Any

from gameday.history.har import Recording
from gameday.history.recording import Proposal

__all__ = ["recorded_scenario"]

_AHEAD_DAYS = 28
_SESSIONS_A_DAY = 200_000
"""Of a past that is made up until there is a real one: `history` says where to change it."""


def recorded_scenario(name: str, recording: Recording, found: Proposal) -> dict[str, Any]:
    """Return a scenario in plain data that loads and can be played against the recorded shop."""
    day = (recording.begun + timedelta(days=_AHEAD_DAYS)).date().isoformat()
    until = (recording.begun + timedelta(days=_AHEAD_DAYS // 2)).date().isoformat()
    took_s = [max(one.took_s, 0.001) for one in recording.requests]
    return {
        "event": {"name": name, "kind": "sale", "start": f"{day}T10:00", "duration": "2h"},
        "regions": {"here": {"zone": "UTC", "stack": "site"}},
        "history": {
            "until": f"{until}T00:00Z",
            "synthetic": {
                "days": 56, "sessions_per_day": {"here": _SESSIONS_A_DAY}, "journeys": {"recorded": 1.0},
            },
        },
        "products": {"article": {"share": {"here": 1.0}}},
        "journeys": {"recorded": _journey(found)},
        **({"values": found.values} if found.values else {}),
        "steps": found.steps,
        "services": {
            "edge": {
                "stacks": {"site": {"instances": 12, "instance": "m8g.large"}},
                "servers_per_instance": 16, "queue_per_server": 4,
                "time": {"law": "lognormal", "mean": f"{1000 * median(took_s):.3g}ms", "cv": 1.0},
                "timeout": "30s",
            }
        },
        "observe": {"series": {}},
        "replay": {"speed": _speed(recording, found)},
        "objectives": ["error rate of all steps < 1%"],
        "guardrails": [{"when": "error rate of all steps > 50% for 10s", "then": "stop"}],
        "capacity": {"instances": {"m8g.large": {"hourly_usd": 0.1, "vcpu": 2}}},
    }  # fmt: skip


def _speed(recording: Recording, found: Proposal) -> int:
    """Return a speed at which pauses stay well longer than replies, and minutes than the slowest of them."""
    slowest_s = max(
        sum(max(one.took_s, 0.001) for one in recording.requests) / len(found.order), 0.001
    )
    pauses = [pause for rows in found.pauses.values() for pause in rows if pause > 0]
    bounds = (mean(pauses) if pauses else 10.0) / (4 * slowest_s), 60 / (10 * 10 * slowest_s)
    return int(max(1, min(20, *bounds)))


def _journey(found: Proposal) -> dict[str, Any]:
    """Return the chain of the recording: from each step on as often as it went there."""
    moves = {step: Counter[str]() for step in found.steps}
    for here, to in zip(found.order, [*found.order[1:], "exit"], strict=True):
        moves[here][to] += 1
    rows = {}
    for step, counts in moves.items():
        shares = {to: round(n / counts.total(), 6) for to, n in counts.items()}
        first = next(iter(shares))
        shares[first] = round(1 - sum(s for to, s in shares.items() if to != first), 6)
        rows[step] = shares
    every = [pause for pauses in found.pauses.values() for pause in pauses]
    think = {step: f"{max(mean(pauses), 0.1):.3g}s" for step, pauses in found.pauses.items()}
    usual = f"{max(mean(every), 0.1):.3g}s" if every else "10s"
    return {
        "start": {found.order[0]: 1.0},
        "next": rows,
        "think": think | {"other": usual},
        "patience": "15s",
    }
