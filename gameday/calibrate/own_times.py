"""Own work of services from traces: what each visit worked for itself, beside what is declared of it.

A trace has no load: how many servers there are it does not say, and nothing about queues.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from statistics import median

from gameday.calibrate.calibration import (
    Calibration,
    Parameter,
    Source,
    Unidentified,
    as_declared,
    measured_in,
)
from gameday.calibrate.widening import HOW_MANY
from gameday.history.traces import ServiceSeen, TraceStructure
from gameday.scenario import Scenario
from gameday.scenario.blocks import Measured, Service, Spread

__all__ = ["calibrate_own_times"]

_LEAST_VISITS = 30
"""Visits below which nothing is said of a service. Ours."""
_LEAST_LOG_SD = 0.02
"""Of a mean. Ours: spans begin and end outside of the work itself."""
_SURE = 3.0
"""Standard errors by which a mean must differ from what is declared."""
_UNLIKE_STEP = 1.2
"""Times by which a step's work must differ from the others' to have a factor of its own. Ours."""
_UNLIKE_CV = 1.5
"""Times by which a coefficient of variation must differ from the declared one. Ours."""
_BY = "self time of its spans"


def calibrate_own_times(
    scenario: Scenario, structure: TraceStructure, source: Source
) -> Calibration:
    """Return what traces say of the services of `scenario`: how long each works, and how differently.

    Traces do not tell stacks apart: what they say holds in each. Services without spans of their own stay as
    declared, and are named in `unidentified`.
    """
    seen = {service.service: service for service in structure.services}
    parameters: list[Parameter] = []
    unidentified: list[Unidentified] = []
    measured = measured_in(scenario)
    places = [(s, name) for s in scenario.stack_names for name in scenario.stack_services(s)]
    for stack, name in places:
        found, row = seen.get(name), _untold(stack, name, seen.get(name))
        unidentified.append(row)
        if found is None or row.what == _WORK:
            continue
        before = measured.get((stack, name), Measured())
        fields, rows = _OwnTimes(stack, scenario.services[name], before, found).fitted(name)
        measured[stack, name] = before.told(fields)
        parameters += rows
    return Calibration(
        scenario_sha256=as_declared(scenario).sha256(),
        sources=(source,),
        measured=measured,
        parameters=tuple(parameters),
        unidentified=tuple(unidentified),
        notes=(*_notes(scenario, seen), *structure.doubts),
    )


_WORK = "its own work"
_NO_SERVERS = "traces tell how long it works, not how many visits it works on at once"


def _untold(stack: str, name: str, found: ServiceSeen | None) -> Unidentified:
    """Return what traces do not tell of a service: how long it works; or else how many visits at once."""
    if why := _why_not(found):
        return Unidentified(
            stack, name, _WORK, why, f"spans of {name} itself, as many as of its callers"
        )
    add = f"capacity, busy_seconds and done of {name}"
    return Unidentified(stack, name, HOW_MANY, _NO_SERVERS, add)


def _notes(scenario: Scenario, seen: Collection[str]) -> Iterator[str]:
    if others := sorted(set(seen) - set(scenario.services)):
        yield f"services of the traces that the scenario does not have: {', '.join(others)}"


def _why_not(found: ServiceSeen | None) -> str:
    """Return why a service's spans say nothing of its own work; empty: they do."""
    if found is None:
        return "no span is of it"
    if found.is_seen_by_callers_only:
        return "it sent no spans: what its callers waited is not its own work alone"
    if found.mean_s is not None and not found.mean_s > 0:
        return "its calls cover all of its time, so nothing is left of its own"
    if found.mean_s is None or found.count < _LEAST_VISITS:
        return f"{found.count} of its visits went well, fewer than {_LEAST_VISITS}"
    return ""


@dataclass(frozen=True, slots=True)
class _OwnTimes:
    """Own work of one service in one stack."""

    stack: str
    declared: Service
    before: Measured
    """What was known of it."""
    seen: ServiceSeen

    def fitted(self, name: str) -> tuple[dict[str, object], list[Parameter]]:
        """Return what the model is told, and the rows that say so."""
        ratios, known = self._ratios(), self.before.time_factor
        factor = Spread.around(median(ratios.values()), self._log_sd())
        away = abs(math.log(factor.mid / known.mid))
        is_same = away < _SURE * math.hypot(factor.log_sd, known.log_sd)
        rows = [self._row(name, "time_factor", known.mid, factor, agrees=is_same)]
        fields: dict[str, object] = {} if is_same else {"time_factor": factor}
        if steps := dict(self._steps(ratios, known if is_same else factor)):
            rows += [self._of_step(name, step, spread) for step, spread in steps.items()]
            fields["step_factors"] = steps
        if (cv := self._cv()) is not None:
            rows.append(self._row(name, "cv", self.declared.time.scv**0.5, cv, agrees=False))
            fields["cv"] = cv
        return fields, rows

    def _steps(self, ratios: dict[str, float], of_all: Spread) -> Iterator[tuple[str, Spread]]:
        """Yield the steps whose work differs from that of all more than what is known of them says."""
        for step, ratio in ratios.items():
            factor = ratio / of_all.mid
            if step and abs(math.log(factor / self._known(step))) > math.log(_UNLIKE_STEP):
                yield step, Spread.around(factor, 2 * self._log_sd())

    def _known(self, step: str) -> float:
        return self.before.step_factors.get(step, Spread.exactly(1.0)).mid

    def _of_step(self, service: str, step: str, now: Spread) -> Parameter:
        return self._row(service, f"step_factors.{step}", self._known(step), now, agrees=False)

    def _ratios(self) -> dict[str, float]:
        """Return step -> how many times as long as declared; empty name: of all together."""
        ratios = {
            step: mean_s / self.declared.time_for(step).mean
            for step, mean_s in self.seen.by_step_mean_s.items()
        }
        mean_s = self.seen.mean_s or 0.0
        return ratios or {"": mean_s / self.declared.time.mean}

    def _log_sd(self) -> float:
        """Return the standard deviation of the log of a mean of so many visits."""
        law = self.seen.law
        cv = law.cv if law is not None and law.cv is not None else 1.0
        return max(_LEAST_LOG_SD, cv / math.sqrt(self.seen.count))

    def _cv(self) -> Spread | None:
        """Return the coefficient of variation where it is not as declared; None: it is, or is not told."""
        law, declared = self.seen.law, self.declared.time.scv**0.5
        if law is None or not law.cv or not declared:
            return None
        if abs(math.log(law.cv / declared)) < math.log(_UNLIKE_CV):
            return None
        return Spread.around(law.cv, 2 * self._log_sd())

    def _row(
        self, service: str, name: str, declared: float, measured: Spread, *, agrees: bool
    ) -> Parameter:
        return Parameter(
            self.stack, service, name, declared, measured, agrees, by=_BY, samples=self.seen.count
        )
