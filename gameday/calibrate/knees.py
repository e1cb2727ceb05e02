"""Where each service of a target is full: its utilisation by the load, from a run whose load rises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.calibrate.calibration import FURTHEST
from gameday.calibrate.compared.stack_model import Target
from gameday.calibrate.robust import Estimate, huber_mean
from gameday.record.intervals import Interval, interval_of
from gameday.scenario import Scenario
from gameday.vocabulary import Array, Band

__all__ = ["Knee", "knees_of"]

_BELOW_KNEE = 0.85
"""Utilisation up to which it grows in proportion to the load. Ours: beyond, work is turned away or comes again."""
_AT_KNEE = 0.9
_LEAST_SLOTS = 3
_LEAST_OF_LINE = 12
"""Slots from which on it is asked whether utilisation grows faster than the load."""
_SURE, _LEAST_GROWTH = 4.0, 0.1
"""Standard errors, and share of the slope, by which it must. Ours."""
_Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Knee:
    """At which load all servers of a service are busy."""

    stack: str
    service: str
    load: Interval
    """As a multiple of the peak's load."""
    highest_played: float
    """Highest load that was played, the same."""
    known_by: str
    """How it is known: it was reached, or lies within 1.3 times of what was played, or beyond that."""


def knees_of(scenario: Scenario, target: Target, peak_per_min: float) -> tuple[Knee, ...]:
    """Return the knees of the services that were observed, the nearest first.

    `peak_per_min`: session starts a minute at the peak, at full scale, all regions and journeys.
    """
    plan, record = target.plan, target.record
    met = plan.scale / target.scale
    load = met * plan.starts.sum(axis=(0, 1))[plan.lead_in :] / peak_per_min
    knees = []
    for stack in scenario.stack_names:
        for service in scenario.stack_services(stack):
            busy = record.utilisation(stack, service)[record.judged]
            knee = _knee(busy, load)
            if knee is not None:
                knees.append(Knee(stack, service, *knee))
    return tuple(sorted(knees, key=lambda knee: knee.load.mid or np.inf))


def _knee(busy: Array, load: Array) -> tuple[Interval, float, str] | None:
    """Return the load at which a service is full, the highest that was played, and how it is known."""
    is_seen = ~np.isnan(busy) & (busy > 0.0) & (load > 0.0)
    below = is_seen & (busy < _BELOW_KNEE)
    if below.sum() < _LEAST_SLOTS:
        return None
    band = _inverse(_slope_where_full(busy[below], load[below]))
    highest, busiest = float(load[is_seen].max()), float(busy[is_seen].max())
    return interval_of(band), highest, _known_by(band.mid, highest, busiest)


def _inverse(slope: Estimate) -> Band:
    """Return the load at which a utilisation of so much by load is 1."""
    low, high = slope.mid - _Z95 * slope.error, slope.mid + _Z95 * slope.error
    return Band(1 / slope.mid, 1 / high, 1 / low if low > 0 else np.inf)


def _slope_where_full(busy: Array, load: Array) -> Estimate:
    """Return utilisation by load where all servers are busy.

    Where requests at once slow each other, it grows with the utilisation itself (universal
    scalability law): the line through it is then followed to where all are busy.
    """
    slope = busy / load
    flat = huber_mean(slope, load)
    if len(busy) < _LEAST_OF_LINE:
        return flat
    weights = load / load.sum()
    middle = float(weights @ busy)
    spread = float(weights @ (busy - middle) ** 2)
    growth = float(weights @ ((busy - middle) * (slope - flat.mid))) / max(spread, 1e-12)
    away = slope - flat.mid - growth * (busy - middle)
    error = float(np.sqrt((weights**2 * away**2 * (busy - middle) ** 2).sum())) / max(spread, 1e-12)
    if growth < _SURE * error or growth * (1 - middle) < _LEAST_GROWTH * flat.mid:
        return flat
    at_full = flat.mid + growth * (1 - middle)
    return Estimate(at_full, float(np.hypot(flat.error, error * (1 - middle))))


def _known_by(knee: float, highest: float, busiest: float) -> str:
    """Return how a knee is known; `highest`: load that was played, `busiest`: utilisation that was seen."""
    if busiest >= _AT_KNEE:
        return "reached"
    if knee > FURTHEST * highest:
        return f"extrapolated: beyond {FURTHEST:g} x of what was played"
    return f"not reached, within {FURTHEST:g} x of what was played"
