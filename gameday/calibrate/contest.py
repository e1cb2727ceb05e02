"""Explanations that compete: each is put into the model, and the one that comes nearest to what
was measured wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gameday.calibrate.calibration import IN_USE
from gameday.calibrate.compared.discrepancy import discrepancy, law_distance, rows_of
from gameday.calibrate.compared.observed import StackObserved
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.scenario.blocks import MeasuredFields, Spread

__all__ = ["Hypothesis", "is_nearer", "winner"]

_BETTER = 15.0
"""By how many squared standard deviations an explanation must be nearer than the model as it is.
Ours: each has one number more, and several compete."""


_BY = "which of several explanations comes nearest in the model"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One way in which a service may differ from the model."""

    parameter: str
    """Name of the parameter that says so."""
    fields: MeasuredFields
    """Of `Measured`."""
    declared: float
    measured: Spread

    def found(self, case: ServiceCase, by: str) -> Found:
        """Return the finding of this hypothesis, with the time factor that it implies."""
        samples = float(np.nansum(case.seen.served))
        row = case.parameter(
            self.parameter, self.declared, self.measured, agrees=False, by=by, samples=samples
        )
        factor = self.fields.get("time_factor")
        if not isinstance(factor, Spread):
            return Found(self.fields, (row,))
        before = case.declared.time_factor.mid
        of_all = case.parameter(
            "time_factor", before, factor, agrees=factor.holds(before), by=by, samples=samples
        )
        return Found(self.fields, (row, of_all))


def winner(case: ServiceCase, hypotheses: Iterable[Hypothesis]) -> Found | None:
    """Return the hypothesis that brings the model nearest to the measured run; None: it is as near as it is."""
    tried = list(hypotheses)
    if not tried:
        return None
    as_it_is = _distance(case, case.model.replications())
    distances = [_distance_with(case, hypothesis) for hypothesis in tried]
    best = int(np.argmin(distances))
    if distances[best] > as_it_is - _BETTER:
        return None
    return tried[best].found(case, IN_USE if tried[best].parameter == "servers" else _BY)


def is_nearer(case: ServiceCase, fields: MeasuredFields) -> bool:
    """Return whether the model is nearer by enough where it is told `fields` of the service as well."""
    block = case.model.measured(case.name).told(fields)
    told = _distance(case, case.model.replications({case.name: block}))
    return told < _distance(case, case.model.replications()) - _BETTER


def _distance_with(case: ServiceCase, hypothesis: Hypothesis) -> float:
    block = case.model.measured(case.name).told(hypothesis.fields)
    return _distance(case, case.model.replications({case.name: block}))


def _distance(case: ServiceCase, runs: list[StackObserved]) -> float:
    """Return how far a model is from what was measured, the visits to the service in all their law."""
    law = np.sum([run.services[case.name].histogram for run in runs], axis=0)
    return discrepancy(rows_of(case.model.seen, runs)) + law_distance(case.seen.histogram, law)
