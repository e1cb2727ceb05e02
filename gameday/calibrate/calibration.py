"""The product: what was measured of a target beside what is declared of it, with intervals and provenance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from gameday.calibrate.equivalent import Equivalent, with_stations
from gameday.errors import UsageError
from gameday.scenario import Scenario
from gameday.scenario.blocks import Measured, Spread

__all__ = [
    "CAPACITY",
    "FURTHEST",
    "IN_USE",
    "KNEE",
    "Calibration",
    "Parameter",
    "Source",
    "Unidentified",
    "as_declared",
    "measured_in",
    "with_measured",
]

CAPACITY, KNEE, IN_USE = (
    "capacity",
    "servers busy while requests queued",
    "servers in use while others wait",
)
"""By what a number of servers was told."""

Kind = Literal["run", "log", "traces"]
FURTHEST = 1.3
"""Times the load that was measured up to which what was learned is taken to hold. Ours."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a calibration was made from."""

    kind: Kind
    name: str
    """A run's id, or a file's name."""
    sha256: str
    """Of what was measured in the run, or of the file, hex."""
    peak_per_min: float = 0.0
    """Session starts in its busiest minute, for servers of full scale; 0: it tells of no load."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a service in one stack: declared and measured."""

    stack: str
    service: str
    name: str
    """servers, time_factor, step_factors.STEP, cv, load.contention, failing share, slow share S at WHICH, ..."""
    declared: float
    """In the same unit; of a factor 1."""
    measured: Spread
    agrees: bool
    """Whether the measurement bears out the declaration: it is then left as it is."""
    by: str
    """How it was estimated, in words."""
    samples: int
    """Visits, or steps, that it rests on."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Stack, service and name."""
        return self.stack, self.service, self.name


