"""Guardrails: criteria on what customers meet and services show, judged every second of wall time."""

from __future__ import annotations

import numpy as np

from gameday.run_record import BINS, percentile
from gameday.scenario import Criterion, Scenario
from gameday.scenario.model import Guardrail
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
    """Keeps the last seconds of every step and service, and judges the guardrails on them."""

    def __init__(self, scenario: Scenario) -> None:
        self.guardrails = tuple(scenario.guardrails)
        self.steps = scenario.step_names
        self._span = max([_SHORTEST_S, *(g.when.for_s for g in self.guardrails)])
        self._seconds: list[tuple[float, Array, Array]] = []
        self._services: list[tuple[float, dict[tuple[str, str], float]]] = []
        self._since = dict.fromkeys(range(len(self.guardrails)), -np.inf)
        """Guardrail -> when it last acted: what came before is forgotten for it."""

    @property
    def watches_services(self) -> bool:
        """Whether any guardrail needs the services' own numbers."""
        return any(g.when.is_of_service for g in self.guardrails)

    def add(self, now_s: float, outcomes: Array, latency: Array) -> None:
        """Add one report: outcomes (steps, 3 = all, bad, left) and latencies (steps, BINS)."""
        self._seconds.append((now_s, outcomes, latency))
        self._seconds = [s for s in self._seconds if s[0] > now_s - self._span]

    def add_services(self, now_s: float, numbers: dict[tuple[str, str], float]) -> None:
        """Add what services show now: (metric, service) -> its number."""
        self._services.append((now_s, numbers))
        self._services = [s for s in self._services if s[0] > now_s - self._span]

    def crossed(self, now_s: float) -> Guardrail | None:
        """Return a guardrail that was crossed all its time, or None; it then begins anew."""
        for index, guardrail in enumerate(self.guardrails):
            judge = self._service_crossed if guardrail.when.is_of_service else self._is_crossed
            if judge(guardrail.when, now_s, self._since[index]):
                self._since[index] = now_s
                return guardrail
        return None

    def states(self, now_s: float) -> list[tuple[Guardrail, float | None]]:
        """Return each guardrail with its number over its own time; None = too little to say."""
        out: list[tuple[Guardrail, float | None]] = []
        for guardrail in self.guardrails:
            criterion, span = guardrail.when, max(guardrail.when.for_s, _SHORTEST_S)
            if criterion.is_of_service:
                seen = self._service_numbers(criterion, now_s - span)
                out.append((guardrail, seen[-1][1] if seen else None))
            else:
                out.append(
                    (
                        guardrail,
                        self._number(criterion, [s for s in self._seconds if s[0] > now_s - span]),
                    )
                )
        return out

    def _service_numbers(self, criterion: Criterion, after_s: float) -> list[tuple[float, float]]:
        key = (criterion.metric, criterion.subject)
        return [(at, seen[key]) for at, seen in self._services if at > after_s and key in seen]

    def _service_crossed(self, criterion: Criterion, now_s: float, since_s: float) -> bool:
        span = max(criterion.for_s, _SHORTEST_S)
        mine = self._service_numbers(criterion, max(now_s - span, since_s))
        if len(mine) < 2 or now_s - mine[0][0] < span - _REPORT_GAP_S:
            return False
        return all(criterion.holds(number) for _, number in mine)

    def _is_crossed(self, criterion: Criterion, now_s: float, since_s: float) -> bool:
        """Return whether the comparison was true all the time it asks for, part by part.

        The time is cut into parts of a few seconds, each with enough replies to speak; every part
        must be bad, and together they must span the time.
        """
        span = max(criterion.for_s, _SHORTEST_S)
        mine = [s for s in self._seconds if s[0] > max(now_s - span, since_s)]
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
