"""A recording to steps: what is a page and its calls, what came from earlier replies, what a person typed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from gameday.history.importers.url_proposal import named_step, router_of, template_of
from gameday.history.recordings.har import Recorded, Recording
from gameday.history.recordings.recorded_exchanges import Writer
from gameday.history.recordings.recorded_secrets import secrets_of
from gameday.history.recordings.secrets import SecretValues
from gameday.history.recordings.written_exchange import Block, WrittenExchange

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


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a recording comes to."""

    steps: dict[str, Any]
    """Step -> its block, as a scenario writes it."""
    order: list[str]
    """Steps as they were done."""
    pauses: dict[str, list[float]]
    """Step -> pauses after it, s."""
    values: dict[str, Any]
    """Words for what was searched and which articles were asked for: one choice each, to be added to."""
    notes: list[str]
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
        self._written: dict[str, list[list[WrittenExchange]]] = {}
        """Step -> its exchanges, in groups that go out together."""
        self._repeats: list[str] = []
        self._cut: list[str] = []

    def proposal(self) -> Proposal:
        """Return the steps and all that must be said of them."""
        groups = self._groups()
        order = [self._add(requests) for requests in groups]
        steps = self._steps()
        values = {
            word: {"choice": texts, "drawn": "session"}
            for word, texts in self._writer.values.items()
        }
        has_order = any(
            "place_order" in str(step) for step in _clean(steps, self._secrets).values()
        )
        return Proposal(
            steps,
            order,
            _pauses(groups, order),
            _clean(values, self._secrets),
            [
                *self._count_requests(),
                *self._writer.notes,
                *self._note_words(),
                *self._note_limits(has_order=has_order),
            ],
        )

    def _steps(self) -> dict[str, Block]:
        """Return name -> the block of a step, clean of secrets."""
        blocks = {
            name: {"exchanges": [_block(group) for group in exchanges]}
            for name, exchanges in self._written.items()
        }
        clean: dict[str, Block] = _clean(blocks, self._secrets)
        return clean

    def _add(self, requests: list[Recorded]) -> str:
        """Return the name of the step that requests are, written where it is new."""
        self._cut += [self._shown(request) for request in requests[_MOST_EXCHANGES:]]
        requests = requests[:_MOST_EXCHANGES]
        name = self._name(requests)
        if name not in self._known:
            self._known[name] = requests
            self._written[name] = self._writer.write_step(name, requests)
            return name
        first = self._known[name]
        signatures = [self._signature(request) for request in first]
        same = [first[signatures.index(self._signature(request))] for request in requests]
        self._writer.repeat_step(requests, same)
        self._repeats += [f"{self._shown(request)} (step {name})" for request in requests]
        return name

    def _groups(self) -> list[list[Recorded]]:
        """Return the requests step by step: a page and what it asks for; a form and what sends it."""
        out: list[list[Recorded]] = []
        for request in self._recording.requests:
            if out and self._belongs_to(out[-1], request):
                out[-1].append(request)
            else:
                out.append([request])
        return out

    def _belongs_to(self, step: list[Recorded], request: Recorded) -> bool:
        """Return whether a request is of the step before it: it sends its form, or its page asked for it."""
        first = step[0]
        is_form = request.method == "POST" and first.method == "GET"
        if is_form and self._signature(request)[1:3] == self._signature(first)[1:3]:
            return True
        rests = request.at_s - max(r.ended_s for r in step) > _THINKS_S
        is_new_page = request.is_page and not _has_api(request)
        return not rests and not is_new_page

    def _signature(self, request: Recorded) -> Signature:
        """Return what tells a request from others."""
        router = self._routers.get(request.path)
        page = dict(_fields(request)).get(router, "") if router else _operation(request)
        if not page and request.method != "GET":
            fields = _fields(request)
            page = next((value for name, value in fields if name.lower() in _TELLING), "")
        names = [name for name, _ in request.form or ()]
        names += request.json if isinstance(request.json, dict) else []
        template = template_of(request.path) or request.path
        return request.method, template, page, tuple(sorted(set(map(str, names))))

    def _name(self, requests: list[Recorded]) -> str:
        """Return a step's name by its first request; requests that it has all of have the same name."""
        method, template, page, _ = self._signature(requests[0])
        path = f"/{page.strip('/')}" if page else template
        name = named_step(path, method) or self._name_of_path(path)
        here = {self._signature(request) for request in requests}
        tried, number = name, 1
        while tried in self._known and not here <= {self._signature(r) for r in self._known[tried]}:
            number += 1
            tried = f"{name}-{number}"
        return tried

    def _name_of_path(self, path: str) -> str:
        """Return a step's name from the last two words of a path; `page` where they may hold a secret."""
        words = [p for p in re.split(r"[^a-z0-9]+", path.lower()) if p and p != "id"]
        name = "-".join(words[-2:])[:30].strip("-") or "page"
        name = name if name[0].isalpha() else f"page-{name}"
        return "page" if self._secrets.holds(name) or self._secrets.holds(path) else name

    def _shown(self, request: Recorded) -> str:
        """Return a request as it may be printed."""
        text = f"{request.path}?{urlencode(request.query)}" if request.query else request.path
        parts = [_BLANK if self._secrets.holds(p) else p for p in re.split(r"(?<=[/?&=])", text)]
        return f"{request.method} {''.join(parts)}"

    def _count_requests(self) -> list[str]:
        """Return what became of every request of the file, with its share."""
        entries = self._recording.entries
        written = len(self._recording.requests) - len(self._cut)
        left = entries - written
        out = [
            f"of {entries} requests in the file {written} are in steps ({len(self._repeats)} of them done "
            f"again), {left} ({left / entries:.0%}) are left out or folded:"
        ]
        for why, found in self._left_out().items():
            rows = ", ".join(
                request if n == 1 else f"{request} ({n} times)" for request, n in found.items()
            )
            out.append(f"{found.total()} ({found.total() / entries:.0%}) {why}: {rows}")
        return out

    def _left_out(self) -> dict[str, Counter[str]]:
        """Return why requests are no exchange of their own -> those requests, as they may be printed."""
        out: dict[str, Counter[str]] = {}
        for why, request in self._recording.listed:
            out.setdefault(why, Counter())[_masked(request, self._secrets)] += 1
        if self._cut:
            out[f"beyond the {_MOST_EXCHANGES} a step may have"] = Counter(self._cut)
        if self._repeats:
            out["done again, written once with what was recorded first"] = Counter(self._repeats)
        return out

    def _note_words(self) -> list[str]:
        """Return what a person must add to the values."""
        values = self._writer.values
        blanks = [word for word, texts in values.items() if _BLANK in texts]
        chosen = [
            f"{word} ({len(texts)})"
            for word, texts in values.items()
            if _BLANK not in texts and "braces" not in word
        ]
        out = []
        if blanks:
            out.append(
                f"{_BLANK} stands under `values` for {', '.join(blanks)}: until it is changed, the shop may refuse"
            )
        if chosen:
            out.append(
                f"all customers choose among what was recorded: {', '.join(chosen)}; add to `values`"
            )
        return out

    def _note_limits(self, *, has_order: bool) -> list[str]:
        """Return what of the whole a recording like this cannot do."""
        out, recording = list[str](), self._recording
        if self._writer.unsent:
            out.append(
                f"headers of the browser and its cache are not written: {', '.join(sorted(self._writer.unsent))}"
            )
        if cookies := _strange_cookies(recording.requests):
            names = ", ".join(_masked(name, self._secrets) for name in cookies)
            out.append(
                f"cookies that no recorded reply gave, so customers do not have them: {names}"
            )
        if recording.without_text:
            out.append(
                f"{recording.without_text} of {len(recording.requests)} replies have no text in the file: what "
                "they gave cannot be found; export the recording with content"
            )
        out += _note_other_hosts(recording)
        if not has_order:
            out.append("no step places an order: give the exchange that does `action: place_order`")
        return out


