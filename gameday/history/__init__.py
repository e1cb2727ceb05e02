"""The room where the past comes in.

Job:   read counts per minute and sessions from files and logs, or make up a past that has all a real one has.
In:    Scenario, CSV, Parquet, clickstream or access logs, or a Seed.    Out: History, Sessions.
Never: forecast, repair in silence (every mend is a note), know an event's future.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.history.history import CoarseRows, History
    from gameday.history.http_api import ApiServer
    from gameday.history.member_forecasts import MemberForecasts, SaidAtOrigin
    from gameday.history.prometheus import minutes_from_prometheus
    from gameday.history.read import read_any_history, read_given, read_history
    from gameday.history.repair import minutes_of_table
    from gameday.history.typed_orders import read_typed_orders

__all__ = [
    "ApiServer",
    "CoarseRows",
    "History",
    "MemberForecasts",
    "SaidAtOrigin",
    "minutes_from_prometheus",
    "minutes_of_table",
    "read_any_history",
    "read_given",
    "read_history",
    "read_typed_orders",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "ApiServer": "http_api",
            "CoarseRows": "history",
            "History": "history",
            "MemberForecasts": "member_forecasts",
            "SaidAtOrigin": "member_forecasts",
            "minutes_from_prometheus": "prometheus",
            "minutes_of_table": "repair",
            "read_any_history": "read",
            "read_given": "read",
            "read_history": "read",
            "read_typed_orders": "typed_orders",
        },
    )
