"""Who plays and with what: connections to every target, and each cohort's steps prepared for it."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gameday.queueing import Sale, build_sales
from gameday.safety import allowed_target
from gameday.scenario import Scenario
from gameday.swarm.control.run_spec import RunSpec
from gameday.swarm.engine.customer import Cohort, PreparedStep
from gameday.swarm.script.prepared_steps import PreparedExchange, StepScript, prepare_steps
from gameday.swarm.script.template_variables import TemplateVariables
from gameday.swarm.tally.samples import Tally
from gameday.swarm.wire.pool import Pool, PoolLimits
from gameday.swarm.wire.sockets import Sockets
from gameday.swarm.wire.tls import tls_context
from gameday.traffic import Arrivals, LoadPlan, Walks
from gameday.vocabulary import Array, Clock

__all__ = ["Population", "gather_population", "open_pools"]

_FD_SHARE = 0.8
"""Share of a process's file descriptors that its sockets may take."""
_MOST_SOCKETS = 200_000


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody who can play in a run."""

    cohorts: tuple[Cohort, ...]
    cohort_of: Array
    """Index of the cohort by (region, journey); -1 where their stack has no target here."""
    exchanges: dict[int, PreparedExchange]
    """Every exchange by its number."""


@dataclass(frozen=True, slots=True)
class _Stack:
    """What the cohorts of one stack share."""

    number: int
    pool: Pool
    scripts: dict[tuple[str, str | None], StepScript]
    """(Step, product type) -> its exchanges, as `prepare_steps` returns them."""
    sales: dict[str, Sale]


def open_pools(scenario: Scenario, spec: RunSpec, sockets: Sockets) -> dict[str, Pool]:
    """Return a pool for every stack that has a target; nothing is connected yet."""
    rules = scenario.replay.connections
    limits = PoolLimits(
        max(1, (rules.most or _most_sockets()) // len(spec.targets)),
        rules.connect,
        rules.handshake,
        rules.first_byte,
        rules.reply,
        rules.idle,
        rules.reuse,
    )
    pools = {}
    for stack, url in spec.targets.items():
        target, tls = allowed_target(url), None
        if target.scheme == "https":
            tls = tls_context(spec.loaded.assets.ca_pem, verify=rules.verify)
        pools[stack] = Pool(target, limits, sockets, tls=tls)
    return pools


def gather_population(
    scenario: Scenario,
    spec: RunSpec,
    pools: Mapping[str, Pool],
    tally: Tally,
    walks: Walks,
    arrivals: Arrivals,
) -> Population:
    """Return the customers of the stacks that have a pool."""
    plan, cohorts = spec.plan, list[Cohort]()
    stacks = _stacks(scenario, spec, pools)
    gathering = _Gathering(scenario, plan, tally, walks, arrivals)
    cohort_of = np.full((len(plan.regions), len(plan.journeys)), -1)
    for r, region in enumerate(plan.regions):
        stack = stacks.get(scenario.regions[region].stack)
        if stack is None:
            continue  # another target's customers
        for j in range(len(plan.journeys)):
            cohort_of[r, j] = len(cohorts)
            cohorts.append(gathering.cohort(len(cohorts), stack, r, j))
    return Population(tuple(cohorts), cohort_of, _exchanges(stacks.values()))


@dataclass(frozen=True, slots=True)
class _Gathering:
    """Makes the cohorts of a plan."""

    scenario: Scenario
    plan: LoadPlan
    tally: Tally
    walks: Walks
    arrivals: Arrivals

    def cohort(self, number: int, stack: _Stack, region: int, journey: int) -> Cohort:
        """Return the cohort of a region and a journey, by their indices in the plan."""
        name, walks, arrivals = self.plan.journeys[journey], self.walks, self.arrivals
        prepare = _Preparation(stack, _python_classes(self.scenario, name), self.tally)
        steps = prepare.steps(self.plan.steps, walks.nominal_s[region])
        return Cohort(
            number,
            stack.number,
            self.plan.regions[region],
            self.scenario.journeys[name],
            walks.courses[journey],
            steps,
            _steps_by_product(steps, self.plan.steps, stack.scripts),
            stack.pool,
            product=lambda session: walks.product(arrivals, session),
            starts_at_s=arrivals.at_s.item,
            sales=stack.sales,
        )


def _stacks(scenario: Scenario, spec: RunSpec, pools: Mapping[str, Pool]) -> dict[str, _Stack]:
    plan = spec.plan
    variables = TemplateVariables(scenario, spec.run_id, spec.loaded.assets)
    clock = Clock(plan.speed, plan.scale)
    return {
        name: _Stack(
            scenario.stack_names.index(name),
            pool,
            prepare_steps(scenario, pool.target, variables, spec.run_id),
            build_sales(scenario, name, clock, stock_scale=0.0, window_start=plan.window.start),
        )
        for name, pool in pools.items()
    }


def _exchanges(stacks: Iterable[_Stack]) -> dict[int, PreparedExchange]:
    return {
        exchange.number: exchange
        for stack in stacks
        for script in stack.scripts.values()
        for exchange in script.exchanges
    }


def _steps_by_product(
    prepared: tuple[PreparedStep, ...],
    steps: tuple[str, ...],
    scripts: Mapping[tuple[str, str | None], StepScript],
) -> dict[tuple[int, str], PreparedStep]:
    """Return (step, product type) -> the step of those types whose exchanges differ."""
    return {
        (steps.index(step), product): replace(prepared[steps.index(step)], script=script)
        for (step, product), script in scripts.items()
        if product is not None
    }


@dataclass(frozen=True, slots=True)
class _Preparation:
    """Prepares the steps of one cohort."""

    stack: _Stack
    python_classes: dict[str, str | None]
    tally: Tally

    def steps(self, names: tuple[str, ...], nominal_s: list[float]) -> tuple[PreparedStep, ...]:
        """Return the steps by their index; `nominal_s` are their mean responses with no queue."""
        varied = {step for step, product in self.stack.scripts if product is not None}
        return tuple(
            self._step(name, index, nominal_s[index], is_varied=name in varied)
            for index, name in enumerate(names)
        )

    def _step(self, name: str, index: int, nominal_s: float, *, is_varied: bool) -> PreparedStep:
        """Return a step; one whose exchanges differ by product has each counted for itself."""
        script, code = self.stack.scripts[name, None], self.tally.code(self.stack.number, index)
        exchange = None if is_varied else script.only_exchange
        constant, good_statuses = None, frozenset[int]()
        if exchange is not None and self.python_classes[name] is None:
            self.tally.exchange_of[code] = exchange.number
            constant = exchange.constant
            good_statuses = exchange.verdict.good if exchange.verdict.is_simple else good_statuses
        python_class = self.python_classes[name]
        return PreparedStep(
            script, code, nominal_s, exchange, constant, python_class, good_statuses
        )


def _python_classes(scenario: Scenario, journey: str) -> dict[str, str | None]:
    """Return which class plays each step of a journey; None where its exchanges do."""
    whole = scenario.journeys[journey].python
    return {name: step.python or whole for name, step in scenario.steps.items()}


def _most_sockets() -> int:
    """Return how many sockets the limit on file descriptors allows, raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(_FD_SHARE * min(hard if hard > 0 else soft, _MOST_SOCKETS))
