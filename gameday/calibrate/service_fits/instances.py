"""Whether some instances work slowly, where metrics tell them apart: one zone, or one instance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.record import InstanceLoad
from gameday.scenario.blocks import Spread
from gameday.scenario.server_policies import Degraded

__all__ = ["are_told_apart", "fit"]

_ZONES = ("zone", "availability_zone", "az", "topology_kubernetes_io_zone")
"""Labels that name a zone."""
_SLOWER = 1.4
"""Times as long as at the others that a visit must hold a server. Ours."""
_LEAST_VISITS = 50
_LOG_SD = 0.05
"""Of how many times as long. Ours: instances of one kind differ by so much."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Instances of one zone, or one instance."""

    name: str
    members: tuple[InstanceLoad, ...]

    @property
    def busy_s(self) -> float:
        return sum(one.busy_s for one in self.members)

    @property
    def done(self) -> float:
        return sum(one.done for one in self.members)

    @property
    def holds_s(self) -> list[float]:
        """Server time a visit, by instance."""
        return [one.busy_s / one.done for one in self.members]


def are_told_apart(case: ServiceCase) -> bool:
    """Return whether instances were told apart, and each was visited often enough."""
    return len(case.seen.instances) > 1 and all(
        one.done >= _LEAST_VISITS for one in case.seen.instances
    )


def fit(case: ServiceCase) -> Found | None:
    """Return that a zone's instances, or one instance, take longer than all others."""
    if not are_told_apart(case) or case.hidden_calls:
        return None
    slowest = [
        found
        for groups in (_by_zone(case.seen.instances), _by_instance(case.seen.instances))
        if (found := _slowest(groups)) is not None
    ]
    if not slowest:
        return None
    return _found(case, *slowest[0])


def _found(case: ServiceCase, group: _Group, slowed: float, share: float) -> Found:
    """Return that a share of the instances, all those of a group, works so many times as long."""
    spread = Spread.around(slowed, _LOG_SD)
    others = 1.0 / (1.0 + share * (slowed - 1.0))
    factor = case.model.measured(case.name).time_factor.times(others)
    if factor.holds(case.declared.time_factor.mid):
        factor = Spread.around(case.declared.time_factor.mid, factor.log_sd)
    degraded = Degraded(share=share, slowed=slowed)
    samples = float(np.nansum(case.seen.served))
    by = "server time a visit, by the labels of its metrics"
    rows = (
        case.parameter(
            f"slow share {share:.3g} at {group.name}",
            1.0,
            spread,
            agrees=False,
            by=by,
            samples=samples,
        ),
        case.parameter(
            "time_factor",
            case.declared.time_factor.mid,
            factor,
            agrees=factor.holds(case.declared.time_factor.mid),
            by=by,
            samples=samples,
        ),
    )
    return Found({"degraded": degraded, "time_factor": factor}, rows)


def _slowest(groups: list[_Group]) -> tuple[_Group, float, float] | None:
    """Return the group whose every instance takes far longer than each other, how many times, and its share.

    The share is of the visits. A zone with one slow instance among good ones is not a slow zone.
    """
    if len(groups) < 2:
        return None
    *others, slowest = sorted(groups, key=lambda group: group.busy_s / group.done)
    usual_s = max(hold for group in others for hold in group.holds_s)
    if not usual_s > 0 or min(slowest.holds_s) < _SLOWER * usual_s:
        return None
    rest_s = sum(group.busy_s for group in others) / sum(group.done for group in others)
    done = sum(group.done for group in groups)
    return slowest, slowest.busy_s / slowest.done / rest_s, slowest.done / done


def _by_zone(instances: tuple[InstanceLoad, ...]) -> list[_Group]:
    """Return the zones; none where an instance has no label that names its own."""
    zones: dict[str, tuple[InstanceLoad, ...]] = {}
    for one in instances:
        zone = next((text for name, text in one.labels if name in _ZONES), None)
        if zone is None:
            return []
        zones[zone] = (*zones.get(zone, ()), one)
    return [_Group(f"zone {zone}", members) for zone, members in zones.items()]


def _by_instance(instances: tuple[InstanceLoad, ...]) -> list[_Group]:
    return [
        _Group(", ".join(f"{name} {text}" for name, text in one.labels), (one,))
        for one in instances
    ]
