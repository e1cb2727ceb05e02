"""The room where the past becomes an expectation.

Job:   fit the calendar to the past and read the event off it, with quantiles.
In:    Scenario, History.    Out: Demand.
Never: read a file, know how customers walk, look past `history.until`.
"""

from gameday.forecast.demand import Demand
from gameday.forecast.event_demand import EventDemand
from gameday.forecast.forecast import demand_grid, forecast_demand

__all__ = ["Demand", "EventDemand", "demand_grid", "forecast_demand"]
