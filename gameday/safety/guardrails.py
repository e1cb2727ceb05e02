"""Guardrails: criteria on what customers meet, judged every second of wall time."""

from __future__ import annotations

import numpy as np

from gameday.run_record import BINS, percentile
from gameday.scenario import Criterion, Scenario
from gameday.vocabulary import Array

__all__ = ["GuardrailWatch"]

_LEAST = 20
"""Replies in the judged time below which nothing is said."""
_PART_S = 3.0
_REPORT_GAP_S = 2.0
"""Reports come about once a second: a gap of two is none."""
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
            if self._is_crossed(criterion, now_s):
                return criterion
        return None

    def _is_crossed(self, criterion: Criterion, now_s: float) -> bool:
        """Return whether the comparison was true all the time it asks for, part by part.

        The time is cut into parts of a few seconds, each with enough replies to speak; every part
        must be bad, and together they must span the time.
        """
        span = max(criterion.for_s, _SHORTEST_S)
        mine = [s for s in self._seconds if s[0] > now_s - span]
        if not mine or now_s - mine[0][0] < span - _REPORT_GAP_S:
            return False
        part: list[tuple[float, Array, Array]] = []
        judged = 0
        for second in mine:
            part.append(second)
            number = self._number(criterion, part)
            if number is None or part[-1][0] - part[0][0] < _PART_S - _REPORT_GAP_S:
                continue
            if not criterion.holds(number):
                return False
            judged, part = judged + 1, []
        return judged > 1

    def _number(
        self, criterion: Criterion, seconds: list[tuple[float, Array, Array]]
    ) -> float | None:
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
        return percentile(histogram, criterion.level)