@dataclass(frozen=True, slots=True)
class Unidentified:
    """What this evidence cannot tell, and what would."""

    stack: str
    service: str
    what: str
    why: str
    add: str
    """The one metric to add."""
    widens: float | None = None
    """By how much not knowing it widens what is ordered, a share of the fleet; None: not reckoned."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Measured parameters of a scenario's services: an overlay over what is declared."""

    scenario_sha256: str
    """Of the scenario that was played, without what was measured before."""
    sources: tuple[Source, ...]
    measured: dict[tuple[str, str], Measured]
    """(Stack, service) -> what takes the place of the declaration."""
    parameters: tuple[Parameter, ...]
    unidentified: tuple[Unidentified, ...]
    """Ranked: what widens an order most stands first."""
    notes: tuple[str, ...] = ()
    equivalents: tuple[Equivalent, ...] = ()
    """Of a scenario without services: the station that answers like each stack."""

    def applied(self, scenario: Scenario) -> Scenario:
        """Return the scenario with what was measured in place of what is declared.

        A scenario without services gets the station that answers like each stack. UsageError where it is another
        scenario than the one that was measured, or where there is no such station.
        """
        sha256 = as_declared(scenario).sha256()
        if sha256 != self.scenario_sha256:
            raise UsageError(
                "the calibration is of another scenario, or of an earlier version of this one (hash "
                f"{self.scenario_sha256[:12]}, this one {sha256[:12]}); calibrate again, with "
                "`gameday calibrate RUN`"
            )
        stations = {one.stack for one in self.equivalents}
        if scenario.is_black_box and stations != set(scenario.stack_names):
            raise UsageError(
                "the calibration holds no station that answers like each stack; too little was played, or other "
                "work ran on this machine: replay a ladder, and calibrate on that run"
            )
        self._check_names(scenario)
        return self.over(scenario)

    def _check_names(self, scenario: Scenario) -> None:
        """Raise UsageError where it speaks of a service or a stack that the scenario does not have."""
        if scenario.is_black_box:
            scenario = with_stations(scenario, self.equivalents)
        for stack, service in self.measured:
            if service not in scenario.services:
                known = ", ".join(scenario.services)
                raise UsageError(
                    f"the calibration's services.{service}: the scenario has no such service; it has {known}; "
                    "correct the name, or calibrate again"
                )
            if stack not in scenario.services[service].stacks:
                known = ", ".join(scenario.services[service].stacks)
                raise UsageError(
                    f"the calibration's services.{service}.{stack}: the service is in no such stack; it is in "
                    f"{known}; correct the name, or calibrate again"
                )

    def over(self, scenario: Scenario, declared: Scenario | None = None) -> Scenario:
        """Return a variant of the scenario that was measured, with what was measured.

        Where the variant has other fleets than what was `declared`, each instance has as many servers as measured.
        """
        if scenario.is_black_box and self.equivalents:
            scenario = with_stations(scenario, self.equivalents)
        for (stack, service), block in self.measured.items():
            block_now = block
            if declared is not None and service in declared.services and block.servers is not None:
                now, then = (s.services[service].servers(stack) for s in (scenario, declared))
                servers = block.servers.times(now / then)
                block_now = block.model_copy(update={"servers": servers})
            scenario = with_measured(scenario, stack, service, block_now)
        return scenario

    def of_fleets(self, played: Scenario, declared: Scenario) -> Calibration:
        """Return what was measured of the fleets that were `played` as it is of those `declared`.

        Each instance has as many servers as measured.
        """
        places = {*self.measured, *((row.stack, row.service) for row in self.parameters)}
        times = {place: _fleet(declared, place) / _fleet(played, place) for place in places}
        return replace(
            self,
            scenario_sha256=as_declared(declared).sha256(),
            measured={place: _times(block, times[place]) for place, block in self.measured.items()},
            parameters=tuple(_row_times(r, times[r.stack, r.service]) for r in self.parameters),
        )

    def followed_by(self, later: Calibration) -> Calibration:
        """Return a later calibration with the sources of both, each number beside what was declared first."""
        rows = {row.key: row for row in self.parameters}
        for row in later.parameters:
            first = rows.get(row.key, row)
            # It may have come back to what was declared: what it was in between says nothing of that.
            agrees = first.agrees if row.agrees else row.measured.holds(first.declared)
            rows[row.key] = replace(row, declared=first.declared, agrees=agrees)
        return replace(
            later,
            sources=(*self.sources, *later.sources),
            parameters=tuple(rows.values()),
            notes=(*self.notes, *later.notes),
        )

    def extrapolation(self, peak_per_min: float) -> str:
        """Say that a load is beyond what was measured, by more than is taken for granted; empty: it is not."""
        measured = max((source.peak_per_min for source in self.sources), default=0.0)
        if measured * FURTHEST >= peak_per_min:
            return ""
        share = f"{measured / peak_per_min:.2g} of this load" if measured else "no load"
        return (
            f"extrapolated: what the calibration rests on was measured at {share}; beyond {FURTHEST:g} x what was "
            "measured nothing is known to hold, play a ladder up to it"
        )

    @property
    def differing(self) -> tuple[Parameter, ...]:
        """The parameters in which the target is not as declared."""
        return tuple(row for row in self.parameters if not row.agrees)


def _fleet(scenario: Scenario, place: tuple[str, str]) -> int:
    """Return the instances of (stack, service)."""
    stack, service = place
    return scenario.services[service].stacks[stack].instances


def _times(block: Measured, times: float) -> Measured:
    """Return what was measured of a fleet so many times as large."""
    if block.servers is None or times == 1:
        return block
    return block.model_copy(update={"servers": block.servers.times(times)})


def _row_times(row: Parameter, times: float) -> Parameter:
    if row.name != "servers" or times == 1:
        return row
    return replace(row, declared=row.declared * times, measured=row.measured.times(times))


def with_measured(
    scenario: Scenario, stack: str, service: str, measured: Measured | None
) -> Scenario:
    """Return the scenario with what was measured of one service in one stack; None: as declared."""
    block = scenario.services[service]
    fleet = block.stacks[stack].model_copy(update={"measured": measured})
    changed = block.model_copy(update={"stacks": {**block.stacks, stack: fleet}})
    return scenario.model_copy(update={"services": {**scenario.services, service: changed}})


def measured_in(scenario: Scenario) -> dict[tuple[str, str], Measured]:
    """Return (stack, service) -> what the scenario takes to be measured of it."""
    return {
        (stack, name): fleet.measured
        for stack in scenario.stack_names
        for name, fleet in scenario.stack_fleets(stack).items()
        if fleet.measured is not None
    }


def as_declared(scenario: Scenario) -> Scenario:
    """Return the scenario without what was measured."""
    for stack in scenario.stack_names:
        for name in scenario.stack_services(stack):
            scenario = with_measured(scenario, stack, name, None)
    return scenario
