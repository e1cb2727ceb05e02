"""Which step a request is: the scenario's own templates and patterns, or a proposal made from what was asked."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from gameday.scenario import Scenario

__all__ = ["Urls", "named_step", "propose", "template_of"]

_WORDS = (
    ("checkout", r"checkout|payment|/pay\b|place-?order|purchase|kasse"), ("cart", r"cart|basket|bag\b"),
    ("search", r"search|find|query|catalogsearch"), ("sign-in", r"log-?in|sign-?in|session|auth"),
    ("product", r"product|item|/p/|/dp/|goods|sku|detail"), ("home", r"^/$|^/index|^/home"),
)  # fmt: skip
"""What paths are called in shops -> steps; the first that fits counts. Ours: to be read over by a person."""
_ASSET = re.compile(
    r"\.(?:css|js|mjs|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|eot|mp4|pdf|txt|xml)$"
)
_VARIES = re.compile(r"\d|[0-9a-f]{8,}|.{25,}")
_MOST_REMEMBERED = 200_000


class Urls:
    """Requests -> steps."""

    def __init__(self, rules: list[tuple[str, str | None, re.Pattern[str]]]) -> None:
        self._rules = rules
        self.step = lru_cache(maxsize=_MOST_REMEMBERED)(self._step)

    def _step(self, method: str, path: str) -> str | None:
        """Return the step of a request, None if it is none; `path` is without its query."""
        for step, needs, pattern in self._rules:
            if (needs is None or needs == method) and pattern.fullmatch(path):
                return step
        return None

    @staticmethod
    def of_scenario(scenario: Scenario) -> Urls:
        """Return what the scenario says: `history.urls` first, then the required exchanges of its steps."""
        rules: list[tuple[str, str | None, re.Pattern[str]]] = [
            (step, None, _pattern(text))
            for step, texts in scenario.history.urls.items()
            for text in texts
        ]
        own: list[tuple[str, str | None, re.Pattern[str]]] = [
            (step, e.method, _pattern(e.path))
            for _, step, e in scenario.each_exchange()
            if e.required
        ]
        own.sort(key=lambda rule: rule[2].pattern.count("[^/]"))  # the most particular first
        return Urls(rules + own)

    @staticmethod
    def of_proposal(proposed: dict[str, list[str]]) -> Urls:
        """Return what `propose` made."""
        return Urls([(s, None, _pattern(text)) for s, texts in proposed.items() for text in texts])


def _pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of a template (`/product/{id}`), or of a regular expression behind `~`; no query."""
    if text.startswith("~"):
        return re.compile(text[1:] + ".*")
    parts = re.split(r"\{[^}]*\}", text.split("?")[0])
    return re.compile("[^/]+".join(map(re.escape, parts)))


def template_of(path: str) -> str | None:
    """Return the template that a path is of: what varies is `{id}`; None for pictures and the like."""
    if _ASSET.search(path.lower()):
        return None
    parts = ["{id}" if part and _VARIES.search(part) else part for part in path.split("/")]
    return "/".join(parts)


def propose(asked: Counter[str], least_share: float = 0.002) -> dict[str, list[str]]:
    """Return step -> templates, by what the paths are called; `asked` counts templates. Rare ones are left out."""
    total = sum(asked.values())
    out: dict[str, list[str]] = {}
    for template, count in asked.most_common():
        if count < least_share * total:
            break
        if (step := named_step(template)) is not None:
            out.setdefault(step, []).append(template)
    return out


def named_step(template: str) -> str | None:
    """Return the step that a path is called as; None if as none."""
    named = (step for step, words in _WORDS if re.search(words, template.lower()))
    return next(named, None)
