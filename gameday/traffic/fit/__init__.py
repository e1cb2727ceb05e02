"""From a demand to session starts: the journeys' lag kernels, fitted by non-negative least squares."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.traffic.fit.by_type import caused_by_type, steps_by_type
    from gameday.traffic.fit.demand_with_launches import event_demand
    from gameday.traffic.fit.forecast_conflicts import (
        Contradiction,
        Residual,
        find_contradictions,
        measure_residuals,
    )

__all__ = [
    "Contradiction",
    "Residual",
    "caused_by_type",
    "event_demand",
    "find_contradictions",
    "measure_residuals",
    "steps_by_type",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "caused_by_type": "by_type",
            "event_demand": "demand_with_launches",
            "Contradiction": "forecast_conflicts",
            "Residual": "forecast_conflicts",
            "find_contradictions": "forecast_conflicts",
            "measure_residuals": "forecast_conflicts",
            "steps_by_type": "by_type",
        },
    )
