"""A recording to steps: what is a page and its calls, what came from earlier replies, what a person typed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from gameday.history.importers.url_proposal import named_step, router_of, template_of
from gameday.history.recordings.har import Recorded, Recording
from gameday.history.recordings.recorded_exchanges import Writer
from gameday.history.recordings.recorded_secrets import secrets_of
from gameday.history.recordings.secrets import SecretValues

__all__ = ["Proposal", "propose_steps"]

_THINKS_S = 1.0
"""Silence after which the next request is a person's doing, not the page's. Ours."""
_MOST_EXCHANGES = 32
"""Of a step, as the scenario allows."""
_BLANK = "CHANGE-ME"
_GRAPHQL = re.compile(r"^\s*(?:query|mutation)?\s*(?:(\w+)[^{]*)?(?:\([^{]*)?\{\s*(\w+)")
"""An operation's name, and its first field."""
_TELLING = frozenset(
    ("action", "act", "cmd", "command", "method", "op", "operation", "do", "task", "controller")
)
"""Names of fields that tell one address's actions apart, where no values of theirs are called as steps."""
Signature = tuple[str, str, str, tuple[str, ...]]
"""Method, template of the path, what tells the page (a parameter's value, an operation), the body's names."""


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
    """What was left out, guessed, or should be read over."""


def propose_steps(recording: Recording) -> Proposal:
    """Return the steps of a recording, each by its first time: exchanges, checks, and what they take from replies.

    No cookie, password or other secret is written: customers keep their own cookies, and their passwords.
    """
    return _Steps(recording).proposal()


class _Steps:
    """Requests grouped into steps, written once each."""

    def __init__(self, recording: Recording) -> None:
        self._recording, self._secrets = recording, secrets_of(recording)
        self._writer = Writer(recording, self._secrets)
        self._routers = _routers(recording.requests)
        self._known: dict[str, list[Recorded]] = {}
        """Step -> the requests it was written from."""
        self._repeats: list[str] = []
        self._cut: list[str] = []

    def proposal(self) -> Proposal:
        """Return the steps and all that must be said of them."""
        out = Proposal()
        before: list[Recorded] = []
        for requests in self._groups():
            if before:
                pause = max(0.0, requests[0].at_s - max(one.ended_s for one in before))
                out.pauses.setdefault(out.order[-1], []).append(round(pause, 1))
            before = requests
            self._cut += [self._shown(one) for one in requests[_MOST_EXCHANGES:]]
            requests = requests[:_MOST_EXCHANGES]
            name = self._name(requests)
            if name in self._known:
                first = self._known[name]
                places = [self._signature(one) for one in first]
                same = [first[places.index(self._signature(one))] for one in requests]
                self._writer.again(requests, same)
                self._repeats += [f"{self._shown(one)} (step {name})" for one in requests]
            else:
                self._known[name] = requests
                out.steps[name] = {"exchanges": self._writer.exchanges(name, requests)}
            out.order.append(name)
        out.values = {
            word: {"choice": texts, "drawn": "session"}
            for word, texts in self._writer.values.items()
        }
        out.steps, out.values = _clean(out.steps, self._secrets), _clean(out.values, self._secrets)
        out.notes = [
            *self._counted(),
            *self._writer.notes,
            *self._said_of_words(),
            *self._missing(out),
        ]
        return out

    def _groups(self) -> list[list[Recorded]]:
        """Return the requests step by step: a page and what it asks for; a form and what sends it."""
        out: list[list[Recorded]] = []
        for one in self._recording.requests:
            rests = not out or one.at_s - max(r.ended_s for r in out[-1]) > _THINKS_S
            first = out[-1][0] if out else one
            sends_form = (
                bool(out)
                and one.method == "POST"
                and first.method == "GET"
                and self._signature(one)[1:3] == self._signature(first)[1:3]
            )
            if out and (sends_form or not (rests or (one.is_page and not _has_api(one)))):
                out[-1].append(one)
            else:
                out.append([one])
        return out

    def _signature(self, one: Recorded) -> Signature:
        router = self._routers.get(one.path)
        told = dict(_fields(one)).get(router, "") if router else _operation(one)
        if not told and one.method != "GET":
            told = next((value for name, value in _fields(one) if name.lower() in _TELLING), "")
        names = [name for name, _ in one.form or ()]
        names += one.json if isinstance(one.json, dict) else []
        template = template_of(one.path) or one.path
        return one.method, template, told, tuple(sorted(set(map(str, names))))

    def _name(self, requests: list[Recorded]) -> str:
        """Return a step's name by its first request; requests that it has all of have the same name."""
        method, template, told, _ = self._signature(requests[0])
        path = f"/{told.strip('/')}" if told else template
        name = named_step(path, method)
        if name is None:
            words = [p for p in re.split(r"[^a-z0-9]+", path.lower()) if p and p != "id"]
            name = "-".join(words[-2:])[:30].strip("-") or "page"
            name = name if name[0].isalpha() else f"page-{name}"
            name = "page" if self._secrets.holds(name) or self._secrets.holds(path) else name
        here = {self._signature(one) for one in requests}
        tried, number = name, 1
        while tried in self._known and not here <= {self._signature(o) for o in self._known[tried]}:
            number += 1
            tried = f"{name}-{number}"
        return tried

    def _shown(self, one: Recorded) -> str:
        """Return a request as it may be printed."""
        text = f"{one.path}?{urlencode(one.query)}" if one.query else one.path
        parts = [_BLANK if self._secrets.holds(p) else p for p in re.split(r"(?<=[/?&=])", text)]
        return f"{one.method} {''.join(parts)}"

    def _counted(self) -> list[str]:
        """Return what became of every request of the file, with its share."""
        of, steps = self._recording, len(self._recording.requests) - len(self._cut)
        left = of.entries - steps
        out = [
            f"of {of.entries} requests in the file {steps} are in steps ({len(self._repeats)} of them done "
            f"again), {left} ({left / of.entries:.0%}) are left out or folded:"
        ]
        kinds: dict[str, Counter[str]] = {}
        for why, what in of.listed:
            kinds.setdefault(why, Counter())[_masked(what, self._secrets)] += 1
        if self._cut:
            kinds[f"beyond the {_MOST_EXCHANGES} a step may have"] = Counter(self._cut)
        if self._repeats:
            kinds["done again, written once with what was recorded first"] = Counter(self._repeats)
        for why, found in kinds.items():
            rows = ", ".join(what if n == 1 else f"{what} ({n} times)" for what, n in found.items())
            out.append(f"{found.total()} ({found.total() / of.entries:.0%}) {why}: {rows}")
        return out

    def _said_of_words(self) -> list[str]:
        blanks = [w for w, texts in self._writer.values.items() if _BLANK in texts]
        chosen = {
            w: len(t)
            for w, t in self._writer.values.items()
            if _BLANK not in t and "braces" not in w
        }
        out = []
        if blanks:
            out.append(
                f"{_BLANK} stands under `values` for {', '.join(blanks)}: until it is changed, the shop may refuse"
            )
        if chosen:
            words = ", ".join(f"{word} ({n})" for word, n in chosen.items())
            out.append(f"all customers choose among what was recorded: {words}; add to `values`")
        return out

    def _missing(self, out: Proposal) -> list[str]:
        """Return what of the whole a recording like this cannot do."""
        said, of = list[str](), self._recording
        if self._writer.unsent:
            said.append(
                f"headers of the browser and its cache are not written: {', '.join(sorted(self._writer.unsent))}"
            )
        if cookies := _strange_cookies(of.requests):
            names = ", ".join(_masked(name, self._secrets) for name in cookies)
            said.append(
                f"cookies that no recorded reply gave, so customers do not have them: {names}"
            )
        if of.without_text:
            said.append(
                f"{of.without_text} of {len(of.requests)} replies have no text in the file: what they gave cannot "
                "be found; export the recording with content"
            )
        hosts = {
            why.removeprefix("of another host, ")
            for why, _ in of.listed
            if why.startswith("of another")
        }
        sending = [
            what
            for why, what in of.listed
            if why.startswith("of another") and not what.startswith("GET")
        ]
        if hosts and sending:
            said.append(
                f"{len(sending)} of the requests to {', '.join(sorted(hosts))} send something: where they are the "
                "shop's, the scenario does not do what was recorded. One host is played at a time: "
                f"{of.origin}, or what --host names; record through one address (a proxy before both) to have all"
            )
        if not any("place_order" in str(step) for step in out.steps.values()):
            said.append(
                "no step places an order: give the exchange that does `action: place_order`"
            )
        return said


