"""Guardrails: criteria on what customers meet and services show, judged every second of wall time.

They fail closed. Steps that still wait count by their age, so a target that falls silent is seen
before its customers give up; and a number that cannot be read for all of a guardrail's time is a
breach like one beyond the bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from gameday.errors import UsageError
from gameday.record import BINS, bin_of, percentile
from gameday.scenario import Criterion, Guardrail, Scenario
from gameday.traffic import LoadPlan
from gameday.vocabulary import SLOT_S, Array

__all__ = ["Breach", "GuardrailWatch", "check_guardrails"]

_LEAST = 20
"""Replies in the judged time below which nothing is said."""
_PART_S = 3.0
_REPORT_GAP_S = 2.0
"""Reports come about once a second: a gap of two is none."""
_SAMPLES_S = 4.0
"""A reading of a service takes two samples, one every other second."""
_SHORTEST_S = 5.0
"""A criterion without `for` looks back so far: one second's p99 is noise."""

_NO_FAULTS: Mapping[str, str] = MappingProxyType({})


def check_guardrails(scenario: Scenario, plan: LoadPlan) -> None:
    """Raise UsageError where a guardrail's time is longer than the run: it could never act."""
    lasts_s = plan.duration_s + plan.lead_in_s
    slots, longest_s = plan.lead_in + plan.window.slots, 0.0
    faults = []
    for index, guardrail in enumerate(scenario.guardrails):
        criterion, span = guardrail.when, _span_of(guardrail.when)
        longest_s = max(longest_s, span)
        if span > lasts_s:
            needs = (
                f"`for {criterion.for_s:g}s`" if criterion.for_s else f"without `for`, {span:g} s"
            )
            faults.append(f"guardrails.{index}.when: '{criterion.text}' ({needs}) could never act")
    if faults:
        raise UsageError(
            f"{'; '.join(faults)}: the run lasts {lasts_s:.3g} s at {plan.speed:g}x, lead-in "
            f"included. Shorten its time, or widen --window{_slower(slots * SLOT_S / longest_s)}"
        )


def _slower(speed: float) -> str:
    """Say at which speed a run would be long enough; nothing where none is."""
    floored = math.floor(10 * speed) / 10  # rounded up it would be refused again
    return f", or play at {floored:g}x or slower (--speed)" if floored >= 1 else ""


@dataclass(frozen=True, slots=True)
class Breach:
    """A guardrail that acts, and why."""

    guardrail: Guardrail
    unread: str = ""
    """Why its number could not be read; empty: it was read, and was beyond the bound."""

    @property
    def text(self) -> str:
        """Say which guardrail acts and why."""
        criterion = self.guardrail.when.text
        if self.unread:
            return f"guardrail cannot be read: {criterion}: {self.unread}"
        return f"guardrail crossed: {criterion}"


@dataclass(frozen=True, slots=True)
class _Report:
    """What one worker said of its last second."""

    at_s: float
    worker: int
    outcomes: Array
    """(steps, 3 = ended, bad, left)."""
    latency: Array
    """Response times of steps that ended, (steps, BINS)."""
    waiting: Array
    """Ages of steps under way at `at_s`, (steps, BINS)."""


