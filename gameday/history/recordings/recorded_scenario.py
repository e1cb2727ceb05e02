"""A whole scenario around recorded steps: one service, one region, a past made up, to be changed by a person."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from statistics import mean, median

from gameday.history.recordings.har import Recording
from gameday.history.recordings.recording import Proposal
from gameday.history.recordings.written_exchange import Block
from gameday.scenario.reading import to_yaml

__all__ = ["recorded_scenario", "recorded_text"]

_AHEAD_DAYS = 28
_SESSIONS_A_DAY = 1000
"""Of a past that is made up until there is a real one: `history` says where to change it. Small on purpose."""
_MOST_REQUESTS_PER_S, _MOST_CONCURRENT, _MOST_ORDERS = 50, 200, 200
"""Ceilings of what is made up: a person raises them with the volume."""
_LEAST_REPLY_S = 0.001
"""A reply of a recording takes as long at least: its clock counts in milliseconds."""
_INVENTED = {
    ("event", "start"): "invented: four weeks after the recording",
    ("history", "synthetic"): "invented: replace it by your own past (--history, or `file`)",
    ("history", "synthetic", "sessions_per_day"): "invented, and small",
    (
        "services",
        "edge",
    ): "invented: one service in place of yours, its time the median of the recording",
    ("services", "edge", "stacks", "site", "instances"): "invented",
    ("journeys", "recorded", "patience"): "invented",
    ("replay", "ceilings"): "caps what is invented: raise them when the volumes are yours",
    ("capacity", "instances"): "invented: your machines and prices",
    ("objectives",): "invented",
}
"""Path -> what a person must know of it; it stands beside it in the file."""


def recorded_scenario(name: str, recording: Recording, found: Proposal) -> Block:
    """Return the document of a scenario that loads and can be played against the recorded shop."""
    day = (recording.begun + timedelta(days=_AHEAD_DAYS)).date().isoformat()
    return {
        "event": {"name": name, "kind": "sale", "start": f"{day}T10:00", "duration": "2h"},
        "regions": {"here": {"zone": "UTC", "stack": "site"}},
        "history": _history(recording),
        "products": {"article": {"share": {"here": 1.0}}},
        "journeys": {"recorded": _journey(recording, found)},
        **({"values": found.values} if found.values else {}),
        "steps": found.steps,
        "services": {"edge": _service(recording)},
        "observe": {"series": {}},
        "replay": {
            "speed": _speed(recording, found),
            "ceilings": {
                "requests_per_s": _MOST_REQUESTS_PER_S,
                "concurrency": _MOST_CONCURRENT,
                "orders": _MOST_ORDERS,
            },
        },
        "objectives": ["error rate of all steps < 1%"],
        "guardrails": [{"when": "error rate of all steps > 50% for 10s", "then": "stop"}],
        "capacity": {"instances": {"m8g.large": {"hourly_usd": 0.1, "vcpu": 2}}},
    }


def recorded_text(name: str, recording: Recording, found: Proposal) -> str:
    """Return the scenario as YAML; what no recording says is marked as invented where it stands."""
    return to_yaml(recorded_scenario(name, recording, found), _INVENTED)


def _history(recording: Recording) -> Block:
    """Return the block of a made-up past."""
    until = (recording.begun + timedelta(days=_AHEAD_DAYS // 2)).date().isoformat()
    return {
        "until": f"{until}T00:00Z",
        "synthetic": {
            "days": 56,
            "sessions_per_day": {"here": _SESSIONS_A_DAY},
            "journeys": {"recorded": 1.0},
        },
    }


def _service(recording: Recording) -> Block:
    """Return the block of one service in place of the shop's, as fast as the recorded replies."""
    took_s = [max(request.took_s, _LEAST_REPLY_S) for request in recording.requests]
    return {
        "stacks": {"site": {"instances": 1, "instance": "m8g.large"}},
        "servers_per_instance": 16,
        "queue_per_server": 4,
        "time": {"law": "lognormal", "mean": _duration(median(took_s)), "cv": 1.0},
        "timeout": _duration(max(30.0, 2 * max(took_s))),
    }


def _speed(recording: Recording, found: Proposal) -> int:
    """Return a speed at which pauses stay well longer than replies, and minutes than the slowest of them."""
    took_s = (max(request.took_s, _LEAST_REPLY_S) for request in recording.requests)
    step_s = max(sum(took_s) / len(found.order), _LEAST_REPLY_S)
    pauses = [pause for rows in found.pauses.values() for pause in rows if pause > 0]
    bounds = (mean(pauses) if pauses else 10.0) / (4 * step_s), 60 / (10 * 10 * step_s)
    return int(max(1, min(20, *bounds)))


def _journey(recording: Recording, found: Proposal) -> Block:
    """Return the block of a journey that walks as the recording did."""
    slowest_s = max(request.took_s for request in recording.requests)
    every = [pause for pauses in found.pauses.values() for pause in pauses]
    think = {step: _duration(max(mean(pauses), 0.1)) for step, pauses in found.pauses.items()}
    usual = _duration(max(mean(every), 0.1)) if every else "10s"
    return {
        "start": {found.order[0]: 1.0},
        "next": _transitions(found),
        "think": {**think, "other": usual},
        "patience": _duration(max(15.0, 2 * slowest_s)),
    }


def _transitions(found: Proposal) -> Block:
    """Return the Markov chain of the recording: step -> next step -> share of the times; each row sums to 1."""
    moves = {step: Counter[str]() for step in found.steps}
    for here, to in zip(found.order, [*found.order[1:], "exit"], strict=True):
        moves[here][to] += 1
    return {step: {**_shares(counts)} for step, counts in moves.items()}


def _shares(counts: Counter[str]) -> dict[str, float]:
    """Return each count's share with six digits; the first one takes what rounding leaves of 1."""
    shares = {name: round(n / counts.total(), 6) for name, n in counts.items()}
    first = next(iter(shares))
    shares[first] = round(1 - sum(share for name, share in shares.items() if name != first), 6)
    return shares


def _duration(seconds: float) -> str:
    """Return a time as a scenario writes it, never as 1e+03."""
    return f"{seconds:.4f}".rstrip("0").rstrip(".") + "s"
