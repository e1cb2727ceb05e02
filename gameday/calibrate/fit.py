"""The room's verb: the parameters of a model from a run of what it models, the deepest services first.

Who calls nobody is read off directly. Who holds a server while it calls is read off once those
below are known: the model, with what was measured of them, says how long their answers take. So a
caller's slowness that is its callee's is never its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from gameday.calibrate.calibration import (
    Calibration,
    Parameter,
    Source,
    Unidentified,
    as_declared,
    measured_in,
)
from gameday.calibrate.compared.discrepancy import distance
from gameday.calibrate.compared.stack_model import Found, ServiceCase, StackModel, Target
from gameday.calibrate.service_fits import (
    OF_ANSWERS,
    OF_FLOWS,
    OF_GROWTH,
    OF_KINDS,
    OF_LOADS,
    OF_VISITS,
    ServiceFit,
)
from gameday.calibrate.unseen import fit_unseen
from gameday.calibrate.widening import ranked
from gameday.scenario import Scenario

__all__ = ["calibrate_model"]

_REPLICATIONS = 4
"""Of the model for each level of the call graph. Ours: their mean is then nearer than one measured run."""
_NEARER = 12.0
"""Distance by which the richer fit must be nearer than the simple one; one with fewer differing parameters may be
farther by half of that. Ours."""


def calibrate_model(
    scenario: Scenario, target: Target, sources: tuple[Source, ...] = ()
) -> Calibration:
    """Return what a run says of the services of `scenario`, with intervals.

    What the scenario says was measured before is where it begins from: what this run bears out stays as it is.
    Services that were not observed stay as declared, and are named in `unidentified`.
    """
    target = target.with_replications(_REPLICATIONS)
    parameters: list[Parameter] = []
    unidentified: list[Unidentified] = []
    for stack in scenario.stack_names:
        fit = _best_fit(StackModel.of(scenario, stack, target))
        parameters += [*fit.parameters, *fit_unseen(fit.model)]
        unidentified += ranked(fit.model, fit.unidentified)
        scenario = fit.model.scenario
    return Calibration(
        scenario_sha256=as_declared(scenario).sha256(),
        sources=sources,
        measured=measured_in(scenario),
        parameters=tuple(parameters),
        unidentified=tuple(sorted(unidentified, key=lambda row: -(row.widens or 0.0))),
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """A model that was fitted, and what was found."""

    model: StackModel
    parameters: tuple[Parameter, ...]
    unidentified: tuple[Unidentified, ...]

    @property
    def differing(self) -> int:
        """How many parameters differ from what was declared."""
        return sum(not row.agrees for row in self.parameters)

    def then(self, levels: list[list[str]], sweeps: tuple[tuple[ServiceFit, ...], ...]) -> _Fit:
        """Return this with what more fits find."""
        more = _fitted(self.model, levels, sweeps)
        return _Fit(
            more.model,
            self.parameters + more.parameters,
            self.unidentified + more.unidentified,
        )

    def distance(self) -> float:
        """Return how far the model is from what was measured."""
        return distance(self.model.seen, self.model.replications())


def _best_fit(model: StackModel) -> _Fit:
    """Return the simple fit, one time factor a service; or the one that allows tails, slow steps, slow instances
    and contention too, where its model is nearer to the run by a margin.

    How often each is visited is told first, callers before those they call: all else is told by visit.

    Which kind of slowness a service has is judged while its callers are still as declared; whether that was right
    shows once they are fitted too.
    """
    callers_first = [*reversed(model.levels)]
    flows = _fitted(model, callers_first, (OF_FLOWS,))
    plain = flows.then(model.levels, (OF_LOADS, OF_VISITS + OF_ANSWERS))
    kinds = (OF_LOADS, OF_GROWTH, OF_KINDS + OF_VISITS, OF_GROWTH + OF_ANSWERS)
    of_kinds = flows.then(model.levels, kinds)
    if of_kinds.model.scenario == plain.model.scenario:
        return plain
    margin = _NEARER if of_kinds.differing >= plain.differing else -_NEARER / 2
    return of_kinds if of_kinds.distance() < plain.distance() - margin else plain


def _fitted(
    model: StackModel, levels: list[list[str]], sweeps: tuple[tuple[ServiceFit, ...], ...]
) -> _Fit:
    """Return the fit level by level: the model learns what is found of one before the next is looked at."""
    model = replace(model)
    finds: list[Found] = []
    predicted, played = model.simulate(), model.scenario
    for level, fits in product(levels, sweeps):
        if model.scenario is not played:
            predicted, played = model.simulate(), model.scenario
        for name in level:
            finds += _found(ServiceCase.of(name, model, predicted), fits)
    rows = {(row.service, row.name): row for found in finds for row in found.parameters}
    return _Fit(
        model, tuple(rows.values()), tuple(u for found in finds for u in found.unidentified)
    )


def _found(case: ServiceCase, fits: tuple[ServiceFit, ...]) -> Iterator[Found]:
    """Yield what each fit finds of a service; the model learns it at once."""
    for fit in fits:
        if (found := fit(case)) is not None:
            case.model.put(case.name, found.fields)
            yield found
