"""A map of a shop's requests to steps, proposed from what was asked: to be read over by a person.

One action of a customer is counted by one request: an order by what sends it, not by its form and its thanks too.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

__all__ = [
    "Proposed",
    "RequestCounts",
    "Visitors",
    "is_asset",
    "named_step",
    "propose",
    "router_of",
    "template_of",
]

RequestCounts = Counter[tuple[str, str, str]]
"""(Method, path, query) -> requests."""
Visitors = dict[tuple[str, str, str], set[int]]
"""(Method, path, query) -> who asked for it."""
Senders = dict[tuple[str, str], set[int]]
"""(Method, template) -> who asked for it."""
TemplateCounts = Counter[tuple[str, str]]
"""(Method, template of a path, with the parameter that chooses the page) -> requests."""

_WORDS = (
    ("cart", r"checkout/(?:cart|basket|bag)\b|add[-_]?to[-_]?cart"),
    ("checkout", r"checkout|payment|/pay\b|place[-_]?order|purchase|kasse"),
    ("cart", r"cart|basket|bag\b"),
    ("search", r"search|find|query|catalogsearch"),
    ("sign-in", r"log[-_]?in|sign[-_]?in|session|auth(?!or)"),
    ("product", r"product|item|/p/|/dp/|goods|sku|detail"),
    ("home", r"^/$|^/index|^/home|^/[^/]+/home$|^/\{lang\}/?$"),
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
_LEAST_SENT, _LEAST_OF_STEP, _LEAST_ROUTED = 0.1, 0.02, 0.1
"""Shares: of a step's requests that send for those to be the step, of a step's requests that a template must have
to be listed, of a path's queries that have a parameter for it to choose pages. Ours."""
_SEARCHES = frozenset(("s", "q", "query", "search", "search_query", "keyword", "keywords"))
"""Parameters of what is searched for, where a path's own name tells no step. Ours."""
_CAMPAIGN = re.compile(
    r"utm_|mtm_|pk_|ref|source$|src$|campaign|from$|[a-z]*clid$|return|redirect|next$|url$"
)
"""Parameters that say where a customer came from or goes on to: they choose no page. Ours."""
_LEAST_PAGE, _LEAST_CONSIDERED = 0.02, 0.5
"""Shares: of all requests that a page without a telling name must have to be a step of its own; of its requests
that must come after a pause, as a page's calls do not. Ours."""
_MOST_PAGES = 12
"""Steps that are proposed for pages without a telling name. Ours."""
_LISTS = re.compile(
    r"categor|collection|brand|/tags?/|blog|news|help|account|review|user|orders?/|profile|wish|compare|cms|page"
)
"""Paths whose last part varies and that are no article's. Ours: to be read over by a person."""
_LANGUAGE = re.compile(r"/([a-z]{2}(?:[-_][A-Za-z]{2})?)(?=/|$)")
"""How a path begins with a language, or a country."""
_OFTEN, _BOTH = 5.0, 0.1
"""Requests of one visitor beyond which a page asks by itself; share of customers who send both of two requests up
to which those are two ways to do one thing. Ours."""
_ADDING = re.compile(r"add|plus")
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
    """Return the step that a path's name suggests; None where it suggests none."""
    lower = template.lower()
    if method == "POST" and _ORDERS.search(lower):
        return "checkout"
    return next((step for step, words in _WORDS if re.search(words, lower)), None)


def router_of(queries: Counter[str]) -> str | None:
    """Return the parameter that chooses the page of one path: many queries have it, and its values name steps."""
    values: dict[str, Counter[str]] = {}
    for query, count in queries.items():
        for name, value in parse_qsl(query):
            if not _CAMPAIGN.match(name.lower()):
                values.setdefault(name, Counter())[value] += count
    total = queries.total() - queries[""]
    for name, texts in sorted(values.items(), key=lambda row: -row[1].total()):
        steps = {named_step(f"/{text.strip('/')}") for text in texts} - {None}
        if len(steps) >= 2 and texts.total() >= _LEAST_ROUTED * total:
            return name
    return None


