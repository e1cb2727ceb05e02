"""Guardrails: criteria on what customers meet, judged every second of wall time."""

from __future__ import annotations

import numpy as np

from gameday.run_record import BINS, percentile
from gameday.scenario import Criterion, Scenario
from gameday.vocabulary import Array

__all__ = ["GuardrailWatch"]

_LEAST = 20
"""Replies in the judged time below which nothing is said."""
_SHORTEST_S = 5.0
"""A criterion without `for` looks back so far: one second's p99 is noise."""


class GuardrailWatch:
    """Keeps the last seconds of every step and judges the scenario's guardrails on them."""

    def __init__(self, scenario: Scenario) -> None:
        self.criteria = tuple(g.when for g in scenario.guardrails)
        self.steps = scenario.step_names
        span = max([_SHORTEST_S, *(c.for_s for c in self.criteria)])
        self._seconds: list[tuple[float, Array, Array]] = []
        self._span = span

    def add(self, now_s: float, outcomes: Array, latency: Array) -> None:
        """Add one report: outcomes (steps, 3 = all, bad, left) and latencies (steps, BINS)."""
        self._seconds.append((now_s, outcomes, latency))
        self._seconds = [s for s in self._seconds if s[0] > now_s - self._span]

    def crossed(self, now_s: float) -> Criterion | None:
        """Return the first guardrail that was crossed all its time, or None."""
        for criterion in self.criteria:
            if not criterion.is_of_service and self._is_crossed(criterion, now_s):
                return criterion
        return None

    def _is_crossed(self, criterion: Criterion, now_s: float) -> bool:
        span = max(criterion.for_s, _SHORTEST_S)
        mine = [s for s in self._seconds if s[0] > now_s - span]
        if not mine or now_s - mine[0][0] < span - 2.0:
            return False
        halves = [mine[: len(mine) // 2], mine[len(mine) // 2 :]]
        numbers = [self._number(criterion, half) for half in halves if half]
        return len(numbers) == 2 and all(n is not None and criterion.holds(n) for n in numbers)

    def _number(self, criterion: Criterion, seconds: list[tuple[float, Array, Array]]) -> float | None:
        rows = slice(None)
        if criterion.subject != "all steps":
            index = self.steps.index(criterion.subject)
            rows = slice(index, index + 1)
        outcomes = sum((s[1][rows].sum(axis=0) for s in seconds), np.zeros(3))
        if outcomes[0] < _LEAST:
            return None
        if criterion.metric == "error rate":
            return float(outcomes[1] / outcomes[0])
        if criterion.metric == "abandonment rate":
            return float(outcomes[2] / outcomes[0])
        histogram = sum((s[2][rows].sum(axis=0) for s in seconds), np.zeros(BINS))
        level = 0.5 if criterion.metric == "mean" else float(criterion.metric[1:]) / 100
        return percentile(histogram, level)
