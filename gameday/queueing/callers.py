"""The callers of a service together: their retry budget, their circuit breaker, their cache."""

from __future__ import annotations

from collections import OrderedDict

from gameday.scenario.blocks import Service, Station
from gameday.scenario.caller_policies import (
    Breaker,
    failing_after,
    item_of,
    may_retry,
    tokens_after_answer,
    tokens_after_retry,
    trips,
)

__all__ = ["Callers"]

_CLOSED = -1.0


class Callers:
    """The callers' side of one service, shared by all of them, in the model and in the shop."""

    def __init__(self, declared: Station, rule: Service) -> None:
        self.rule = rule
        self._budget = rule.retry.budget if rule.retry is not None else None
        self._most_tokens = self._budget.tokens(declared.scale) if self._budget is not None else 0.0
        self._window = rule.breaker.window(declared.scale) if rule.breaker is not None else 0.0
        self._entries, self._key_share = 0, 0.0
        self.tokens = self._most_tokens
        self.era = 0
        """How often the breaker has opened or closed; an answer belongs to the era of its request."""
        self._failing, self._open_until_s, self._is_trying = 0.0, _CLOSED, False
        self._cached: OrderedDict[int, None] = OrderedDict()
        if rule.cache is not None:
            self._key_share = rule.cache.key_share(declared.scale)
            self._entries = rule.cache.entries_at(declared.scale)
            full = range(rule.cache.cached_at(declared.scale) - 1, -1, -1)
            self._cached.update((item, None) for item in full)

    def may_ask(self, now_s: float) -> bool:
        """Return whether the breaker lets a request go out now; it counts as gone out."""
        if self.rule.breaker is None or self._open_until_s == _CLOSED:
            return True
        if now_s < self._open_until_s or self._is_trying:
            return False
        self._is_trying = True
        return True

    def note_answer(self, now_s: float, era: int, *, is_well: bool) -> None:
        """Note how a request was answered; the breaker counts only those sent in its present era."""
        if self.rule.breaker is not None and era == self.era:
            self._update_breaker(self.rule.breaker, now_s, is_well=is_well)
        if is_well and self._budget is not None:
            self.tokens = tokens_after_answer(self.tokens, self._budget.ratio, self._most_tokens)

    def _update_breaker(self, breaker: Breaker, now_s: float, *, is_well: bool) -> None:
        if self._open_until_s == _CLOSED:
            failed = 0.0 if is_well else 1.0
            self._failing = failing_after(self._failing, failed, self._window)
            if trips(self._failing, breaker.failures):
                self._open_until_s, self._is_trying = now_s + breaker.open, False
                self.era += 1
        else:  # the one request that was let out to try decides
            self._is_trying, self._failing = False, 0.0
            self._open_until_s = _CLOSED if is_well else now_s + breaker.open
            self.era += 1

    def takes_token(self) -> bool:
        """Take a token for one more request; return whether there was one, or none is needed."""
        if self._budget is None:
            return True
        if not may_retry(self.tokens):
            return False
        self.tokens = tokens_after_retry(self.tokens)
        return True

    def item(self, uniform: float) -> int:
        """Return the cache item a caller asks for, by a uniform number."""
        cache = self.rule.cache
        assert cache is not None
        return item_of(uniform, cache.keys, cache.skew, self._key_share)

    def finds(self, item: int) -> bool:
        """Return whether the cache holds an item; it then becomes the most recently used."""
        if item not in self._cached:
            return False
        self._cached.move_to_end(item)
        return True

    def keep(self, item: int) -> None:
        """Put an item in the cache; the least recently used one goes if there is no room."""
        self._cached[item] = None
        self._cached.move_to_end(item)
        if len(self._cached) > self._entries:
            self._cached.popitem(last=False)

    def flush(self) -> None:
        """Empty the cache."""
        self._cached.clear()