def propose(
    requests: RequestCounts,
    considered: RequestCounts | None = None,
    visitors: Visitors | None = None,
) -> Proposed:
    """Return step -> rules, by what paths are called, and what was left out of them.

    `considered`: how many of the requests came after a pause, as pages do and their calls do not; with it, pages
    whose names tell no step are proposed as steps of their own. `visitors`: who made each request; with it, ways
    to order that customers choose between are told from stages of one order, and what pages ask for again and
    again is no action.
    """
    out, choosers = Proposed(), _choosers(requests)
    templates, senders = (
        _templates(requests, choosers),
        _senders(visitors or {}, requests, choosers),
    )
    for step, counts in _by_step(templates).items():
        kept = _frequent(step, _without_names(counts), out.notes)
        if step in _ACTIONS:
            kept = _once_an_action(step, kept, senders, out.notes)
        is_sent = any(method in _SENDING for method, _ in kept)
        rules = (
            f"{method} {template}" if is_sent else f"{template}{_without(template, choosers)}"
            for method, template in kept
        )
        out.urls[step] = list(dict.fromkeys(rules))
    if considered is not None:
        _add_pages(out, templates, _templates(considered, choosers))
    return out


def _add_pages(out: Proposed, templates: TemplateCounts, considered: TemplateCounts) -> None:
    """Propose the frequent pages whose names tell no step: the most frequent article, others by their words."""
    named = {key for counts in _by_step(templates).values() for key in counts}
    counts = _without_names(Counter({k: n for k, n in templates.items() if k not in named}))
    after_pause = _without_names(Counter({k: n for k, n in considered.items() if k not in named}))
    pages = [
        template
        for (method, template), count in counts.most_common()
        if method == "GET"
        and count >= _LEAST_PAGE * templates.total()
        and after_pause[method, template] >= _LEAST_CONSIDERED * count
    ][:_MOST_PAGES]
    articles = [
        page for page in pages if page.endswith(("{id}", "{id}/")) and not _LISTS.search(page)
    ]
    if articles and "product" not in out.urls:
        out.urls["product"] = [articles[0]]
        out.notes.append(
            f"product is a guess: {articles[0]}, the most frequent page with a name that varies"
        )
        pages.remove(articles[0])
    for page in pages:
        if name := _step_of_words(page):
            out.urls.setdefault(name, []).append(page)
            out.notes.append(f"{name} is a guess: {page} is asked for often, after a pause")


def _step_of_words(template: str) -> str:
    """Return a step's name from the last fixed word of a template; empty where it has none."""
    words = [part for part in template.partition("?")[0].split("/") if part and "{" not in part]
    name = re.sub(r"[^a-z0-9]+", "-", words[-1].lower()).strip("-") if words else ""
    return name[:40] if name[:1].isalpha() else ""


def _by_step(counts: TemplateCounts) -> dict[str, TemplateCounts]:
    """Return the templates by the step that each is called as; those called as none are left out."""
    out: dict[str, TemplateCounts] = {}
    for (method, template), count in counts.items():
        words = template.partition("?")[2].partition("=")[2]
        step = named_step(f"/{words.strip('/')}" if words else template, method)
        if step is not None:
            out.setdefault(step, Counter())[method, template] += count
    return out


def _choosers(requests: RequestCounts) -> dict[str, tuple[str, ...]]:
    """Return path -> parameters that choose its page, of paths whose own name tells no step."""
    queries: dict[str, Counter[str]] = {}
    for (_, path, query), count in requests.items():
        if named_step(path) in (None, "home") and query:
            queries.setdefault(path, Counter())[query] += count
    out = {}
    for path, found in queries.items():
        router = router_of(found)
        names = {name for query in found for name, _ in parse_qsl(query)}
        out[path] = (*((router,) if router else ()), *sorted((names & _SEARCHES) - {router}))
    return {path: names for path, names in out.items() if names}


def _without(template: str, choosers: dict[str, tuple[str, ...]]) -> str:
    """Return what a rule of a bare path says of the parameters that choose other pages of it."""
    return "".join(
        f"{'&' if number else '?'}!{name}" for number, name in enumerate(choosers.get(template, ()))
    )


def _templates(requests: RequestCounts, choosers: dict[str, tuple[str, ...]]) -> TemplateCounts:
    """Return the requests by their templates; `choosers`: path -> the parameters that choose its page."""
    out, languages = TemplateCounts(), _languages(requests)
    for request, count in requests.items():
        key = _key(*request, choosers, languages)
        if key is not None:
            out[key] += count
    return out


def _senders(
    visitors: Visitors, requests: RequestCounts, choosers: dict[str, tuple[str, ...]]
) -> Senders:
    """Return who asked for each template."""
    out, languages = Senders(), _languages(requests) if visitors else set()
    for request, who in visitors.items():
        key = _key(*request, choosers, languages)
        if key is not None:
            out.setdefault(key, set()).update(who)
    return out


