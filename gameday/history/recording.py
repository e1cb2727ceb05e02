"""A recording to steps: what is a page and its calls, what came from earlier replies, what a person typed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from gameday.history.har import Recorded, Recording
from gameday.history.recorded_exchanges import Writer
from gameday.history.url_proposal import named_step, template_of

__all__ = ["Proposal", "propose_steps"]

_THINKS_S = 1.0
"""Silence after which the next request is a person's doing, not the page's. Ours."""


@dataclass
class Proposal:
    """What a recording comes to, in plain data as a scenario writes it."""

    steps: dict[str, Any] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    """Steps as they were done."""
    pauses: dict[str, list[float]] = field(default_factory=dict)
    """Step -> pauses after it, s."""
    values: dict[str, Any] = field(default_factory=dict)
    """Words for what was searched and which articles were asked for: one choice each, to be added to."""
    notes: list[str] = field(default_factory=list)
    """What was guessed, or should be read over."""


def propose_steps(recording: Recording) -> Proposal:
    """Return the steps of a recording, each by its first time: exchanges, checks, and what they take from replies.

    No cookie and no password is written: customers keep their own cookies, and have passwords of their own.
    """
    out, writer = Proposal(), Writer(recording)
    before: list[Recorded] = []
    for requests in _steps(recording.requests):
        name = _name(requests, out.steps)
        if before:
            pause = max(0.0, requests[0].at_s - max(one.ended_s for one in before))
            out.pauses.setdefault(out.order[-1], []).append(round(pause, 1))
        if name not in out.steps:
            out.steps[name] = {"exchanges": writer.exchanges(name, requests)}
        else:
            writer.again(out.steps[name], requests)
        out.order.append(name)
        before = requests
    out.values = {
        word: {"choice": texts, "drawn": "session"} for word, texts in writer.values.items()
    }
    out.notes = [
        *(f"{n} requests left out: {why}" for why, n in recording.left_out.items()),
        *writer.notes,
    ]
    return out


def _steps(requests: tuple[Recorded, ...]) -> list[list[Recorded]]:
    """Return the requests step by step: a page and what it asks for; a form and what sends it."""
    out: list[list[Recorded]] = []
    for one in requests:
        rests = not out or one.at_s - max(r.ended_s for r in out[-1]) > _THINKS_S
        sends_form = (
            bool(out)
            and one.method == "POST"
            and one.path == out[-1][0].path
            and out[-1][0].method == "GET"
        )
        if out and (sends_form or not (rests or (one.is_page and not _has_api(one)))):
            out[-1].append(one)
        else:
            out.append([one])
    return out


def _has_api(one: Recorded) -> bool:
    return any(name.lower() == "x-requested-with" for name, _ in one.headers)


def _name(requests: list[Recorded], known: dict[str, Any]) -> str:
    """Return a step's name by its paths; the same paths have the same name."""
    template = template_of(requests[0].path) or requests[0].path
    name = named_step(template)
    if name is None:
        words = [
            part for part in re.split(r"[^a-z0-9]+", template.lower()) if part and part != "id"
        ]
        name = "-".join(words[-2:])[:40] or "home"
        name = name if name[0].isalpha() else f"page-{name}"[:40]
    places = [(one.method, template_of(one.path)) for one in requests]
    tried, number = name, 1
    while tried in known and not _alike(known[tried], places):
        number += 1
        tried = f"{name}-{number}"[:40]
    return tried


def _alike(step: dict[str, Any], places: list[tuple[str, str | None]]) -> bool:
    """Return whether a step begins with the same request."""
    first = step["exchanges"][0]
    first = first[0] if isinstance(first, list) else first
    path = template_of(re.sub(r"\{[^}]*\}", "1", first["path"]))
    return (first.get("method", "GET"), path) == places[0]