def _block(group: list[WrittenExchange]) -> Block | list[Block]:
    """Return exchanges that go out together as a scenario writes them."""
    blocks = [exchange.block() for exchange in group]
    return blocks[0] if len(blocks) == 1 else blocks


def _pauses(groups: list[list[Recorded]], order: list[str]) -> dict[str, list[float]]:
    """Return step -> pauses after it, s; `order` names the step of each group."""
    out: dict[str, list[float]] = {}
    for step, before, after in zip(order, groups, groups[1:], strict=False):
        pause_s = max(0.0, after[0].at_s - max(request.ended_s for request in before))
        out.setdefault(step, []).append(round(pause_s, 1))
    return out


def _note_other_hosts(recording: Recording) -> list[str]:
    """Return what to say where something was sent to other hosts: it is not played."""
    prefix = "of another host, "
    others = [(why, request) for why, request in recording.listed if why.startswith("of another")]
    hosts = sorted({why.removeprefix(prefix) for why, _ in others})
    sending = [request for _, request in others if not request.startswith("GET")]
    if not sending:
        return []
    return [
        f"{len(sending)} of the requests to {', '.join(hosts)} send something: where they are the "
        "shop's, the scenario does not do what was recorded. One host is played at a time: "
        f"{recording.origin}, or what --host names; record through one address (a proxy before both) to have all"
    ]


def _routers(requests: tuple[Recorded, ...]) -> dict[str, str]:
    """Return path -> the parameter, or field of a body, by which its pages are told apart."""
    queries: dict[str, Counter[str]] = {}
    for request in requests:
        if named_step(request.path) in (None, "home"):
            queries.setdefault(request.path, Counter())[urlencode(_fields(request))] += 1
    found = {path: router_of(counts) for path, counts in queries.items()}
    return {path: router for path, router in found.items() if router is not None}


def _fields(request: Recorded) -> list[tuple[str, str]]:
    """Return the parameters of a request and the fields of its body, which one address may tell pages by."""
    data = request.json if isinstance(request.json, dict) else {}
    texts = [(str(name), part) for name, part in data.items() if isinstance(part, str)]
    return [*request.query, *(request.form or ()), *texts]


def _operation(request: Recorded) -> str:
    """Return the name of a GraphQL operation, or of its first field."""
    data = request.json if isinstance(request.json, dict) else {}
    if isinstance(name := data.get("operationName"), str):
        return name
    text = data.get("query")
    found = _GRAPHQL.match(text) if isinstance(text, str) else None
    return (found[1] or found[2]) if found else ""


def _has_api(request: Recorded) -> bool:
    """Return whether a request is a page's own call by its header X-Requested-With."""
    return any(name.lower() == "x-requested-with" for name, _ in request.headers)


def _masked(text: str, secrets: SecretValues) -> str:
    """Return a request as it may be printed: parts of its path that hold a secret are blank."""
    return "".join(_BLANK if secrets.holds(p) else p for p in re.split(r"(?<=[/ ])", text))


def _strange_cookies(requests: tuple[Recorded, ...]) -> list[str]:
    """Return names of cookies that were sent though no recorded reply gave them."""
    given = {
        line.partition("=")[0].strip()
        for request in requests
        for name, value in request.reply_headers
        if name.lower() == "set-cookie"
        for line in value.split("\n")
    }
    sent = [
        part.partition("=")[0].strip()
        for request in requests
        for name, value in request.headers
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
