"""The station that answers like a target of which nothing else is known, and the scenario with it.

Each reply takes some time that holds a server of one station, which all steps share, and some that
holds none: the network, the rest of the stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gameday.errors import UsageError
from gameday.record.intervals import Interval
from gameday.scenario import Scenario
from gameday.scenario.blocks import Call, Fleet, Measured, Service, Spread, Step
from gameday.scenario.service_times import LogNormal

__all__ = ["REST", "SITE", "Equivalent", "StepTime", "with_station", "with_stations"]

SITE, REST = "site", "site-rest"
"""The equivalent station, and the rest of a reply, which holds none of its servers."""
_REST_SERVERS = 100_000
_LEAST_S = 1e-9
_QUEUE_EACH = 200.0
"""Waiting places a server: customers leave before they are full."""
_TIMEOUT_S = 60.0
"""Of the station's callers: customers leave before."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """How one exchange of a step is answered when nobody else is there."""

    step: str
    mean_s: float
    cv: float
    waits: bool = True
    """Whether its replies wait for the station as others do; else they hold none of its servers."""


@dataclass(frozen=True, slots=True)
class Equivalent:
    """The station that answers like a target, of one stack."""

    stack: str
    servers: Interval
    """Servers, and the interval of those that answer as well."""
    held_share: Interval
    """Share of a reply that holds one."""
    knee: Interval
    """Multiple of the run's busiest slot at which all servers are busy."""
    utilisation_at_peak: Interval
    times: tuple[StepTime, ...]
    distance: float
    """How far its model is from what was measured, in squared standard deviations beyond one."""
    rows: int
    """Numbers that were compared."""
    scale: float = 1.0
    """Share of full scale that the target's servers were."""
    is_extrapolated: bool = False
    """Whether the load at which it is full lies far beyond what was played."""

    def scenario(self, scenario: Scenario) -> Scenario:
        """Return the scenario with the equivalent station in place of the services nobody knows."""
        servers, share = self.station
        return with_station(scenario, self.stack, servers, share, self.times)

    @property
    def station(self) -> tuple[int, float]:
        """Its servers at full scale, and the share of a reply that holds one; UsageError where it has none."""
        if self.servers.mid is None or self.held_share.mid is None:
            raise UsageError("the calibration's station has no servers; calibrate again")
        return max(1, round(self.servers.mid / self.scale)), self.held_share.mid

    def load_known(self) -> Spread:
        """Return how many times as long its work may take: as uncertain as the load at which it is full."""
        low, mid, high = self.knee.low, self.knee.mid, self.knee.high
        if not (low and mid and high):
            return Spread.exactly(1.0)
        return Spread(mid=1.0, low=mid / high, high=mid / low)


def with_stations(scenario: Scenario, equivalents: Sequence[Equivalent]) -> Scenario:
    """Return the scenario with a station for each stack in place of the services nobody knows.

    Of several stacks each has its own servers and means; the laws of times are those of one.
    """
    first = min(equivalents, key=lambda one: one.station[1])
    built = first.scenario(scenario)
    services = {
        name: service.model_copy(
            update={"stacks": {one.stack: _fleet(one, service, name) for one in equivalents}}
        )
        for name, service in built.services.items()
    }
    return built.model_copy(update={"services": services})


def _fleet(equivalent: Equivalent, service: Service, name: str) -> Fleet:
    """Return one stack's fleet of a service: how long it works there, beside the laws of `service`."""
    servers, share = equivalent.station
    number = servers if name == SITE else _REST_SERVERS
    held, beyond = _split(equivalent.times, share)
    means = {step: max(_LEAST_S, s) for step, s in (held if name == SITE else beyond).items()}
    factors = {
        step: Spread.exactly(mean_s / service.time_for(step).mean)
        for step, mean_s in means.items()
        if mean_s != service.time_for(step).mean
    }
    known = equivalent.load_known() if name == SITE else Spread.exactly(1.0)
    measured = Measured(time_factor=known, step_factors=factors)
    return Fleet(instances=number, zones=1, instance=Fleet.UNKNOWN, measured=measured)


def with_station(
    scenario: Scenario, stack: str, servers: int, share: float, times: tuple[StepTime, ...]
) -> Scenario:
    """Return the scenario whose steps are answered by one station, and by what holds none of its servers."""
    held, beyond = _split(times, share)
    cvs = {time.step: time.cv for time in times}
    services = {
        name: _service(stack, number, laws)
        for name, number, seconds in ((SITE, servers, held), (REST, _REST_SERVERS, beyond))
        if (laws := {step: _law(s, cvs[step]) for step, s in seconds.items() if s > 0})
    }
    alone = {time.step for time in times if not time.waits}
    steps = {
        name: _answered(step, is_beyond=share < 1 or name in alone, waits=name not in alone)
        for name, step in scenario.steps.items()
    }
    return scenario.model_copy(update={"services": services, "steps": steps})


def _split(times: tuple[StepTime, ...], share: float) -> tuple[dict[str, float], dict[str, float]]:
    """Return, by step, the seconds of a reply that hold a server, and those that do not."""
    held = {time.step: share * time.mean_s if time.waits else 0.0 for time in times}
    return held, {time.step: time.mean_s - held[time.step] for time in times}


def _answered(step: Step, *, is_beyond: bool, waits: bool) -> Step:
    """Return a step whose exchanges are answered by the station, by what holds no server, or by both."""
    calls = ((Call(SITE, optional=False, then=()),),) if is_beyond and waits else ()
    exchanges = [
        [exchange.model_copy(update={"calls": calls}) for exchange in group]
        for group in step.exchanges
    ]
    entry = REST if is_beyond else SITE
    return step.model_copy(update={"entry": entry, "exchanges": exchanges})


def _law(mean_s: float, cv: float) -> LogNormal:
    return LogNormal.model_construct(law="lognormal", mean=mean_s, cv=min(10.0, cv))


def _service(stack: str, servers: int, of_steps: dict[str, LogNormal]) -> Service:
    fields = Service.model_fields.items()
    defaults = {name: field.get_default(call_default_factory=True) for name, field in fields}
    own = {
        "stacks": {stack: Fleet(instances=servers, zones=1, instance=Fleet.UNKNOWN)},
        "servers_per_instance": 1,
        "queue_per_server": _QUEUE_EACH,
        "time": next(iter(of_steps.values())),
        "step_time": of_steps,
        "threads": "asynchronous" if servers == _REST_SERVERS else "held",
        "timeout": _TIMEOUT_S,
    }
    return Service.model_construct(**(defaults | own))
