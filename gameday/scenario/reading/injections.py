"""Events injected at a minute: `zone us-a lost at +20m for 5m`.

zone STACK-LETTER lost            a zone of a stack goes: of every service, its share of the instances
N instances of SERVICE lost       N of the instances provisioned go, their share of those autoscaled, in every
                                  stack or `in STACK`
SERVICE slowed 3x                 its own work takes so many times as long
SERVICE down                      it refuses everybody
cache of SERVICE flushed          what its callers kept is gone (no `for`: it fills again by itself)
traffic 1.5x                      more customers, or fewer
... at +DURATION [for DURATION]   counted from the window's start; without `for`, to the end
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gameday.errors import UsageError
from gameday.scenario.faults import did_you_mean
from gameday.scenario.model import Scenario
from gameday.scenario.units import parse_duration
from gameday.vocabulary import SLOT_S

__all__ = ["Injection", "Outage", "injected", "injection_faults", "outages", "parse_injections"]

_FORM = re.compile(
    r"\s*(?P<what>.+?)\s+at\s+\+\s*(?P<at>[0-9.]+\s*[a-z]+)(?:\s+for\s+(?P<for>[0-9.]+\s*[a-z]+))?\s*"
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
"""How long a flush counts as under way when it is asked whether the system comes back."""
_TRAFFIC = re.compile(r"traffic\s+(?P<factor>\d+(?:\.\d+)?)x")
_MOST_FACTOR = 100.0
_TOO_SOON = "leave a minute of the window before it, to compare with"
_NOTHING = "nothing"
"""What is injected into a drill that is to be played calm."""


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
    """Number of the zone that goes, from 0: of each service that is in it the instances there."""
    instances: int = 0
    """Instances that go."""
    slow: float = 1.0
    """Times as long as own work takes."""
    is_down: bool = False
    is_flush: bool = False

    @property
    def until_s(self) -> float:
        """When it is over, event seconds from the window's start."""
        return self.at_s + self.for_s


@dataclass(frozen=True, slots=True)
class Outage:
    """An injection as one service of one stack meets it."""

    service: str
    at_s: float
    until_s: float
    share: float
    """Of its servers that is left, 0-1."""
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
        seen: dict[str, Outage] = {}
        for outage in sorted(outages(found, scenario, stack), key=lambda o: o.at_s):
            before = seen.get(outage.service)
            if outage.is_flush:
                continue
            if before is not None and outage.at_s < before.until_s:
                raise ValueError(
                    f"two injections meet {outage.service} of {stack} at one time: let one end (`for`) before "
                    "the other begins"
                )
            seen[outage.service] = outage
    crowds = sorted((one for one in found if one.traffic is not None), key=lambda one: one.at_s)
    for before_it, one in pairwise(crowds):
        if one.at_s < before_it.until_s:
            raise ValueError(
                f"'{before_it.text}' and '{one.text}' change the traffic at one time: write one of both"
            )
    return found


def injection_faults(scenario: Scenario) -> list[tuple[tuple[str | int, ...], str]]:
    """Return (path, what is wrong) of what a scenario injects by itself, whatever the window."""
    place: tuple[str | int, ...] = ("replay", "inject")
    try:
        for number, text in enumerate(scenario.replay.inject):
            place = ("replay", "inject", number)
            if any(
                one.at_s < SLOT_S
                for one in parse_injections([text], scenario, scenario.event.duration)
            ):
                raise ValueError(f"'{text}': {_TOO_SOON}")
            parse_injections(scenario.replay.inject[: number + 1], scenario, math.inf)
    except ValueError as error:
        return [(place, str(error))]
    return []


def injected(
    texts: Sequence[str], scenario: Scenario, window_s: float, *, is_ours: bool
) -> tuple[Injection, ...]:
    """Return what is injected into a run: what was asked for (`nothing`, too), or else the scenario's own.

    UsageError says what cannot be, as in a target that is not ours.
    """
    where = "--inject" if texts else "replay.inject of the scenario"
    try:
        asked = [] if list(texts) == [_NOTHING] else list(texts or scenario.replay.inject)
        found = parse_injections(asked, scenario, window_s)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    for one in found if not is_ours else ():
        if one.traffic is None:
            raise UsageError(
                f"{where}: '{one.text}': into a target of your own only traffic can be injected; "
                "break it with your own tools at that minute"
            )
    if any(one.at_s < SLOT_S for one in found):
        raise UsageError(f"{where}: {_TOO_SOON}")
    return found


