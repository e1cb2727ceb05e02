"""Events injected at a minute: `zone us-a lost at +20m for 5m`.

zone STACK-LETTER lost            a zone of a stack is lost, with every service's instances in it
N instances of SERVICE lost       N of the instances provisioned are lost, and the same share of those that
                                  autoscaling added, in every stack or `in STACK`
SERVICE slowed 3x                 its own work takes three times as long
SERVICE down                      it refuses everybody
cache of SERVICE flushed          its callers' cache is emptied (no `for`: it fills again by itself)
traffic 1.5x                      more customers, or fewer
... at +DURATION [for DURATION]   counted from the window's start; without `for`, to the end
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gameday.errors import UsageError
from gameday.scenario.blocks.services import Fleet
from gameday.scenario.faults import Fault, FaultPath, did_you_mean
from gameday.scenario.model import Scenario
from gameday.scenario.units import parse_duration
from gameday.vocabulary import SLOT_S

__all__ = [
    "Injection",
    "Outage",
    "choose_injections",
    "injection_faults",
    "outages",
    "parse_injections",
]

_FORM = re.compile(
    r"\s*(?P<action>.+?)\s+at\s+\+\s*(?P<at>[0-9.]+\s*[a-z]+)(?:\s+for\s+(?P<for>[0-9.]+\s*[a-z]+))?\s*"
)
_ZONE = re.compile(r"zone\s+(?P<stack>[a-z0-9_-]+?)-?(?P<letter>[a-z])\s+lost")
_INSTANCES = re.compile(
    r"(?P<n>\d{1,7})\s+instances?\s+of\s+(?P<service>[a-z0-9_-]+)(?:\s+in\s+(?P<stack>[a-z0-9_-]+))?\s+lost"
)
_SERVICE = re.compile(
    r"(?P<service>[a-z0-9_-]+)(?:\s+in\s+(?P<stack>[a-z0-9_-]+))?\s+"
    r"(?:slowed\s+(?P<factor>\d+(?:\.\d+)?)x|(?P<down>down))"
)
_FLUSH = re.compile(
    r"cache\s+of\s+(?P<service>[a-z0-9_-]+)(?:\s+in\s+(?P<stack>[a-z0-9_-]+))?\s+flushed"
)
_FLUSHED_S = 60.0
"""How long a flush counts as under way, for the measure of recovery after it."""
_TRAFFIC = re.compile(r"traffic\s+(?P<factor>\d+(?:\.\d+)?)x")
_MOST_FACTOR = 100.0
_TOO_SOON = "leave a minute of the window before it, to compare with"
_NOTHING = "nothing"
"""Written in place of injections, so that a drill is played with none."""


@dataclass(frozen=True, slots=True)
class Injection:
    """What happens, and when."""

    text: str
    at_s: float
    """Event seconds from the window's start."""
    for_s: float
    """Event seconds; inf = to the end."""
    traffic: float | None = None
    """Customers as a multiple of the forecast; None: as many."""
    stack: str | None = None
    """None: every stack."""
    service: str | None = None
    """None: every service of the stack."""
    zone: int | None = None
    """Number, from 0, of the zone that is lost, with every service's instances in it."""
    instances: int = 0
    """Instances that are lost."""
    slow: float = 1.0
    """Factor on own work."""
    is_down: bool = False
    is_flush: bool = False

    @property
    def until_s(self) -> float:
        """When it is over, event seconds from the window's start."""
        return self.at_s + self.for_s


_Parse = Callable[[Injection, re.Match[str], Scenario], Injection]


@dataclass(frozen=True, slots=True)
class Outage:
    """An injection as one service of one stack meets it."""

    service: str
    at_s: float
    until_s: float
    share: float
    """Share of its servers that is left, 0-1."""
    slow: float
    is_down: bool
    zone: int | None
    is_flush: bool


def parse_injections(
    texts: list[str], scenario: Scenario, window_s: float
) -> tuple[Injection, ...]:
    """Return the injections written as `texts`; ValueError says which part of which is wrong."""
    found = tuple(_parsed(text, scenario, window_s) for text in texts)
    for stack in scenario.stack_names:
        _check_outages_apart(outages(found, scenario, stack), stack)
    crowds = sorted(
        (injection for injection in found if injection.traffic is not None), key=lambda i: i.at_s
    )
    for before, after in pairwise(crowds):
        if after.at_s < before.until_s:
            raise ValueError(
                f"'{before.text}' and '{after.text}' change the traffic at one time: write one of both"
            )
    return found


