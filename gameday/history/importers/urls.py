"""Which step a request is: by the scenario's own rules and exchanges, or by a proposal from what was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import parse_qsl

from gameday.history.importers.url_proposal import template_of
from gameday.scenario import Scenario
from gameday.scenario.blocks import TEMPLATE_WORD, Exchange, UrlRule, parse_url_rule

__all__ = ["StepRule", "Urls"]

_MOST_REMEMBERED = 200_000
_ACTIONS = ("place_order", "add_to_cart", "sign_in")


@dataclass(frozen=True, slots=True)
class StepRule:
    """One rule with its step."""

    step: str
    rule: UrlRule
    counts: bool = True
    """Whether a request of it is the step; else it belongs to a step that another request counts."""
    number: int = 0
    """Its place among all rules."""


class Urls:
    """Finds the rule that a request matches; the most specific one is tried first."""

    def __init__(self, rules: Iterable[StepRule]) -> None:
        ordered = sorted(rules, key=lambda rule: (not rule.counts, rule.rule.rank))
        self._rules = [replace(rule, number=number) for number, rule in enumerate(ordered)]
        self._reads_query = any(rule.rule.reads_query for rule in self._rules)
        self._names = {n for r in self._rules for n in (*dict(r.rule.query), *r.rule.absent)}
        self._remembered = lru_cache(maxsize=_MOST_REMEMBERED)(self._found)

    def rule(self, method: str, path: str, query: str) -> StepRule | None:
        """Return the rule that a request matches, None if it is no step; `path` is without its query."""
        return self._remembered(method, path, query if self._reads_query else "")

    def read_of(self, query: str) -> str:
        """Return the parameters of a query that rules read, as they write them; empty where there are none."""
        if not self._names or not query:
            return ""
        read = [(n, v) for n, v in parse_qsl(query) if n in self._names]
        return "?" + "&".join(f"{n}={template_of(v) or v}" for n, v in read) if read else ""

    def _found(self, method: str, path: str, query: str) -> StepRule | None:
        return next((r for r in self._rules if r.rule.takes(method, path, query)), None)

    @staticmethod
    def of_scenario(scenario: Scenario) -> Urls:
        """Return what the scenario says: a step counts by `history.urls`, or else by one of its exchanges.

        That one is its action (the order, the sign-in), or its first; its others are of that step, not one more.
        """
        named = scenario.history.urls
        exchanges = _exchanges(scenario)
        shared = Counter(_method_and_path(e.exchange) for e in exchanges)
        rules = _parsed(named)
        for e in exchanges:
            rule, counts = _of_exchange(e.exchange), e.counts and e.step not in named
            rules.append(StepRule(e.step, rule, counts))
            if rule.query and shared[_method_and_path(e.exchange)] == 1:
                rules.append(StepRule(e.step, replace(rule, query=()), counts))
        return Urls(rules)

    @staticmethod
    def of_proposal(proposed: dict[str, list[str]]) -> Urls:
        """Return what `propose` made."""
        return Urls(_parsed(proposed))


@dataclass(frozen=True, slots=True)
class _StepExchange:
    """One exchange of a step."""

    step: str
    exchange: Exchange
    counts: bool
    """Whether the step is counted by it."""


def _exchanges(scenario: Scenario) -> list[_StepExchange]:
    """Return all exchanges of all steps, those of single products too."""
    out = []
    for step in scenario.steps:
        for product in (None, *scenario.products):
            if product is not None and step not in scenario.products[product].exchanges:
                continue
            each = [e for group in scenario.exchanges(step, product) for e in group]
            counting = _counting([e for e in each if e.required])
            out += [_StepExchange(step, e, counts=e is counting) for e in each]
    return out


def _parsed(rules: dict[str, list[str]]) -> list[StepRule]:
    """Return rules as `history.urls` writes them: step -> texts."""
    return [StepRule(s, parse_url_rule(text)) for s, texts in rules.items() for text in texts]


def _method_and_path(e: Exchange) -> tuple[str, str]:
    """Return what tells exchanges apart where queries do not: their words in braces are alike."""
    return e.method, TEMPLATE_WORD.sub("{}", e.path)


def _counting(required: list[Exchange]) -> Exchange | None:
    """Return the exchange by which a step is counted: what it is done for, else its first."""
    done = (e for action in _ACTIONS for e in required if e.action == action)
    return next(done, required[0] if required else None)


def _of_exchange(e: Exchange) -> UrlRule:
    """Return the rule of an exchange; of its query count the parameters that say the same for everybody."""
    fixed = [f"{n}={v}" for n, v in e.query.items() if v and not TEMPLATE_WORD.search(v)]
    path = e.path.partition("#")[0].rstrip("?")
    join = "&" if "?" in path else "?"
    return parse_url_rule(f"{e.method} {path}{join if fixed else ''}{'&'.join(fixed)}")
