"""The callers of a service together: what they have left to retry with, believe of it, and have kept."""

from __future__ import annotations

from collections import OrderedDict

from gameday.scenario.blocks import Service, Station
from gameday.scenario.caller_policies import (
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

    def __init__(self, station: Station, rule: Service) -> None:
        self.station, self.rule = station, rule
        self.tokens = station.tokens
        self.era = 0
        """How often the breaker has opened or closed: an answer counts in the era of its request."""
        self._failing, self._open_until_s, self._is_trying = 0.0, _CLOSED, False
        self._kept: OrderedDict[int, None] = OrderedDict()
        if rule.cache is not None:
            self._kept.update((item, None) for item in range(station.entries - 1, -1, -1))

    def may_ask(self, now_s: float) -> bool:
        """Return whether the breaker lets a request go out now; it counts as gone out."""
        if self.rule.breaker is None or self._open_until_s == _CLOSED:
            return True
        if now_s < self._open_until_s or self._is_trying:
            return False
        self._is_trying = True
        return True

    def heard(self, now_s: float, era: int, *, is_well: bool) -> None:
        """Note how a request of an era was answered; of an earlier one the breaker knows already."""
        if (breaker := self.rule.breaker) is not None and era == self.era:
            if self._open_until_s == _CLOSED:
                self._failing = failing_after(
                    self._failing, 0.0 if is_well else 1.0, self.station.window
                )
                if trips(self._failing, breaker.failures):
                    self._open_until_s, self._is_trying = now_s + breaker.open, False
                    self.era += 1
            else:
                self._is_trying, self._failing = False, 0.0
                self._open_until_s = _CLOSED if is_well else now_s + breaker.open
                self.era += 1
        budget = self.rule.retry.budget if self.rule.retry is not None else None
        if is_well and budget is not None:
            self.tokens = tokens_after_answer(self.tokens, budget.ratio, self.station.tokens)

    def takes_token(self) -> bool:
        """Take a token for a request more; return whether there was one, or none is needed."""
        if self.rule.retry is None or self.rule.retry.budget is None:
            return True
        if not may_retry(self.tokens):
            return False
        self.tokens = tokens_after_retry(self.tokens)
        return True

    def item(self, uniform: float) -> int:
        """Return what a caller asks for."""
        cache = self.rule.cache
        assert cache is not None
        return item_of(uniform, cache.keys, cache.skew, self.station.key_share)

    def finds(self, item: int) -> bool:
        """Return whether the answer is kept; it has then been used latest."""
        if item not in self._kept:
            return False
        self._kept.move_to_end(item)
        return True

    def keep(self, item: int) -> None:
        """Keep an answer; the one used longest ago goes if there is no room."""
        self._kept[item] = None
        self._kept.move_to_end(item)
        if len(self._kept) > self.station.entries:
            self._kept.popitem(last=False)

    def flush(self) -> None:
        """Forget every answer."""
        self._kept.clear()
