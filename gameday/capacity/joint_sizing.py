"""Joint sizing: the smallest fleets of a stack with which every objective holds in the model, in its case.

From what Erlang's C asks for at the peak's mean minute, fleets grow until every objective holds: the deepest short
service first, for what waits for a full one holds its own servers, and more of those would only ask it more. Then
each fleet is lowered as far as every objective still holds. All fleets meet the same customers and the same chance
(common random numbers), two replications of them while searching. What is found is proven by all replications:
their whole intervals must hold; and it is lowered by one instance a zone more only where that holds too.

Beside the objectives one bound holds of each service, for a call that a page can do without shows in none: what it
turns away in the case's minutes stays within the share above which a service counts as broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from gameday.capacity.sizing import offered_by_quantile, size_service
from gameday.experiments.failures import EventPhase, PeakCase, played_with
from gameday.experiments.rehearsal import said_of
from gameday.experiments.replications import QUANTITIES, Replication
from gameday.forecast import Demand
from gameday.queueing import call_depths, mean_holds_s, services_behind
from gameday.record.intervals import level_interval
from gameday.record.measures import TURNED_AWAY
from gameday.scenario import METRICS, Scenario
from gameday.simulate import REPLICATIONS
from gameday.vocabulary import Seed, TimeGrid

__all__ = ["Budget", "SizedStack", "size_stack", "size_together", "with_fleets"]

_SEARCHING = 2
"""Replications that a fleet is tried with while searching."""
_WAITS = 0.25
"""Mean wait in a service's worst minute, as a share of how long a visit holds a server, from which on it is short
of servers. Ours. Waits, not busy shares: a crowd comes in seconds, and a minute's mean does not show it."""
_BUSY = 0.9
"""Busy share of servers that a fleet grows to at once. Ours."""
_LEAST_STEP, _MOST_STEP = 1.15, 2.0
"""By how many times a fleet grows at once, at least and at most. Ours."""
_MOST_GROWTHS = 60
"""Growths after which the search gives up. Ours: of eleven services each may double five times."""

Fleets = dict[str, int]
"""Service -> instances."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long may be searched, and who is told."""

    search_s: float
    """Wall seconds for all fleets tried while searching."""
    proof_s: float
    """Wall seconds for those tried with all replications."""
    clock_s: Callable[[], float]
    """Wall seconds since some moment."""
    progress: Callable[[str], None] = lambda phase: None
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class SizedStack:
    """What was found for a stack."""

    stack: str
    phase: EventPhase | None
    """Of the event, in whose busiest minutes they were played; None: the whole event."""
    minutes: TimeGrid
    """Those minutes."""
    fleets: Fleets
    """Instances of each service."""
    runs: tuple[Replication, ...]
    """The case with them, in all replications; empty: they were not played so."""
    unmet: tuple[str, ...]
    """What does not hold of it, or not surely, in words; empty: everything holds."""
    why: str
    """Why it may be neither enough nor the least; empty: it is both."""
    tried: int
    """Fleets that were played."""

    def is_of(self, scenario: Scenario) -> bool:
        """Return whether a scenario has these very fleets."""
        return all(
            scenario.services[name].stacks[self.stack].instances == instances
            for name, instances in self.fleets.items()
        )

    @property
    def words(self) -> str:
        """How they were found, in words."""
        doubt = f"; {self.why}" if self.why else ""
        phase = f" in {self.phase.name}" if self.phase else ""
        return f"the model, all services together{phase}, {self.tried} fleets tried{doubt}"


def size_stack(
    scenario: Scenario, demand: Demand, case: PeakCase, *, seed: Seed, budget: Budget
) -> SizedStack:
    """Return the fleets of a case's stack, searched from what Erlang's C asks for at the event's peak on.

    `seed` is that of the case's runs.
    """
    level, stack = scenario.capacity.quantile, case.stack
    inside = True if case.phase is None else case.phase.alone
    offered = (offered_by_quantile(scenario, demand, (level,))[level][stack] * inside).max(axis=1)
    start = {
        name: size_service(scenario, stack, name, float(peak)).instances
        for name, peak in zip(scenario.services, offered, strict=True)
        if stack in scenario.services[name].stacks
    }
    return size_together(scenario, case, start, seed=seed, budget=budget)


def size_together(
    scenario: Scenario,
    case: PeakCase,
    start: Mapping[str, int],
    *,
    seed: Seed,
    budget: Budget,
) -> SizedStack:
    """Return the fleets of a case's stack, searched from `start` on, service -> instances.

    Where everything holds with the fleets there are, it is these; where fleets may be lowered, from there on.
    Where more servers do not help, it is where the search began. `seed` is that of the case's runs.
    """
    fleets = scenario.stack_fleets(case.stack)
    now = {name: scenario.services[name].stacks[case.stack].instances for name in fleets}
    may_lower = scenario.capacity.scale_down
    least = {name: fleet.zones if may_lower else now[name] for name, fleet in fleets.items()}
    search = _Search(scenario, case, seed, budget, least)
    unmet = search.unmet(case.runs)
    if not unmet and not may_lower:
        return search.found(now, case.runs, "")
    begin = {name: max(now[name], start.get(name, 0)) for name in now} if unmet else now
    found, why = search.grown(begin)
    return search.proven(search.lowered(found) if not why else found, why)