def _parsed(text: str, scenario: Scenario, window_s: float) -> Injection:
    form = _FORM.fullmatch(text)
    if not form:
        raise ValueError(f"'{text}' must read WHAT at +DURATION [for DURATION], as in {_EXAMPLE}")
    try:
        at_s = parse_duration(form["at"])
        for_s = parse_duration(form["for"]) if form["for"] else math.inf
    except ValueError as error:
        raise ValueError(f"'{text}': {error}") from None
    if for_s == 0:
        raise ValueError(f"'{text}': lasts no time; give a longer `for`, or none")
    if at_s >= window_s:
        raise ValueError(f"'{text}': begins after the window's {window_s / 60:g} minutes")
    what = " ".join(form["what"].split())
    if found := _TRAFFIC.fullmatch(what):
        if at_s % 60 or (for_s < math.inf and for_s % 60):
            raise ValueError(f"'{text}': traffic changes at whole minutes")
        return Injection(text, at_s, for_s, traffic=_factor(text, found["factor"]))
    if found := _ZONE.fullmatch(what):
        zone = ord(found["letter"]) - ord("a")
        return Injection(text, at_s, for_s, stack=_zone(text, found, scenario), zone=zone)
    if found := _FLUSH.fullmatch(what):
        return _flush(text, found, at_s, for_s, scenario)
    found = _INSTANCES.fullmatch(what) or _SERVICE.fullmatch(what)
    if not found:
        raise ValueError(f"'{text}': no such injection as '{what}'; write it as in {_EXAMPLE}")
    service, stack = found["service"], found["stack"]
    _known(text, service, stack, scenario)
    if "n" in found.groupdict():
        return Injection(
            text,
            at_s,
            for_s,
            stack=stack,
            service=service,
            instances=_count(text, int(found["n"]), service, stack, scenario),
        )
    if found["down"]:
        return Injection(text, at_s, for_s, stack=stack, service=service, is_down=True)
    return Injection(
        text, at_s, for_s, stack=stack, service=service, slow=_factor(text, found["factor"])
    )


def _flush(
    text: str, found: re.Match[str], at_s: float, for_s: float, scenario: Scenario
) -> Injection:
    service, stack = found["service"], found["stack"]
    _known(text, service, stack, scenario)
    if scenario.services[service].cache is None:
        raise ValueError(
            f"'{text}': {service} has no cache; give it one under services.{service}.cache"
        )
    if for_s < math.inf:
        raise ValueError(f"'{text}': a flush has no `for`; the cache fills again by itself")
    return Injection(text, at_s, _FLUSHED_S, stack=stack, service=service, is_flush=True)


_EXAMPLE = "'zone us-a lost at +20m for 5m' or 'payment slowed 3x at +10m for 2m'"


def _factor(text: str, number: str) -> float:
    factor = float(number)
    if factor == 1:
        raise ValueError(f"'{text}': 1x changes nothing")
    if not 0 < factor <= _MOST_FACTOR:
        raise ValueError(f"'{text}': the factor must be above 0 and at most {_MOST_FACTOR:g}x")
    return factor


def _zone(text: str, found: re.Match[str], scenario: Scenario) -> str:
    stack = found["stack"]
    if stack not in scenario.stack_names:
        near = did_you_mean(stack, scenario.stack_names)
        raise ValueError(f"'{text}': no stack '{stack}'{near}; a zone is written STACK-LETTER")
    most = max(
        scenario.services[name].stacks[stack].zones for name in scenario.stack_services(stack)
    )
    if ord(found["letter"]) - ord("a") >= most:
        raise ValueError(f"'{text}': {stack} has zones a to {chr(ord('a') + most - 1)}")
    if any(scenario.services[n].stacks[stack].zones == 1 for n in scenario.stack_services(stack)):
        raise ValueError(
            f"'{text}': a service of {stack} is in one zone alone: say which zone's with instances"
        )
    return stack


def _known(text: str, service: str, stack: str | None, scenario: Scenario) -> None:
    if service not in scenario.services:
        raise ValueError(
            f"'{text}': no service '{service}'{did_you_mean(service, scenario.services)}"
        )
    stacks = scenario.services[service].stacks
    if stack is not None and stack not in stacks:
        raise ValueError(
            f"'{text}': {service} is not in stack '{stack}'{did_you_mean(stack, stacks)}"
        )


def _count(text: str, n: int, service: str, stack: str | None, scenario: Scenario) -> int:
    for name, fleet in scenario.services[service].stacks.items():
        if stack in (None, name) and not 0 < n < fleet.instances:
            raise ValueError(
                f"'{text}': {service} has {fleet.instances} instances in {name}: 1 to "
                f"{fleet.instances - 1} may go; with none left it is `{service} down`"
            )
    return n


def outages(
    injections: tuple[Injection, ...], scenario: Scenario, stack: str
) -> tuple[Outage, ...]:
    """Return what each service of a stack meets of the injections; times are event seconds."""
    out = []
    for injection in injections:
        if injection.traffic is not None or injection.stack not in (None, stack):
            continue
        for name in scenario.stack_services(stack):
            fleet = scenario.services[name].stacks[stack]
            if injection.service not in (None, name):
                continue
            zone, lost = injection.zone, injection.instances / fleet.instances
            if zone is not None:
                if zone >= fleet.zones:
                    continue
                uneven = zone < fleet.instances % fleet.zones
                lost = (fleet.instances // fleet.zones + uneven) / fleet.instances
            out.append(
                Outage(
                    name,
                    injection.at_s,
                    injection.until_s,
                    1 - lost,
                    injection.slow,
                    injection.is_down,
                    zone,
                    injection.is_flush,
                )
            )
    return tuple(out)
