"""One stack while its parameters are fitted: what was measured of it, and its model with what was found so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from gameday.calibrate.calibration import Parameter, Unidentified, with_measured
from gameday.calibrate.compared.call_levels import Work, calls_of, levels_of, type_shares, work_of
from gameday.calibrate.compared.observed import Look, Observed, StackObserved, mean_of
from gameday.queueing import build_cell
from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.scenario.blocks import Measured, MeasuredFields, Service, Spread, Station
from gameday.simulate import RunControl, replicate_each
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array, Seed

__all__ = ["Found", "ServiceCase", "StackModel", "Target", "at_middle", "played"]


@dataclass(frozen=True, slots=True)
class Target:
    """A run of a plan against a target, as the model plays it again."""

    plan: LoadPlan
    record: RunRecord
    """Measured."""
    seed: Seed
    scale: float
    """Share of full scale that the target's servers are."""
    control: RunControl
    slots: slice | None = None
    """Of the grid that are compared; None: the window."""

    @staticmethod
    def of(
        plan: LoadPlan,
        record: RunRecord,
        *,
        seed: Seed,
        scale: float | None = None,
        control: RunControl | None = None,
        slots: slice | None = None,
    ) -> Target:
        """Return a run; `scale` sets the servers apart from the arrivals, as in `simulate`."""
        servers = plan.scale if scale is None else scale
        return Target(plan, record, seed, servers, control or RunControl(), slots)

    @property
    def peak_per_min(self) -> float:
        """Session starts in the busiest slot, a minute, as they would be for servers of full scale."""
        starts = self.plan.starts.sum(axis=(0, 1))[self.plan.lead_in :]
        return float(starts.max()) * self.plan.scale / self.scale

    def with_replications(self, number: int) -> Target:
        """Return the same, to be played so often by the model."""
        return replace(self, control=replace(self.control, replications=number))


@dataclass(frozen=True, slots=True)
class Found:
    """What one fit says of a service: what to put into the model, and what to tell."""

    fields: MeasuredFields = field(default_factory=dict)
    """Fields of `Measured` that take new values."""
    parameters: tuple[Parameter, ...] = ()
    unidentified: tuple[Unidentified, ...] = ()


@dataclass
class StackModel:
    """The model of one stack, beside what was measured of it."""

    given: Scenario
    """Before anything was fitted."""
    scenario: Scenario
    """With what was found so far."""
    stack: str
    scale: float
    seen: StackObserved
    """Measured."""
    shares: dict[str | None, Array]
    """As `type_shares` has them."""
    levels: list[list[str]]
    play: Callable[[Scenario], list[StackObserved]]

    @staticmethod
    def of(scenario: Scenario, stack: str, target: Target, *, is_drawn: bool = False) -> StackModel:
        """Return the model of a stack before anything is fitted.

        `is_drawn`: whether each replication draws the measured numbers from their intervals; else
        all take the middle.
        """
        look = Look(scenario.stack_services(stack), target.slots)
        return StackModel(
            given=scenario,
            scenario=scenario,
            stack=stack,
            scale=target.scale,
            seen=look.at(target.record, stack),
            shares=type_shares(scenario, target.plan, stack),
            levels=levels_of(build_cell(scenario, stack, scale=target.scale)),
            play=partial(played, stack, look, target, is_drawn=is_drawn),
        )

    @property
    def services(self) -> list[str]:
        """The services that are visited, the deepest first."""
        return [name for level in self.levels for name in level]

    def simulate(self, changes: Mapping[str, Measured] | None = None) -> StackObserved:
        """Return what the model shows, mean of its replications; `changes` as `replications` has them."""
        return mean_of(self.replications(changes))

    def replications(self, changes: Mapping[str, Measured] | None = None) -> list[StackObserved]:
        """Return what the model shows, with other values of `Measured` for the services named."""
        scenario = self.scenario
        for name, block in (changes or {}).items():
            scenario = with_measured(scenario, self.stack, name, block)
        return self.play(scenario)

    def measured(self, name: str) -> Measured:
        """Return what is taken to be measured of a service so far."""
        return self.scenario.services[name].stacks[self.stack].measured or Measured()

    def put(self, name: str, fields: MeasuredFields) -> None:
        """Put values found for a service into the model."""
        if fields:
            block = self.measured(name).told(fields)
            self.scenario = with_measured(self.scenario, self.stack, name, block)

    def service(self, name: str) -> Service:
        """Return a service as the model has it now."""
        return self.scenario.services[name].as_measured(self.stack)

    def is_hidden(self, name: str) -> bool:
        """Return whether neither busy time nor visits of a service were seen."""
        seen = self.seen.services[name]
        return not seen.is_observed and not seen.histogram.sum()

    def hidden_calls(self, name: str) -> list[str]:
        """Return the hidden services that one waits for with a server held."""
        if self.service(name).is_asynchronous:
            return []
        calls = calls_of(self.scenario, self.stack, self.scale, name)
        return [called for called in calls if self.is_hidden(called)]

    def station(self, name: str) -> Station:
        """Return a service as a station of the target's size."""
        return self.service(name).station(name, self.stack, self.scale)

    def work(self, name: str, measured: Measured | None = None) -> Work:
        """Return what a visit to a service holds a server for; `measured`: in place of what is known of it."""
        scenario = self.scenario
        if measured is not None:
            scenario = with_measured(scenario, self.stack, name, measured)
        return work_of(scenario, self.stack, self.scale, self.shares)[name]


