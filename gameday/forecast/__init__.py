"""The room where the past becomes an expectation.

Job:   fit the calendar to the past and read the event off it, with quantiles.
In:    Scenario, History.    Out: Demand.
Never: read a file, know how customers walk, look past `history.until`.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.forecast.demand import Demand
    from gameday.forecast.event_demand import EventDemand, LaunchSteps
    from gameday.forecast.forecast import (
        Fitted,
        benchmark_forecast,
        demand_grid,
        demand_of,
        event_spans,
        fit,
        forecast_demand,
    )
    from gameday.forecast.given_curve import given_demand
    from gameday.forecast.notes import model_notes, past_events

__all__ = [
    "Demand",
    "EventDemand",
    "Fitted",
    "LaunchSteps",
    "benchmark_forecast",
    "demand_grid",
    "demand_of",
    "event_spans",
    "fit",
    "forecast_demand",
    "given_demand",
    "model_notes",
    "past_events",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Demand": "demand",
            "EventDemand": "event_demand",
            "Fitted": "forecast",
            "LaunchSteps": "event_demand",
            "benchmark_forecast": "forecast",
            "demand_grid": "forecast",
            "demand_of": "forecast",
            "event_spans": "forecast",
            "fit": "forecast",
            "forecast_demand": "forecast",
            "given_demand": "given_curve",
            "model_notes": "notes",
            "past_events": "notes",
        },
    )
