"""Which step a request is: by the scenario's own rules and exchanges, or by a proposal from what was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

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


class Urls:
    """Requests -> the rule they are of, the most particular rule first."""

    def __init__(self, rules: Iterable[StepRule]) -> None:
        self._rules = sorted(rules, key=lambda one: (not one.counts, one.rule.rank))
        self._reads_query = any(one.rule.reads_query for one in self._rules)
        self._remembered = lru_cache(maxsize=_MOST_REMEMBERED)(self._found)

    def rule(self, method: str, path: str, query: str) -> StepRule | None:
        """Return the rule that takes a request, None if it is no step; `path` is without its query."""
        return self._remembered(method, path, query if self._reads_query else "")

    def _found(self, method: str, path: str, query: str) -> StepRule | None:
        return next((one for one in self._rules if one.rule.takes(method, path, query)), None)

    @staticmethod
    def of_scenario(scenario: Scenario) -> Urls:
        """Return what the scenario says: a step counts by `history.urls`, or else by one of its exchanges.

        That one is its action (the order, the sign-in), or its first; its others are of that step, not one more.
        """
        named = scenario.history.urls
        rules = [StepRule(s, parse_url_rule(text)) for s, texts in named.items() for text in texts]
        own: list[tuple[str, Exchange, bool]] = []
        for step in scenario.steps:
            for product in (None, *scenario.products):
                if product is not None and step not in scenario.products[product].exchanges:
                    continue
                each = [e for group in scenario.exchanges(step, product) for e in group]
                counting = _counting([e for e in each if e.required])
                own += [(step, e, e is counting and step not in named) for e in each]
        shared = Counter((e.method, TEMPLATE_WORD.sub("{}", e.path)) for _, e, _ in own)
        for step, e, counts in own:
            rule = _of_exchange(e)
            rules.append(StepRule(step, rule, counts))
            if rule.query and shared[e.method, TEMPLATE_WORD.sub("{}", e.path)] == 1:
                rules.append(StepRule(step, replace(rule, query=()), counts))
        return Urls(rules)

    @staticmethod
    def of_proposal(proposed: dict[str, list[str]]) -> Urls:
        """Return what `propose` made."""
        return Urls(
            StepRule(s, parse_url_rule(text)) for s, texts in proposed.items() for text in texts
        )


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