@dataclass(frozen=True, slots=True)
class ServiceCase:
    """One service while it is fitted."""

    name: str
    model: StackModel
    predicted: StackObserved
    """The model before anything was fitted at this level."""
    before: Measured
    """What the model took to be measured of the service then."""
    work: Work
    """What a visit held a server for in it."""

    @staticmethod
    def of(name: str, model: StackModel, predicted: StackObserved) -> ServiceCase:
        """Return a service of a model that has just been played."""
        return ServiceCase(name, model, predicted, model.measured(name), model.work(name))

    @property
    def seen(self) -> Observed:
        """The service as measured."""
        return self.model.seen.services[self.name]

    @property
    def expected(self) -> Observed:
        """The service as the model has it."""
        return self.predicted.services[self.name]

    @property
    def hidden_calls(self) -> list[str]:
        """The services it waits for with a server held of which nothing is observed."""
        return self.model.hidden_calls(self.name)

    @property
    def declared(self) -> Measured:
        """What was taken to be measured before this fit; of a scenario as declared, nothing."""
        return self.model.given.services[self.name].stacks[self.model.stack].measured or Measured()

    @property
    def executions(self) -> Array:
        """How often each step was executed, as measured, shape (steps,)."""
        return np.asarray(self.model.seen.achieved.sum(axis=1))

    def parameter(
        self,
        field: str,
        declared: float,
        measured: Spread,
        *,
        agrees: bool,
        by: str,
        samples: float,
    ) -> Parameter:
        """Return a row of this service."""
        return Parameter(
            stack=self.model.stack,
            service=self.name,
            name=field,
            declared=float(declared),
            measured=measured,
            agrees=bool(agrees),
            by=by,
            samples=round(samples),
        )

    def differs(
        self,
        fields: MeasuredFields,
        field: str,
        declared: float,
        now: Spread,
        by: str,
        samples: float,
    ) -> Found:
        """Return a finding: this parameter differs from the model's value."""
        row = self.parameter(field, declared, now, agrees=False, by=by, samples=samples)
        return Found(fields, (row,))

    def agrees(self, field: str, declared: float, now: Spread, by: str, samples: float) -> Found:
        """Return that a parameter is as in the model, within its interval."""
        row = self.parameter(field, declared, now, agrees=True, by=by, samples=samples)
        return Found(parameters=(row,))

    def unknown(self, what: str, why: str, add: str) -> Found:
        """Return that something of this service cannot be told."""
        return Found(unidentified=(Unidentified(self.model.stack, self.name, what, why, add),))


def played(
    stack: str, look: Look, target: Target, scenario: Scenario, *, is_drawn: bool
) -> list[StackObserved]:
    """Return what each replication of a scenario's model shows of a stack in the run as it was played."""
    [runs] = replicate_each(
        scenario if is_drawn else at_middle(scenario, stack),
        [target.plan],
        look,
        seed=target.seed,
        control=target.control,
        scale=target.scale,
        stacks=(stack,),
    )
    return [run for [run] in runs]


def at_middle(scenario: Scenario, stack: str) -> Scenario:
    """Return the scenario with each measured number of a stack at the middle of its interval."""
    for name, fleet in scenario.stack_fleets(stack).items():
        if fleet.measured is not None:
            points = {
                path: Spread.exactly(spread.mid)
                for path, spread in fleet.measured.spreads().items()
            }
            block = fleet.measured.with_spreads(points)
            scenario = with_measured(scenario, stack, name, block)
    return scenario
