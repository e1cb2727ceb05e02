"""By how much not knowing something of a service widens what would be ordered of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gameday.calibrate.calibration import Unidentified
from gameday.calibrate.compared.stack_model import StackModel
from gameday.queueing.closed_forms import servers_for

__all__ = ["HOW_MANY", "ranked"]

HOW_MANY = "how many servers it has"
"""What is not known of a fleet; all else that is not known is a time."""
_MAY_BE_OFF = 1.5
"""Factor by which a declared number may be off that nothing bears out. Ours: a service that was
made slower by so much is a usual fault."""


def ranked(model: StackModel, rows: Sequence[Unidentified]) -> list[Unidentified]:
    """Return the rows with what not knowing them does to an order for the run's busiest slot, the widest first."""
    if not rows:
        return []
    shown, out = model.simulate(), []
    for row in rows:
        busy = float(np.nanmax(shown.services[row.service].concurrency, initial=0.0))
        share = _own_share(model, row.service)
        out.append(replace(row, widens=_widens(model, row, busy, share)))
    return sorted(out, key=lambda row: -(row.widens or 0.0))


def _own_share(model: StackModel, service: str) -> float:
    """Return the share of a visit's time that is own work, and no call."""
    work, executions = model.work(service), model.seen.achieved.sum(axis=1)
    hold_s = work.mean(work.own_s + work.calls_s, executions)
    return work.mean(work.own_s, executions) / hold_s if hold_s > 0 else 0.0


def _widens(model: StackModel, row: Unidentified, busy: float, own_share: float) -> float:
    """Return the difference between the fleets needed where a number is as far off as it may be, a
    share of the fleet.

    `busy`: servers in use in the busiest slot; `own_share`: of a visit that the number is about.
    """
    block, servers = model.scenario.capacity, model.station(row.service).servers
    if row.what == HOW_MANY:
        return round(_MAY_BE_OFF - 1 / _MAY_BE_OFF, 3)
    low, high = (
        servers_for(
            busy * (1 + own_share * (factor - 1)),
            max_wait_probability=block.max_wait_probability,
            max_utilisation=block.max_utilisation,
        )
        for factor in (1 / _MAY_BE_OFF, _MAY_BE_OFF)
    )
    return round((high - low) / servers, 3)