def _routers(requests: tuple[Recorded, ...]) -> dict[str, str]:
    """Return path -> the parameter, or field of a body, by which its pages are told apart."""
    queries: dict[str, Counter[str]] = {}
    for one in requests:
        if named_step(one.path) in (None, "home"):
            queries.setdefault(one.path, Counter())[urlencode(_fields(one))] += 1
    found = {path: router_of(counts) for path, counts in queries.items()}
    return {path: router for path, router in found.items() if router is not None}


def _fields(one: Recorded) -> list[tuple[str, str]]:
    """Return the parameters of a request and the fields of its body, which one address may tell pages by."""
    data = one.json if isinstance(one.json, dict) else {}
    told = [(str(name), part) for name, part in data.items() if isinstance(part, str)]
    return [*one.query, *(one.form or ()), *told]


def _operation(one: Recorded) -> str:
    """Return the name of a GraphQL operation, or of its first field."""
    data = one.json if isinstance(one.json, dict) else {}
    if isinstance(name := data.get("operationName"), str):
        return name
    text = data.get("query")
    found = _GRAPHQL.match(text) if isinstance(text, str) else None
    return (found[1] or found[2]) if found else ""


def _has_api(one: Recorded) -> bool:
    return any(name.lower() == "x-requested-with" for name, _ in one.headers)


def _masked(text: str, secrets: SecretValues) -> str:
    return "".join(_BLANK if secrets.holds(p) else p for p in re.split(r"(?<=[/ ])", text))


def _strange_cookies(requests: tuple[Recorded, ...]) -> list[str]:
    given = {
        line.partition("=")[0].strip()
        for one in requests
        for name, value in one.reply_headers
        if name.lower() == "set-cookie"
        for line in value.split("\n")
    }
    sent = [
        part.partition("=")[0].strip()
        for one in requests
        for name, value in one.headers
        if name.lower() == "cookie"
        for part in value.split(";")
    ]
    return [name for name in dict.fromkeys(sent) if name and name not in given]


def _clean(data: Any, secrets: SecretValues) -> Any:
    """Return plain data in which no text holds a secret: the last look before it is written."""
    if isinstance(data, dict):
        return {_clean(key, secrets): _clean(part, secrets) for key, part in data.items()}
    if isinstance(data, list):
        return [_clean(part, secrets) for part in data]
    if isinstance(data, str) and secrets.holds(data.replace("{customer}@example.com", "")):
        return _BLANK
    return data