class GuardrailWatch:
    """Keeps the last seconds of every step and service, and judges the guardrails on them."""

    def __init__(
        self,
        scenario: Scenario,
        expected: Callable[[str, float, float], float] = lambda step, from_s, to_s: 0.0,
    ) -> None:
        """`expected` tells how many of a step the plan sends between two instants of `now_s`."""
        self.guardrails = tuple(scenario.guardrails)
        self.steps, self._expected = scenario.step_names, expected
        self._stacks = {
            g.when.subject: _stacks_of(scenario, g.when.subject)
            for g in self.guardrails
            if g.when.is_of_service
        }
        """Service -> stacks that have it."""
        self._span = max([_SHORTEST_S, *(g.when.for_s for g in self.guardrails)])
        self._reports: list[_Report] = []
        self._services: list[tuple[float, dict[tuple[str, str, str], float]]] = []
        self._began: float | None = None
        self._since = dict.fromkeys(range(len(self.guardrails)), -np.inf)
        """Guardrail -> when it last acted: what came before is forgotten for it."""

    @property
    def watches_services(self) -> bool:
        """Whether any guardrail needs the services' own numbers."""
        return any(g.when.is_of_service for g in self.guardrails)

    def start(self, now_s: float) -> None:
        """Load begins to go out: from now on every guardrail must be readable."""
        self._began = now_s if self._began is None else self._began

    def add(
        self,
        now_s: float,
        outcomes: Array,
        latency: Array,
        waiting: Array | None = None,
        *,
        worker: int = 0,
    ) -> None:
        """Add one worker's report: outcomes (steps, 3 = ended, bad, left), latencies (steps, BINS).

        `waiting` holds the ages of its steps under way, (steps, BINS); None: there are none.
        """
        self.start(now_s)
        ages = np.zeros_like(latency) if waiting is None else waiting
        self._reports.append(_Report(now_s, worker, outcomes, latency, ages))
        self._reports = [r for r in self._reports if r.at_s > now_s - self._span]

    def add_services(self, now_s: float, numbers: dict[tuple[str, str, str], float]) -> None:
        """Add what services show now: (stack, metric, service) -> its number, where it was read."""
        self.start(now_s)
        known = {key: value for key, value in numbers.items() if np.isfinite(value)}
        self._services.append((now_s, known))
        self._services = [s for s in self._services if s[0] > now_s - self._span]

    def crossed(self, now_s: float, faults: Mapping[str, str] = _NO_FAULTS) -> Breach | None:
        """Return a guardrail that was bad, or unreadable, all its time, or None; it begins anew then.

        `faults` says of a stack why its services cannot be read now.
        """
        self.start(now_s)
        for index, guardrail in enumerate(self.guardrails):
            criterion, since_s = guardrail.when, self._since[index]
            if criterion.is_of_service:
                breach = self._service_breach(guardrail, now_s, since_s, faults)
            elif self._is_crossed(criterion, now_s, since_s):
                breach = Breach(guardrail)
            else:
                breach = self._unread_step(guardrail, now_s, since_s)
            if breach is not None:
                self._since[index] = now_s
                return breach
        return None

    def states(self, now_s: float) -> list[tuple[Guardrail, float | None]]:
        """Return each guardrail with its number over its own time; None = too little to say."""
        out: list[tuple[Guardrail, float | None]] = []
        for guardrail in self.guardrails:
            criterion, after_s = guardrail.when, now_s - _span_of(guardrail.when)
            if criterion.is_of_service:
                out.append((guardrail, self._highest_reading(criterion, after_s)))
            else:
                recent = [r for r in self._reports if r.at_s > after_s]
                out.append((guardrail, self._number(criterion, recent)))
        return out

    def _is_watched_for(self, span_s: float, now_s: float, since_s: float) -> bool:
        """Return whether so long has gone by since load began, or since the guardrail last acted."""
        return self._began is not None and now_s - max(self._began, since_s) >= span_s

    # --- services -----------------------------------------------------------------------------

    def _readings(
        self, criterion: Criterion, stack: str, after_s: float
    ) -> list[tuple[float, float]]:
        key = (stack, criterion.metric, criterion.subject)
        return [
            (read_s, seen[key])
            for read_s, seen in self._services
            if read_s > after_s and key in seen
        ]

    def _highest_reading(self, criterion: Criterion, after_s: float) -> float | None:
        """Return the highest of the stacks' last readings; None where there is none since `after_s`."""
        stacks = self._stacks[criterion.subject]
        last = [self._readings(criterion, stack, after_s)[-1:] for stack in stacks]
        return max((number for readings in last for _, number in readings), default=None)

    def _service_breach(
        self, guardrail: Guardrail, now_s: float, since_s: float, faults: Mapping[str, str]
    ) -> Breach | None:
        """Return a breach where no reading of a stack was within the bound all the time.

        A reading beyond the bound and one that failed both leave open that the service is in
        trouble; only a good one shows that it is not.
        """
        criterion, span = guardrail.when, _span_of(guardrail.when)
        for stack in self._stacks[criterion.subject]:
            seen = self._readings(criterion, stack, max(now_s - span, since_s))
            if any(not criterion.holds(number) for _, number in seen):
                continue
            if len(seen) > 1 and now_s - seen[0][0] >= span - _REPORT_GAP_S:
                return Breach(guardrail)
            if self._is_watched_for(span + _SAMPLES_S, now_s, since_s):
                why = faults.get(stack, f"its {criterion.metric} is not exposed")
                return Breach(guardrail, f"stack {stack} had no good reading in {span:g} s ({why})")
        return None

    # --- steps --------------------------------------------------------------------------------

    def _unread_step(self, guardrail: Guardrail, now_s: float, since_s: float) -> Breach | None:
        """Return a breach where the plan sends a step, and none went out, all the time.

        As when customers never come to it because the steps before it hang. Due are those of the
        first half of the time: the second half is theirs to be late in.
        """
        criterion, span = guardrail.when, _span_of(guardrail.when)
        if not self._is_watched_for(span, now_s, since_s):
            return None
        recent = [r for r in self._reports if r.at_s > now_s - span]
        rows = self._rows(criterion)
        seen = sum(float(r.outcomes[rows, 0].sum() + r.waiting[rows].sum()) for r in recent)
        due = self._expected(criterion.subject, now_s - span, now_s - span / 2)
        if seen or not recent or due < _LEAST:
            return None
        return Breach(
            guardrail,
            f"in {span:g} s no customer came to {criterion.subject}; "
            f"{due:.0f} were due in the first half of that",
        )

    def _rows(self, criterion: Criterion) -> slice:
        if criterion.subject == "all steps":
            return slice(None)
        index = self.steps.index(criterion.subject)
        return slice(index, index + 1)

    def _is_crossed(self, criterion: Criterion, now_s: float, since_s: float) -> bool:
        """Return whether the comparison was true all the time it asks for, part by part.

        The time is cut into parts of a few seconds, each with enough replies to speak; every part
        must be bad, and together they must span the time.
        """
        span = _span_of(criterion)
        recent = [r for r in self._reports if r.at_s > max(now_s - span, since_s)]
        if not recent or now_s - recent[0].at_s < span - _REPORT_GAP_S:
            return False
        part: list[_Report] = []
        judged = 0
        for report in recent:
            part.append(report)
            number = self._number(criterion, part)
            if number is None or part[-1].at_s - part[0].at_s < _PART_S - _REPORT_GAP_S:
                continue
            if not criterion.holds(number):
                return False
            judged, part = judged + 1, []
        return judged > 1

    def _number(self, criterion: Criterion, reports: list[_Report]) -> float | None:
        """Return the criterion's number over some seconds; None = too few replies to say.

        A step that waits counts for a quantile once it is older than the bound: whatever its
        reply's time will be, it is beyond. A younger one is left out, as nothing is known of it
        yet. For the rates it counts when its customer gives up, as one who left.
        """
        rows = self._rows(criterion)
        ended, bad, left = sum((r.outcomes[rows].sum(axis=0) for r in reports), np.zeros(3))
        if criterion.metric in ("error rate", "abandonment rate"):
            counted = bad if criterion.metric == "error rate" else left
            return float(counted / ended) if ended >= _LEAST else None
        last = {r.worker: r.waiting[rows].sum(axis=0) for r in reports}
        waiting = sum(last.values(), np.zeros(BINS))
        waiting[: int(bin_of(criterion.value)) + 1] = 0.0
        if ended + waiting.sum() < _LEAST:
            return None
        histogram = sum((r.latency[rows].sum(axis=0) for r in reports), waiting)
        return percentile(histogram, criterion.level)


def _span_of(criterion: Criterion) -> float:
    """Return how far back a criterion looks, s."""
    return max(criterion.for_s, _SHORTEST_S)


def _stacks_of(scenario: Scenario, service: str) -> list[str]:
    """Return the stacks that have a service."""
    return [s for s in scenario.stack_names if service in scenario.stack_services(s)]
