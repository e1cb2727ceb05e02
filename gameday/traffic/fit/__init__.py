"""From a demand to session starts: the journeys' lag kernels, fitted by non-negative least squares."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.traffic.fit.by_type import caused_by_type, steps_by_type
    from gameday.traffic.fit.demand_with_launches import event_demand
    from gameday.traffic.fit.forecast_conflicts import contradictions, residuals

__all__ = [
    "caused_by_type",
    "contradictions",
    "event_demand",
    "residuals",
    "steps_by_type",
]

__getattr__ = opening(
    __name__,
    {
        "caused_by_type": "by_type",
        "contradictions": "forecast_conflicts",
        "event_demand": "demand_with_launches",
        "residuals": "forecast_conflicts",
        "steps_by_type": "by_type",
    },
)