@dataclass
class _Search:
    """The fleets of a stack that were tried, and what came of them."""

    scenario: Scenario
    case: PeakCase
    seed: Seed
    budget: Budget
    least: Fleets
    """Instances below which no fleet is lowered."""
    tried: dict[tuple[int, ...], tuple[Replication, ...]] = field(default_factory=dict)
    """Fleets -> the most replications that were played with them."""
    began_s: float = 0.0
    """When this part of the search began."""

    def __post_init__(self) -> None:
        self.depths = call_depths(self.scenario, self.case.stack)
        self.began_s = self.budget.clock_s()
        self.hold_s = mean_holds_s(self.scenario, self.case.stack)
        self.zones = {
            name: fleet.zones for name, fleet in self.scenario.stack_fleets(self.case.stack).items()
        }

    def grown(self, fleets: Fleets) -> tuple[Fleets, str]:
        """Return fleets with which every objective holds on the mean; or others, and why they do not hold it.

        Those are the last that were tried where time ended the search; where more servers do not help, the first.
        """
        first = fleets
        for _ in range(_MOST_GROWTHS):
            unmet = self.unmet(runs := self._played(fleets, _SEARCHING))
            if not unmet:
                return fleets, ""
            self.budget.progress(f"{self.case.stack}: {len(self.tried)} fleets tried, {unmet[0]}")
            if self._is_over(self.budget.search_s):
                return fleets, f"the search ended after {self.budget.search_s:.0f} s"
            more = self._more(fleets, runs)
            if more is None:
                return first, f"no service is waited for, and more servers do not help: {unmet[0]}"
            fleets = more
        return first, f"{_MOST_GROWTHS} times more servers did not help: {unmet[0]}"

    def lowered(self, fleets: Fleets) -> Fleets:
        """Return fleets of which none can be lowered by much with every objective holding on the mean."""
        for name in sorted(fleets, key=lambda service: -self._cost(service, fleets[service])):
            sizes = self._sizes(name, fleets[name])
            low, high = -1, len(sizes) - 1
            while high - low > 1 and not self._is_over(self.budget.search_s):
                middle = (low + high) // 2
                if self._holds({**fleets, name: sizes[middle]}, _SEARCHING):
                    high = middle
                else:
                    low = middle
            fleets = {**fleets, name: sizes[high]}
            self.budget.progress(
                f"{self.case.stack}: {len(self.tried)} fleets tried, {name} {fleets[name]}"
            )
        return fleets

    def proven(self, fleets: Fleets, why: str) -> SizedStack:
        """Return the fleets proven with all replications: grown where not all surely holds, then lowered again."""
        self.began_s = self.budget.clock_s()
        runs = self._played(fleets, REPLICATIONS)
        while not why and self.unmet(runs):
            if self._is_over(self.budget.proof_s):
                why = f"the proof ended after {self.budget.proof_s:.0f} s"
                break
            fleets = self._one_more(fleets, runs)
            runs = self._played(fleets, REPLICATIONS)
        if not why:
            fleets, why = self._trimmed(fleets)
            runs = self._played(fleets, REPLICATIONS)
        return self.found(fleets, runs, why)

    def found(self, fleets: Fleets, runs: tuple[Replication, ...], why: str) -> SizedStack:
        """Return what was found."""
        return SizedStack(
            stack=self.case.stack,
            phase=self.case.phase,
            minutes=self.case.plan.window,
            fleets=fleets,
            runs=runs,
            unmet=self.unmet(runs),
            why=why,
            tried=max(1, len(self.tried)),
        )

    def _trimmed(self, fleets: Fleets) -> tuple[Fleets, str]:
        """Return fleets none of which can be lowered by an instance a zone; or why that is not known."""
        left = sorted(fleets, key=lambda service: -self._cost(service, self.zones[service]))
        while left:
            if self._is_over(self.budget.proof_s):
                return fleets, (
                    f"whether {', '.join(left)} can be lowered further was not asked: the proof ended after "
                    f"{self.budget.proof_s:.0f} s"
                )
            name = left[0]
            *_, fewer, _ = (0, *self._sizes(name, fleets[name]))
            self.budget.progress(f"{self.case.stack}: proof, {name} {fewer}")
            if fewer and self._holds({**fleets, name: fewer}, REPLICATIONS):
                fleets = {**fleets, name: fewer}
            else:
                left.pop(0)
        return fleets, ""

    def _sizes(self, service: str, most: int) -> list[int]:
        """Return what a fleet may have, from the least up to `most`: above the least, whole numbers a zone."""
        zones, least = self.zones[service], self.least[service]
        above = range((least // zones + 1) * zones, most, zones)
        return sorted({least, *above, most})

    def _holds(self, fleets: Fleets, replications: int) -> bool:
        """Return whether everything holds; what plainly fails in the first replications is played no further."""
        first = self._played(fleets, _SEARCHING)
        if self.unmet(first):
            return False
        return replications <= _SEARCHING or not self.unmet(self._played(fleets, replications))

    def _played(self, fleets: Fleets, replications: int) -> tuple[Replication, ...]:
        """Return so many replications of the case with such fleets."""
        key = tuple(fleets.values())
        if len(self.tried.get(key, ())) < replications:
            self.tried[key] = played_with(
                self.case,
                with_fleets(self.scenario, self.case.stack, fleets),
                seed=self.seed,
                replications=replications,
                cancelled=self.budget.cancelled,
            )
        return self.tried[key][:replications]

    def unmet(self, runs: tuple[Replication, ...]) -> tuple[str, ...]:
        """Return what does not hold in replications of the case, in words."""
        return tuple(self._unmet(runs)) if runs else ("not played",)

    def _unmet(self, runs: tuple[Replication, ...]) -> Iterator[str]:
        """Yield what does not hold: of few replications on the mean, of all of them with its whole interval."""
        is_proof = len(runs) >= REPLICATIONS
        for number, criterion in enumerate(self.scenario.objectives):
            values = [run.number_of(number)[0] for run in runs]
            if all(map(math.isnan, values)):
                continue
            if is_proof:
                band = level_interval(values, METRICS[criterion.metric])
                if (said := said_of(band, criterion.holds)) != "holds":
                    yield f"{criterion.text}: {said}"
            elif not criterion.holds(float(np.mean(values))):
                yield f"{criterion.text}: fails"
        for service in self.zones:
            if _mean_of(runs, service, "turned_away") > TURNED_AWAY:
                yield f"{service} turns away more than {100 * TURNED_AWAY:g} %"

    def _more(self, fleets: Fleets, runs: tuple[Replication, ...]) -> Fleets | None:
        """Return fleets in which the deepest busy service has as many more as its load asks for."""
        busy = self._busy(runs)
        if not busy:
            return None
        name = max(busy, key=lambda service: (self.depths[service], busy[service]))
        load, lost = (_highest_of(runs, name, of) for of in ("utilisation", "turned_away"))
        times = min(max(load / _BUSY / max(1 - lost, 0.1), _LEAST_STEP), _MOST_STEP)
        zones = self.zones[name]
        more = max(fleets[name] + zones, math.ceil(times * fleets[name] / zones) * zones)
        return {**fleets, name: more}

    def _one_more(self, fleets: Fleets, runs: tuple[Replication, ...]) -> Fleets:
        """Return fleets in which the busiest service that what does not hold depends on has one more a zone."""
        unmet = self.unmet(runs)
        behind = {
            service
            for criterion in self.scenario.objectives
            if any(text.startswith(f"{criterion.text}: ") for text in unmet)
            for service in services_behind(self.scenario, self.case.stack, criterion)
        }
        behind |= {n for n in fleets if any(text.startswith(f"{n} turns away") for text in unmet)}
        load = {name: _highest_of(runs, name, "utilisation") for name in fleets if name in behind}
        name = max(load, key=lambda service: load[service])
        return {**fleets, name: fleets[name] + self.zones[name]}

    def _busy(self, runs: tuple[Replication, ...]) -> dict[str, float]:
        """Return the services that are short of servers in their worst minute -> how badly; 1: just so.

        Where none is, the one that is nearest to it.
        """
        by_times = {
            name: max(
                _highest_of(runs, name, "turned_away") / TURNED_AWAY,
                _highest_of(runs, name, "wait_s") / self.hold_s[name] / _WAITS,
            )
            for name in self.zones
        }
        short = {name: times for name, times in by_times.items() if times >= 1}
        nearest = max(by_times, key=lambda name: by_times[name])
        return short or ({nearest: by_times[nearest]} if by_times[nearest] > 0.05 else {})

    def _cost(self, service: str, instances: int) -> float:
        """Return what so many instances of a service cost an hour; where no price is known, their number."""
        kind = self.scenario.services[service].stacks[self.case.stack].instance
        prices = self.scenario.capacity.instances
        return instances * (prices[kind].hourly_usd if kind in prices else 1.0)

    def _is_over(self, budget_s: float) -> bool:
        return self.budget.cancelled() or self.budget.clock_s() - self.began_s > budget_s


def with_fleets(scenario: Scenario, stack: str, fleets: Mapping[str, int]) -> Scenario:
    """Return the scenario with so many instances of services in a stack."""
    return scenario.with_instances({(stack, name): count for name, count in fleets.items()})


def _mean_of(runs: tuple[Replication, ...], service: str, quantity: str) -> float:
    """Return one of QUANTITIES of a service over the window, mean over replications; 0 where nobody came."""
    [row] = {run.services.index(service) for run in runs}
    values = [run.spans[0, QUANTITIES.index(quantity), row] for run in runs]
    return float(np.nan_to_num(np.mean(values)))


def _highest_of(runs: tuple[Replication, ...], service: str, quantity: str) -> float:
    """Return one of QUANTITIES of a service in its worst minute, mean over replications; 0 where nobody came."""
    series = np.mean([run.series_of(service, quantity) for run in runs], axis=0)
    return float(np.nan_to_num(series).max())