def _check_outages_apart(outages: tuple[Outage, ...], stack: str) -> None:
    """Raise ValueError where two outages of one service overlap; a flush may happen during another."""
    latest: dict[str, Outage] = {}
    for outage in sorted(outages, key=lambda o: o.at_s):
        before = latest.get(outage.service)
        if outage.is_flush:
            continue
        if before is not None and outage.at_s < before.until_s:
            raise ValueError(
                f"two injections meet {outage.service} of {stack} at one time: let one end (`for`) before "
                "the other begins"
            )
        latest[outage.service] = outage


def injection_faults(scenario: Scenario) -> list[Fault]:
    """Return what is wrong with the injections of a scenario, whatever the window."""
    path: FaultPath = ("replay", "inject")
    try:
        for number, text in enumerate(scenario.replay.inject):
            path = ("replay", "inject", number)
            alone = parse_injections([text], scenario, scenario.event.duration)
            if any(injection.at_s < SLOT_S for injection in alone):
                raise ValueError(f"'{text}': {_TOO_SOON}")
            parse_injections(scenario.replay.inject[: number + 1], scenario, math.inf)
    except ValueError as error:
        return [(path, str(error))]
    return []


def choose_injections(
    texts: Sequence[str], scenario: Scenario, window_s: float, *, is_ours: bool
) -> tuple[Injection, ...]:
    """Return what is injected into a run: `texts` (`nothing` alone: nothing), or else the scenario's own.

    `is_ours`: the target is the embedded shop. UsageError says what cannot be injected.
    """
    where = "--inject" if texts else "replay.inject of the scenario"
    try:
        chosen = [] if list(texts) == [_NOTHING] else list(texts or scenario.replay.inject)
        found = parse_injections(chosen, scenario, window_s)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    for injection in found if not is_ours else ():
        if injection.traffic is None:
            raise UsageError(
                f"{where}: '{injection.text}': into a target of your own only traffic can be injected; "
                "break it with your own tools at that minute"
            )
    if any(injection.at_s < SLOT_S for injection in found):
        raise UsageError(f"{where}: {_TOO_SOON}")
    return found


def _parsed(text: str, scenario: Scenario, window_s: float) -> Injection:
    form = _FORM.fullmatch(text)
    if not form:
        raise ValueError(f"'{text}' must read WHAT at +DURATION [for DURATION], as in {_EXAMPLE}")
    nothing_yet = _timed(text, form, window_s)
    action = " ".join(form["action"].split())
    for pattern, parse in _ACTIONS:
        if found := pattern.fullmatch(action):
            return parse(nothing_yet, found, scenario)
    raise ValueError(f"'{text}': no such injection as '{action}'; write it as in {_EXAMPLE}")


def _timed(text: str, form: re.Match[str], window_s: float) -> Injection:
    """Return an injection that has its instants and does nothing yet."""
    try:
        at_s = parse_duration(form["at"])
        for_s = parse_duration(form["for"]) if form["for"] else math.inf
    except ValueError as error:
        raise ValueError(f"'{text}': {error}") from None
    if for_s == 0:
        raise ValueError(f"'{text}': lasts no time; give a longer `for`, or none")
    if at_s >= window_s:
        raise ValueError(f"'{text}': begins after the window's {window_s / 60:g} minutes")
    return Injection(text, at_s, for_s)


def _traffic(timed: Injection, found: re.Match[str], _: Scenario) -> Injection:
    if timed.at_s % 60 or (timed.for_s < math.inf and timed.for_s % 60):
        raise ValueError(f"'{timed.text}': traffic changes at whole minutes")
    return replace(timed, traffic=_factor(timed.text, found["factor"]))


def _zone_lost(timed: Injection, found: re.Match[str], scenario: Scenario) -> Injection:
    stack, zone = found["stack"], ord(found["letter"]) - ord("a")
    if stack not in scenario.stack_names:
        near = did_you_mean(stack, scenario.stack_names)
        raise ValueError(
            f"'{timed.text}': no stack '{stack}'{near}; a zone is written STACK-LETTER"
        )
    services = scenario.stack_services(stack)
    zones = [scenario.services[name].stacks[stack].zones for name in services]
    if zone >= max(zones):
        last = chr(ord("a") + max(zones) - 1)
        raise ValueError(f"'{timed.text}': {stack} has zones a to {last}")
    if 1 in zones:
        raise ValueError(
            f"'{timed.text}': a service of {stack} is in one zone alone: say which zone's with instances"
        )
    return replace(timed, stack=stack, zone=zone)


