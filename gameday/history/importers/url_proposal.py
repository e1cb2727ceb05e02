"""A map of a shop's requests to steps, proposed from what was asked: to be read over by a person.

One action of a customer is counted by one request: an order by what sends it, not by its form and its thanks too.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

__all__ = ["Asked", "Proposed", "is_asset", "named_step", "propose", "router_of", "template_of"]

Asked = Counter[tuple[str, str, str]]
"""(Method, path, query) -> how often it was asked for."""

_WORDS = (
    ("cart", r"checkout/(?:cart|basket|bag)\b|add[-_]?to[-_]?cart"),
    ("checkout", r"checkout|payment|/pay\b|place[-_]?order|purchase|kasse"),
    ("cart", r"cart|basket|bag\b"),
    ("search", r"search|find|query|catalogsearch"),
    ("sign-in", r"log[-_]?in|sign[-_]?in|session|auth(?!or)"),
    ("product", r"product|item|/p/|/dp/|goods|sku|detail"),
    ("home", r"^/$|^/index|^/home|^/[^/]+/home$"),
)
"""What paths are called in shops -> steps; the first that fits counts. Ours: to be read over by a person."""
_ORDERS = re.compile(r"/orders?/?$")
_ASSET = re.compile(
    r"\.(?:css|js|mjs|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|eot|otf|mp4|webm|pdf|txt|xml)$"
)
_VARIES = re.compile(r"\d|[0-9a-f]{8,}|.{25,}")
_SENDING = ("POST", "PUT", "PATCH")
_FINAL = re.compile(r"success|thank|confirm|complete|place|submit|finish")
_ACTIONS = ("checkout", "cart", "sign-in")
"""Steps that are done by sending something."""
_LEAST_SENT, _LEAST_OF_STEP, _LEAST_ROUTED = 0.1, 0.02, 0.8
"""Shares: of a step's requests that send for those to be the step, of a step's requests that a template must have
to be listed, of a path's queries that have a parameter for it to choose pages. Ours."""
_MOST_SIBLINGS = 10
"""Templates with one parent beyond which the last part of a path is an article's name. Ours."""


@dataclass(slots=True)
class Proposed:
    """The map, and what it leaves out."""

    urls: dict[str, list[str]] = field(default_factory=dict)
    """Step -> rules, as `history.urls` writes them."""
    notes: list[str] = field(default_factory=list)


def is_asset(path: str) -> bool:
    """Return whether a path is a picture, a style, a script or the like."""
    return bool(_ASSET.search(path.lower()))


def template_of(path: str) -> str | None:
    """Return the template that a path is of: what varies is `{id}`; None for pictures and the like."""
    if is_asset(path):
        return None
    parts = ["{id}" if part and _VARIES.search(part) else part for part in path.split("/")]
    return "/".join(parts)


def named_step(template: str, method: str = "GET") -> str | None:
    """Return the step that a path is called as; None if as none."""
    lower = template.lower()
    if method == "POST" and _ORDERS.search(lower):
        return "checkout"
    return next((step for step, words in _WORDS if re.search(words, lower)), None)


def router_of(queries: Counter[str]) -> str | None:
    """Return the parameter that chooses the page of one path: most queries have it, and its values name steps."""
    values: dict[str, Counter[str]] = {}
    for query, count in queries.items():
        for name, value in parse_qsl(query):
            values.setdefault(name, Counter())[value] += count
    total = sum(count for query, count in queries.items() if query)
    for name, texts in values.items():
        steps = {named_step(f"/{text.strip('/')}") for text in texts} - {None}
        if len(steps) >= 2 and texts.total() >= _LEAST_ROUTED * total:
            return name
    return None


def propose(asked: Asked) -> Proposed:
    """Return step -> rules, by what paths are called, and what was left out of them."""
    named: dict[str, Counter[tuple[str, str]]] = {}
    for (method, template), count in _templates(asked).items():
        words = template.partition("?")[2].partition("=")[2]
        step = named_step(f"/{words.strip('/')}" if words else template, method)
        if step is not None:
            named.setdefault(step, Counter())[method, template] += count
    out = Proposed()
    for step, counts in named.items():
        kept = _frequent(step, _without_names(counts), out.notes)
        if step in _ACTIONS:
            kept = _once_an_action(step, kept, out.notes)
        is_sent = {template for (method, template) in kept if method in _SENDING}
        out.urls[step] = [
            f"{method} {template}" if is_sent else template for method, template in kept
        ]
        out.urls[step] = list(dict.fromkeys(out.urls[step]))
    return out


def _templates(asked: Asked) -> Counter[tuple[str, str]]:
    """Count (method, template), with the parameter that chooses the page where one does."""
    queries: dict[str, Counter[str]] = {}
    for (_, path, query), count in asked.items():
        if named_step(path) in (None, "home"):
            queries.setdefault(path, Counter())[query] += count
    routers = {path: router_of(found) for path, found in queries.items()}
    out = Counter[tuple[str, str]]()
    for (method, path, query), count in asked.items():
        template = template_of(path)
        if template is None or method not in ("GET", *_SENDING):
            continue
        router = routers.get(path)
        value = dict(parse_qsl(query)).get(router) if router else None
        if router and value:
            template = f"{path}?{quote(router)}={quote(template_of(value) or value, safe='/{}')}"
        out[method, template] += count
    return out


def _without_names(counts: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Return the templates with `{id}` for the last part where many share what is before it: names of articles."""
    siblings = Counter((m, t.rpartition("/")[0]) for m, t in counts if "?" not in t)
    out = Counter[tuple[str, str]]()
    for (method, template), count in counts.items():
        parent = template.rpartition("/")[0]
        is_name = parent and "?" not in template and siblings[method, parent] > _MOST_SIBLINGS
        out[method, f"{parent}/{{id}}" if is_name else template] += count
    return out


def _frequent(
    step: str, counts: Counter[tuple[str, str]], notes: list[str]
) -> Counter[tuple[str, str]]:
    """Return the templates that many of a step's requests are of; say what the others come to."""
    least = _LEAST_OF_STEP * counts.total()
    kept = Counter({key: n for key, n in counts.most_common() if n >= least})
    if rare := counts.total() - kept.total():
        notes.append(
            f"{step}: {len(counts) - len(kept)} rare addresses are not in the map "
            f"({rare / counts.total():.1%} of its requests)"
        )
    return kept


def _once_an_action(
    step: str, counts: Counter[tuple[str, str]], notes: list[str]
) -> Counter[tuple[str, str]]:
    """Return the requests that each customer sends once an action; say which others were left out."""
    sent = Counter({key: n for key, n in counts.items() if key[0] in _SENDING})
    kept = sent if sent.total() >= _LEAST_SENT * counts.total() else counts
    if step == "checkout" and len(kept) > 1:
        final = Counter({key: n for key, n in kept.items() if _FINAL.search(key[1].lower())})
        many = max((final or kept).values()) / 2
        key = min((k for k, n in (final or kept).items() if n >= many), key=lambda k: kept[k])
        kept = Counter({key: kept[key]})
    if left := {key: n for key, n in counts.items() if key not in kept}:
        by = ", ".join(f"{method} {template}" for method, template in kept)
        others = ", ".join(f"{method} {template} ({n})" for (method, template), n in left.items())
        notes.append(
            f"{step} is counted by {by} alone, so that no action counts twice; of the first lines "
            f"left out: {others}"
        )
    return kept