def _key(
    method: str,
    path: str,
    query: str,
    choosers: dict[str, tuple[str, ...]],
    languages: set[str],
) -> tuple[str, str] | None:
    """Return the method and the template of a request; None where it is none that a step could be."""
    template = template_of(path)
    if template is None or method not in ("GET", *_SENDING):
        return None
    values = dict(parse_qsl(query)) if path in choosers else {}
    chosen = next((name for name in choosers.get(path, ()) if values.get(name)), None)
    if chosen:
        return method, f"{path}?{quote(chosen)}={_value(chosen, values[chosen])}"
    if (found := _LANGUAGE.match(template)) and found[1] in languages:
        template = "/{lang}" + template[len(found[0]) :]
    return method, template


def _languages(requests: RequestCounts) -> set[str]:
    """Return first parts of paths that are languages: of several of them the same pages are asked for."""
    pages: dict[str, set[str]] = {}
    for _, path, _ in requests:
        template = template_of(path)
        if template is not None and (found := _LANGUAGE.match(template)):
            pages.setdefault(found[1], set()).add(template[len(found[0]) :])
    shared = Counter(page for each in pages.values() for page in each)
    return {name for name, each in pages.items() if any(shared[page] > 1 for page in each)}


def _value(name: str, value: str) -> str:
    """Return what a template says of a parameter: what is searched for is anything, and names the step."""
    if name in _SEARCHES and named_step(f"/{value.strip('/')}") is None:
        return "{search}"
    return quote(template_of(value) or value, safe="/{}")


def _without_names(counts: TemplateCounts) -> TemplateCounts:
    """Return the templates with `{id}` for the last part where many share what is before it: names of articles."""
    siblings = Counter((m, t.rpartition("/")[0]) for m, t in counts if "?" not in t)
    out = TemplateCounts()
    for (method, template), count in counts.items():
        parent = template.rpartition("/")[0]
        is_name = parent and "?" not in template and siblings[method, parent] > _MOST_SIBLINGS
        out[method, f"{parent}/{{id}}" if is_name else template] += count
    return out


def _frequent(step: str, counts: TemplateCounts, notes: list[str]) -> TemplateCounts:
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
    step: str, counts: TemplateCounts, senders: Senders, notes: list[str]
) -> TemplateCounts:
    """Return the requests that each customer sends once an action; say which others were left out."""
    everything, counts = counts, _without_polls(counts, senders)
    sent = Counter({key: n for key, n in counts.items() if key[0] in _SENDING})
    kept = sent if sent.total() >= _LEAST_SENT * counts.total() else counts
    if step == "checkout" and len(kept) > 1:
        kept = _final_request(kept, senders)
    adding = Counter({key: n for key, n in kept.items() if _ADDING.search(key[1].lower())})
    if step == "cart" and adding:
        kept = adding
    if left := {key: n for key, n in everything.items() if key not in kept}:
        by = ", ".join(f"{method} {template}" for method, template in kept)
        others = ", ".join(f"{method} {template} ({n})" for (method, template), n in left.items())
        notes.append(
            f"{step} is counted by {by} alone, so that no action counts twice; of the first lines "
            f"left out: {others}"
        )
    return kept


def _without_polls(counts: TemplateCounts, senders: Senders) -> TemplateCounts:
    """Return the requests without those that pages make again and again, where others are left."""
    once = Counter(
        {
            key: n
            for key, n in counts.items()
            if key[0] != "GET" or n <= _OFTEN * len(senders.get(key, ())) or key not in senders
        }
    )
    return once or counts


def _final_request(counts: TemplateCounts, senders: Senders) -> TemplateCounts:
    """Return the request that ends a checkout: one called so where any is, the rarest of the frequent ones.

    Others that other customers send instead of it are further ways to end one.
    """
    final = Counter({key: n for key, n in counts.items() if _FINAL.search(key[1].lower())})
    candidates = final or counts
    many = max(candidates.values()) / 2
    last = min((key for key, n in candidates.items() if n >= many), key=lambda key: counts[key])
    kept = Counter({last: counts[last]})
    known = set(senders.get(last, ()))
    for key, count in candidates.most_common():
        others = senders.get(key, set())
        if (
            key not in kept
            and others
            and len(others & known) <= _BOTH * min(len(others), len(known))
        ):
            kept[key] = count
            known |= others
    return kept