def _cache_flushed(timed: Injection, found: re.Match[str], scenario: Scenario) -> Injection:
    flush = _of_service(timed, found, scenario)
    service = found["service"]
    if scenario.services[service].cache is None:
        raise ValueError(
            f"'{timed.text}': {service} has no cache; give it one under services.{service}.cache"
        )
    if timed.for_s < math.inf:
        raise ValueError(f"'{timed.text}': a flush has no `for`; the cache fills again by itself")
    return replace(flush, for_s=_FLUSHED_S, is_flush=True)


def _instances_lost(timed: Injection, found: re.Match[str], scenario: Scenario) -> Injection:
    loss = _of_service(timed, found, scenario)
    service, stack, instances = found["service"], found["stack"], int(found["n"])
    for name, fleet in scenario.services[service].stacks.items():
        if stack in (None, name) and not 0 < instances < fleet.instances:
            raise ValueError(
                f"'{timed.text}': {service} has {fleet.instances} instances in {name}: 1 to "
                f"{fleet.instances - 1} may go; with none left it is `{service} down`"
            )
    return replace(loss, instances=instances)


def _slowed_or_down(timed: Injection, found: re.Match[str], scenario: Scenario) -> Injection:
    outage = _of_service(timed, found, scenario)
    if found["down"]:
        return replace(outage, is_down=True)
    return replace(outage, slow=_factor(timed.text, found["factor"]))


_ACTIONS: tuple[tuple[re.Pattern[str], _Parse], ...] = (
    (_TRAFFIC, _traffic),
    (_ZONE, _zone_lost),
    (_FLUSH, _cache_flushed),
    (_INSTANCES, _instances_lost),
    (_SERVICE, _slowed_or_down),
)
_EXAMPLE = "'zone us-a lost at +20m for 5m' or 'payment slowed 3x at +10m for 2m'"


def _factor(text: str, number: str) -> float:
    factor = float(number)
    if factor == 1:
        raise ValueError(f"'{text}': 1x changes nothing")
    if not 0 < factor <= _MOST_FACTOR:
        raise ValueError(f"'{text}': the factor must be above 0 and at most {_MOST_FACTOR:g}x")
    return factor


def _of_service(timed: Injection, found: re.Match[str], scenario: Scenario) -> Injection:
    """Return the injection with the service and stack it names; ValueError where they do not exist."""
    service, stack = found["service"], found["stack"]
    if service not in scenario.services:
        near = did_you_mean(service, scenario.services)
        raise ValueError(f"'{timed.text}': no service '{service}'{near}")
    stacks = scenario.services[service].stacks
    if stack is not None and stack not in stacks:
        near = did_you_mean(stack, stacks)
        raise ValueError(f"'{timed.text}': {service} is not in stack '{stack}'{near}")
    return replace(timed, service=service, stack=stack)


def outages(
    injections: tuple[Injection, ...], scenario: Scenario, stack: str
) -> tuple[Outage, ...]:
    """Return the injections as the services of a stack meet them; times are event seconds."""
    found = []
    for injection in injections:
        if injection.traffic is not None or injection.stack not in (None, stack):
            continue
        for name in scenario.stack_services(stack):
            if injection.service not in (None, name):
                continue
            lost = _share_lost(injection, scenario.services[name].stacks[stack])
            if lost is not None:
                found.append(_outage(injection, name, lost))
    return tuple(found)


def _share_lost(injection: Injection, fleet: Fleet) -> float | None:
    """Return the share of a service's instances that goes; None where it is not in the zone that is lost."""
    if injection.zone is None:
        return injection.instances / fleet.instances
    if injection.zone >= fleet.zones:
        return None
    has_one_more = injection.zone < fleet.instances % fleet.zones
    return (fleet.instances // fleet.zones + has_one_more) / fleet.instances


def _outage(injection: Injection, service: str, lost: float) -> Outage:
    return Outage(
        service=service,
        at_s=injection.at_s,
        until_s=injection.until_s,
        share=1 - lost,
        slow=injection.slow,
        is_down=injection.is_down,
        zone=injection.zone,
        is_flush=injection.is_flush,
    )
